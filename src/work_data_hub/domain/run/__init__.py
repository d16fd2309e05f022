"""What a run will do, and whether it may."""
