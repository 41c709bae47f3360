"""The posts on the page: as they will be sent, edited, decided about, delivered."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

import desk
import web
from desk import FRIDAY, UNLEARNING, XAI, XAI_RU
from digest.actions import posts
from digest.types import Post

ORIGIN = {"Sec-Fetch-Site": "same-origin"}


def send(browser: web.Browser, path: str, fields: dict[str, str], papers: list[str]) -> httpx.Response:
    """Send the editor's form, with all its papers."""
    return browser.post(path, data={**fields, "paper": papers}, headers=ORIGIN)


def stored(home: Path, number: int) -> Post:
    with desk.opened(home) as app:
        return posts.find(app, number)


# --- looking --------------------------------------------------------------------------------------


def test_the_list_shows_each_post_with_its_state_and_can_be_narrowed(browser: web.Browser) -> None:
    page = browser.get("/posts").text
    assert page.count('class="row-name"') == 9
    assert page.count('<span class="badge draft">') == 6
    assert page.count('<span class="badge sent">') == 3
    assert "6 drafts wait for a decision" in page
    narrow = browser.get("/posts?topic=xai&language=ru&state=draft").text
    assert re.findall(r'class="row-name" href="/posts/(\d+)"', narrow) == [str(XAI_RU)]
    assert 'class="row-name"' not in browser.get("/posts?until=2020-01-01").text
    assert browser.get("/posts?until=nonsense&state=nonsense").status_code == 200


def test_a_post_is_shown_part_by_part_with_how_full_each_is(browser: web.Browser, home: Path) -> None:
    page = browser.get(f"/posts/{XAI}").text
    [part] = stored(home, XAI).parts
    units = len(part.text.encode("utf-16-le")) // 2
    assert f'<meter max="4096" high="3686" value="{units}"' in page
    assert f'<meter max="100" high="90" value="{len(part.entities)}"' in page
    said = re.search(r'<div class="message" lang="en">(.*?)</div>\n', page, re.DOTALL)
    assert said
    assert said[1].count("<b>") == part.html.count("<b>")
    assert said[1].count("<a href=") == part.html.count("<a href=")


def test_a_post_that_is_not_there_is_told_so(browser: web.Browser) -> None:
    answer = browser.get("/posts/4711")
    assert answer.status_code == 404
    assert "no post 4711" in answer.text
    assert browser.get("/posts/" + "9" * 30).status_code == 404


# --- editing --------------------------------------------------------------------------------------


def test_what_is_typed_is_previewed_as_it_would_be_sent_and_not_stored(
    browser: web.Browser, home: Path
) -> None:
    fields, papers = desk.editor(browser, XAI), desk.papers(browser, XAI)
    text = f"{fields['text']}\n\nSee <i>you</i> &lt;soon&gt;"
    made = send(browser, f"/posts/{XAI}/preview", {**fields, "text": text, "alone": "1"}, papers)
    assert made.status_code == 200
    assert "See <i>you</i> &lt;soon&gt;</div>" in made.text
    assert "<html" not in made.text
    whole = send(browser, f"/posts/{XAI}/preview", {**fields, "text": text}, papers)
    assert "See <i>you</i> &lt;soon&gt;</div>" in whole.text
    assert "See &lt;i&gt;you&lt;/i&gt; &amp;lt;soon&amp;gt;</textarea>" in whole.text
    wrong = send(browser, f"/posts/{XAI}/preview", {**fields, "text": "<b>", "alone": "1"}, papers)
    assert "end tag corresponding to start tag" in wrong.text
    assert stored(home, XAI).version == 1


def test_an_edited_text_is_stored_as_the_next_version(browser: web.Browser, home: Path) -> None:
    fields, papers = desk.editor(browser, XAI), desk.papers(browser, XAI)
    text = f"{fields['text']}\n\nSee you soon"
    done = send(browser, f"/posts/{XAI}/edit", {**fields, "text": text, "do": "save"}, papers)
    assert done.url.path == f"/posts/{XAI}"
    now = stored(home, XAI)
    assert (now.version, now.state) == (2, "draft")
    assert now.parts[-1].text.endswith("See you soon")
    assert "text changed" in browser.get(f"/posts/{XAI}/history").text
    assert "<ins>See you soon</ins>" in browser.get(f"/posts/{XAI}/history").text


