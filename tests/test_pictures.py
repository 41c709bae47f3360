"""Pictures: in every language, on light and dark ground, and never with boxes for letters."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from digest import pictures
from digest.errors import DigestError, UsageError
from digest.pictures import fonts_for, term_over_years
from digest.types import Language
from test_trends import of_counts

TREND = of_counts([2, 3, 2, 1, 2, 20, 24, 22, 19])


def size(file: Path) -> tuple[int, int]:
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return width, height


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_trend_is_drawn_a_phone_wide(tmp_path: Path, language: Language) -> None:
    file = term_over_years(TREND, tmp_path / "a.png", language)
    assert size(file) == (1080, 1080)


def test_a_term_that_fell_out_of_use_is_drawn_from_its_height() -> None:
    from matplotlib.figure import Figure

    axes, falling = Figure().subplots(), of_counts([80, 84, 82, 3, 2]).said
    pictures._draw_curve(axes, falling, "red", "said", pictures.HEADROOM * pictures._top(falling))
    assert list(axes.lines[0].get_xdata()) == [each.year for each in falling.years]


def test_dark_is_another_ground(tmp_path: Path) -> None:
    from matplotlib.image import imread

    light, dark = (term_over_years(TREND, tmp_path / f"{each}.png", dark=each) for each in (False, True))
    assert imread(light)[0, 0, :3].min() > 0.9
    assert imread(dark)[0, 0, :3].max() < 0.2


def test_chinese_letters_need_a_font_that_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fonts_for(["unlearning", "разобучение"]) == ("DejaVu Sans",)
    monkeypatch.setattr(pictures, "_installed", lambda: frozenset({"DejaVu Sans", "Noto Sans CJK SC"}))
    assert fonts_for(["机器遗忘"]) == ("Noto Sans CJK SC", "DejaVu Sans")
    monkeypatch.setattr(pictures, "_installed", lambda: frozenset({"DejaVu Sans"}))
    with pytest.raises(UsageError, match="fonts-noto-cjk"):
        fonts_for(["机器遗忘"])


def test_no_letter_of_a_picture_is_a_box(tmp_path: Path) -> None:
    """matplotlib warns of a letter that none of its fonts has, and a warning fails a test."""
    try:
        fonts_for(["机"])
    except UsageError:
        pytest.skip("no font with Chinese letters is installed")
    assert size(term_over_years(TREND, tmp_path / "zh.png", "zh"))


def test_without_matplotlib_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'pip install "digest\[pictures\]"'):
        term_over_years(TREND, tmp_path / "a.png")


@pytest.mark.parametrize("counts", [[2, 20, 22, 21, 23, 22, 20, 19, 21], [2, 3, 2, 3, 2, 3, 2, 21, 22]])
def test_the_year_of_a_jump_stands_within_the_plot_wherever_it_is(counts: list[int]) -> None:
    with pictures.drawing((), dark=False) as colours:
        figure = pictures._figure(of_counts(counts), "en", colours)
        axes = figure.axes[0]
        [label] = [text for text in axes.texts if "×" in text.get_text()]
        figure.canvas.draw()
        inside, box = label.get_window_extent(), axes.get_window_extent()
    assert box.x0 < inside.x0 < inside.x1 < box.x1


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DigestError, match="choose another file"):
        term_over_years(TREND, tmp_path / "none" / "a.png")


def test_a_dollar_in_a_term_is_a_dollar(tmp_path: Path) -> None:
    from msgspec.structs import replace

    assert size(term_over_years(replace(TREND, term="$k$-means $"), tmp_path / "a.png"))
