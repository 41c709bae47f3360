"""What became of a paper after its post went out, written into the part that shows it.

    amended(part, {"2607.00001": WITHDRAWN}, "en")    ->  the title struck through, "⚠️ withdrawn" behind it
    amended(part, {"2607.00001": "v2"}, "en")         ->  "updated: v2" behind the title

Pure: the same part and changes give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from digest.markup import CAPTION_LIMIT, TEXT_LIMIT, parse, to_html, utf16_length
from digest.types import Language, Mark, Paper, Part, TextEntity

WITHDRAWN = "withdrawn"

_WITHDRAWN: Mapping[Language, str] = {"en": " ⚠️ withdrawn", "ru": " ⚠️ отозвана", "zh": " ⚠️ 已撤稿"}
_UPDATED: Mapping[Language, str] = {"en": " (updated: {})", "ru": " (обновлена: {})", "zh": "（已更新：{}）"}
_ABSTRACT = re.compile(r"https?://arxiv\.org/abs/(.+?)(?:v\d+)?/?")


def changes(papers: Iterable[Paper], marks: Collection[Mark], sent: datetime) -> dict[str, str]:
    """What there is to say of papers in a post that was sent then: by id, WITHDRAWN or the new version."""
    found: dict[str, str] = {}
    for paper in papers:
        if paper.withdrawn and "withdrawn" in marks:
            found[paper.id] = WITHDRAWN
        elif paper.version > 1 and paper.updated > sent and not paper.withdrawn and "version" in marks:
            found[paper.id] = f"v{paper.version}"
    return found


def amended(part: Part, said: Mapping[str, str], language: Language) -> Part:
    """The part with what is said of the papers whose titles it shows; as it is where there is nothing to
    say, or no room for it."""
    made = part
    for paper, what in sorted(said.items()):
        made = _with_note(made, paper, what, language)
    limit = CAPTION_LIMIT if part.picture else TEXT_LIMIT
    return made if utf16_length(made.text) <= limit else part


def _with_note(part: Part, paper: str, what: str, language: Language) -> Part:
    title = _title(part, paper)
    if title is None:
        return part
    note = _WITHDRAWN[language] if what == WITHDRAWN else _UPDATED[language].format(what)
    at, units = title.offset + title.length, utf16_length(note)
    entities = [_moved(one, at, units) for one in part.entities]
    if what == WITHDRAWN:
        entities.append(TextEntity("strikethrough", title.offset, title.length))
    made = parse(to_html(_inserted(part.text, at, note), entities))
    return replace(part, html=to_html(made.text, made.entities), text=made.text, entities=made.entities)


def _title(part: Part, paper: str) -> TextEntity | None:
    """The longest link to a paper: others say "arXiv", or name it in short where it is near to another."""
    links = [one for one in part.entities if one.type == "text_link" and _leads_to(one.url or "", paper)]
    return max(links, key=lambda one: one.length, default=None)


def _leads_to(url: str, paper: str) -> bool:
    found = _ABSTRACT.fullmatch(url)
    return found is not None and found[1] == paper


def _moved(one: TextEntity, at: int, units: int) -> TextEntity:
    """An entity after so many units were put in: behind them, around them, or before them."""
    if one.offset >= at:
        return replace(one, offset=one.offset + units)
    around = one.offset + one.length > at
    return replace(one, length=one.length + units) if around else one


def _inserted(text: str, at: int, what: str) -> str:
    raw = text.encode("utf-16-le")
    return (raw[: 2 * at] + what.encode("utf-16-le") + raw[2 * at :]).decode("utf-16-le")