def test_papers_are_moved_dropped_and_added_by_buttons_and_typed_text_goes_with_it(
    browser: web.Browser, home: Path
) -> None:
    papers = desk.papers(browser, XAI)
    typed = {**desk.editor(browser, XAI)}
    typed["text"] += "\n\nMy own words"
    send(browser, f"/posts/{XAI}/edit", {**typed, "do": f"down:{papers[0]}"}, papers)
    now = stored(home, XAI)
    assert now.papers[:2] == (papers[1], papers[0])
    assert "My own words" in now.parts[-1].text
    assert now.parts[0].text.index(_title(now, home, 0)) < now.parts[0].text.index(_title(now, home, 1))
    fields, order = desk.editor(browser, XAI), desk.papers(browser, XAI)
    send(browser, f"/posts/{XAI}/edit", {**fields, "do": f"drop:{order[0]}"}, order)
    assert order[0] not in stored(home, XAI).papers
    fields, left = desk.editor(browser, XAI), desk.papers(browser, XAI)
    send(browser, f"/posts/{XAI}/edit", {**fields, "do": "add", "add": f"arXiv:{order[0]}v1"}, left)
    assert stored(home, XAI).papers == (*left, order[0])


def _title(post: Post, home: Path, at: int) -> str:
    with desk.opened(home) as app:
        return app.store.papers([post.papers[at]])[0].title[:20]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"text": "<b>never closed", "do": "save"}, "end tag corresponding to start tag"),
        ({"do": "add", "add": "../../etc/passwd"}, "passwd"),
        ({"do": "add", "add": "2605.99999"}, "is not in the archive"),
        ({"text": "", "do": "save"}, "there is no text"),
    ],
)
def test_what_cannot_be_stored_stands_in_the_editor_with_the_reason(
    browser: web.Browser, home: Path, changes: dict[str, str], told: str
) -> None:
    fields = {**desk.editor(browser, XAI), **changes}
    answer = send(browser, f"/posts/{XAI}/edit", fields, desk.papers(browser, XAI))
    assert answer.status_code == 422
    assert told in answer.text
    if changes.get("text"):
        assert "&lt;b&gt;never closed</textarea>" in answer.text
    assert stored(home, XAI).version == 1


def test_the_second_of_two_editors_is_told_and_keeps_the_text(browser: web.Browser, home: Path) -> None:
    with web.Browser(str(browser.base_url)) as other:
        mine, theirs = desk.editor(browser, XAI), desk.editor(other, XAI)
        papers = desk.papers(browser, XAI)
        send(
            browser, f"/posts/{XAI}/edit", {**mine, "text": f"{mine['text']}\n\nFirst", "do": "save"}, papers
        )
        late = {**theirs, "text": f"{theirs['text']}\n\nSecond", "do": "save"}
        answer = send(other, f"/posts/{XAI}/edit", late, papers)
        assert answer.status_code == 409
        assert "Second</textarea>" in answer.text
        assert "First</textarea>" in answer.text
        assert "Second" not in stored(home, XAI).parts[-1].text
        [version] = re.findall(r'name="version" value="(\d+)"', answer.text)
        again = send(other, f"/posts/{XAI}/edit", {**late, "version": version}, papers)
        assert again.status_code == 200
        assert stored(home, XAI).parts[-1].text.endswith("Second")


