"""digest.toml and the environment, checked as a whole before anything runs.

``default.toml`` beside this module is the one source of defaults: ``init`` writes it, a setting left
out of a user's file is taken from it. A mistake gives one line that names file, line, key and the
nearest right one or what is allowed; all mistakes are given at once.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from digest import toml
from digest.errors import ConfigError, InputError, UsageError
from digest.toml import KeyPath
from digest.types import Days, Language, Languages, Mark, Phrase, Topic

Source = Literal["oai", "rss", "api", "sample"]
Approval = Literal["if-public", "automatic", "manual"]
TopicName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*\Z", description="small letters, digits, - and _")
]
TopicNames = Annotated[tuple[str, ...], Meta(min_length=1, description="a list with at least one topic")]
Topics = Annotated[
    Mapping[TopicName, Topic], Meta(min_length=1, description="a table with at least one topic")
]
Folder = Annotated[Path, Meta(description="a path in quotes")]
Database = Annotated[
    str,
    Meta(
        pattern=r"^sqlite(\+\w+)?://",
        description='a database URL such as "sqlite:///digest.sqlite3"',
    ),
]
Mail = Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+\Z", description="a mail address in quotes")]
Device = Annotated[
    str,
    Meta(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)\Z", description='"auto", "cpu", "mps", "cuda" or "cuda:N"'),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#]+[^\s?#]*\Z", description='an address such as "https://example.org/oai"'
    ),
]
Seconds = Annotated[float, Meta(ge=0, le=3600, description="a number of seconds from 0 to 3600")]
BatchSize = Annotated[int, Meta(ge=1, le=4096, description="a whole number from 1 to 4096")]

Address = Annotated[
    str,
    Meta(
        pattern=r"^(@[A-Za-z]\w{3,}|-?[1-9]\d*)\Z",
        description='"@name" or a chat\'s number in quotes such as "-1001234567890"',
    ),
]
Thread = Annotated[int, Meta(ge=2, description="the number of a forum's topic")]
Hours = Annotated[
    str,
    Meta(
        pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d\Z",
        description='hours such as "23:00-08:00"',
    ),
]
Zone = Annotated[str, Meta(min_length=1, description='a time zone such as "Europe/Berlin"')]
User = Annotated[int, Meta(ge=1, description="a user's number in Telegram")]
Users = Annotated[tuple[User, ...], Meta(description="a list of users' numbers in Telegram")]

Genre = Literal["roundup", "review", "links", "essay", "listing"]
Genres = Annotated[tuple[Genre, ...], Meta(description="a list of roundup, review, links, essay, listing")]
Marks = Annotated[tuple[Mark, ...], Meta(description="a list of withdrawn, version")]
Poll = Annotated[
    tuple[Phrase, ...],
    Meta(min_length=3, max_length=13, description="a list: a question and 2 to 12 answers"),
]

OWN_VARIABLES = ("DIGEST_HOME", "DIGEST_CONFIG", "DIGEST_TELEGRAM_TOKEN")
"""Environment variables that say where to look, or a secret, and are no settings."""

_SET_BY_LOAD = frozenset({"home", "name"})  # fields that are no keys of the file
_REPLACED_WHOLE = frozenset({"topics", "channels"})  # tables a user's file gives whole
_SECRET = frozenset({"database"})  # may hold a password: not shown in a message


class Arxiv(Struct, frozen=True, kw_only=True):
    """How arXiv is asked. ``gap_seconds`` lie between two requests; a first crawl begins
    ``first_days`` back, a later one ``overlap_days`` before the end of the one before."""

    oai_url: Url
    rss_url: Url
    api_url: Url
    gap_seconds: Seconds
    first_days: Days
    overlap_days: Days


class Embed(Struct, frozen=True, kw_only=True):
    """How texts become vectors."""

    model: Phrase
    device: Device
    batch_size: BatchSize


class Posts(Struct, frozen=True, kw_only=True):
    """What all posts share. Greetings and sign-offs are used in turn; ``templates`` is a folder
    whose files stand before the built-in ones."""

    greetings: Mapping[Language, tuple[Phrase, ...]]
    sign_offs: Mapping[Language, tuple[Phrase, ...]]
    templates: Folder | None = None


class Telegram(Struct, frozen=True, kw_only=True):
    """The bot that posts to all Telegram channels. Its token is no setting (see ``bot_token``).
    ``editors`` are who may approve posts, ``editor_chat`` is where the bot speaks to them. ``marks``: which
    changes of papers are noted in posts that were sent in the last ``marks_days``; ``polls``: by language a
    question and its answers."""

    url: Url
    on_uncertain: Literal["probe", "hold"]
    marks: Marks
    marks_days: Days
    polls: Mapping[Language, Poll]
    token_file: Folder | None = None
    editors: Users = ()
    editor_chat: Address | None = None

    @property
    def speaks_to(self) -> str | None:
        """The chat with the editors: the one given, else the first editor's."""
        return self.editor_chat or next(map(str, self.editors), None)


