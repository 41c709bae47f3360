"""The templates: which there are, a copy to change, whether all of them can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from digest.data import data_dir
from digest.errors import UsageError, refused
from digest.types import Genre, Language, Template

if TYPE_CHECKING:
    from digest.app import App

SUFFIXES = (".html.j2", ".j2")


def found(app: App) -> list[Template]:
    """All templates, the user's and the built-in ones, by name."""
    packaged, own = data_dir("templates"), app.own_templates
    names = {_name(file, folder) for folder in (packaged, own) if folder for file in folder.rglob("*.j2")}
    return [_template(name, packaged, own) for name in sorted(names)]


def copy(app: App, name: str, *, force: bool = False) -> Path:
    """Copy a built-in template, such as ``ru/roundup``, to the user's; the file to change. Raises
    UsageError where there is no such one, or a file in the way."""
    source = _file(data_dir("templates"), name)
    own = app.settings.posts.templates or app.settings.home / "templates"
    target = own / source.relative_to(data_dir("templates"))
    if target.exists() and not force:
        raise UsageError(f"{target}: is there already; give --force to replace it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    except OSError as error:
        raise refused(error) from error
    return target


def check(app: App) -> list[str]:
    """What is wrong with the templates, a line each: what does not compile, and what does not write a post
    of the bundled sample, in any genre and language, that Telegram would show as it is written."""
    try:
        _ = app.writer  # reads all of the user's
    except UsageError as error:
        return str(error).splitlines()
    return list(dict.fromkeys(_tried(app)))


def _tried(app: App) -> Iterator[str]:
    from digest import trial

    for genre in get_args(Genre):
        for language in get_args(Language):
            yield from trial.problems(app.writer, genre, language)


def _template(name: str, packaged: Path, own: Path | None) -> Template:
    mine = own / name if own and (own / name).is_file() else None
    built_in = packaged / name
    same = mine is not None and built_in.is_file() and mine.read_bytes() == built_in.read_bytes()
    return Template(name, mine, built_in.is_file(), same)


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _file(folder: Path, name: str) -> Path:
    names = [_name(file, folder) for file in folder.rglob("*.j2")]
    for wanted in (name, *(name + suffix for suffix in SUFFIXES)):
        if wanted in names:
            return folder / wanted
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]}?" if near else "digest template list shows them"
    raise UsageError(f"no template {name!r}; {hint}")
