"""An env.py and an alembic.ini, rewritten."""