class Channel(Struct, frozen=True, kw_only=True):
    """Where posts go. ``topics`` and ``languages`` are those it takes, None for all. The others are
    those of a type: see ``_OF_TYPE``."""

    type: Literal["file", "feed", "telegram"]
    folder: Folder | None = None
    chat: Address | None = None
    thread: Thread | None = None
    quiet_hours: Hours | None = None
    time_zone: Zone | None = None
    format: Literal["classic", "rich"] | None = None
    poll_after: Genres | None = None
    pin: Genres | None = None
    topics: TopicNames | None = None
    languages: Languages | None = None

    def takes(self, topic: str, language: Language) -> bool:
        """Whether a post on this topic in this language goes to the channel."""
        return topic in (self.topics or (topic,)) and language in (self.languages or (language,))


_OF_TYPE = {
    "file": {"folder": True},
    "feed": {"folder": True},
    "telegram": {"chat": True}
    | dict.fromkeys(("thread", "quiet_hours", "time_zone", "format", "poll_after", "pin"), False),
}
"""What a channel's type adds to its settings, and whether it has to be given."""


class Settings(Struct, frozen=True, kw_only=True):
    """All settings. ``home`` is the folder of database, index and posts; all paths are absolute."""

    home: Path
    source: Source
    lookback_days: Days
    approval: Approval
    database: Database
    contact: Mail | None = None
    arxiv: Arxiv
    embed: Embed
    posts: Posts
    telegram: Telegram
    topics: Topics
    channels: Mapping[str, Channel]

    @property
    def posts_wait(self) -> bool:
        """Whether each post waits until a person approves it."""
        public = any(channel.type == "telegram" for channel in self.channels.values())
        return self.approval == "manual" or (self.approval == "if-public" and public)


def load(config: Path | None, home: Path | None, environ: Mapping[str, str]) -> Settings:
    """Settings from the file, the environment and the defaults, in this order of weight: environment,
    file, ``default.toml``. Raises ConfigError with one line for each mistake."""
    home = find_home(home, environ)
    file = find_config(config, home, environ)
    text = toml.read(file) if file else ""
    data = _merge(toml.parse(default_text(), Path("default.toml")), toml.parse(text, file))
    variables, unknown = _from_environment(data, environ)
    mistakes = [*_check(data, Settings, ()), *_check_names(data, home)]
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


def find_home(home: Path | None, environ: Mapping[str, str]) -> Path:
    """The digest home: the one given, else DIGEST_HOME, else ``digest`` in the user's data folder
    (https://specifications.freedesktop.org/basedir-spec/latest/). It need not exist yet."""
    given = home or environ.get("DIGEST_HOME")
    data = environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else Path("~/.local/share")
    found = _expanded(given or base / "digest").absolute()
    if os.path.lexists(found) and not _is_folder(found):
        raise ConfigError(f"{found}: the digest home must be a folder; give another one with --home")
    return found


def find_config(config: Path | None, home: Path, environ: Mapping[str, str]) -> Path | None:
    """The file that is read: the one given, else DIGEST_CONFIG, else ``digest.toml`` in the digest
    home, else in the current folder, else None for the defaults."""
    if given := config or environ.get("DIGEST_CONFIG"):
        return _expanded(given)
    usual = (home / "digest.toml", Path("digest.toml"))
    return next((file for file in usual if os.path.lexists(file)), None)


