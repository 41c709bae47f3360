"""Pictures of a post and of a topic: how a roundup's days went, and which papers are alike.

They are drawn as `pictures` draws a trend: for a phone, on light or dark ground, in three languages.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from digest.errors import InputError
from digest.pictures import Colours, drawing, save, shortened
from digest.types import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLES = 6
"""So many papers are named on a card."""
LETTERS = 48
"""So many letters of a title fit into a line."""
LEGEND = (13.5, 12.5, 11.5, 10.5)
"""Sizes of the letters of a map's legend, in points: the first with which it fits."""
LEAST = 3
"""Fewer papers make no map."""
GROUPS = ("#1f6fb5", "#2e9e6b", "#8a56c2", "#c2437a", "#b58a00", "#3aa6b9", "#7a5230", "#5a6b2f")
DARK_GROUPS = ("#6cb4f0", "#62d09c", "#bf97ee", "#f08cb4", "#e6c14d", "#7fdcec", "#c9a27e", "#b9cc7a")

WORDS: Mapping[str, Mapping[Language, str]] = {
    "days": {
        "en": "papers on topic, day by day",
        "ru": "работы по теме, по дням",
        "zh": "每日切题论文数",
    },
    "said": {"en": "say “{}”", "ru": "называют «{}»", "zh": "提到“{}”"},
    "silent": {"en": "never say it", "ru": "не называют", "zh": "从不提及"},
    "more": {"en": "and {} more", "ru": "и ещё {}", "zh": "另有 {} 篇"},
    "map": {
        "en": "{since} – {until}: {count} papers; near is alike",
        "ru": "{since} – {until}: работ {count}; рядом — похожие",
        "zh": "{since} – {until}：{count} 篇；相近者相似",
    },
    "other": {"en": "other", "ru": "прочее", "zh": "其他"},
}


class Day(Struct, frozen=True):
    """How many papers on topic were announced on a day: those that say its term, and the silent ones."""

    day: date
    said: int
    silent: int


class Card(Struct, frozen=True, kw_only=True):
    """What a roundup's picture shows."""

    title: str
    term: str
    slot: str
    days: tuple[Day, ...]
    papers: tuple[str, ...]


class Point(Struct, frozen=True):
    """A paper on a map: which group it is of (None: of none), and whether it is silent."""

    group: int | None
    silent: bool


class Map(Struct, frozen=True, kw_only=True):
    """What a topic's map shows; ``places`` are float64[n, 2], in the order of ``points``."""

    title: str
    term: str
    since: str
    until: str
    groups: tuple[str, ...]
    points: tuple[Point, ...]


def draw_card(card: Card, path: Path, language: Language, *, dark: bool = False) -> Path:
    """Draw a roundup's card into a PNG; gives its path. Raises as `pictures.term_over_years`."""
    texts = [card.title, card.term, card.slot, *card.papers, *(each[language] for each in WORDS.values())]
    with drawing(texts, dark=dark) as colours:
        return save(_card(card, language, colours), path)


def draw_map(
    found: Map, places: NDArray[np.float64], path: Path, language: Language, *, dark: bool = False
) -> Path:
    """Draw a topic's map into a PNG; gives its path. Raises as `pictures.term_over_years`."""
    texts = [found.title, found.term, *found.groups, *(each[language] for each in WORDS.values())]
    with drawing(texts, dark=dark) as colours:
        return save(_map(found, places, language, colours, DARK_GROUPS if dark else GROUPS), path)


