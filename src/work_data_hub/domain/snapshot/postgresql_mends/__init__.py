"""The statements that mend a difference on PostgreSQL."""
