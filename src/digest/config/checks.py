"""All that is wrong with a configuration, each in words that say what to write instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from msgspec import Struct

from digest import toml
from digest.config.kinds import as_path, bare_kind, fits, is_folder, keys_of, scalars, words
from digest.config.settings import Channel, Folder, Poll, Settings, Zone
from digest.errors import InputError
from digest.toml import KeyPath

_SECRET = frozenset({"database"})  # may hold a password: not shown in a message

_OF_TYPE = {
    "file": {"folder": True},
    "feed": {"folder": True},
    "telegram": {"chat": True}
    | dict.fromkeys(("thread", "quiet_hours", "post_at", "time_zone", "format", "poll_after", "pin"), False),
}
"""What a channel's type adds to its settings, and whether it has to be given."""


class Mistake(NamedTuple):
    """What is wrong with a value, and where it stands."""

    path: KeyPath
    text: str
    value: Any = None


def check(value: Any, kind: Any, path: KeyPath) -> Iterator[Mistake]:
    """Every place where a value is not of its kind (a type as the structs above name it)."""
    bare = bare_kind(kind)
    if isinstance(bare, type) and issubclass(bare, Struct) and isinstance(value, dict):
        yield from _check_struct(value, bare, path)
    elif get_origin(bare) is Mapping and isinstance(value, dict) and value:
        yield from _check_mapping(value, bare, path)
    elif get_origin(bare) is tuple and isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from check(item, get_args(bare)[0], (*path, index))
    elif not fits(value, kind):
        shown = "" if path[-1] in _SECRET else f", not {toml.show(value)}"
        yield Mistake(path, f"{toml.dotted(path)} must be {words(kind)}{shown}", value)


def _check_struct(table: dict[str, Any], kind: type[Struct], path: KeyPath) -> Iterator[Mistake]:
    fields = {field.name: field for field in keys_of(kind)}
    unknown = table.keys() - fields.keys()
    meant = {_nearest(key, fields) for key in unknown}
    for key in sorted(unknown):
        yield _unknown_key((*path, key), fields)
    for key, field in fields.items():
        if key in table:
            yield from check(table[key], field.type, (*path, key))
        elif field.required and key not in meant:
            yield Mistake(path, f"{toml.dotted(path)} has no {key}; give {words(field.type)}")


def _check_mapping(table: dict[str, Any], kind: Any, path: KeyPath) -> Iterator[Mistake]:
    name_kind, value_kind = get_args(kind)
    for key, value in table.items():
        if get_origin(name_kind) is Literal and key not in get_args(name_kind):
            yield _unknown_key((*path, key), get_args(name_kind))
        elif not fits(key, name_kind):
            yield Mistake((*path, key), f"the name {toml.dotted((*path, key))} must be {words(name_kind)}")
        else:
            yield from check(value, value_kind, (*path, key))


def check_names(data: dict[str, Any], home: Path) -> Iterator[Mistake]:
    """What the kind does not say: names that must be known, a folder that must be there."""
    from digest.ids import CATEGORIES, nearest_category

    topics = list(data["topics"]) if isinstance(data["topics"], dict) else []
    yield from _check_doubles(data)
    yield from _check_series(data)
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
            case ("posts", "templates"), str() if fits(value, Folder) and not is_folder(
                home / as_path(Path, value)
            ):
                yield Mistake(path, f"posts.templates must be a folder that exists, not {toml.show(value)}")
            case ("arxiv", "gap_seconds"), int() | float():
                yield from _check_gap(path, value, data["arxiv"])
            case ("topics", _, "limits"), {"detailed": 0, "brief": 0}:
                yield Mistake(
                    path, f"{toml.dotted(path)} leave no room for a paper: detailed or brief must be above 0"
                )


def _check_series(data: dict[str, Any]) -> Iterator[Mistake]:
    """Days that a week does not have, two series of a genre, roundups for which a run looks back too
    little."""
    lookback = data["lookback_days"] if isinstance(data["lookback_days"], int) else 3650
    seen = set()
    for path, one in toml.nodes(data):
        match path, one:
            case ("topics", _, "series", int()), {"genre": str(genre), "every": str(every), **more}:
                what = toml.dotted(path)
                if every == "week" and _above(more.get("day"), 7):
                    text = f"{what}.day must be a day of the week, 1 (Monday) to 7, not {more['day']}"
                    yield Mistake((*path, "day"), text, more["day"])
                if (path[1], genre) in seen:
                    yield Mistake(path, f"{what} is a second series of the genre {genre}; keep one")
                seen.add((path[1], genre))
                least = {"week": 7, "month": 31}.get(every, 1)
                if genre == "roundup" and lookback < least:
                    text = f"{what}: a roundup every {every} needs lookback_days of {least} or more"
                    yield Mistake(path, text)


def _above(value: Any, most: int) -> bool:
    return isinstance(value, int) and value > most


