"""What a person can do about posts: edit them, look at their versions, decide about one of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec import structs

from digest import config, pipeline
from digest.actions import posts
from digest.actions.posts import Wanted
from digest.app import App
from digest.editing import body
from digest.errors import Changed, InputError, UsageError
from digest.types import Choice, Evidence, Language, Match, Page, Paper, Post, Rhythm, Series, Topic, Update

NOON = datetime(2026, 5, 12, 16, tzinfo=UTC)
DAY = NOON.date()
LANGUAGES: tuple[Language, ...] = ("en", "ru")
TOPIC = Topic(
    name="unlearning",
    term="unlearning",
    seed_keys=("machine unlearning",),
    adjacent_keys=("concept erasure",),
    languages=LANGUAGES,
)
IDS = [f"2605.{number:05}" for number in range(1, 8)]


def paper(id_: str, text: str = "machine unlearning") -> Paper:
    return Paper(
        id=id_,
        version=1,
        title=f"Lamps That Forget, Part {id_[-1]}",
        abstract=f"We propose a lamp for {text}. It forgets {id_[-1]} of 9 colours.",
        authors=("Ada Example",),
        categories=("cs.LG",),
        submitted=NOON,
        updated=NOON,
        announced=DAY,
    )


def choice(id_: str) -> Choice:
    return Choice(
        paper=id_,
        tier="detailed",
        score=0.8,
        silent=False,
        evidence=Evidence(seed_keys=("machine unlearning",)),
        topics=("unlearning",),
    )


def opened(home: Path) -> App:
    loaded = config.load(None, home, {"DIGEST_APPROVAL": "manual"})
    return App(structs.replace(loaded, topics={"unlearning": TOPIC}), NOON, quiet=True)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home to be copied: seven papers, of which three stand in drafts 1 (English) and 2 (Russian); the
    last is silent."""
    home = tmp_path_factory.mktemp("posts") / "home"
    with opened(home) as app:
        papers = [paper(id_) for id_ in IDS[:-1]] + [paper(IDS[-1], "concept erasure")]
        app.store.add_papers("oai", Page(tuple(papers), None), NOON)
        write(app)
    return home


@pytest.fixture
def app(tmp_path: Path, written: Path) -> Iterator[App]:
    with opened(shutil.copytree(written, tmp_path / "home")) as app:
        yield app


def match(id_: str) -> Match:
    evidence = Evidence(seed_keys=("machine unlearning",))
    return Match(topic="unlearning", paper=id_, score=0.8, silent=False, evidence=evidence, scorer="test")


def write(
    app: App, *ids: str, day: int = 0, state: str = "draft", updates: Sequence[Update] = ()
) -> list[int]:
    """A post in both languages."""
    choices = [choice(id_) for id_ in ids or IDS[:3]]
    drafts = [
        pipeline.draft(app.store, app.writer, TOPIC, DAY + timedelta(day), language, choices, updates)
        for language in LANGUAGES
    ]
    channels = dict.fromkeys(LANGUAGES, ("files",))
    return app.store.add_posts(drafts, channels, state, app.store.highest_number(), NOON)  # type: ignore[arg-type]


def rewritten(app: App, number: int, old: str, new: str) -> str:
    """The post's source with another text."""
    source = posts.source(app, number)
    assert old in source
    return source.replace(old, new)


def text(post: Post) -> str:
    return "\n\n".join(part.text for part in post.parts)


# --- editing --------------------------------------------------------------------------------------


def test_an_edited_source_is_the_next_version(app: App) -> None:
    before = posts.find(app, 1)
    done = posts.edit(app, 1, rewritten(app, 1, "Ada Example", "my friend <b>Ada</b>"), by="author")
    assert (done.post.version, done.post.state, done.notes) == (2, "draft", ())
    assert "my friend <b>Ada</b>" in body(done.post.parts)
    assert "my friend Ada" in text(done.post)
    assert posts.at_version(app, 1, 1).parts == before.parts
    assert [(one.version, one.by, one.what) for one in posts.history(app, 1)] == [
        (1, "digest", "written"),
        (2, "author", "text changed"),
    ]
    assert "+my friend <b>Ada</b>" in posts.diff(app, 1)


def test_a_source_that_was_left_alone_makes_no_version(app: App) -> None:
    done = posts.edit(app, 1, posts.source(app, 1))
    assert (done.post.version, done.notes) == (1, ("nothing has changed",))
    assert posts.change(app, 1, Wanted(order=IDS[:1])).notes == ("nothing has changed",)


