from __future__ import annotations

import json
import os
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath

import msgspec
import pytest
from lxml import etree

from digest.channels.feed import ATOM, entry_id
from digest.errors import InputError, UsageError
from digest.markup import parse
from digest.site import Archive, is_public, pages, put
from digest.site.folder import MANIFEST
from digest.site.pages import NEWEST, slug
from digest.site.words import WORDS
from digest.types import Delivery, Part, Post, Topic

DAY = date(2026, 5, 12)
TOPICS = {
    "lamps": Topic(name="lamps", term="lamps", seed_keys=("lamp",), titles={"ru": "Лампы", "zh": "灯"}),
    "rooms": Topic(name="rooms", term="rooms", seed_keys=("room",)),
}
ATTACK = '<img src=x onerror="alert(1)">"\'</script><script>alert(2)</script>'


def part(html: str, picture: str | None = None) -> Part:
    made = parse(html)
    return Part(html, made.text, made.entities, picture)


def post(number: int = 1, *, day: int = 0, html: str = "<b>Hi</b>\n\nA &lt;b&gt;", **more: object) -> Post:
    values = {
        "id": number,
        "topics": ("lamps",),
        "slot": DAY + timedelta(day),
        "genre": "roundup",
        "language": "en",
        "state": "approved",
        "papers": ("2605.00001", "2605.00002"),
        "parts": (part(html),),
    }
    return msgspec.convert(values | more, Post)


def archive(*posts: Post, **more: object) -> Archive:
    titles = {"2605.00001": "One Lamp", "2605.00002": "A Dark Room"}
    return Archive(**{"posts": posts, "titles": titles, "topics": TOPICS} | more)  # type: ignore[arg-type]


def text(made: Archive, name: str) -> str:
    return pages(made)[name]().decode()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.found += [value or "" for name, value in attrs if name in ("href", "src", "data-titles")]


def links(html: str) -> list[str]:
    reader = _Links()
    reader.feed(html)
    return reader.found


def delivery(part: int = 0, state: str = "sent", channel: str = "news") -> Delivery:
    return msgspec.convert({"id": 1, "post": 1, "channel": channel, "part": part, "state": state}, Delivery)


# --- what readers may see -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["draft", "rejected"])
def test_a_draft_and_a_rejected_post_are_never_public(state: str) -> None:
    assert not is_public(post(state=state), [])
    assert not is_public(post(state=state), [delivery()])


@pytest.mark.parametrize("state", ["queued", "sending", "uncertain", "failed", "cancelled"])
def test_an_approved_post_is_public_once_all_of_it_stands_in_a_channel(state: str) -> None:
    assert is_public(post(), [])  # let go, for no channel
    assert is_public(post(), [delivery(0), delivery(1)])
    assert not is_public(post(), [delivery(0), delivery(1, state)])
    assert is_public(post(), [delivery(0), delivery(0, state, "other")])
    assert not is_public(post(parts=()), [])


# --- the pages ------------------------------------------------------------------------------------


def test_every_link_of_every_page_is_relative_and_leads_to_a_file_that_is_there() -> None:
    posts = [
        post(at, day=-at, language=language, topics=(topic,))
        for at in range(3)
        for language in ("en", "ru", "zh")
        for topic in ("lamps", "rooms")
    ]
    made = pages(archive(*posts))
    for name in (one for one in made if one.endswith(".html")):
        found = links(made[name]().decode())
        for link in found:
            if link.startswith("#"):
                continue
            assert normpath(join(dirname(name), link)) in made, (name, link)
        assert len(found) > 10


def test_all_posts_stand_on_pages_of_topics_and_months_and_the_newest_on_the_first() -> None:
    posts = [post(at, day=-at) for at in range(40)]
    made = archive(*posts)
    everywhere = text(made, "en/topics/lamps.html")
    months = "".join(text(made, f"en/months/{one}.html") for one in ("2026-04", "2026-05"))
    first = text(made, "index.html")
    for at, one in enumerate(posts):
        name = f"{one.slot}-lamps-roundup.html"
        assert name in everywhere
        assert name in months
        assert (name in first) == (at < NEWEST)


def test_a_list_tells_day_papers_and_lead_of_each_post() -> None:
    ids = tuple(f"2605.0000{at}" for at in range(1, 8))
    made = archive(post(papers=ids), titles={one: f"Title {one}" for one in ids})
    page = text(made, "en/index.html")
    assert '<time datetime="2026-05-12">12 May 2026</time> · 7 papers' in page
    assert "Title 2605.00001; Title 2605.00002; Title 2605.00003; Title 2605.00004; and 3\u00a0more" in page


def test_the_lead_of_a_review_is_its_first_paragraph() -> None:
    said = "What is a lamp? " * 10
    page = text(archive(post(genre="review", html=f"<b>Lamps</b>\n\n{said}")), "en/index.html")
    assert said.strip() in page
    assert "lamps: review" in page


