"""The pages over the sample: what they show, what their forms do, and what attacks on them come to."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from starlette.requests import Request

import desk
import web
from digest.errors import StoreError
from digest.web import access
from digest.web import app as pages
from digest.web.access import new_session
from digest.web.guard import Hosts
from digest.web.search import Asked, marked
from digest.web.visit import Visit
from digest.web.work import Jobs

PATHS = ["/", "/?day=2026-07-01", "/search", "/search?q=interpretability", f"/papers/{web.HARM}", "/jobs"]
PAPER = "2607.01642"


@pytest.fixture
def browser(page: str) -> Iterator[web.Browser]:
    with web.Browser(page) as found:
        yield found


def text_of(answer: httpx.Response) -> str:
    """What a person reads."""
    bare = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
    return " ".join(unescape(bare).split())


# --- today ----------------------------------------------------------------------------------------


def test_today_tells_what_came_what_was_found_and_why(browser: web.Browser) -> None:
    said = text_of(browser.get("/"))
    assert "Friday, 3 July 2026" in said
    assert "arXiv announced 13 papers in the categories you follow." in said
    assert "Diffusion models" in said
    assert "says “diffusion model" in said
    assert "Nothing waits." in said or "proposed key" in said


def test_a_weekend_explains_itself(browser: web.Browser) -> None:
    assert "nothing on Saturdays and Sundays" in text_of(browser.get("/?day=2026-06-28"))


def test_an_empty_archive_says_what_to_do(tmp_path: Path) -> None:
    with web.serving(tmp_path, web.FRIDAY) as address, web.Browser(address) as browser:
        assert "The archive is empty. Start a crawl" in text_of(browser.get("/"))
        assert browser.get("/search?q=anything").status_code == 200


def test_what_cannot_be_worked_out_is_told_once_and_not_asked_for_again(tmp_path: Path) -> None:
    with web.serving(tmp_path, web.FRIDAY) as address, web.Browser(address) as browser:
        until = time.monotonic() + 60
        while (answer := browser.get("/trends?term=anything")).status_code == 200:
            assert "<progress" in answer.text
            assert time.monotonic() < until
            time.sleep(0.1)
    assert answer.status_code == 422
    assert "the archive is empty; digest crawl or digest backfill TOPIC fills it" in text_of(answer)
    assert "data-renew" not in answer.text
    assert "http-equiv" not in answer.text


@pytest.mark.parametrize("day", ["yesterday", "0001-01-01", "9999-12-31", "2026-13-01", ""])
def test_a_day_that_is_none_shows_the_newest(browser: web.Browser, day: str) -> None:
    assert "3 July 2026" in text_of(browser.get(f"/?day={quote(day)}"))


# --- search ---------------------------------------------------------------------------------------


def test_search_shows_words_marked_and_why(browser: web.Browser) -> None:
    answer = browser.get("/search?q=diffusion+model")
    assert "<mark>Diffusion" in answer.text or "<mark>diffusion" in answer.text
    assert "in the title" in text_of(answer)
    assert "near in meaning" in text_of(answer)


def test_facets_narrow_the_search_and_are_told_in_the_address(browser: web.Browser) -> None:
    answer = browser.get("/search?q=model&topic=diffusion&year=2026&cat=cs.CV")
    links = [unescape(one) for one in re.findall(r'href="(/search\?[^"]*)"', answer.text)]
    assert "/search?q=model&topic=diffusion&cat=cs.CV" in links  # without the year
    assert "/search?q=model" in links  # without filters
    assert "Clear filters" in answer.text


def test_silent_papers_are_a_facet(browser: web.Browser) -> None:
    answer = browser.get("/search?topic=xai&silent=1")
    assert f"/papers/{web.HARM}" in answer.text
    assert "newest first" in text_of(answer)


@pytest.mark.parametrize(
    ("query", "note"),
    [("foo:bar", "foo: is no field"), ("year:20x", "is no year"), ("cat:cs.XX", "is no category")],
)
def test_what_was_not_understood_is_told(browser: web.Browser, query: str, note: str) -> None:
    assert note in text_of(browser.get(f"/search?{urlencode({'q': query})}"))


def test_an_unknown_topic_in_a_query_names_the_nearest(browser: web.Browser) -> None:
    answer = browser.get("/search?q=topic%3Aunlearnin")
    assert answer.status_code == 200
    assert "did you mean unlearning?" in text_of(answer)


def test_the_address_of_a_search_holds_all_of_it_and_leads_back_to_the_first_page() -> None:
    asked = Asked(q='a "b"', topics=("xai",), year=2024, silent=True, mode="words", expand=True, page=3)
    assert asked.url(page=3) == "/search?q=a+%22b%22&topic=xai&year=2024&silent=1&mode=words&expand=1&page=3"
    assert "page" not in asked.url(year=2025)


def test_marks_that_stand_together_are_one() -> None:
    assert marked("a <b> c d", ((0, 1), (2, 5), (8, 9))) == ("<mark>a &lt;b&gt;</mark> c <mark>d</mark>")


# --- a paper --------------------------------------------------------------------------------------


def test_a_paper_shows_its_evidence_posts_neighbours_and_bibtex(browser: web.Browser) -> None:
    said = text_of(browser.get(f"/papers/{PAPER}"))
    for part in ("Why it is on topic", "over the floor of 0.60", "says it: “", "In posts", "Near in meaning",
                 "eprint = {2607.01642}", "Everything for and against"):  # fmt: skip
        assert part in said


@pytest.mark.parametrize(
    ("language", "parts"),
    [("ru", ("Итог", "выше порога темы", "в заголовке")), ("zh", ("结论", "高于主题门槛", "标题中有"))],
)
def test_what_speaks_for_a_paper_is_told_in_the_visitors_language(
    page: str, language: str, parts: tuple[str, ...]
) -> None:
    with web.Browser(page, headers={"Accept-Language": language}) as browser:
        said = text_of(browser.get(f"/papers/{PAPER}"))
    assert [part for part in parts if part not in said] == []
    assert "topic's floor" not in said
    assert "stands in post" not in said


def test_old_ids_and_versions_lead_to_the_paper(browser: web.Browser) -> None:
    assert browser.get("/papers/hep-th/9206064").status_code == 200
    assert browser.get("/papers/hep-th/9206064v1").url.path == "/papers/hep-th/9206064"
    assert browser.get(f"/papers/arXiv:{PAPER}v2").url.path == f"/papers/{PAPER}"
    file = browser.get("/bibtex/hep-th/9206064").headers["content-disposition"]
    assert 'filename="arxiv-hep-th-9206064.bib"' in file


def test_formulas_are_readable(browser: web.Browser) -> None:
    said = text_of(browser.get(f"/papers/{web.HARM}"))
    assert "is α." in said
    assert "interpretability x²" in said


def test_an_opinion_is_noted_said_once_and_taken_back(browser: web.Browser) -> None:
    told = browser.send_form(f"/papers/{PAPER}", "/feedback", topic="xai", opinion="dislike", paper=PAPER)
    assert told.url.path == f"/papers/{PAPER}"
    assert "Noted: off topic for Explainable AI" in text_of(told)
    again = browser.get(f"/papers/{PAPER}")
    assert "Noted:" not in text_of(again)
    assert 'aria-pressed="true"' in again.text
    undone = browser.send_form(f"/papers/{PAPER}", "/feedback", topic="xai", opinion="undo", paper=PAPER)
    assert 'aria-pressed="true"' not in undone.text


@pytest.mark.parametrize(
    "fields",
    [
        {"opinion": "love"},
        {"topic": "nonsense", "opinion": "like"},
        {"paper": "2607.00000", "opinion": "like"},
    ],
)
def test_an_opinion_that_is_none_is_a_page_that_says_so(browser: web.Browser, fields: dict[str, str]) -> None:
    answer = browser.send_form(f"/papers/{PAPER}", "/feedback", **fields)
    assert answer.status_code in (400, 404)
    assert "<h1>" in answer.text


# --- the archive ----------------------------------------------------------------------------------


def test_pages_read_an_archive_that_is_open_for_reading_only_and_forms_write(
    sample_home: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(sample_home, tmp_path / "home"))
    with desk.opened(home) as app, Jobs(("true",), app.clock.now) as jobs:
        site = pages.build(app, access.load(home), Hosts("127.0.0.1"), jobs).app.state.site

        def visit(method: str) -> Visit:
            asked = {"type": "http", "method": method, "path": "/", "headers": [], "query_string": b""}
            return Visit(site, Request(asked), new_session(), b"", "today")

        with pytest.raises(StoreError, match="was opened for reading only"):
            visit("GET").app.store.put_cursor("x", "1", web.FRIDAY)
        visit("POST").app.store.put_cursor("x", "1", web.FRIDAY)
        assert visit("HEAD").app.store.cursor("x") == "1"


# --- jobs -----------------------------------------------------------------------------------------


def test_long_work_goes_on_in_the_background_and_its_page_renews_itself(
    sample_home: Path, tmp_path: Path
) -> None:
    shutil.copytree(sample_home, tmp_path / "home")
    slow = "import time; print('one', flush=True); time.sleep(60)"
    with web.serving(tmp_path / "home", web.FRIDAY, program=[sys.executable, "-c", slow]) as address:
        with web.Browser(address) as browser:
            begun = browser.send_form("/jobs", "/jobs", kind="match")
            assert begun.url.path == "/jobs/1"
            assert browser.send_form("/jobs", "/jobs", kind="write").status_code == 503  # one at a time
            assert '<meta http-equiv="refresh" content="3">' in begun.text
            assert "http-equiv" not in browser.get("/jobs/1?still=1").text
            refused = browser.send_form("/jobs/1", "/jobs/1/stop")
            assert "told to stop" in refused.text
            ended = wait_until(browser, "/jobs/1", "stopped")
            assert "http-equiv" not in ended.text


def test_a_job_runs_the_command_and_says_what_it_said(browser: web.Browser) -> None:
    begun = browser.send_form("/jobs", "/jobs", kind="deliver")
    done = wait_until(browser, begun.url.path, "done")
    assert "digest deliver" in text_of(done)
    assert "What it says" in text_of(done)
    browser.get("/language/ru")
    assert "Отправка отправлено 0" in text_of(browser.get(begun.url.path))


def wait_until(browser: web.Browser, path: str, word: str) -> httpx.Response:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = browser.get(path)
        if re.search(rf"<strong[^>]*>{word}", answer.text):
            return answer
        time.sleep(0.1)
    raise AssertionError(f"{path} never says {word}: {text_of(answer)}")


# --- languages, weight ----------------------------------------------------------------------------


def test_the_language_is_the_browsers_until_another_one_is_chosen(page: str) -> None:
    with web.Browser(page, headers={"Accept-Language": "de,ru-RU;q=0.8,en;q=0.5"}) as browser:
        assert '<html lang="ru">' in browser.get("/").text
        chosen = browser.get("/language/zh?next=/jobs")
        assert chosen.url.path == "/jobs"
        assert '<html lang="zh">' in chosen.text
        assert browser.get("/language/tlh").status_code == 404
        assert browser.get("/language/en?next=//evil.example/").url.host == "127.0.0.1"


def test_errors_are_told_in_the_language_of_the_page(page: str) -> None:
    with web.Browser(page, headers={"Accept-Language": "ru"}) as browser:
        unknown = browser.get("/papers/2605.00001")
        assert "Статьи 2605.00001 нет в архиве" in text_of(unknown)
        assert 'lang="en">' not in unknown.text.partition("<main")[2]
        why = text_of(browser.get(f"/papers/{PAPER}"))
        assert re.search(r"\(место по способам: [a-z ]+ \d+\.\d%, [a-z ]+ \d", why)
        browser.get("/language/zh")
        assert "没有主题 'nothing'" in text_of(browser.get("/topics/nothing"))


@pytest.mark.parametrize("path", PATHS)
def test_no_page_weighs_more_than_100_kb_with_all_it_needs(browser: web.Browser, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 200
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
    assert len(answer.content) + sum(len(browser.get(unescape(one)).content) for one in files) < 100_000


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("language", ["en", "ru", "zh"])
def test_no_page_has_inline_scripts_or_styles_or_anything_of_others(
    page: str, path: str, language: str
) -> None:
    with web.Browser(page, headers={"Accept-Language": language}) as browser:
        text = browser.get(path).text
    assert not re.search(r"<script(?! src=\"/static/)|<style|<[a-z][^<>]*\s(?:style|on\w+)=", text)
    assert not re.search(r'(?:src|action)="(?!/)', text)
    assert text.count("<h1") == 1
    assert len(re.findall(r'\bid="([^"]+)"', text)) == len(set(re.findall(r'\bid="([^"]+)"', text)))


# --- attacks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [*PATHS, f"/bibtex/{web.HARM}", "/search?q=%3Cscript%3Ealert(1)%3C/script%3E"]
)
def test_nothing_that_is_stored_or_asked_becomes_markup(browser: web.Browser, path: str) -> None:
    answer = browser.get(path)
    if answer.headers["content-type"].startswith("text/html"):
        assert "<script>" not in answer.text
        assert "<img" not in answer.text
        assert "onerror=" not in unescape(answer.text) or "&gt;&lt;img" in answer.text
        assert "49" not in re.findall(r"&lt;img[^<]*?(\d+) interpretability", answer.text)
    else:
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/%2e%2e/default.toml", "/static//etc/passwd",
     "/papers/../../etc/passwd", "/papers/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/bibtex/../digest.sqlite3",
     "/jobs/../../x", "/static/page.css%00.svg"],
)  # fmt: skip
def test_no_path_leads_out(page: str, path: str) -> None:
    url = httpx.URL(page)
    with web.Browser(page) as browser:
        answer = browser.send(httpx.Request("GET", url.copy_with(raw_path=path.encode())))
    assert answer.status_code in (400, 404)
    assert "import" not in answer.text
    assert "root:" not in answer.text


QUERIES = [
    *('"', "'", "a' OR 1=1 --", 'x" OR paper_word MATCH "y', "NEAR(a b)", "*", "a*", "^a", "{a b}:c", "-"),
    *("()", "\x00", "\ud800", "title:x AND", "💥", "%", "_", "\\", "a" * 5000, "(" * 900),
    "1; DROP TABLE paper",
]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_no_query_is_read_as_sql_or_fts5(browser: web.Browser, number: int) -> None:
    query = QUERIES[number].encode("utf-8", "surrogatepass")
    assert browser.get(f"/search?q={quote(query)}&expand=1").status_code == 200
    assert browser.get("/search?q=interpretability").text.count("data-item") > 3