def init(path: Path, force: bool = False) -> Path:
    """Writes the commented default file, as a whole or not at all. Raises UsageError where there is
    a file already (unless ``force``) or none can be written."""
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path}: there is a file already; give --force to replace it")
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if not os.path.lexists(path.parent):
            path.parent.mkdir(parents=True)
        draft.write_text(default_text(), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def default_text() -> str:
    """The commented default file."""
    return Path(__file__).with_name("default.toml").read_text(encoding="utf-8")


def variables() -> dict[str, KeyPath]:
    """The environment variables that stand for settings, and where each one's setting stands."""
    return {"_".join(("digest", *map(str, path))).upper(): path for path, _ in _scalars(Settings, ())}


# --- reading -----------------------------------------------------------------------------------


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: there is no such user") from error


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where a folder may not be entered


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
    known = variables()
    kinds = dict(_scalars(Settings, ()))
    allowed = [name.removeprefix("DIGEST_") for name in (*known, *OWN_VARIABLES)]
    found: dict[KeyPath, str] = {}
    unknown = []
    for name in sorted(name for name in environ if name.startswith("DIGEST_") and environ[name]):
        if name in known:
            _put(data, known[name], _value(environ[name], kinds[known[name]]))
            found[known[name]] = name
        elif name not in OWN_VARIABLES:
            hint = _hint(name.removeprefix("DIGEST_"), allowed, "DIGEST_")
            unknown.append(f"environment: unknown variable {name}{hint}")
    return found, unknown


def _put(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    *tables, key = path
    table: Any = data
    for name in tables:
        table = table[name]
    if isinstance(table, dict):  # else the file gave no table: that is told
        table[key] = value


def _value(text: str, kind: Any) -> Any:
    """The text of a variable as a value of TOML; text that is none stays, and is told as a mistake."""
    try:
        return msgspec.convert(text, bare, strict=False) if (bare := _bare(kind)) in (int, float) else text
    except msgspec.ValidationError:
        return text


def _settings(data: dict[str, Any], home: Path) -> Settings:
    topics = {name: _topic(name, given) for name, given in data["topics"].items()}
    dialect, slashes, file = data["database"].partition(":///")
    if file and not file.startswith((":", "file:")):
        file = str(home / _path(Path, file))
    given = {"home": str(home), "topics": topics, "database": dialect + slashes + file}
    return msgspec.convert(data | given, Settings, dec_hook=lambda kind, path: home / _path(kind, path))


def _topic(name: str, given: dict[str, Any]) -> dict[str, Any]:
    from digest import ids

    papers = [ids.parse(paper).base for paper in given.get("seed_papers", ())]
    return given | {"name": name, "seed_papers": papers}


# --- checking ----------------------------------------------------------------------------------


class _Mistake(NamedTuple):
    path: KeyPath
    text: str
    value: Any = None


def _check(value: Any, kind: Any, path: KeyPath) -> Iterator[_Mistake]:
    """Every place where a value is not of its kind (a type as the structs above name it)."""
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, Struct) and isinstance(value, dict):
        yield from _check_struct(value, bare, path)
    elif get_origin(bare) is Mapping and isinstance(value, dict) and value:
        yield from _check_mapping(value, bare, path)
    elif get_origin(bare) is tuple and isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _check(item, get_args(bare)[0], (*path, index))
    elif not _fits(value, kind):
        shown = "" if path[-1] in _SECRET else f", not {toml.show(value)}"
        yield _Mistake(path, f"{toml.dotted(path)} must be {words(kind)}{shown}", value)


def _check_struct(table: dict[str, Any], kind: type[Struct], path: KeyPath) -> Iterator[_Mistake]:
    fields = {field.name: field for field in _fields(kind)}
    unknown = table.keys() - fields.keys()
    meant = {_nearest(key, fields) for key in unknown}
    for key in sorted(unknown):
        yield _unknown_key((*path, key), fields)
    for key, field in fields.items():
        if key in table:
            yield from _check(table[key], field.type, (*path, key))
        elif field.required and key not in meant:
            yield _Mistake(path, f"{toml.dotted(path)} has no {key}; give {words(field.type)}")


def _check_mapping(table: dict[str, Any], kind: Any, path: KeyPath) -> Iterator[_Mistake]:
    name_kind, value_kind = get_args(kind)
    for key, value in table.items():
        if get_origin(name_kind) is Literal and key not in get_args(name_kind):
            yield _unknown_key((*path, key), get_args(name_kind))
        elif not _fits(key, name_kind):
            yield _Mistake((*path, key), f"the name {toml.dotted((*path, key))} must be {words(name_kind)}")
        else:
            yield from _check(value, value_kind, (*path, key))


def _check_names(data: dict[str, Any], home: Path) -> Iterator[_Mistake]:
    """What the kind does not say: names that must be known, a folder that must be there."""
    from digest.ids import CATEGORIES, nearest_category

    topics = list(data["topics"]) if isinstance(data["topics"], dict) else []
    yield from _check_doubles(data)
    yield from _check_polls(data)
    for path, value in toml.nodes(data):
        match path, value:
            case ("topics", _, "categories", int()), str() if value not in CATEGORIES:
                yield _unknown("category", path, value, nearest_category(value))
            case ("topics", _, "seed_papers", int()), str():
                yield from _check_paper(path, value)
            case ("channels", _, "topics", int()), str() if value not in topics:
                yield _unknown("topic", path, value, _nearest(value, topics))
            case ("channels", str(name)), dict():
                yield from _check_channel(name, value)
            case ("channels", _, "time_zone"), str():
                yield from _check_zone(path, value)
            case ("posts", "templates"), str() if _fits(value, Folder) and not _is_folder(
                home / _path(Path, value)
            ):
                yield _Mistake(path, f"posts.templates must be a folder that exists, not {toml.show(value)}")
            case ("arxiv", "gap_seconds"), int() | float():
                yield from _check_gap(path, value, data["arxiv"])
            case ("topics", _, "limits"), {"detailed": 0, "brief": 0}:
                yield _Mistake(
                    path, f"{toml.dotted(path)} leave no room for a paper: detailed or brief must be above 0"
                )


def _check_channel(name: str, channel: dict[str, Any]) -> Iterator[_Mistake]:
    """Settings of another type of channel, missing ones, and hours without a zone."""
    own = _OF_TYPE.get(channel.get("type", ""))
    path = ("channels", name)
    if own is None:
        return
    for other in {key for keys in _OF_TYPE.values() for key in keys} & channel.keys() - own.keys():
        what = f"{toml.dotted((*path, other))} is not for a channel of type {toml.show(channel['type'])}"
        yield _Mistake((*path, other), what)
    kinds = {field.name: field.type for field in _fields(Channel)}
    given = channel.keys() | {_nearest(key, kinds) for key in channel.keys() - kinds.keys()}
    for key in (key for key, must in own.items() if must and key not in given):
        yield _Mistake(path, f"{toml.dotted(path)} has no {key}; give {words(kinds[key])}")
    if "quiet_hours" in channel and "time_zone" not in channel:
        yield _Mistake(path, f"{toml.dotted(path)} has quiet_hours and no time_zone; give {words(Zone)}")
    start, _, end = str(channel.get("quiet_hours", "-1")).partition("-")
    if start == end:
        yield _Mistake(
            (*path, "quiet_hours"), f"{toml.dotted((*path, 'quiet_hours'))} must end at another time"
        )


def _check_zone(path: KeyPath, value: str) -> Iterator[_Mistake]:
    from zoneinfo import available_timezones

    zones = available_timezones()
    if value and value not in zones:
        yield _unknown("time zone", (*path, 0), value, _nearest(value, zones))


def _check_doubles(data: dict[str, Any]) -> Iterator[_Mistake]:
    """Two channels that would post the same to one place."""
    channels = data["channels"].items() if isinstance(data["channels"], dict) else ()
    seen: list[tuple[str, dict[str, Any]]] = []
    for name, channel in channels:
        if not isinstance(channel, dict) or channel.get("type") != "telegram":
            continue
        for other, earlier in seen:
            same = all(channel.get(key) == earlier.get(key) for key in ("chat", "thread"))
            if same and all(_overlap(channel.get(key), earlier.get(key)) for key in ("topics", "languages")):
                path = ("channels", name)
                what = f"{toml.dotted(path)} would post again what {other} posts to the same chat"
                yield _Mistake(path, f"{what}; give the two other topics or languages")
        seen.append((name, channel))


def _overlap(some: Any, others: Any) -> bool:
    if not isinstance(some, list) or not isinstance(others, list):
        return True
    return any(one in others for one in some)


def _check_polls(data: dict[str, Any]) -> Iterator[_Mistake]:
    """Longer texts than Telegram takes (https://core.telegram.org/bots/api#sendpoll)."""
    for path, value in toml.nodes(data.get("telegram", {})):
        match path, value:
            case ("polls", str(name)), [_, *_] if not 3 <= len(value) <= 13:
                what = f"telegram.polls.{name} must be {words(Poll)}; these are {len(value)} texts"
                yield _Mistake(("telegram", *path), what)
            case ("polls", _, int(place)), str() if len(value) > (100 if place else 300):
                what = "answers of at most 100" if place else "a question of at most 300"
                table = toml.dotted(("telegram", *path[:-1]))
                text = f"{table} holds {what} characters, not {len(value)}"
                yield _Mistake(("telegram", *path), text, value)


def _check_gap(path: KeyPath, gap: float, arxiv: dict[str, Any]) -> Iterator[_Mistake]:
    from digest.sources.polite import LEAST_GAP, is_loopback

    urls = [url for name, url in arxiv.items() if name.endswith("_url") and isinstance(url, str)]
    if 0 <= gap < LEAST_GAP and not all(map(is_loopback, urls)):
        why = "arXiv asks for that; less is for servers on this machine"
        yield _Mistake(path, f"{toml.dotted(path)} must be at least {LEAST_GAP:g}, not {gap:g}: {why}", gap)


def _check_paper(path: KeyPath, value: str) -> Iterator[_Mistake]:
    from digest import ids

    try:
        ids.parse(value)
    except InputError as error:
        yield _Mistake(path, f"{toml.dotted(path[:-1])}: {error}", value)


def _unknown_key(path: KeyPath, allowed: Collection[str]) -> _Mistake:
    """An unknown key; where no key beside it is near, the same key of another table is."""
    *_, key = path
    hint = _hint(str(key), allowed)
    if _nearest(str(key), allowed) is None:
        for other, _ in _scalars(Settings, ()):
            if other[-1] == key:
                place = "above the first table" if len(other) == 1 else f"in [{toml.dotted(other[:-1])}]"
                hint = f"; {key} belongs {place}"
    return _Mistake(path, f"unknown key {toml.dotted(path)}{hint}")


def _unknown(what: str, path: KeyPath, value: str, nearest: str | None) -> _Mistake:
    hint = f"; did you mean {nearest}?" if nearest else ""
    return _Mistake(path, f"unknown {what} {toml.show(value)} in {toml.dotted(path[:-1])}{hint}", value)


def _hint(name: str, allowed: Collection[str], prefix: str = "") -> str:
    nearest = _nearest(name, allowed)
    if nearest:
        return f"; did you mean {prefix}{nearest}?"
    return f"; allowed are {', '.join(prefix + name for name in sorted(allowed))}"


def _nearest(name: str, allowed: Collection[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, allowed, n=1)), None)