def test_a_post_stands_beside_its_other_languages_and_its_neighbours() -> None:
    made = archive(post(1), post(2, day=1), post(3, day=2), post(4, day=1, language="ru"))
    page = text(made, "en/posts/2026-05-13-lamps-roundup.html")
    assert 'hreflang="ru" href="../../ru/posts/2026-05-13-lamps-roundup.html"' in page
    assert 'rel="prev" href="2026-05-12-lamps-roundup.html"' in page
    assert 'rel="next" href="2026-05-14-lamps-roundup.html"' in page
    lonely = text(made, "en/posts/2026-05-12-lamps-roundup.html")
    assert 'hreflang="ru" href="../../ru/index.html"' in lonely


def test_a_post_is_shown_as_it_was_sent_with_all_parts_and_its_telegram_link(tmp_path: Path) -> None:
    parts = (part("<b>One</b>\nand <a href='https://arxiv.org/abs/1'>two</a>\n\n#lamps"), part("Three &amp;"))
    made = archive(post(parts=parts), messages={1: "https://t.me/lamps/7"})
    page = text(made, "en/posts/2026-05-12-lamps-roundup.html")
    link = '<a href="https://arxiv.org/abs/1" rel="noopener noreferrer">two</a>'
    assert f'<div class="block"><b>One</b>\nand {link}</div>' in page
    assert '<span class="hashtag">#lamps</span>' in page
    assert '<div class="block">Three &amp;</div>' in page
    assert 'href="https://t.me/lamps/7"' in page


def test_pictures_are_put_beside_the_pages_under_a_name_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "card.PNG"
    file.write_bytes(b"png")
    held = "../cards/../card.PNG"
    made = pages(archive(post(parts=(part("Hi", held), part("Lo", "gone.png"))), pictures={held: file}))
    [name] = [one for one in made if one.startswith("pictures/")]
    assert re.fullmatch(r"pictures/[0-9a-f]{16}\.png", name)
    assert made[name]() == b"png"
    page = made["en/posts/2026-05-12-lamps-roundup.html"]().decode()
    assert page.count("<img") == 1
    assert f'src="../../{name}"' in page


def test_words_are_in_the_language_of_the_page() -> None:
    assert {*WORDS["en"]} == {*WORDS["ru"]} == {*WORDS["zh"]}
    made = archive(post(language="ru"), post(2, language="zh", topics=("rooms",)))
    assert "12 мая 2026</time> · 2 работы" in text(made, "ru/index.html")
    assert ">Май 2026</a>" in text(made, "ru/index.html")
    assert "2026年5月12日</time> · 2 篇论文" in text(made, "zh/index.html")
    assert '<html lang="zh">' in text(made, "zh/index.html")


def test_an_empty_archive_is_a_site_that_says_so() -> None:
    made = pages(Archive(posts=()))
    assert "Nothing has been published yet." in made["index.html"]().decode()
    assert not [name for name in made if name.endswith(".atom")]


def test_titles_names_and_texts_cannot_break_out_of_the_page() -> None:
    topic = Topic(name="lamps", term=ATTACK, seed_keys=("lamp",))
    told = archive(post(html="&lt;script&gt;alert(1)&lt;/script&gt;"), titles={"2605.00001": ATTACK})
    made = pages(
        msgspec.structs.replace(told, topics={"lamps": topic}, messages={1: f"https://t.me/{ATTACK}"})
    )
    for name, make in made.items():
        if name.endswith(".html"):
            reader = _Links()
            reader.feed(make().decode())
            assert "img" not in reader.tags
            assert reader.tags.count("script") == 1
        if name.endswith("titles.js"):
            assert (
                ATTACK
                in json.loads(make().decode().removeprefix("window.digestTitles = ").rstrip(";\n"))[0][3]
            )
        if name.endswith(".atom"):
            etree.fromstring(make())


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", "", "A B", "x" * 80, "сюжет", "a\0b"])
def test_no_name_of_a_topic_or_genre_leads_anywhere_else(name: str) -> None:
    assert re.fullmatch(r"x[0-9a-f]{12}", slug(name))
    made = pages(archive(post(topics=(name,), genre=name)))
    assert all(re.fullmatch(r"[a-z0-9-]+(/[a-z0-9-]+)*\.(html|js|css|svg|atom)", one) for one in made)


def test_feeds_are_the_channels_feeds_with_a_page_for_each_entry() -> None:
    one, two = post(1), post(2, day=1, topics=("rooms",))
    made = archive(one, two)
    whole = etree.fromstring(text(made, "feeds/en.atom").encode())
    ids = [entry.findtext(f"{{{ATOM}}}id") for entry in whole.findall(f"{{{ATOM}}}entry")]
    assert ids == [entry_id(two), entry_id(one)]
    own = etree.fromstring(text(made, "feeds/rooms-en.atom").encode())
    [entry] = own.findall(f"{{{ATOM}}}entry")
    pages_of = [each.get("href") for each in entry.findall(f"{{{ATOM}}}link[@rel='alternate']")]
    assert pages_of == ["../en/posts/2026-05-13-rooms-roundup.html"]
    assert own.findtext(f"{{{ATOM}}}id") != whole.findtext(f"{{{ATOM}}}id")


