"""Topics and trends on the page: keys judged, a topic tried and saved, charts."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from threading import Event

import pytest
from lxml import etree

import desk
import web
from digest import config
from digest.errors import DigestError, TryAgain
from digest.types import Curve, Key, YearShare
from digest.web import charts
from digest.web.pieces import MOST_WAITING, Works

ATTACK = '"><script>alert(1)</script>'


def keys(home: Path, topic: str = "unlearning") -> dict[str, Key]:
    with desk.opened(home) as app:
        return {key.text: key for key in app.store.keys(topic)}


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_is_shown_with_its_evidence_and_judged(browser: web.Browser, home: Path) -> None:
    key = keys(home)["adversarial prompts"]
    assert key.evidence
    page = browser.get("/topics/unlearning").text
    assert "It would add 2 papers." in page
    assert f"at least {key.evidence.lower_bound:.0%} surely belong" in page
    for title in (*key.evidence.best, *key.evidence.worst):
        assert title[:20] in page
    fields = browser.form("/topics/unlearning", "/topics/unlearning")
    assert fields["key"] in keys(home)
    done = browser.send_form("/topics/unlearning", "/topics/unlearning", key=key.text, do="accept")
    assert f"“{key.text}” is in use" in done.text
    assert keys(home)[key.text].state == "active"
    browser.send_form("/topics/unlearning", "/topics/unlearning", key=key.text, do="undo")
    assert keys(home)[key.text].state == "proposed"
    browser.send_form("/topics/unlearning", "/topics/unlearning", key=key.text, do="reject")
    assert keys(home)[key.text].state == "rejected"
    assert key.text in browser.get("/topics/unlearning?state=rejected").text


def test_a_key_of_ones_own_is_taken_and_shown_as_text(browser: web.Browser, home: Path) -> None:
    browser.send_form("/topics/xai", "/topics/xai", key=ATTACK, do="accept")
    assert ATTACK in keys(home, "xai")
    page = browser.get("/topics/xai?state=active").text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize("fields", [{"do": "explode"}, {"key": ""}, {"key": "x" * 300, "do": "accept"}])
def test_a_decision_that_is_none_is_refused(browser: web.Browser, home: Path, fields: dict[str, str]) -> None:
    before = keys(home)
    assert browser.send_form("/topics/unlearning", "/topics/unlearning", **fields).status_code == 400
    assert keys(home) == before


def test_a_seed_key_of_the_configuration_is_not_rejected_here(browser: web.Browser, home: Path) -> None:
    answer = browser.send_form("/topics/unlearning", "/topics/unlearning", key="unlearning", do="reject")
    assert answer.status_code == 400
    assert "key of the configuration" in answer.text
    assert keys(home)["unlearning"].state == "active"


def test_what_keys_bring_is_counted_behind_the_page(browser: web.Browser) -> None:
    page = browser.settled("/topics/unlearning/yield").text
    assert page.count('<svg class="chart small"') > 2
    assert "machine unlearning" in page


@pytest.mark.parametrize("path", ["/topics/nonsense", "/topics/nonsense/yield", "/trends/map?topic=nonsense"])
def test_a_topic_that_is_not_there_is_told_so(browser: web.Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 400
    assert "no topic" in answer.text


# --- a new topic ----------------------------------------------------------------------------------

TRIED = (
    "/topics/new?term=concept+erasure&keys=concept+erasure%0Aconcept+removal&papers=2605.99999&language=ru"
)


def test_a_topic_is_tried_on_the_last_month_and_then_saved(browser: web.Browser, home: Path) -> None:
    page = browser.settled(TRIED).text
    found = re.search(r"It would have found (\d+) paper", page)
    assert found
    assert int(found[1]) > 0
    assert "2605.99999" in page  # is not in the archive
    before = (home / "digest.toml").read_text("utf-8")
    done = browser.send_form(TRIED, "/topics", language="ru")
    assert done.url.path == "/topics/concept-erasure"
    text = (home / "digest.toml").read_text("utf-8")
    assert text.startswith(before)
    saved = config.load(None, home, {}).topics
    assert [*saved] == ["xai", "unlearning", "diffusion", "concept-erasure"]
    assert saved["concept-erasure"].seed_keys == ("concept erasure", "concept removal")
    assert saved["concept-erasure"].languages == ("ru",)
    assert "concept erasure" in browser.get("/topics").text
    again = browser.get(TRIED)
    assert again.status_code == 422
    assert "give this one another name" in again.text


@pytest.mark.parametrize(
    "query",
    [
        "term=x&papers=nonsense",
        "term=x&name=../../etc",
        "term=%20&keys=a",
        "term=x&name=new",
        "term=%E5%9B%BE",
    ],
)
def test_a_topic_that_cannot_be_is_told_so_and_keeps_what_was_typed(
    browser: web.Browser, home: Path, query: str
) -> None:
    answer = browser.get(f"/topics/new?{query}")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert (home / "digest.toml").read_text("utf-8") == desk.CONFIGURATION


# --- trends ---------------------------------------------------------------------------------------


def test_a_term_is_drawn_with_what_stood_beside_it_and_its_numbers(browser: web.Browser) -> None:
    page = browser.settled("/trends?term=unlearning").text
    assert "<h2 lang=" in page
    assert "Papers held" in page
    assert "Papers per day" in page


def test_a_term_that_cannot_be_drawn_is_told_so_as_text(browser: web.Browser) -> None:
    answer = browser.settled("/trends?term=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script>alert" not in answer.text
    assert answer.status_code in (200, 422)


def test_a_topics_map_links_to_its_papers_and_is_drawn_as_a_picture(browser: web.Browser) -> None:
    page = browser.settled("/trends/map?topic=diffusion&since=2026-06-01").text
    assert page.count('<a href="/papers/') >= 17
    png = browser.get("/trends/map.png?topic=diffusion&since=2026-06-01&dark=1", timeout=60)
    assert png.headers["content-type"] == "image/png"
    assert png.headers["content-disposition"] == 'attachment; filename="diffusion.png"'
    assert png.content.startswith(b"\x89PNG")


def test_without_matplotlib_charts_stay_and_the_page_says_what_pictures_need(
    browser: web.Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.web.trends.find_spec", lambda _: None)
    page = browser.settled("/trends/map?topic=diffusion&since=2026-06-01").text
    assert 'pip install "digest[pictures]"' in page
    assert "map.png" not in page
    assert page.count('<a href="/papers/') >= 17


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=2026-07-03&until=2026-01-01", "until=2000-01-01"]
)
def test_days_that_make_no_map_are_told(browser: web.Browser, query: str) -> None:
    answer = browser.settled(f"/trends/map?topic=xai&{query}")
    assert answer.status_code in (400, 404)


def test_each_page_is_said_in_each_language(browser: web.Browser) -> None:
    said = {"en": "New topic", "ru": "Новая тема", "zh": "新建主题"}
    for language, words in said.items():
        page = browser.get(f"/language/{language}?next=/topics").text
        assert f'<html lang="{language}">' in page
        assert words in page


# --- charts ---------------------------------------------------------------------------------------


def curve(shares: dict[int, float]) -> Curve:
    years = [
        YearShare(year=year, held=500, found=round(500 * one), share=one, low=one * 0.8, high=one * 1.2)
        for year, one in shares.items()
    ]
    return Curve(years=tuple(years), stretches=())


def test_a_curve_has_a_point_for_each_year_within_the_picture() -> None:
    made = charts.years(
        {"named": curve({2022: 0.01, 2023: 0.05, 2024: 0.2})}, ATTACK, lambda one: f"{one:.0%}"
    )
    svg = etree.fromstring(str(made))
    points = svg.findall("circle")
    assert len(points) == 3
    for one in points:
        assert 0 <= float(one.get("cx")) <= charts.WIDTH
        assert 0 <= float(one.get("cy")) <= charts.HEIGHT
    heights = [float(one.get("cy")) for one in points]
    assert heights == sorted(heights, reverse=True)
    assert svg.find("title").text == ATTACK
    assert "style" not in str(made)


def test_a_chart_of_nothing_is_none() -> None:
    assert not charts.years({"named": curve({})}, "x", str)
    assert not charts.days({}, "x", str)


def test_bars_are_as_high_as_their_counts() -> None:
    counts = {date(2026, 7, 1) + timedelta(at): at for at in range(5)}
    svg = etree.fromstring(str(charts.days(counts, "x", lambda day: f"<{day}>")))
    heights = [float(one.get("height")) for one in svg.findall("rect")]
    assert heights[0] == 0
    assert heights[4] == pytest.approx(4 * heights[1], abs=0.3)


def test_a_map_escapes_titles_and_leads_to_papers() -> None:
    dots = [
        charts.Dot(0.0, 1.0, "/papers/1", ATTACK, 3, True),
        charts.Dot(1.0, 0.0, "/papers/2", "b", None, False),
    ]
    svg = etree.fromstring(str(charts.dots(dots, "map")))
    assert [one.get("href") for one in svg.findall("a")] == ["/papers/1", "/papers/2"]
    assert svg.findtext("a/title") == ATTACK
    assert svg.find("a").get("class") == "g3 silent"


# --- work -----------------------------------------------------------------------------------------


def test_work_is_done_once_for_all_who_ask_and_its_errors_are_told() -> None:
    works, calls = Works(), []

    def make() -> int:
        calls.append(1)
        return 7

    def fail() -> int:
        raise ValueError

    assert works.get("a", make).result() == 7
    assert works.get("a", make).result() == 7
    assert len(calls) == 1
    failed = works.get("b", fail)
    with pytest.raises(DigestError, match="could not be worked out"):
        failed.result()
    assert works.get("b", fail).is_done
    assert works.get("c", lambda: 8).result() == 8  # whoever fails holds up nobody


def test_no_more_work_is_taken_than_can_be_waited_for() -> None:
    works, gate = Works(), Event()
    for at in range(MOST_WAITING):
        works.get(at, gate.wait)
    with pytest.raises(TryAgain):
        works.get("more", gate.wait)
    gate.set()
    assert works.get(MOST_WAITING - 1, gate.wait).result()
    assert works.get("more", gate.wait).result()
