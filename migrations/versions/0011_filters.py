"""The index of days holds what filters ask for, so that to look for the few that pass reads no paper."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_paper_announced", "paper")
    op.create_index("ix_paper_announced", "paper", ["announced", "withdrawn", "categories", "text_hash"])
