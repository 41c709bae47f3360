"""What PostgreSQL has beside the tables that both databases have, made after each upgrade where it lacks.

The migrations speak of whole numbers and of text; here that is ``bigint``, as SQLite's numbers have 64 bits,
and text in the order of its bytes (``COLLATE "C"``), as SQLite sorts it, whatever the server's language is.
"""

from __future__ import annotations

from collections.abc import Iterable
from string import punctuation
from typing import Any
from unicodedata import category, normalize

from sqlalchemy import Connection, text

from digest.errors import StoreError

MARK = "digest"
"""The comment on the table of the migration's number: tells our database from any other."""

LEAST = (14, 0)
"""The first version of PostgreSQL that is taken."""
LEAST_VECTOR = (0, 8)
"""The first version of pgvector whose index goes on where a filter left too few."""


def prepare(connection: Connection) -> None:
    """Look whether the server can hold an archive, and make pgvector's types known. Raises StoreError."""
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS digest"))
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise StoreError(
            f"the encoding is {encoding}: `createdb -E UTF8 -T template0` makes a right database"
        )
    version = int(connection.scalar(text("SHOW server_version_num")) or 0)
    if (version // 10_000, 0) < LEAST:
        raise StoreError(f"PostgreSQL {version // 10_000} is too old: {LEAST[0]} or newer is needed")
    if vector_version(connection) is None:
        _make_vector(connection)
    found = vector_version(connection) or "0"
    if tuple(map(int, found.split(".")[:2])) < LEAST_VECTOR:
        raise StoreError(f"pgvector {found} is too old: 0.8 or newer, then ALTER EXTENSION vector UPDATE")


def vector_version(connection: Connection) -> str | None:
    """The version of pgvector in this database."""
    version = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    found: str | None = connection.scalar(text(version))
    return found


def described(connection: Connection) -> tuple[str, str]:
    """The versions of PostgreSQL and of pgvector."""
    version = str(connection.scalar(text("SHOW server_version"))).split(" ")[0]
    return version, vector_version(connection) or ""


def size(connection: Connection) -> int:
    """Bytes of the database, with its indexes."""
    return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)


def _make_vector(connection: Connection) -> None:
    there = "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'"
    if not connection.scalar(text(there)):
        raise StoreError("the server has no pgvector: install it there (Debian: postgresql-NN-pgvector)")
    may = (
        "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) OR bool_or(trusted) "
        "FROM pg_available_extension_versions WHERE name = 'vector'"
    )
    if not connection.scalar(text(may)):
        raise StoreError("let the server's administrator run CREATE EXTENSION vector in this database, once")
    connection.execute(text("CREATE EXTENSION vector SCHEMA public"))


def complete(connection: Connection) -> None:
    """Make what lacks."""
    _widen(connection)
    for statement in (_PLAIN, *_WORDS, *_TABLES):
        _run(connection, statement)
    if not connection.scalar(text(_HAS_SEARCH)):
        _run(connection, _SEARCH)
    connection.exec_driver_sql("CREATE INDEX IF NOT EXISTS ix_paper_search ON paper USING gin (search)")
    connection.exec_driver_sql(f"COMMENT ON TABLE alembic_version IS '{MARK}'")


def _run(connection: Connection, statement: str) -> None:
    """Run a statement in which a percent sign is one."""
    raw: Any = connection.connection.driver_connection
    raw.execute(statement)


def is_ours(connection: Connection) -> bool:
    """Whether the tables of the current schema are an archive's."""
    comment = "SELECT obj_description(to_regclass('digest.alembic_version'), 'pg_class')"
    return bool(connection.scalar(text(comment)) == MARK)


def _widen(connection: Connection) -> None:
    narrow = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = "
        "current_schema() AND table_name <> 'alembic_version' AND (data_type = 'integer' "
        "OR (data_type = 'text' AND collation_name IS DISTINCT FROM 'C')) "
        "ORDER BY table_name, ordinal_position"
    )
    changes: dict[str, list[str]] = {}
    for table, column, kind in connection.execute(text(narrow)):
        to = "bigint" if kind == "integer" else 'text COLLATE "C"'
        changes.setdefault(table, []).append(f'ALTER COLUMN "{column}" TYPE {to}')
    for table, wanted in changes.items():
        connection.exec_driver_sql(f'ALTER TABLE "{table}" {", ".join(wanted)}')
    short = (
        "SELECT sequencename FROM pg_sequences WHERE schemaname = current_schema() "
        "AND data_type <> 'bigint'::regtype"
    )
    for (sequence,) in connection.execute(text(short)).all():
        connection.exec_driver_sql(f'ALTER SEQUENCE "{sequence}" AS bigint')