def test_a_source_of_an_older_version_is_refused(app: App) -> None:
    source = rewritten(app, 1, "Ada Example", "Bo Example")
    posts.change(app, 1, Wanted(drop=IDS[:1]))
    with pytest.raises(Changed, match="post 1 was changed meanwhile: it is version 2 now, not 1"):
        posts.edit(app, 1, source)
    with pytest.raises(InputError, match="this is the source of post 1, not of post 2"):
        posts.edit(app, 2, source)


def test_whatever_is_wrong_is_told_at_once_and_nothing_is_stored(app: App) -> None:
    source = rewritten(app, 1, "<blockquote>", "<quote>").replace("https://arxiv.org/pdf/", "javascript:")
    with pytest.raises(InputError) as caught:
        posts.edit(app, 1, source)
    told = str(caught.value).split("\n")
    assert len(told) == 3
    assert all(line.startswith("post 1: “") and 'Unsupported start tag "quote"' in line for line in told)
    assert posts.find(app, 1).version == 1


def test_dropped_papers_are_free_again_and_added_ones_are_posted(app: App) -> None:
    assert app.store.posted_papers() == set(IDS[:3])
    done = posts.change(app, 1, Wanted(drop=[f"{IDS[1]}v1"], add=[IDS[4]], order=[IDS[4]]))
    assert done.post.papers == (IDS[4], IDS[0], IDS[2])
    assert done.notes == (
        f"{IDS[1]} is dropped here and stays in the post's other languages",
        f"{IDS[4]} is added and counts as posted",
    )
    assert app.store.posted_papers() == {*IDS[:3], IDS[4]}
    russian, *others = posts.change_others(app, 1, Wanted([IDS[1]], [IDS[4]], [IDS[4]]))
    assert (russian.post.id, russian.post.papers, others) == (2, done.post.papers, [])
    assert russian.notes[0] == f"{IDS[1]} is dropped and free again"
    assert app.store.posted_papers() == {IDS[0], IDS[2], IDS[4]}
    assert [line for line in text(done.post).splitlines() if line[:2] in ("1.", "2.", "3.")] == [
        "1. [LG] Lamps That Forget, Part 5",
        "2. [LG] Lamps That Forget, Part 1",
        "3. [LG] Lamps That Forget, Part 3",
    ]


def test_what_was_written_by_hand_outlives_every_change_of_the_papers(app: App) -> None:
    posts.edit(app, 1, rewritten(app, 1, "It forgets 3 of 9 colours.", "It forgets, and how!"))
    posts.change(app, 1, Wanted(order=[IDS[2]]))
    done = posts.change(app, 1, Wanted(drop=[IDS[0]]))
    assert done.notes[1:] == ("kept as you wrote it: “1. [LG] Lamps That Forget, Part 3 Ada E…”",)
    assert "1. [LG] Lamps That Forget, Part 3" in text(done.post)
    assert "It forgets, and how!" in text(done.post)
    assert "2 papers" in text(done.post)


def test_why_an_added_paper_is_there_is_true(app: App) -> None:
    done = posts.change(app, 1, Wanted(add=[IDS[6]]))
    assert "Never says “unlearning”; found by: concept erasure" in text(done.post)
    [added] = [one for one in app.store.choices(1) if one.paper == IDS[6]]
    assert (added.silent, added.evidence.other_keys) == (True, ("concept erasure",))


def test_a_paper_that_cannot_stand_in_a_post_is_not_added(app: App) -> None:
    with pytest.raises(InputError, match=r"2605\.99999 is not in the archive"):
        posts.change(app, 1, Wanted(add=["2605.99999"]))
    with pytest.raises(InputError, match="not an arXiv identifier"):
        posts.change(app, 1, Wanted(add=["lamps"]))
    gone = structs.replace(paper(IDS[5]), withdrawn=True)
    app.store.add_papers("oai", Page((gone,), None), NOON)
    with pytest.raises(InputError, match="was withdrawn"):
        posts.change(app, 1, Wanted(add=[IDS[5]]))
    write(app, IDS[3], day=1)
    with pytest.raises(InputError, match=f"{IDS[3]} was posted before, in post 3 of 2026-05-13"):
        posts.change(app, 1, Wanted(add=[IDS[3]]))
    assert posts.find(app, 1).version == 1


