"""A rejected post gives its day free: of one topic, day, genre and language there is one post that is not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SLOT = ["topic", "slot", "genre", "language"]


def upgrade() -> None:
    with op.batch_alter_table("post") as post:
        post.drop_constraint("uq_post_topic_slot_genre_language", type_="unique")
    live = sa.text("state != 'rejected'")
    op.create_index("uq_post_live", "post", SLOT, unique=True, sqlite_where=live, postgresql_where=live)
