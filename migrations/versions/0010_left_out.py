"""Papers that were left out of a topic or its posts, with the reason."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "left_out",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.number"], name="fk_left_out_paper", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["topic"], ["topic.name"], name="fk_left_out_topic"),
        sa.PrimaryKeyConstraint("topic", "paper", name="pk_left_out"),
    )
    op.create_index("ix_left_out_paper", "left_out", ["paper"])
