"""Alembic's side of `digest.store.migrate`: runs on the connection, and in the transaction, it is given.

Migrations import nothing of the program, which changes under them: its own column types are written
into them as the plain types they are stored as.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy.types import TypeDecorator


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """``UtcDateTime()`` as ``sa.DateTime(timezone=True)``, ``Json(...)`` as ``sa.Text()``."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{item.impl_instance!r}"
    return False


def include_name(name: str | None, kind: str, _: Any) -> bool:
    """Leave out FTS5's tables, of which SQLAlchemy knows nothing."""
    return not (kind == "table" and name is not None and name.startswith("paper_word"))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes.get("metadata"),
    render_item=render_item,
    include_name=include_name,
    version_table_schema=context.config.attributes.get("schema"),
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
