"""The tables digest starts with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cursor",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_cursor"),
    )
    op.create_table(
        "model",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("name", name="uq_model_name"),
    )
    op.create_table(
        "paper",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("announced", sa.Date(), nullable=False),
        sa.Column("announce_type", sa.Text(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("categories", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("abstract", sa.Text(), nullable=False),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("journal_ref", sa.Text(), nullable=True),
        sa.Column("doi", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_paper"),
        sa.UniqueConstraint("id", name="uq_paper_id"),
    )
    op.create_index("ix_paper_announced", "paper", ["announced", "text_hash"])
    op.create_index("ix_paper_text_hash", "paper", ["text_hash"])
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("command", sa.Text(), nullable=False),
        sa.Column("as_of", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=False),
        sa.Column("report", sa.Text(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_run"),
        sa.UniqueConstraint("command", "as_of", name="uq_run_command_as_of"),
    )
    op.create_table(
        "stamp",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_stamp"),
    )
    op.create_table(
        "topic",
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_topic"),
    )
    op.create_table(
        "match",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("silent", sa.Boolean(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("scorer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.number"], name="fk_match_paper", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["topic"], ["topic.name"], name="fk_match_topic"),
        sa.PrimaryKeyConstraint("topic", "paper", name="pk_match"),
    )
    op.create_index("ix_match_paper", "match", ["paper"])
    op.create_table(
        "paper_category",
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["paper"], ["paper.number"], name="fk_paper_category_paper", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("paper", "category", name="pk_paper_category"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "paper_version",
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["paper"], ["paper.number"], name="fk_paper_version_paper", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("paper", "number", name="pk_paper_version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "post",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("slot", sa.Date(), nullable=False),
        sa.Column("genre", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["topic"], ["topic.name"], name="fk_post_topic"),
        sa.PrimaryKeyConstraint("id", name="pk_post"),
        sa.UniqueConstraint("topic", "slot", "genre", "language", name="uq_post_topic_slot_genre_language"),
    )
    op.create_table(
        "topic_fit",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["topic"], ["topic.name"], name="fk_topic_fit_topic"),
        sa.PrimaryKeyConstraint("topic", name="pk_topic_fit"),
    )
    op.create_table(
        "topic_key",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["topic"], ["topic.name"], name="fk_topic_key_topic"),
        sa.PrimaryKeyConstraint("id", name="pk_topic_key"),
        sa.UniqueConstraint("topic", "normal", name="uq_topic_key_topic_normal"),
    )
    op.create_table(
        "vector",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("model", sa.Integer(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["model.id"], name="fk_vector_model"),
        sa.PrimaryKeyConstraint("number", name="pk_vector"),
        sa.UniqueConstraint("model", "text_hash", name="uq_vector_model_text_hash"),
    )
    op.create_table(
        "key_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("normal", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["topic", "normal"], ["topic_key.topic", "topic_key.normal"], name="fk_key_decision_topic_normal"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_key_decision"),
    )
    op.create_index("ix_key_decision_topic_normal", "key_decision", ["topic", "normal"])
    op.create_table(
        "part",
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("entities", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_part_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post", "number", name="pk_part"),
    )
    op.create_table(
        "post_paper",
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("paper", sa.Integer(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("choice", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["paper"], ["paper.number"], name="fk_post_paper_paper"),
        sa.ForeignKeyConstraint(["post"], ["post.id"], name="fk_post_paper_post", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post", "position", name="pk_post_paper"),
    )
    op.create_index("ix_post_paper_paper", "post_paper", ["paper"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post", "part"], ["part.post", "part.number"], name="fk_delivery_post_part"),
        sa.PrimaryKeyConstraint("id", name="pk_delivery"),
        sa.UniqueConstraint("post", "part", "channel", name="uq_delivery_post_part_channel"),
    )
    op.create_index("ix_delivery_state_channel", "delivery", ["state", "channel"])
    if op.get_bind().dialect.name != "sqlite":
        return
    # The words of the papers: no copy of the texts, `paper` has them. bm25's weights are kept with it.
    op.execute(
        "CREATE VIRTUAL TABLE paper_word USING fts5(title, abstract, authors, content='paper', "
        "content_rowid='number', tokenize='porter unicode61 remove_diacritics 2')"
    )
    op.execute("INSERT INTO paper_word(paper_word, rank) VALUES ('rank', 'bm25(2.0, 1.0, 0.5)')")