def test_an_approved_post_that_is_changed_has_to_be_approved_again(app: App) -> None:
    posts.decide(app, 1, "approve")
    done = posts.change(app, 1, Wanted(drop=[IDS[0]]))
    assert (done.post.state, done.notes[-1]) == ("draft", "it was approved, and has to be approved again")
    assert app.stage("deliver").stages[0].counts == {"sent": 0}
    posts.decide(app, 1, "approve", version=2)
    assert app.stage("deliver").stages[0].counts == {"sent": 1}


def test_a_preview_is_what_would_be_stored_and_stores_nothing(app: App) -> None:
    from digest.editing import read_source

    source = read_source(rewritten(app, 1, "Ada Example", "my friend Ada"))
    moved = structs.replace(source, papers=(IDS[2], IDS[0]))
    parts = posts.preview(app, moved)
    assert posts.find(app, 1).version == 1
    assert posts.put(app, moved).post.parts == parts
    assert posts.find(app, 1).papers == (IDS[2], IDS[0])
    with pytest.raises(Changed):
        posts.preview(app, moved)


def test_a_post_that_is_put_off_goes_out_at_its_time_and_not_before(app: App) -> None:
    now = app.clock.now()
    later = now + timedelta(days=1)
    assert posts.schedule(app, 1, later, version=1, by="author").state == "approved"
    assert app.stage("deliver").stages[0].counts == {"sent": 0}
    assert app.store.claim_delivery("files", later - timedelta(seconds=1)) is None
    told = [(one.by, one.what) for one in posts.history(app, 1)]
    assert told[1:] == [("author", f"not before {later:%Y-%m-%d %H:%M} UTC"), ("author", "approved")]
    posts.schedule(app, 1, now)  # it may go now after all
    assert app.stage("deliver").stages[0].counts == {"sent": 1}
    with pytest.raises(UsageError, match="nothing of post 1 waits"):
        posts.schedule(app, 1, later)


def test_a_post_that_cannot_be_approved_is_not_put_off(app: App) -> None:
    replaced(app, IDS[0], 2, withdrawn=True)
    with pytest.raises(InputError, match="was withdrawn"):
        posts.schedule(app, 1, NOON)
    with pytest.raises(Changed):
        posts.schedule(app, 2, NOON, version=7)
    assert {one.not_before for one in app.store.deliveries()} == {None}


def test_a_number_that_no_post_can_have_is_told(app: App) -> None:
    with pytest.raises(InputError, match="no post"):
        posts.find(app, 10**30)


def test_days_with_posts_are_told_newest_first_and_posts_listed_without_parts(app: App) -> None:
    write(app, *IDS[3:5], day=2)
    assert app.store.slots(None, 9) == [DAY + timedelta(2), DAY]
    assert app.store.slots(DAY + timedelta(1), 9) == [DAY]
    assert app.store.slots(None, 1) == [DAY + timedelta(2)]
    bare = app.store.posts(bare=True)
    assert [one.papers for one in bare] == [one.papers for one in app.store.posts()]
    assert {one.parts for one in bare} == {()}


def test_what_readers_see_is_known_to_be_another_after_each_change(app: App) -> None:
    marks = [app.store.published_mark()]
    for change in (
        lambda: posts.decide(app, 1, "approve"),
        lambda: app.stage("deliver"),
        lambda: posts.change(app, 2, Wanted(drop=[IDS[0]])),
    ):
        change()
        marks.append(app.store.published_mark())
    assert len({*marks}) == 4


def test_a_post_that_was_sent_or_rejected_cannot_be_edited(app: App) -> None:
    posts.decide(app, 1, "approve")
    app.stage("deliver")
    with pytest.raises(UsageError, match=r"post 1 cannot be edited: files has it, or may have it \(sent\)"):
        posts.source(app, 1)
    assert (
        posts.change_others(app, 2, Wanted(drop=[IDS[0]]))[0].notes[0].startswith("post 1 cannot be edited")
    )
    posts.decide(app, 2, "reject")
    with pytest.raises(UsageError, match="post 2 is rejected"):
        posts.change(app, 2, Wanted(drop=[IDS[0]]))


