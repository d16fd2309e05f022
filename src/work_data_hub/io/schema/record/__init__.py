"""What a database records of itself: identity, journal, marks; where it stands."""
