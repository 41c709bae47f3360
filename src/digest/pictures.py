"""Pictures: a trend, legible on a phone, on light or dark ground, in English, Russian and Chinese.

They are 1080 pixels wide: a messenger shows them at about a third of that, so letters are
30 pixels high and more. matplotlib is an extra (`pip install "digest[pictures]"`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.errors import UsageError, refused
from digest.types import Curve, Jump, Language, Stretch, Trend

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE, DPI = 6.0, 180
"""Inches and pixels an inch: 1080 by 1080."""
FEW = 100
"""A share of fewer papers held is not drawn: one more would change it."""
HEADROOM = 1.35
"""The top of the picture, as a multiple of the highest share: above it stands the legend."""
LINE = 0.27
"""Inches a line of what stood beside a term takes."""
FIT = 48
"""So many letters fit into such a line."""

CJK_FONTS = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "Noto Sans CJK JP",
    "Droid Sans Fallback", "Arial Unicode MS",
)  # fmt: skip
FONT_PACKAGES = "fonts-noto-cjk (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora), noto-fonts-cjk (Arch)"


@dataclass(frozen=True)
class Colours:
    """The colours of a picture."""

    ground: str
    ink: str
    faint: str
    said: str
    silent: str


LIGHT = Colours(ground="#ffffff", ink="#1c1e21", faint="#8b9199", said="#1f6fb5", silent="#c8571b")
DARK = Colours(ground="#17212b", ink="#f1f3f5", faint="#8e9aa6", said="#6cb4f0", silent="#f2a265")

WORDS: Mapping[str, Mapping[Language, str]] = {
    "share": {
        "en": "share of the archive’s papers, by year",
        "ru": "доля среди статей архива, по годам",
        "zh": "占库内论文的比例（按年）",
    },
    "said": {"en": "say “{}”", "ru": "упоминают «{}»", "zh": "提到“{}”"},
    "silent": {
        "en": "on topic, never name it",
        "ru": "по теме, но её не называют",
        "zh": "切题但从不提其名",
    },
    "jump": {"en": "{}: ×{}", "ru": "{}: ×{}", "zh": "{} 年：×{}"},
    "held": {"en": "papers in the archive", "ru": "статей в архиве", "zh": "库内论文数"},
    "beside": {"en": "What stood beside it", "ru": "Что стояло рядом", "zh": "同时出现的词"},
    "note": {
        "en": "The archive is uneven: {low} to {high} papers a year.\n"
        "Shares are adjusted for its mix of categories.",
        "ru": "Архив неровный: от {low} до {high} статей в год.\nДоли приведены к одному составу рубрик.",
        "zh": "各年收录不均：{low} 至 {high} 篇。\n比例已按学科构成校正。",
    },
}


def term_over_years(trend: Trend, path: Path, language: Language = "en", *, dark: bool = False) -> Path:
    """Draw a trend into a PNG of 1080 pixels width; gives its path.

    Raises UsageError where matplotlib is not installed, or where the text needs Chinese letters and no
    font has them: a picture with boxes is none.
    """
    with drawing(_texts(trend, language), dark=dark) as colours:
        return save(_figure(trend, language, colours), path)


def fonts_for(texts: Iterable[str]) -> tuple[str, ...]:
    """The fonts a picture needs: one with Chinese letters behind the usual one where there are any."""
    usual = "DejaVu Sans"
    if not any(_is_han(letter) for text in texts for letter in text):
        return (usual,)
    chinese = next((name for name in CJK_FONTS if name in _installed()), None)
    if chinese is None:
        raise UsageError(f"no font with Chinese letters is installed; install {FONT_PACKAGES}")
    return chinese, usual


def _is_han(letter: str) -> bool:
    return "\u2e80" <= letter <= "\u9fff" or "\uf900" <= letter <= "\uffef"


@cache
def _installed() -> frozenset[str]:
    from matplotlib import font_manager

    return frozenset(font.name for font in font_manager.fontManager.ttflist)


def _require_matplotlib() -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise UsageError('pictures need matplotlib: pip install "digest[pictures]"')


def _style(colours: Colours, fonts: Sequence[str]) -> Any:
    ink = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        "backend": "agg",
        "font.family": list(fonts),
        "font.size": 13,
        "figure.facecolor": colours.ground,
        "axes.facecolor": colours.ground,
        "axes.edgecolor": colours.faint,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.parse_math": False,  # a $ in a term is a $
        **dict.fromkeys(ink, colours.ink),
    }


def _texts(trend: Trend, language: Language) -> list[str]:
    words = [each[language] for each in WORDS.values()]
    beside = [one.text for each in trend.said.stretches for one in each.beside]
    return [trend.term, *words, *beside]


@contextmanager
def drawing(texts: Iterable[str], *, dark: bool) -> Iterator[Colours]:
    """What a picture is drawn within: its fonts for these texts, and its colours. Raises UsageError where
    matplotlib or a font is missing."""
    _require_matplotlib()
    import matplotlib as mpl

    colours = DARK if dark else LIGHT
    with mpl.rc_context(_style(colours, fonts_for(texts))):
        yield colours


def save(figure: Figure, path: Path) -> Path:
    """Write a picture as a PNG; the same picture gives the same bytes."""
    try:
        figure.savefig(path, dpi=DPI, format="png", metadata={"Software": None})
    except OSError as error:
        raise refused(error, "choose another file") from error
    return path


def _figure(trend: Trend, language: Language, colours: Colours) -> Figure:
    from matplotlib.figure import Figure

    beside = [each for each in trend.said.stretches if each.beside]
    below = LINE * (1.4 + len(beside)) if beside else 0.0
    height = SIZE + below
    figure = Figure(figsize=(SIZE, height))
    shares, held = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (5, 1), "hspace": 0.12})
    figure.subplots_adjust(left=0.13, right=0.97, top=1 - 0.95 / height, bottom=(1.05 + below) / height)
    figure.text(0.03, 1 - 0.42 / height, shortened(trend.term, 34), size=22, weight="bold")
    figure.text(0.03, 1 - 0.7 / height, WORDS["share"][language], size=13, color=colours.faint)
    _draw_curves(shares, trend, language, colours)
    _draw_held(held, trend, language, colours)
    if beside:
        _write_beside(figure, beside, language, (0.65 + below) / height, LINE / height)
    figure.text(0.03, 0.16 / height, _note(trend, language), size=11, color=colours.faint, linespacing=1.4)
    return figure


def _draw_curves(axes: Axes, trend: Trend, language: Language, colours: Colours) -> None:
    from matplotlib.ticker import FuncFormatter

    curves = [(trend.said, colours.said, WORDS["said"][language].format(shortened(trend.term, 24)))]
    if trend.silent is not None:
        curves.append((trend.silent, colours.silent, WORDS["silent"][language]))
    top = HEADROOM * max((_top(curve) for curve, _, _ in curves), default=0.0) or 0.01
    for curve, colour, label in curves:
        _draw_curve(axes, curve, colour, label, top)
    axes.set_ylim(0, top)
    decimals, sign = (1 if top < 0.05 else 0), "\u202f%" if language == "ru" else "%"
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda share, _: _point(f"{100 * share:.{decimals}f}", language) + sign)
    )
    axes.grid(axis="y", color=colours.faint, alpha=0.25)
    axes.tick_params(length=0)
    axes.legend(loc="upper left", frameon=False, fontsize=13, handlelength=1.2, borderaxespad=0)
    if trend.said.jump:
        is_early = trend.said.jump.year < sum(axes.get_xlim()) / 2
        _draw_jump(axes, trend.said.jump, language, colours, is_early=is_early)


def _top(curve: Curve) -> float:
    return max((each.share for each in curve.years if each.held >= FEW), default=0.0)


def _draw_curve(axes: Axes, curve: Curve, colour: str, label: str, top: float) -> None:
    """A line with its 90 % band, from the year on of which enough is held to tell anything."""
    told = [each.held >= FEW and each.high - each.low <= top / 2 for each in curve.years]
    start = next((at for at, one in enumerate(told) if one), 0)
    years = [each for each in curve.years[start:] if each.held >= FEW]
    at = [each.year for each in years]
    low, high = [each.low for each in years], [each.high for each in years]
    axes.fill_between(at, low, high, color=colour, alpha=0.18, lw=0)
    marker = "o" if len(at) == 1 else None
    axes.plot(at, [each.share for each in years], color=colour, lw=2.6, label=label, marker=marker)


def _point(number: str, language: Language) -> str:
    """A number with the decimal point of its language."""
    return number.replace(".", ",") if language == "ru" else number


def _draw_jump(axes: Axes, jump: Jump, language: Language, colours: Colours, *, is_early: bool) -> None:
    """A line at the jump, with its year on the side that has room."""
    ratio = f"{jump.ratio:.0f}" if jump.ratio >= 10 else f"{jump.ratio:.1f}"
    text = WORDS["jump"][language].format(jump.year, _point(ratio, language))
    axes.axvline(jump.year - 0.5, ymax=0.8, color=colours.ink, lw=1.2, ls=(0, (4, 3)))
    axes.annotate(
        text, (jump.year - 0.5, 0.7), xycoords=("data", "axes fraction"), xytext=(6 if is_early else -6, 0),
        textcoords="offset points", ha="left" if is_early else "right", size=14, weight="bold",
    )  # fmt: skip


def _draw_held(axes: Axes, trend: Trend, language: Language, colours: Colours) -> None:
    from matplotlib.ticker import MaxNLocator

    years = [each for each in trend.said.years if each.held >= FEW] or list(trend.said.years)
    at, held = [each.year for each in years], [each.held for each in years]
    axes.bar(at, held, color=colours.faint, alpha=0.6, width=0.8)
    axes.set_xlim(at[0] - 0.6, at[-1] + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.tick_params(length=0)
    axes.set_title(WORDS["held"][language], loc="left", size=11, color=colours.faint, pad=3)


def _write_beside(
    figure: Figure, stretches: Sequence[Stretch], language: Language, top: float, line: float
) -> None:
    """A line for each stretch: its years, and the phrases as far as they fit."""
    between = "、" if language == "zh" else " · "
    figure.text(0.03, top, WORDS["beside"][language], size=13, weight="bold", va="top")
    for number, each in enumerate(stretches, start=1):
        years = f"{each.since}" if each.since == each.until else f"{each.since}–{each.until}"
        figure.text(0.03, top - number * line, years, size=13, va="top")
        figure.text(0.24, top - number * line, _phrases(each, between), size=13, va="top")


def _phrases(stretch: Stretch, between: str) -> str:
    """The first phrases of a stretch that fit into a line."""
    told = ""
    for one in stretch.beside:
        longer = f"{told}{between}{one.text}" if told else one.text
        told = longer if len(longer) <= FIT else told
    return told or shortened(stretch.beside[0].text, FIT)


def shortened(text: str, length: int) -> str:
    """A text of so many letters at most."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _note(trend: Trend, language: Language) -> str:
    held = [each.held for each in trend.said.years if each.held]
    space = "\u202f" if language == "ru" else ","
    low, high = (f"{each:,}".replace(",", space) for each in (min(held, default=0), max(held, default=0)))
    return WORDS["note"][language].format(low=low, high=high)
