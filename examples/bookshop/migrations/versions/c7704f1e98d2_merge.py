"""Both branches together."""

revision = "c7704f1e98d2"
down_revision = ("8d2e5c4410aa", "91bb07de6c53")
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