def test_a_decision_about_an_older_version_is_refused(browser: web.Browser, home: Path) -> None:
    old = browser.form(f"/posts/{XAI}", f"/posts/{XAI}/decide")
    fields, papers = desk.editor(browser, XAI), desk.papers(browser, XAI)
    send(browser, f"/posts/{XAI}/edit", {**fields, "text": f"{fields['text']}\n\nNew", "do": "save"}, papers)
    answer = browser.post(f"/posts/{XAI}/decide", data={**old, "do": "approve"}, headers=ORIGIN)
    assert answer.status_code == 409
    assert stored(home, XAI).state == "draft"


# --- decisions ------------------------------------------------------------------------------------


def test_a_post_is_approved_together_with_its_other_languages(browser: web.Browser, home: Path) -> None:
    path = f"/posts/{XAI}/decide"
    done = browser.send_form(f"/posts/{XAI}", path, do="approve", also=f"{XAI_RU}:1")
    assert "2 posts approved" in done.text
    assert {stored(home, one).state for one in (XAI, XAI_RU)} == {"approved"}
    assert stored(home, 3).state == "draft"


def test_a_rejected_post_gives_its_papers_back_and_is_not_edited_any_more(
    browser: web.Browser, home: Path
) -> None:
    browser.send_form(f"/posts/{XAI}", f"/posts/{XAI}/decide", do="reject")
    assert stored(home, XAI).state == "rejected"
    page = browser.get(f"/posts/{XAI}").text
    assert 'class="editor' not in page
    assert "it cannot be edited" in page


def test_a_scheduled_post_waits_for_its_hour_in_the_channels_time_zone(
    browser: web.Browser, home: Path
) -> None:
    desk.drafts(home, [7])
    page = browser.get("/posts/7").text
    assert "Europe/Berlin" in page
    browser.send_form("/posts/7", "/posts/7/decide", do="schedule", at="2026-07-04T09:30")
    nine = datetime(2026, 7, 4, 7, 30, tzinfo=UTC)
    assert "not before 4 Jul 2026, 07:30 UTC" in browser.get("/posts").text
    with desk.opened(home) as app:
        assert posts.find(app, 7).state == "approved"
        assert {one.not_before for one in app.store.deliveries(post_id=7)} == {nine}
        assert app.store.claim_delivery("files", FRIDAY) is None
        assert app.store.claim_delivery("files", nine) is not None


@pytest.mark.parametrize("at", ["", "tomorrow", "2026-07-03T10:00", "9999-99-99T00:00"])
def test_a_time_that_is_none_or_over_is_told(browser: web.Browser, home: Path, at: str) -> None:
    answer = browser.send_form(f"/posts/{XAI}", f"/posts/{XAI}/decide", do="schedule", at=at)
    assert answer.status_code == 422
    assert stored(home, XAI).state == "draft"


# --- deliveries -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"do": "sent", "message": "42"}, "sent"),
        ({"do": "retry"}, "queued"),
        ({"do": "drop"}, "cancelled"),
    ],
)
def test_what_may_have_been_sent_is_settled_by_a_person(
    browser: web.Browser, home: Path, fields: dict[str, str], state: str
) -> None:
    number = desk.held(home, 7, "uncertain", "no answer came")
    page = browser.get("/posts/outbox").text
    assert "no answer came" in page
    assert page.count('class="card delivery"') == 1  # deliveries of drafts do not wait for a channel
    browser.send_form("/posts/outbox", f"/posts/outbox/{number}", **fields)
    with desk.opened(home) as app:
        [one] = app.store.deliveries(post_id=7)
        assert one.state == state


@pytest.mark.parametrize("message", ["", "x", "-1", "1" * 12, "४२"])
def test_the_number_of_a_message_must_be_one(browser: web.Browser, home: Path, message: str) -> None:
    number = desk.held(home, 7, "uncertain", "no answer came")
    answer = browser.send_form("/posts/outbox", f"/posts/outbox/{number}", do="sent", message=message)
    assert answer.status_code == 400
    with desk.opened(home) as app:
        assert app.store.deliveries(post_id=7)[0].state == "uncertain"


