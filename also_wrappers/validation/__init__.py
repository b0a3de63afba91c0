"""Whether a candidate is used: checks, branches and the gate."""
