"""Who sends where: turns, rests, chats, pauses, reviews; when and after what a part was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sender",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_sender"),
    )
    op.create_table(
        "chat",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("moved", sa.Text(), nullable=True),
        sa.Column("last", sa.Integer(), nullable=True),
        sa.Column("rest", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_chat"),
    )
    op.create_table(
        "pause",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_pause"),
    )
    op.create_table(
        "review",
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_review_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post", name="pk_review"),
    )
    op.add_column("delivery", sa.Column("attempted", sa.DateTime(timezone=True), nullable=True))
    op.add_column("delivery", sa.Column("chat", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("after", sa.Integer(), nullable=True))
