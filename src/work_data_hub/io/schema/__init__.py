"""Running, guarding and seeding the database schema."""
