"""One run at a time, and what a revision waits for."""
