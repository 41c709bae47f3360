"""digest.toml and the environment, checked as a whole before anything runs.

``default.toml`` beside this module is the one source of defaults: ``init`` writes it, a setting left
out of a user's file is taken from it. A mistake gives one line that names file, line, key and the
nearest right one or what is allowed; all mistakes are given at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from digest import toml
from digest.config.checks import Mistake, check, check_names, hint_for
from digest.config.kinds import as_path, bare_kind, expanded, is_folder, scalars, words
from digest.config.settings import Address, Channel, Settings, Telegram, Writer
from digest.errors import ConfigError, UsageError
from digest.toml import KeyPath
from digest.types import Topic
from digest.whole import write_whole, written_whole

__all__ = [
    "OWN_VARIABLES",
    "Address",
    "Channel",
    "Settings",
    "Telegram",
    "Writer",
    "add_topic",
    "bot_token",
    "default_text",
    "find_config",
    "find_home",
    "init",
    "load",
    "variables",
    "words",
    "writer_key",
]

DATABASE_URL = "DATABASE_URL"
"""The variable in which many hosts give their database. It counts where it names the driver too
(postgresql+psycopg://), which another program's would not, and DIGEST_DATABASE is not set."""

OWN_VARIABLES = ("DIGEST_HOME", "DIGEST_CONFIG", "DIGEST_TELEGRAM_TOKEN", "DIGEST_WRITER_KEY")
"""Environment variables that say where to look, or a secret, and are no settings."""

_REPLACED_WHOLE = frozenset({"topics", "channels"})  # tables a user's file gives whole


def load(config: Path | None, home: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from the file, the environment and the defaults, in this order of weight: environment,
    file, ``default.toml``. Raises ConfigError with one line for each mistake."""
    home = find_home(home, environ)
    file = find_config(config, home, environ)
    text = toml.read(file) if file else ""
    data = _merge(toml.parse(default_text(), Path("default.toml")), toml.parse(text, file))
    variables, unknown = _from_environment(data, environ)
    mistakes = [*check(data, Settings, ()), *check_names(data, home)]
    if lines := [*_at_their_lines(mistakes, file, text, variables), *unknown]:
        raise ConfigError("\n".join(lines))
    return _settings(data, home)


def bot_token(telegram: Telegram, environ: Mapping[str, str]) -> str:
    """The token of the bot: DIGEST_TELEGRAM_TOKEN, else what stands in ``telegram.token_file``. Raises
    ConfigError where there is none; no message shows it."""
    if given := environ.get("DIGEST_TELEGRAM_TOKEN", "").strip():
        return given
    if telegram.token_file is None:
        raise ConfigError("there is no bot token: set DIGEST_TELEGRAM_TOKEN, or telegram.token_file")
    try:
        return telegram.token_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{telegram.token_file}: the bot token cannot be read: {why}") from None


def writer_key(writer: Writer, environ: Mapping[str, str]) -> str:
    """The key of the endpoint: DIGEST_WRITER_KEY, else what stands in ``writer.key_file``, else none, for
    an endpoint of one's own. Raises ConfigError where the file cannot be read; no message shows it."""
    given = environ.get("DIGEST_WRITER_KEY", "").strip()
    if given or writer.key_file is None:
        return given or "none"
    try:
        return writer.key_file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"{writer.key_file}: the writer's key cannot be read: {why}") from None


def find_home(home: Path | None, environ: Mapping[str, str]) -> Path:
    """The digest home: the one given, else DIGEST_HOME, else ``digest`` in the user's data folder
    (https://specifications.freedesktop.org/basedir-spec/latest/). It need not exist yet."""
    given = home or environ.get("DIGEST_HOME")
    data = environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else Path("~/.local/share")
    found = expanded(given or base / "digest").absolute()
    if os.path.lexists(found) and not is_folder(found):
        raise ConfigError(f"{found}: the digest home must be a folder; give another one with --home")
    return found


def find_config(config: Path | None, home: Path, environ: Mapping[str, str]) -> Path | None:
    """The file that is read: the one given, else DIGEST_CONFIG, else ``digest.toml`` in the digest
    home, else in the current folder, else None for the defaults."""
    if given := config or environ.get("DIGEST_CONFIG"):
        return expanded(given)
    usual = (home / "digest.toml", Path("digest.toml"))
    return next((file for file in usual if os.path.lexists(file)), None)


def init(path: Path, force: bool = False) -> Path:
    """Writes the commented default file, as a whole or not at all. Raises UsageError where there is
    a file already (unless ``force``) or none can be written."""
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path}: there is a file already; give --force to replace it")
    try:
        if not os.path.lexists(path.parent):
            path.parent.mkdir(parents=True)
        write_whole(path, default_text().encode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def add_topic(file: Path | None, home: Path, environ: Mapping[str, str], topic: Topic) -> Path:
    """Write a new topic into a configuration file, at its end; gives the file. Where there is none, the
    default one is written into the home, and where it leaves the topics to the defaults these are written
    too, as a file's topics stand in the place of all others. The file is whole at any moment, and nothing is
    written that could not be loaded. Raises UsageError, ConfigError."""
    target = Path(file or home / "digest.toml").resolve()
    text = toml.read(target) if file else default_text()
    if "topics" not in toml.parse(text, target):
        text = f"{text.rstrip()}\n\n{_default_topics()}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(target) as draft:
            draft.write(f"{text.rstrip()}\n\n{_topic_text(topic)}".encode())
            draft.flush()
            if target.exists():
                os.fchmod(draft.fileno(), target.stat().st_mode & 0o777)
            load(Path(draft.name), home, environ)
    except OSError as error:
        raise UsageError(f"{target}: cannot be written: {error.strerror}") from error
    return target


def _default_topics() -> str:
    """The default topics, as they stand in the default file."""
    text = default_text()
    return text[text.index("[topics.") : text.index("[channels.")].rpartition("\n\n")[0]


def _topic_text(topic: Topic) -> str:
    """A topic as a table of TOML: what it says of itself."""
    titles = ", ".join(f"{language} = {_quoted(title)}" for language, title in topic.titles.items())
    lines = {
        "term": _quoted(topic.term),
        "titles": f"{{ {titles} }}" if titles else "",
        "seed_keys": _quoted(topic.seed_keys),
        "seed_papers": _quoted(topic.seed_papers) if topic.seed_papers else "",
        "languages": _quoted(topic.languages),
        "floor": f"{topic.floor:g}",
    }
    table = "".join(f"{name} = {value}\n" for name, value in lines.items() if value)
    return f"[topics.{topic.name}]\n{table}"


def _quoted(value: str | Sequence[str]) -> str:
    """A text, or a list of texts, in TOML: its basic strings escape as JSON's do (https://toml.io/en/v1.0.0)."""
    if not isinstance(value, str):
        return f"[{', '.join(map(_quoted, value))}]"
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")


def default_text() -> str:
    """The commented default file."""
    return Path(__file__).parents[1].joinpath("default.toml").read_text(encoding="utf-8")


def variables() -> dict[str, KeyPath]:
    """The environment variables that stand for settings, and where each one's setting stands."""
    return {"_".join(("digest", *map(str, path))).upper(): path for path, _ in scalars(Settings, ())}


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``over`` upon ``base``, tables joined key by key, except those that are replaced whole."""
    merged = base | over
    for key in base.keys() & over.keys() - _REPLACED_WHOLE:
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            merged[key] = _merge(base[key], over[key])
    return merged


def _from_environment(
    data: dict[str, Any], environ: Mapping[str, str]
) -> tuple[dict[KeyPath, str], list[str]]:
    """Puts the environment's settings into ``data``. Gives the variable for each setting that came
    from one, and a line for each unknown variable. An empty variable counts as not set."""
    given = [name for name in environ if name.startswith("DIGEST_") and environ[name]]
    found: dict[KeyPath, str] = {}
    unknown: list[str] = []
    if (url := environ.get(DATABASE_URL, "")).startswith("postgresql+psycopg://"):
        data["database"] = url
        found[("database",)] = DATABASE_URL
    if not set(given) - set(OWN_VARIABLES):
        return found, unknown
    known = variables()
    kinds = dict(scalars(Settings, ()))
    allowed = [name.removeprefix("DIGEST_") for name in (*known, *OWN_VARIABLES)]
    for name in sorted(given):
        if name in known:
            _put(data, known[name], _value(environ[name], kinds[known[name]]))
            found[known[name]] = name
        elif name not in OWN_VARIABLES:
            hint = hint_for(name.removeprefix("DIGEST_"), allowed, "DIGEST_")
            unknown.append(f"environment: unknown variable {name}{hint}")
    return found, unknown


def _put(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    *tables, key = path
    table: Any = data
    for name in tables:
        table = table.setdefault(name, {})
    if isinstance(table, dict):  # else the file gave no table: that is told
        table[key] = value


def _value(text: str, kind: Any) -> Any:
    """The text of a variable as a value of TOML; text that is none stays, and is told as a mistake."""
    try:
        return (
            msgspec.convert(text, bare, strict=False)
            if (bare := bare_kind(kind)) in (int, float, bool)
            else text
        )
    except msgspec.ValidationError:
        return text


def _settings(data: dict[str, Any], home: Path) -> Settings:
    topics = {name: _topic(name, given) for name, given in data["topics"].items()}
    dialect, slashes, file = data["database"].partition(":///")
    if dialect.startswith("sqlite") and file and not file.startswith((":", "file:")):
        file = str(home / as_path(Path, file))
    given = {"home": str(home), "topics": topics, "database": dialect + slashes + file}
    return msgspec.convert(data | given, Settings, dec_hook=lambda kind, path: home / as_path(kind, path))


def _topic(name: str, given: dict[str, Any]) -> dict[str, Any]:
    from digest import ids

    papers = [ids.parse(paper).base for paper in given.get("seed_papers", ())]
    return given | {"name": name, "seed_papers": papers}


def _at_their_lines(
    mistakes: list[Mistake], file: Path | None, text: str, variables: dict[KeyPath, str]
) -> Iterator[str]:
    """The mistakes as lines for a person, in the order of the file."""
    places = toml.places(text) if mistakes else {}
    lines = [
        (toml.line_of(mistake.path, mistake.value, places), mistake)
        for mistake in mistakes
        if mistake.path not in variables
    ]
    for line, mistake in sorted(lines, key=lambda pair: pair[0]):
        yield f"{file}:{line}: {mistake.text}" if line else f"{file}: {mistake.text}"
    for mistake in mistakes:
        if variable := variables.get(mistake.path):
            yield f"environment: {variable}{mistake.text.removeprefix(toml.dotted(mistake.path))}"