def test_what_is_sent_is_the_newest_version_whatever_its_number_of_parts(app: App) -> None:
    app.store.set_delivery_state(app.store.deliveries(post_id=2)[0].id, ("queued",), "cancelled", NOON)
    for number in (1, 2):
        long = "\n\n".join(f"Word {word}" + " lamp" * 60 for word in range(30))
        grown = posts.edit(app, number, posts.source(app, number) + f"\n\n{long}")
        assert len(grown.post.parts) > 2
        assert "it has grown to" in grown.notes[-1]
        posts.decide(app, number, "approve")
    states = [one.state for one in app.store.deliveries(post_id=1)]
    assert states == ["queued"] * len(posts.find(app, 1).parts)
    assert {one.state for one in app.store.deliveries(post_id=2)} == {"cancelled"}
    app.stage("deliver")
    [file] = (app.settings.home / "posts").iterdir()
    assert "Word 29" in file.read_text("utf-8")


# --- what comes again -----------------------------------------------------------------------------


def replaced(app: App, id_: str, version: int, *, withdrawn: bool = False) -> None:
    newer = structs.replace(
        paper(id_), version=version, updated=NOON + timedelta(version), withdrawn=withdrawn
    )
    app.store.add_papers("oai", Page((newer,), None), NOON)


def test_a_newer_version_is_told_once_in_the_next_roundup(app: App) -> None:
    replaced(app, IDS[0], 3)
    replaced(app, IDS[1], 2, withdrawn=True)
    [update] = app.store.updates("unlearning", "roundup", DAY)
    assert update == Update(IDS[0], told=1, version=3)
    told = "New versions of papers we posted: Lamps That Forget, Part 1 (v1 → v3)"
    write(app, IDS[3], day=1, updates=[update])
    assert told in text(posts.find(app, 3))
    assert app.store.updates("unlearning", "roundup", DAY) == []
    done = posts.change(app, 3, Wanted(add=[IDS[4]]))
    assert told in text(done.post)
    assert app.store.updates_of(3) == [update]
    assert done.post.papers == (IDS[3], IDS[4])
    replaced(app, IDS[0], 4)
    assert app.store.updates("unlearning", "roundup", DAY) == [Update(IDS[0], told=3, version=4)]
    assert app.store.updates("unlearning", "roundup", DAY + timedelta(2)) == []


def test_what_a_rejected_post_told_is_told_again(app: App) -> None:
    replaced(app, IDS[0], 2)
    found = app.store.updates("unlearning", "roundup", DAY)
    for number in write(app, IDS[3], day=1, updates=found):
        posts.decide(app, number, "reject")
    assert app.store.updates("unlearning", "roundup", DAY) == found


def scored(app: App, *ids: str) -> None:
    app.store.put_matches("unlearning", [match(id_) for id_ in ids], "")
    topic = structs.replace(TOPIC, floor=0.3)
    app.settings = structs.replace(app.settings, topics={"unlearning": topic})


def run(app: App) -> list[int]:
    """The posts that a run writes by itself."""
    return pipeline.write(app.store, app.plan, app.writer, app.now)[1]


def test_a_rejected_day_is_written_anew_when_a_person_asks_and_by_no_run(app: App) -> None:
    scored(app, *IDS[:4])
    assert run(app) == []
    for number in (1, 2):
        posts.decide(app, number, "reject")
    assert run(app) == []
    anew = app.stage("write").posts
    assert {posts.find(app, number).language for number in anew} == {"en", "ru"}
    assert {paper for number in anew for paper in posts.find(app, number).papers} == set(IDS[:4])
    assert app.stage("write").posts == ()
    assert [posts.find(app, number).state for number in (1, 2)] == ["rejected", "rejected"]


def test_a_post_written_anew_repeats_nothing_that_another_day_has_told_meanwhile(app: App) -> None:
    scored(app, *IDS[:3])
    for number in (1, 2):
        posts.decide(app, number, "reject")
    write(app, IDS[0], day=1)
    [english, _] = app.stage("write").posts
    assert set(posts.find(app, english).papers) == set(IDS[1:3])


def test_a_language_that_was_rejected_is_written_anew_of_the_same_papers(app: App) -> None:
    scored(app, *IDS[:4])
    posts.decide(app, 2, "reject")
    posts.change(app, 1, Wanted(drop=[IDS[1]]))
    assert run(app) == []
    [anew] = app.stage("write").posts
    assert posts.find(app, anew).language == "ru"
    assert posts.find(app, anew).papers == (IDS[0], IDS[2])
    assert [one.id for one in posts.siblings(app, 1)] == [anew]


