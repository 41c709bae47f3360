"""The pictures of a post and of a topic: in every language, and the same for the same."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from digest.cards import Card, Day, Map, Point, draw_card, draw_map, layout
from digest.errors import InputError, UsageError
from digest.pictures import fonts_for

TITLES = {"en": "Explainable AI", "ru": "Объяснимый ИИ", "zh": "可解释人工智能"}


def pixels(file: Path) -> tuple[int, int]:
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def has_chinese() -> bool:
    try:
        return bool(fonts_for(["可"]))
    except UsageError:
        return False


def card(language: str) -> Card:
    days = tuple(Day(date(2026, 5, 1) + timedelta(n), n % 5, n % 3) for n in range(28))
    papers = ("A Lamp that Costs $5 and Forgets_All & More of What It Was Ever Shown", *["Lamp"] * 9)
    return Card(title=TITLES[language], term="explainable AI", slot="15", days=days, papers=papers)


def rows(count: int) -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_a_card_is_drawn_in_each_language_and_the_same_each_time(tmp_path: Path, language: str) -> None:
    if language == "zh" and not has_chinese():
        pytest.skip("no font with Chinese letters is installed")
    one, other = tmp_path / "1.png", tmp_path / "2.png"
    draw_card(card(language), one, language, dark=language == "ru")  # type: ignore[arg-type]
    draw_card(card(language), other, language, dark=language == "ru")  # type: ignore[arg-type]
    assert pixels(one)[0] == 1080
    assert one.read_bytes() == other.read_bytes()


def test_a_card_of_nothing_is_drawn_too(tmp_path: Path) -> None:
    empty = Card(title="x", term="y", slot="z", days=(Day(date(2026, 5, 1), 0, 0),), papers=())
    assert pixels(draw_card(empty, tmp_path / "x.png", "en"))[0] == 1080


def test_like_papers_stand_near_each_other() -> None:
    made = np.repeat(rows(2), 10, axis=0) + 0.01 * rows(20)
    places = layout(made / np.linalg.norm(made, axis=1, keepdims=True))
    assert places.min() == 0
    assert places.max() == 1
    one, other = places[:10], places[10:]
    assert np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)) > 2 * max(one.std(), other.std()) / 2


def test_two_papers_make_no_map() -> None:
    with pytest.raises(InputError, match="2 papers make no map"):
        layout(rows(2))


def test_a_map_is_drawn_with_groups_and_silent_papers(tmp_path: Path) -> None:
    points = tuple(Point(n % 3 if n % 4 else None, n % 5 == 0) for n in range(12))
    found = Map(title="Lamps", term="lamp", since="1", until="2", groups=("a", "b", "c"), points=points)
    file = draw_map(found, layout(rows(12)), tmp_path / "map.png", "en", dark=True)
    assert pixels(file) == (1080, 1296)


def test_long_names_of_groups_stay_within_the_picture(tmp_path: Path) -> None:
    from matplotlib.image import imread

    groups = tuple(f"mechanistic interpretability {n}" for n in range(7))
    points = tuple(Point(n % 8 if n % 8 < 7 else None, n % 5 == 0) for n in range(12))
    found = Map(title="Lamps", term="lamp", since="1", until="2", groups=groups, points=points)
    image = imread(draw_map(found, layout(rows(12)), tmp_path / "map.png", "ru"))
    assert (image[:, -6:] == image[0, 0]).all()


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="choose another file"):
        draw_card(card("en"), tmp_path / "no" / "x.png", "en")
