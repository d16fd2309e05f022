"""SQL as text: scripts and statements."""
