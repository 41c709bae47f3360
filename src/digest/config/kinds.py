"""What a setting may be, read from the annotations of the structs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import Struct

from digest.errors import ConfigError
from digest.toml import KeyPath

_SET_BY_LOAD = frozenset({"home", "name"})  # fields that are no keys of the file


def words(kind: Any) -> str:
    """What a value of this kind is, in words a person reads."""
    if get_origin(kind) is Annotated:
        described = next((meta.description for meta in get_args(kind)[1:] if meta.description), None)
        return described or words(get_args(kind)[0])
    bare = bare_kind(kind)
    if bare is not kind:
        return words(next(option for option in get_args(kind) if option is not NoneType))
    if get_origin(bare) is Literal:
        return " or ".join(f'"{option}"' for option in get_args(bare))
    if get_origin(bare) is tuple:
        return f"a list, each {words(get_args(bare)[0])}"
    return {str: "a text in quotes", int: "a whole number", float: "a number", bool: "true or false"}.get(
        bare, "a table"
    )


def bare_kind(kind: Any) -> Any:
    """The kind without its limits and without None."""
    while get_origin(kind) is Annotated or NoneType in get_args(kind):
        kind = next(option for option in get_args(kind) if option is not NoneType)
    return kind


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind."""
    try:
        msgspec.convert(value, kind, dec_hook=as_path)
    except (msgspec.ValidationError, ConfigError):
        return False
    return True


def is_folder(path: Path) -> bool:
    """Whether there is a folder."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a folder may not be entered


def as_path(_: type, value: Any) -> Path:
    """A path as it is given to msgspec; raises ValueError for what is none."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(value)
    return expanded(value)


@cache
def keys_of(kind: type[Struct]) -> list[msgspec.structs.FieldInfo]:
    """The fields of a struct that are keys of the file."""
    return [field for field in msgspec.structs.fields(kind) if field.name not in _SET_BY_LOAD]


def scalars(kind: type[Struct], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """The settings that hold one value, with their kinds: those the environment can give."""
    for field in keys_of(kind):
        bare = bare_kind(field.type)
        if isinstance(bare, type) and issubclass(bare, Struct):
            yield from scalars(bare, (*path, field.name))
        elif get_origin(bare) not in (tuple, Mapping):
            yield (*path, field.name), field.type


def expanded(path: str | Path) -> Path:
    """A path with ``~`` read; raises ConfigError where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no such user") from error
