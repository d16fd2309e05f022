"""What a database records of itself, and what follows from it."""