def test_what_was_sent_can_be_corrected_unless_somebody_was_quicker(browser: web.Browser, home: Path) -> None:
    path = "/posts/7/part/1"
    seen = browser.form("/posts/7", path)
    done = browser.post(path, data={**seen, "text": "<b>Corrected</b> text"}, headers=ORIGIN)
    assert done.status_code == 200
    assert stored(home, 7).parts[0].text == "Corrected text"
    late = browser.post(path, data={**seen, "text": "Too late"}, headers=ORIGIN)
    assert late.status_code == 409
    assert "Too late</textarea>" in late.text
    assert stored(home, 7).parts[0].text == "Corrected text"


# --- attacks --------------------------------------------------------------------------------------

OF_A_POST = ("edit", "preview", "decide", "part/1")
FORMS = (*(f"/posts/{XAI}/{one}" for one in OF_A_POST), "/posts/outbox/1", "/topics/xai", "/topics")


@pytest.mark.parametrize("path", FORMS)
def test_no_form_is_taken_without_its_token(browser: web.Browser, home: Path, path: str) -> None:
    browser.get("/posts")
    fields = {"version": "1", "text": "hacked", "do": "approve", "term": "x", "key": "hacked"}
    assert browser.post(path, data=fields, headers=ORIGIN).status_code == 403
    assert browser.post(path, data={**fields, "csrf": "0" * 64}, headers=ORIGIN).status_code == 403
    now = stored(home, XAI)
    assert (now.version, now.state) == (1, "draft")


ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg/onload=alert(3)>"


def test_a_source_with_markup_of_its_own_is_text_on_every_page(browser: web.Browser, home: Path) -> None:
    fields, papers = desk.editor(browser, XAI), desk.papers(browser, XAI)
    raw = send(browser, f"/posts/{XAI}/edit", {**fields, "text": ATTACK, "do": "save"}, papers)
    assert raw.status_code == 422
    kept = fields["text"] + "\n\n" + ATTACK.replace("<", "&lt;") + '\n\n<a href="javascript:alert(4)">x</a>'
    send(browser, f"/posts/{XAI}/edit", {**fields, "text": kept.rpartition("\n\n")[0], "do": "save"}, papers)
    assert stored(home, XAI).version == 2
    pages = [
        raw.text,
        *(browser.get(one).text for one in (f"/posts/{XAI}", f"/posts/{XAI}/history", "/posts")),
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg/onload" not in page
    link = send(browser, f"/posts/{XAI}/preview", {**fields, "text": kept, "alone": "1"}, papers)
    assert 'href="javascript:' not in link.text


@pytest.mark.parametrize(
    "fields",
    [{"version": "x"}, {"version": "9" * 40}, {}, {"version": "1", "do": "nonsense:2605.1"}],
)
def test_what_no_editor_sends_breaks_nothing(
    browser: web.Browser, home: Path, fields: dict[str, str]
) -> None:
    token = browser.form(f"/posts/{XAI}", f"/posts/{XAI}/edit")["csrf"]
    for path in ("edit", "preview", "decide"):
        answer = browser.post(f"/posts/{XAI}/{path}", data={"csrf": token, **fields}, headers=ORIGIN)
        assert answer.status_code in (200, 400, 409, 422)
    assert stored(home, UNLEARNING).version == 1


def test_only_pictures_of_the_home_are_shown(browser: web.Browser, home: Path) -> None:
    (home / "card.png").write_bytes(b"\x89PNG")
    assert browser.get(f"/posts/{UNLEARNING}/picture/1").status_code == 404
    with desk.opened(home) as app:
        [part] = app.store.posts(topic="unlearning", language="en")[0].parts
    for name, status in (
        ("card.png", 200),
        ("digest.toml", 404),
        ("../../../etc/passwd", 404),
        ("/etc/passwd", 404),
    ):
        with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
            sha = replace(part, picture=name).sha256
            connection.execute(
                "UPDATE part SET picture = ?, sha256 = ? WHERE post = ?", (name, sha, UNLEARNING)
            )
        assert browser.get(f"/posts/{UNLEARNING}/picture/1").status_code == status
