"""What is trained: one adapter per trainer."""
