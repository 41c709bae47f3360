"""Which papers' words changed when, so that an index beside the database follows without reading all."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "word_change",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("highest", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_word_change"),
    )
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute(
        "INSERT INTO word_change (stamp, highest, changed) "
        "SELECT lower(hex(randomblob(16))), max(number), '[]' FROM paper HAVING count(*) > 0"
    )