def layout(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Places in the plane, float64[n, 2] within 0 and 1, where like papers stand near each other: t-SNE
    (van der Maaten & Hinton 2008) of float32[n, dim] rows of length 1. The same rows give the same places.
    Raises InputError for fewer than LEAST."""
    if len(vectors) < LEAST:
        raise InputError(f"{len(vectors)} papers make no map: {LEAST} are the least; try an earlier --since")
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    wide = min(20.0, (len(vectors) - 1) / 3)
    with threadpool_limits(1):  # for hundreds of rows more threads only wait for each other
        made = TSNE(perplexity=wide, metric="cosine", init="random", random_state=0)
        found = made.fit_transform(vectors)
    low, high = found.min(axis=0), found.max(axis=0)
    placed: NDArray[np.float64] = ((found - low) / np.maximum(high - low, 1e-9)).astype(np.float64)
    return placed


# --- the card -------------------------------------------------------------------------------------


def _card(card: Card, language: Language, colours: Colours) -> Figure:
    from matplotlib.figure import Figure

    lines = _lines(card.papers)
    height = 4.0 + 0.3 * len(lines) + 0.3 * (len(card.papers) > TITLES)
    figure = Figure(figsize=(6.0, height))
    figure.text(0.05, 1 - 0.5 / height, shortened(card.title, 30), size=24, weight="bold")
    figure.text(0.05, 1 - 0.85 / height, card.slot, size=14, color=colours.faint)
    figure.text(0.05, 1 - 1.3 / height, WORDS["days"][language], size=14)
    axes = figure.add_axes((0.05, 1 - 3.55 / height, 0.9, 1.95 / height))
    _draw_days(axes, card, language, colours)
    below = 0.12 if len(card.papers) <= TITLES else 0.0
    for number, line in enumerate(lines):
        figure.text(0.05, (0.3 * (len(lines) - number) - below) / height, line, size=14, va="bottom")
    if (more := len(card.papers) - TITLES) > 0:
        told = WORDS["more"][language].format(more)
        figure.text(0.95, 0.1 / height, told, size=13, ha="right", color=colours.faint)
    return figure


def _lines(titles: Sequence[str]) -> list[str]:
    return [f"• {textwrap.shorten(title, LETTERS, placeholder='…')}" for title in titles[:TITLES]]


def _draw_days(axes: Axes, card: Card, language: Language, colours: Colours) -> None:
    at = np.arange(len(card.days))
    said, silent = [one.said for one in card.days], [one.silent for one in card.days]
    naming = WORDS["said"][language].format(shortened(card.term, 22))
    axes.bar(at, said, color=colours.said, width=0.8, label=naming)
    axes.bar(at, silent, bottom=said, color=colours.silent, width=0.8, label=WORDS["silent"][language])
    top = max((one.said + one.silent for one in card.days), default=0) or 1
    axes.set_ylim(0, top * 1.45)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)
    ticks = [n for n in at if (len(at) - 1 - n) % 7 == 0]
    axes.set_xticks(ticks, [_short(card.days[n].day, language) for n in ticks], fontsize=12)
    for n in at:
        if total := said[n] + silent[n]:
            axes.annotate(f"{total}", (n, total), ha="center", va="bottom", size=11)
    axes.legend(loc="upper left", frameon=False, fontsize=13, ncols=2, borderaxespad=0, handlelength=1.0)


def _short(day: date, language: Language) -> str:
    if language == "zh":
        return f"{day.month}/{day.day}"
    return f"{day:%d.%m}" if language == "ru" else f"{day:%b} {day.day}"


# --- the map --------------------------------------------------------------------------------------


def _map(
    found: Map, places: NDArray[np.float64], language: Language, colours: Colours, palette: Sequence[str]
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 7.2))
    figure.text(0.05, 0.945, shortened(found.title, 30), size=24, weight="bold")
    told = WORDS["map"][language].format(since=found.since, until=found.until, count=len(found.points))
    figure.text(0.05, 0.91, told, size=12.5, color=colours.faint)
    below = 0.035 * ((len(found.groups) + 2) // 2 + 1)
    axes = figure.add_axes((0.03, below + 0.03, 0.94, 0.86 - below))
    axes.set_axis_off()
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-0.05, 1.05)
    _draw_points(axes, found, places, colours, palette)
    _draw_legend(figure, found, language, colours, palette)
    return figure


def _draw_points(
    axes: Axes, found: Map, places: NDArray[np.float64], colours: Colours, palette: Sequence[str]
) -> None:
    size = 150 if len(found.points) <= 80 else 70
    for point, (x, y) in zip(found.points, places, strict=True):
        colour = colours.faint if point.group is None else palette[point.group % len(palette)]
        if point.silent:  # a diamond with a rim in the colour of silence
            axes.scatter(
                x, y, s=size * 1.3, marker="D", color=colour, edgecolors=colours.silent, linewidths=3
            )
        else:
            axes.scatter(x, y, s=size, color=colour, alpha=0.85, linewidths=0)


def _draw_legend(
    figure: Figure, found: Map, language: Language, colours: Colours, palette: Sequence[str]
) -> None:
    from matplotlib.lines import Line2D

    def mark(colour: str, shape: str = "o", rim: str | None = None) -> Any:
        return Line2D(
            [], [], marker=shape, ls="", color=colour, ms=11, mec=rim or colour, mew=3 if rim else 0
        )

    marks = [mark(palette[n % len(palette)]) for n in range(len(found.groups))]
    names = [shortened(name, 28) for name in found.groups]
    if any(point.group is None for point in found.points):
        marks, names = [*marks, mark(colours.faint)], [*names, WORDS["other"][language]]
    if any(point.silent for point in found.points):
        marks, names = [*marks, mark(colours.faint, "D", colours.silent)], [*names, WORDS["silent"][language]]
    for size in LEGEND:
        legend = figure.legend(
            marks, names, loc="lower left", ncols=2, frameon=False, fontsize=size,
            bbox_to_anchor=(0.02, 0.005), columnspacing=1.0, handletextpad=0.4,
        )  # fmt: skip
        figure.draw_without_rendering()
        if size == LEGEND[-1] or legend.get_window_extent().x1 <= 0.97 * figure.bbox.x1:
            break
        legend.remove()
