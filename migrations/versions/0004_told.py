"""When the announcement of a paper was told, if it was: until then its day is an estimate.

A batch is dated later than the day of submission, so a paper whose day is that of its first version was
brought by a source that does not know. (Daily feeds know no day of submission, and tell no versions.)
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("paper", sa.Column("told", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE paper SET told = number WHERE announced > date(submitted) OR versions = '[]'")
