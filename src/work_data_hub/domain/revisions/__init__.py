"""What revision files say and how they stand to each other; read from text, never executed."""