# Words. The parser of PostgreSQL takes "and/or" for a file and "a.b" for a host, and what it does with
# letters beyond ASCII depends on the server's language. So it is given letters, digits and spaces: small
# letters, Latin ones without their accents, as FTS5 has them (https://sqlite.org/fts5.html#unicode61_tokenizer).


def _plain(letter: str) -> str:
    latin = ord(letter) < 0x370 or ord(letter) in range(0x1E00, 0x1F00)
    small = (normalize("NFD", letter)[0] if latin else letter).lower()
    return small if len(small) == 1 else letter


def _ranges(characters: Iterable[str]) -> str:
    """Characters in their order as ranges of a regular expression."""
    found: list[list[int]] = []
    for code in map(ord, characters):
        if found and found[-1][1] == code - 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in found)


_BLOCKS = ((0x80, 0x530), (0x1E00, 0x2070), (0x2190, 0x2400), (0x3000, 0x3040), (0xFF00, 0xFF66))
_MARKS = [chr(code) for code in range(0x300, 0x370)]
_BEYOND = [chr(code) for first, after in _BLOCKS for code in range(first, after) if chr(code) not in _MARKS]
_SIGNS = _ranges(one for one in _BEYOND if category(one)[0] not in "LN")
_LETTERS = [one for one in _BEYOND if category(one)[0] in "LN" and _plain(one) != one]
# translate() looks through its list for each character: what costs is done for texts that need it. Marks have
# nothing to become: they go.
_PLAIN = f"""CREATE OR REPLACE FUNCTION digest_plain(given text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $plain$
DECLARE plain text := translate(given, '{punctuation.replace("'", "''")}', '{" " * len(punctuation)}');
BEGIN
    IF octet_length(plain) = char_length(plain) THEN RETURN plain; END IF;
    plain := regexp_replace(plain, '[{_SIGNS}]', ' ', 'g');
    IF octet_length(plain) = char_length(plain) THEN RETURN plain; END IF;
    RETURN translate(plain, '{"".join((*_LETTERS, *_MARKS))}', '{"".join(map(_plain, _LETTERS))}');
END $plain$"""
# English stems, and no stop words: a phrase holds them too. A label (A title, B abstract, C authors) on each
# word of a phrase keeps the phrase within one of them.
_WORDS = (
    (
        "DO $$BEGIN IF NOT EXISTS (SELECT FROM pg_ts_config WHERE cfgname = 'digest_words' "
        "AND cfgnamespace = 'digest'::regnamespace) THEN "
        "CREATE TEXT SEARCH DICTIONARY digest_stem (TEMPLATE = snowball, Language = english); "
        "CREATE TEXT SEARCH CONFIGURATION digest_words (COPY = english); "
        "ALTER TEXT SEARCH CONFIGURATION digest_words ALTER MAPPING FOR asciiword, word WITH digest_stem; "
        "END IF; END$$"
    ),
    (
        "CREATE OR REPLACE FUNCTION digest_query(phrase text, label text) RETURNS tsquery LANGUAGE sql "
        "STABLE PARALLEL SAFE AS $$SELECT regexp_replace("
        "phraseto_tsquery('digest_words', digest_plain(phrase))::text, "
        "'''([^'']+)''', '''\\1'':' || label, 'g')::tsquery$$"
    ),
)
_HAS_SEARCH = (
    "SELECT count(*) FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND table_name = 'paper' AND column_name = 'search'"
)
_SEARCH = (
    "ALTER TABLE paper ADD COLUMN search tsvector GENERATED ALWAYS AS ("
    + " || ".join(
        f"setweight(to_tsvector('digest_words', digest_plain({column})), '{label}')"
        for column, label in (("title", "A"), ("abstract", "B"), ("authors", "C"))
    )
    + ") STORED"
)

# near: each vector as pgvector indexes it; claim: the texts that somebody is embedding now, of no use after a
# crash of the server.
_TABLES = (
    (
        "CREATE TABLE IF NOT EXISTS near (number bigint PRIMARY KEY REFERENCES vector ON DELETE CASCADE, "
        "model bigint NOT NULL, half halfvec NOT NULL)"
    ),
    (
        'CREATE UNLOGGED TABLE IF NOT EXISTS claim (model text COLLATE "C", text_hash bytea, worker integer '
        "NOT NULL, PRIMARY KEY (model, text_hash))"
    ),
)