def test_a_rejected_review_is_written_anew_when_asked_for_and_not_by_its_series(app: App) -> None:
    scored(app, *IDS[:3])
    [english] = posts.write(app, "review", ["unlearning"], languages=["en"]).posts
    posts.decide(app, english, "reject")
    assert app.write_window(app.topic("unlearning"), "review", (DAY, DAY), ["en"])[1] == []
    [anew] = posts.write(app, "review", ["unlearning"], languages=["en"]).posts
    assert (posts.find(app, anew).slot, anew != english) == (DAY, True)


@pytest.mark.parametrize("before", [0.5, 0.1])
def test_a_paper_that_stood_in_another_topic_is_posted_in_this_one_when_it_moves_here(
    app: App, before: float
) -> None:
    """It waits there while this topic posts; then it is scored anew, and is too old for this topic's next."""
    for number in (1, 2):
        posts.decide(app, number, "reject")
    here = structs.replace(TOPIC, floor=0.3, rhythm=Rhythm(at_least=1))
    there = structs.replace(here, name="lamps", rhythm=Rhythm(9, 9))
    app.settings = structs.replace(app.settings, topics={"unlearning": here, "lamps": there})
    moves = structs.replace(match(IDS[4]), topic="lamps")

    def day(ahead: int, score: float) -> list[tuple[str, ...]]:
        first = before if ahead == 1 else 0.5
        app.store.put_matches("unlearning", [match(IDS[3]), structs.replace(match(IDS[4]), score=first)], "")
        app.store.put_matches("lamps", [structs.replace(moves, score=score)], "")
        written = pipeline.write(app.store, app.plan, app.writer, NOON + timedelta(ahead))[1]
        return [posts.find(app, number).papers for number in written]

    assert day(1, 0.9) == [(IDS[3],)] * 2
    assert app.store.left_out(IDS[4])["unlearning"][1].startswith("stands in lamps")
    assert day(2, 0.9) == []
    assert day(3, 0.2) == [(IDS[4],)] * 2
    assert day(4, 0.9) == []


def test_posts_of_a_series_are_written_once_and_repeat_what_roundups_told(app: App) -> None:
    app.store.put_matches("unlearning", [match(id_) for id_ in IDS[:3]], "")
    series = (Series("review", "month", 12), Series("links", "week", 2), Series("essay", "month", 13))
    topic = structs.replace(TOPIC, series=series, floor=0.3)
    app.settings = structs.replace(app.settings, topics={"unlearning": topic})
    app.stage("write")
    genres = [
        (post.genre, post.language, str(post.slot)) for post in app.store.posts() if post.genre != "roundup"
    ]
    assert genres == [
        ("review", "en", "2026-05-12"),
        ("review", "ru", "2026-05-12"),
        ("links", "en", "2026-05-12"),
        ("links", "ru", "2026-05-12"),
    ]
    app.stage("write")
    assert len(app.store.posts()) == 6
    assert app.store.posted_papers() == set(IDS[:3])


# --- deciding -------------------------------------------------------------------------------------


def test_a_decision_about_an_older_version_is_refused(app: App) -> None:
    posts.change(app, 1, Wanted(drop=[IDS[0]]))
    with pytest.raises(Changed, match="digest posts diff 1 shows what has changed"):
        posts.decide(app, 1, "approve", version=1)
    assert posts.decide(app, 1, "approve", version=2, by="page").state == "approved"
    assert posts.history(app, 1)[-1].by == "page"
    with pytest.raises(UsageError, match="post 1 is approved: only a draft can be rejected"):
        posts.decide(app, 1, "reject")


def test_a_draft_with_a_withdrawn_paper_is_not_approved(app: App) -> None:
    gone = structs.replace(paper(IDS[0]), withdrawn=True)
    app.store.add_papers("oai", Page((gone,), None), NOON)
    with pytest.raises(InputError, match=f"{IDS[0]} was withdrawn since: digest posts edit 1 --drop"):
        posts.decide(app, 1, "approve")
    posts.change(app, 1, Wanted(drop=[IDS[0]]))
    assert posts.decide(app, 1, "approve").state == "approved"


def test_versions_that_never_were_are_told(app: App) -> None:
    with pytest.raises(InputError, match="post 1 has no version 3; its newest is 1"):
        posts.at_version(app, 1, 3)
    with pytest.raises(InputError, match="no post 9"):
        posts.history(app, 9)
    assert posts.diff(app, 1) == ""
