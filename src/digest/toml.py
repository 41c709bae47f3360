"""A TOML file for people who make mistakes: what is wrong in it, and in which line each value stands.

The standard library's parser tells no lines; here they are found with that same parser, statement by
statement, and only when a mistake is to be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from digest.errors import ConfigError

KeyPath = tuple[str | int, ...]
"""Where a value stands: keys of tables and indices of lists, from the top of the file."""

Places = dict[KeyPath, tuple[int, str]]
"""For each value the first line of its statement, and the statement."""


def read(file: Path) -> str:
    """The text of a file. Raises ConfigError when it cannot be read or is not UTF-8."""
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: not UTF-8; save the file in this encoding") from error
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error


def parse(text: str, file: Path | None) -> dict[str, Any]:
    """The values of a TOML text. Raises ConfigError with file, line and reason when it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{file}: not valid TOML: too many brackets in each other") from error
    except ValueError as error:
        raise ConfigError(f"{file}:{_syntax_error(str(error), text)}") from error


def places(text: str) -> Places:
    """Where each value of a TOML text stands."""
    found: Places = {}
    table: KeyPath = ()
    for start, statement, parsed in _statements(text):
        header = statement.lstrip().startswith("[")
        if header:
            table = ()
        paths = [table + path for path, _ in nodes(parsed)]
        for path in paths:
            found.setdefault(path, (start, statement))
        if header:
            table = paths[-1]
    return found


def line_of(path: KeyPath, value: Any, places: Places) -> int:
    """The line of the setting, or of its value in a list of several lines; else of its table; else 0."""
    given = path
    while path not in places and path:
        path = path[:-1]
    start, statement = places.get(path, (0, ""))
    found = statement.find(show(value)) if path == given else -1
    return start + (statement.count("\n", 0, found) if found > 0 else 0)


def nodes(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value inside a table or list with its path, outer ones first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key), inner
        yield from nodes(inner, (*path, key))


def dotted(path: KeyPath) -> str:
    """topics.xai.floor; each entry of topics.xai.languages."""
    keys = [key for key in path if isinstance(key, str)]
    name = ".".join(key if key.replace("-", "_").isidentifier() else show(key) for key in keys)
    return f"each entry of {name}" if path and isinstance(path[-1], int) else name


def show(value: Any) -> str:
    """A value as one line of TOML, or what it is when it is long."""
    if isinstance(value, dict | list):
        return f"{'a' if value else 'an empty'} {'table' if isinstance(value, dict) else 'list'}"
    text = msgspec.json.encode(value).decode() if isinstance(value, str | bool) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _syntax_error(message: str, text: str) -> str:
    """Line and reason out of tomllib's "Reason (at line 3, column 5)" or "Reason (at end of document)"."""
    reason, _, place = message.partition(" (at ")
    if place.startswith("line "):
        line = int(place.removeprefix("line ").partition(",")[0])
    else:
        *_, (line, _, _) = _statements(text)
    reason = {"Cannot overwrite a value": "this key is given twice"}.get(reason, reason)
    return f"{line}: not valid TOML: {reason[0].lower()}{reason[1:]}"


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Each statement of a TOML text with its first line: what ends at the first line up to which it can
    be parsed by itself. The rest that cannot be parsed is given last."""
    import tomllib

    start, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            yield start, statement, tomllib.loads(statement)
        except ValueError:
            continue
        start, statement = number + 1, ""
    if statement:
        yield start, statement, {}
