"""Attacks on the package: each makes attempts until a time is over."""
