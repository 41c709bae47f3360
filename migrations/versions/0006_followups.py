"""Pictures; what follows a part that was sent: edits, polls, pins; readers' reactions; alarms told once;
questions to editors. The checksum of a part covers its entities."""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_LINK = re.compile(r"https://t\.me/.+/(\d+)")


def upgrade() -> None:
    op.add_column("part", sa.Column("picture", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("message", sa.Integer(), nullable=True))
    op.add_column("delivery", sa.Column("sha256", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("told", sa.DateTime(timezone=True), nullable=True))
    op.add_column("pause", sa.Column("told", sa.DateTime(timezone=True), nullable=True))
    _add_tables()
    _cover_entities()
    _note_what_stands()


def _add_tables() -> None:
    op.create_table(
        "followup",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("delivery", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("base", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name="fk_followup_delivery"),
        sa.PrimaryKeyConstraint("id", name="pk_followup"),
    )
    op.create_index("ix_followup_delivery", "followup", ["delivery"])
    op.create_index("ix_followup_state", "followup", ["state"])
    op.create_table(
        "reaction",
        sa.Column("delivery", sa.Integer(), nullable=False),
        sa.Column("emoji", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name="fk_reaction_delivery"),
        sa.PrimaryKeyConstraint("delivery", "emoji", name="pk_reaction"),
    )
    op.create_table(
        "question",
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("message", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_question_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("chat", "message", name="pk_question"),
    )


def _cover_entities() -> None:
    """The old checksum was of HTML and text. Where it does not hold, the part stays refused."""
    connection = op.get_bind()
    query = sa.text("SELECT post, number, html, text, entities, sha256 FROM part")
    change = sa.text("UPDATE part SET sha256 = :sha256 WHERE post = :post AND number = :number")
    for row in connection.execute(query).all():
        if row.sha256 == _sha256(row.html, row.text):
            values = {"post": row.post, "number": row.number}
            connection.execute(change, {**values, "sha256": _sha256(row.html, row.text, row.entities, "")})


def _sha256(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def _note_what_stands() -> None:
    connection = op.get_bind()
    theirs = "(SELECT sha256 FROM part WHERE part.post = delivery.post AND part.number = delivery.part)"
    connection.execute(sa.text(f"UPDATE delivery SET sha256 = {theirs} WHERE attempts > 0 OR state = 'sent'"))
    query = sa.text("SELECT id, receipt FROM delivery WHERE state = 'sent' AND receipt IS NOT NULL")
    for row in connection.execute(query).all():
        if link := _LINK.fullmatch(row.receipt):
            change = sa.text("UPDATE delivery SET message = :message WHERE id = :id")
            connection.execute(change, {"id": row.id, "message": int(link[1])})
