"""One room per trainer library."""