def _check_channel(name: str, channel: dict[str, Any]) -> Iterator[Mistake]:
    """Settings of another type of channel, missing ones, and hours without a zone."""
    own = _OF_TYPE.get(channel.get("type", ""))
    path = ("channels", name)
    if own is None:
        return
    for other in {key for keys in _OF_TYPE.values() for key in keys} & channel.keys() - own.keys():
        what = f"{toml.dotted((*path, other))} is not for a channel of type {toml.show(channel['type'])}"
        yield Mistake((*path, other), what)
    kinds = {field.name: field.type for field in keys_of(Channel)}
    given = channel.keys() | {_nearest(key, kinds) for key in channel.keys() - kinds.keys()}
    for key in (key for key, must in own.items() if must and key not in given):
        yield Mistake(path, f"{toml.dotted(path)} has no {key}; give {words(kinds[key])}")
    for timed in [key for key in ("quiet_hours", "post_at") if key in channel and "time_zone" not in channel]:
        yield Mistake(path, f"{toml.dotted(path)} has {timed} and no time_zone; give {words(Zone)}")
    start, _, end = str(channel.get("quiet_hours", "-1")).partition("-")
    if start == end:
        yield Mistake(
            (*path, "quiet_hours"), f"{toml.dotted((*path, 'quiet_hours'))} must end at another time"
        )


def _check_zone(path: KeyPath, value: str) -> Iterator[Mistake]:
    from zoneinfo import available_timezones

    zones = available_timezones()
    if value and value not in zones:
        yield _unknown("time zone", (*path, 0), value, _nearest(value, zones))


def _check_doubles(data: dict[str, Any]) -> Iterator[Mistake]:
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
                yield Mistake(path, f"{what}; give the two other topics or languages")
        seen.append((name, channel))


def _overlap(some: Any, others: Any) -> bool:
    if not isinstance(some, list) or not isinstance(others, list):
        return True
    return any(one in others for one in some)


def _check_polls(data: dict[str, Any]) -> Iterator[Mistake]:
    """Longer texts than Telegram takes (https://core.telegram.org/bots/api#sendpoll)."""
    for path, value in toml.nodes(data.get("telegram", {})):
        match path, value:
            case ("polls", str(name)), [_, *_] if not 3 <= len(value) <= 13:
                what = f"telegram.polls.{name} must be {words(Poll)}; these are {len(value)} texts"
                yield Mistake(("telegram", *path), what)
            case ("polls", _, int(place)), str() if len(value) > (100 if place else 300):
                what = "answers of at most 100" if place else "a question of at most 300"
                table = toml.dotted(("telegram", *path[:-1]))
                text = f"{table} holds {what} characters, not {len(value)}"
                yield Mistake(("telegram", *path), text, value)


def _check_gap(path: KeyPath, gap: float, arxiv: dict[str, Any]) -> Iterator[Mistake]:
    from digest.sources.polite import LEAST_GAP, is_loopback

    urls = [url for name, url in arxiv.items() if name.endswith("_url") and isinstance(url, str)]
    if 0 <= gap < LEAST_GAP and not all(map(is_loopback, urls)):
        why = "arXiv asks for that; less is for servers on this machine"
        yield Mistake(path, f"{toml.dotted(path)} must be at least {LEAST_GAP:g}, not {gap:g}: {why}", gap)


def _check_paper(path: KeyPath, value: str) -> Iterator[Mistake]:
    from digest import ids

    try:
        ids.parse(value)
    except InputError as error:
        yield Mistake(path, f"{toml.dotted(path[:-1])}: {error}", value)


def _unknown_key(path: KeyPath, allowed: Collection[str]) -> Mistake:
    """An unknown key; where no key beside it is near, the same key of another table is."""
    *_, key = path
    hint = hint_for(str(key), allowed)
    if _nearest(str(key), allowed) is None:
        for other, _ in scalars(Settings, ()):
            if other[-1] == key:
                place = "above the first table" if len(other) == 1 else f"in [{toml.dotted(other[:-1])}]"
                hint = f"; {key} belongs {place}"
    return Mistake(path, f"unknown key {toml.dotted(path)}{hint}")


def _unknown(what: str, path: KeyPath, value: str, nearest: str | None) -> Mistake:
    hint = f"; did you mean {nearest}?" if nearest else ""
    return Mistake(path, f"unknown {what} {toml.show(value)} in {toml.dotted(path[:-1])}{hint}", value)


def hint_for(name: str, allowed: Collection[str], prefix: str = "") -> str:
    """The nearest right name, as the end of a message."""
    nearest = _nearest(name, allowed)
    if nearest:
        return f"; did you mean {prefix}{nearest}?"
    return f"; allowed are {', '.join(prefix + name for name in sorted(allowed))}"


def _nearest(name: str, allowed: Collection[str]) -> str | None:
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, allowed, n=1)), None)
