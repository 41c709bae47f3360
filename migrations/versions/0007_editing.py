"""Versions of a post that were replaced, who did what to it, and which version of a paper it told of."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("post", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("post", sa.Column("as_written", sa.Text(), nullable=True))
    op.add_column("post_paper", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    # Nobody wrote down which version a post was made from; it was the newest then.
    op.execute("UPDATE post_paper SET version = (SELECT version FROM paper WHERE number = post_paper.paper)")
    op.create_table(
        "post_version",
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("choices", sa.Text(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_post_version_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post", "version", name="pk_post_version"),
    )
    op.create_table(
        "post_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_post_change_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_post_change"),
    )
    op.create_index("ix_post_change_post", "post_change", ["post"])
    op.execute(
        "INSERT INTO post_change (post, version, at, by, what) "
        "SELECT id, 1, written_at, 'digest', 'written' FROM post"
    )
    op.execute(
        "INSERT INTO post_change (post, version, at, by, what) "
        "SELECT id, 1, decided_at, 'unknown', state FROM post WHERE decided_at IS NOT NULL"
    )
    op.create_table(
        "post_update",
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_post_update_post", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["paper"], ["paper.number"], name="fk_post_update_paper"),
        sa.PrimaryKeyConstraint("post", "paper", name="pk_post_update"),
    )
    op.create_table(
        "wording",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_wording"),
    )