def _at_their_lines(
    mistakes: list[_Mistake], file: Path | None, text: str, variables: dict[KeyPath, str]
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


# --- kinds: what a setting may be, read from the annotations of the structs ---------------------


def words(kind: Any) -> str:
    """What a value of this kind is, in words a person reads."""
    if get_origin(kind) is Annotated:
        described = next((meta.description for meta in get_args(kind)[1:] if meta.description), None)
        return described or words(get_args(kind)[0])
    bare = _bare(kind)
    if bare is not kind:
        return words(next(option for option in get_args(kind) if option is not NoneType))
    if get_origin(bare) is Literal:
        return " or ".join(f'"{option}"' for option in get_args(bare))
    if get_origin(bare) is tuple:
        return f"a list, each {words(get_args(bare)[0])}"
    return {str: "a text in quotes", int: "a whole number", float: "a number"}.get(bare, "a table")


def _bare(kind: Any) -> Any:
    """The kind without its limits and without None."""
    while get_origin(kind) is Annotated or NoneType in get_args(kind):
        kind = next(option for option in get_args(kind) if option is not NoneType)
    return kind


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind, dec_hook=_path)
    except (msgspec.ValidationError, ConfigError):
        return False
    return True


def _path(_: type, value: Any) -> Path:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(value)
    return _expanded(value)


def _fields(kind: type[Struct]) -> list[msgspec.structs.FieldInfo]:
    return [field for field in msgspec.structs.fields(kind) if field.name not in _SET_BY_LOAD]


def _scalars(kind: type[Struct], path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """The settings that hold one value, with their kinds: those the environment can give."""
    for field in _fields(kind):
        bare = _bare(field.type)
        if isinstance(bare, type) and issubclass(bare, Struct):
            yield from _scalars(bare, (*path, field.name))
        elif get_origin(bare) not in (tuple, Mapping):
            yield (*path, field.name), field.type
