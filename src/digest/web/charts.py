"""Charts as SVG, made on the server: colours are classes of the style sheet, so light and dark follow it.

Each says in words what it shows (``title``); the numbers stand in a table beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby

from markupsafe import Markup, escape
from msgspec import Struct

from digest.types import Curve

WIDTH, HEIGHT = 720, 260
LEFT, BOTTOM, TOP = 46, 26, 12
FEW = 100
"""A share of fewer papers held is not drawn: one more would change it."""
RIGHT = 26


class Dot(Struct, frozen=True):
    """A paper on a map, 0 to 1 in both directions: where it leads, what it is called, its group's number
    (None: of no group), whether it is silent."""

    x: float
    y: float
    href: str
    title: str
    group: int | None
    silent: bool


def _svg(
    title: str, inner: Sequence[str], height: int = HEIGHT, width: int = WIDTH, kind: str = ""
) -> Markup:
    head = (
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    )
    return Markup("".join([head, f"<title>{escape(title)}</title>", *inner, "</svg>"]))  # noqa: S704 - escaped here


def _text(x: float, y: float, text: object, kind: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(text)}</text>'


# --- a share over the years -----------------------------------------------------------------------


def years(curves: Mapping[str, Curve], title: str, share: object) -> Markup:
    """Shares over the years with their 90 % bands; ``curves`` by class, ``share`` writes a share of 1."""
    kept = {name: [one for one in curve.years if one.held >= FEW] for name, curve in curves.items()}
    at = sorted({one.year for points in kept.values() for one in points})
    if not at:
        return Markup("")
    top = 1.15 * max(one.share for points in kept.values() for one in points) or 0.01
    span = max(1, at[-1] - at[0])

    def x(year: int) -> float:
        return LEFT + (year - at[0] + (0 if len(at) > 1 else 0.5)) / span * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - min(value / top, 1.0) * (HEIGHT - BOTTOM - TOP)

    inner = [_grid(y, top, share)]
    step = 1 + len(range(at[0], at[-1] + 1)) // 9
    inner += [_text(x(year), HEIGHT - 8, year) for year in range(at[-1], at[0] - 1, -step)]
    for name, points in kept.items():
        band = [f"{x(one.year):.1f},{y(one.high):.1f}" for one in points]
        band += [f"{x(one.year):.1f},{y(one.low):.1f}" for one in reversed(points)]
        line = " ".join(f"{x(one.year):.1f},{y(one.share):.1f}" for one in points)
        inner += [f'<polygon class="band {name}" points="{" ".join(band)}"/>']
        inner += [f'<polyline class="line {name}" points="{line}"/>']
        inner += [
            f'<circle class="point {name}" cx="{x(one.year):.1f}" cy="{y(one.share):.1f}" r="3.5"/>'
            for one in points
        ]
    return _svg(title, inner)


def _grid(y: object, top: float, share: object) -> str:
    assert callable(y)
    assert callable(share)
    lines = []
    for part in (0.0, 0.5, 1.0):
        at = y(top * part / 1.15)
        lines.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(_text(LEFT - 6, at + 4, share(top * part / 1.15), "end"))
    return "".join(lines)


# --- papers by day, a key by month ----------------------------------------------------------------


def days(counts: Mapping[date, int], title: str, label: object) -> Markup:
    """A bar for each day, in their order; ``label`` writes a day."""
    assert callable(label)
    if not counts:
        return Markup("")
    top = max(counts.values()) or 1
    wide = (WIDTH - LEFT - RIGHT) / len(counts)
    inner = []
    for at, (day, count) in enumerate(counts.items()):
        high = count / top * (HEIGHT - BOTTOM - TOP - 8)
        x, y = LEFT + at * wide, HEIGHT - BOTTOM - high
        box = f'x="{x + wide * 0.12:.1f}" y="{y:.1f}" width="{wide * 0.76:.1f}" height="{high:.1f}"'
        inner.append(f'<rect class="bar" {box}><title>{escape(label(day))}: {count}</title></rect>')
        if count and wide > 22:
            inner.append(_text(x + wide / 2, y - 3, count, "middle small"))
    every = 1 + len(counts) // 8
    for at, day in enumerate(counts):
        if (len(counts) - 1 - at) % every == 0:
            inner.append(_text(LEFT + (at + 0.5) * wide, HEIGHT - 8, label(day)))
    return _svg(title, inner)


def months(counts: Mapping[str, int], title: str) -> Markup:
    """Small bars of months, for a row of a table."""
    top = max(counts.values(), default=0) or 1
    inner = []
    for at, (month, count) in enumerate(counts.items()):
        high = 22 * count / top
        box = f'x="{at * 8}" y="{24 - high:.1f}" width="6" height="{high:.1f}"'
        inner.append(f'<rect class="bar" {box}><title>{escape(month)}: {count}</title></rect>')
    return _svg(title, inner, 24, 8 * len(counts), "small")


# --- a map ----------------------------------------------------------------------------------------

COLOURS = 8


def dots(papers: Sequence[Dot], title: str) -> Markup:
    """A map: like papers near each other, each a link; group by group, so that the keyboard goes so too."""
    side, edge = 640, 16
    inner = []
    ordered = sorted(papers, key=lambda one: (one.group is None, one.group or 0))
    for group, same in groupby(ordered, key=lambda one: one.group):
        colour = "none" if group is None else f"g{group % COLOURS}"
        for one in same:
            x, y = edge + one.x * (side - 2 * edge), edge + (1 - one.y) * (side - 2 * edge)
            shape = (
                f'<path d="M{x:.1f} {y - 8:.1f}l8 8l-8 8l-8-8z"/>'
                if one.silent
                else f'<circle cx="{x:.1f}" cy="{y:.1f}" r="6.5"/>'
            )
            kind = f"{colour} silent" if one.silent else colour
            inner.append(
                f'<a href="{escape(one.href)}" class="{kind}"><title>{escape(one.title)}</title>{shape}</a>'
            )
    return Markup(str(_svg(title, inner, side, side, "map")).replace('role="img"', 'role="group"'))  # noqa: S704