# --- the folder -----------------------------------------------------------------------------------


def build(folder: Path, *posts: Post) -> tuple[int, int, tuple[str, ...], tuple[str, ...]]:
    done = put(folder, pages(archive(*posts)))
    return done.written, done.unchanged, done.removed, done.kept


def test_building_again_writes_only_what_has_changed(tmp_path: Path) -> None:
    first, second = post(1), post(2, day=1, language="ru")
    build(tmp_path, first)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    assert build(tmp_path, first)[0] == 0
    assert before == {name: (tmp_path / name).stat().st_mtime_ns for name in files(tmp_path)}
    written, unchanged, *_ = build(tmp_path, first, second)
    assert written > 0
    assert unchanged > 0
    assert {*files(tmp_path)} == {MANIFEST, *pages(archive(first, second))}


def test_what_is_published_no_more_is_removed_with_its_empty_folders(tmp_path: Path) -> None:
    build(tmp_path, post(1), post(2, language="ru"))
    *_, removed, kept = build(tmp_path, post(1))
    assert "ru/posts/2026-05-12-lamps-roundup.html" in removed
    assert not kept
    assert not (tmp_path / "ru" / "posts").exists()
    assert {*files(tmp_path)} == {MANIFEST, *pages(archive(post(1)))}


def test_a_folder_with_somebody_elses_files_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="was not made by digest site build") as told:
        build(tmp_path, post())
    assert "\n" not in str(told.value)
    assert files(tmp_path) == {"thesis.tex": b"years of work"}
    with pytest.raises(UsageError, match="is no folder"):
        build(tmp_path / "thesis.tex", post())


def test_a_file_that_somebody_has_put_there_is_neither_removed_nor_overwritten(tmp_path: Path) -> None:
    build(tmp_path, post(1))
    (tmp_path / "CNAME").write_text("lamps.example")
    (tmp_path / "en" / "notes.html").write_text("mine")
    build(tmp_path)
    assert (tmp_path / "CNAME").read_text() == "lamps.example"
    assert (tmp_path / "en" / "notes.html").read_text() == "mine"
    mine = tmp_path / "en" / "posts" / "2026-05-12-lamps-roundup.html"
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(UsageError, match="is there and is not ours"):
        build(tmp_path, post(1))
    assert mine.read_text() == "mine"


def test_a_page_that_somebody_has_changed_stays_when_it_is_published_no_more(tmp_path: Path) -> None:
    build(tmp_path, post(1), post(2, day=1))
    page = tmp_path / "en" / "posts" / "2026-05-13-lamps-roundup.html"
    page.write_text("changed by hand")
    assert build(tmp_path, post(1))[3] == ("en/posts/2026-05-13-lamps-roundup.html",)
    assert page.read_text() == "changed by hand"


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/passwd", "en/../../outside.txt", "..", ""])
def test_a_list_that_names_files_outside_removes_none(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "site", tmp_path / "outside.txt"
    outside.write_text("precious")
    build(folder, post())
    (folder / MANIFEST).write_text(json.dumps({"files": {name: ""}}))
    with pytest.raises(InputError, match="is no name of ours"):
        build(folder, post())
    assert outside.read_text() == "precious"


def test_nothing_is_written_or_removed_through_a_link_that_leads_out(tmp_path: Path) -> None:
    folder, outside = tmp_path / "site", tmp_path / "outside"
    build(folder, post())
    (folder / "en").rename(outside)
    (folder / "en").symlink_to(outside)
    before = files(outside)
    with pytest.raises(UsageError, match="leads out of"):
        build(folder, post(html="Another text"))
    with pytest.raises(UsageError, match="leads out of"):
        build(folder)
    assert files(outside) == before


def test_a_list_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    build(tmp_path, post())
    (tmp_path / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="is no list of ours"):
        build(tmp_path, post())


@pytest.mark.parametrize("fatal", range(0, 11, 2))
def test_a_build_that_was_killed_is_gone_on_with(
    tmp_path: Path, fatal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    renamed = Path.replace
    count = 0

    def replace(path: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if count > fatal:
            raise Killed
        return renamed(path, target)

    build(tmp_path, post(1, html="Old"))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            build(tmp_path, post(1, html="New"), post(2, day=1))
    assert all(content for content in files(tmp_path).values())
    *_, kept = build(tmp_path, post(1, html="New"))
    assert not kept
    assert {*files(tmp_path)} == {MANIFEST, *pages(archive(post(1)))}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(Exception, match="Permission denied"):
        build(tmp_path / "site", post())


def test_the_site_and_its_feeds_have_the_name_that_was_chosen_for_a_language() -> None:
    made = archive(post(1), post(2, language="ru"), names={"en": "Lamps & Co"})
    assert "<title>Lamps &amp; Co</title>" in text(made, "en/index.html")
    assert "Lamps &amp; Co, " in text(made, "feeds/lamps-en.atom")
    assert "<title>Дайджест arXiv</title>" in text(made, "ru/index.html")
