"""The posts: find them, edit them, decide about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from digest.errors import Changed, InputError, UsageError
from digest.markup import blocks as blocks_of
from digest.types import Change, Choice, DeliveryState, Draft, Edited, Evidence, Part, Post, PostState, Topic

if TYPE_CHECKING:
    from datetime import date, datetime

    from digest.app import App
    from digest.editing import Revised, Source
    from digest.types import Language, RunReport, WindowGenre

GENRE = "roundup"
"""The genre that never shows a paper twice."""


def find(app: App, number: int) -> Post:
    """A post by its id; raises InputError where there is none."""
    found = app.store.post(number)
    if found is None:
        raise InputError(f"no post {number}; digest posts list shows what there is")
    return found


def newest(app: App) -> list[Post]:
    """The posts of the newest slot."""
    found = app.store.posts()
    slot = max((post.slot for post in found), default=None)
    return [post for post in found if post.slot == slot]


def decide(
    app: App,
    number: int,
    decision: Literal["approve", "reject"],
    *,
    version: int | None = None,
    by: str | None = None,
) -> Post:
    """Approve or reject a draft; saying the same again is harmless. Raises Changed where it is no longer
    the ``version`` that was looked at, InputError where a draft to be approved is not well."""
    wanted: PostState = "approved" if decision == "approve" else "rejected"
    post = find(app, number)
    _same(post, version)
    if post.state == wanted:
        return post
    if wanted == "approved":
        _well(app, post)
    drafts: tuple[PostState, ...] = ("draft",)
    by = by or app.person
    if not app.store.set_post_state(number, drafts, wanted, app.now, version=post.version, by=by):
        now = find(app, number)
        _same(now, post.version)
        raise UsageError(f"post {number} is {now.state}: only a draft can be {wanted}")
    return find(app, number)


def schedule(
    app: App, number: int, at: datetime, *, version: int | None = None, by: str | None = None
) -> Post:
    """Approve a post so that it goes out no sooner than ``at``; one that is approved and still waits gets
    this as its new time. Raises as `decide`, and UsageError where nothing of it waits."""
    post = find(app, number)
    _same(post, version)
    _well(app, post)
    if not app.store.put_off(number, at, app.now, by=by or app.person):
        raise UsageError(f"nothing of post {number} waits for a channel: it cannot be put off")
    return decide(app, number, "approve", version=version, by=by)


def _same(post: Post, version: int | None) -> None:
    if version not in (None, post.version):
        told = f"post {post.id} was changed meanwhile: it is version {post.version} now, not {version}"
        raise Changed(f"{told}; digest posts diff {post.id} shows what has changed")


def _well(app: App, post: Post) -> None:
    """Raises InputError for a post that cannot be approved as it is."""
    if wrong := _problems(app, post):
        raise InputError("\n".join(f"post {post.id}: {line}" for line in wrong))


def _problems(app: App, post: Post) -> list[str]:
    """Why a draft cannot be approved as it is, a line each."""
    from digest.editing import body, problems

    gone = [paper.id for paper in app.store.papers(post.papers) if paper.withdrawn]
    withdrawn = [f"{paper} was withdrawn since: digest posts edit {post.id} --drop {paper}" for paper in gone]
    return withdrawn + problems(body(post.parts), post.papers)


# --- versions -------------------------------------------------------------------------------------


def at_version(app: App, number: int, version: int) -> Post:
    """A post as it was in one of its versions."""
    newest = find(app, number).version
    found = app.store.post_at(number, version)
    if found is None:
        raise InputError(f"post {number} has no version {version}; its newest is {newest}")
    return found


def history(app: App, number: int) -> list[Change]:
    """What was done to a post, by whom and when, oldest first."""
    return app.store.history(find(app, number).id)


def diff(app: App, number: int, before: int | None = None, after: int | None = None) -> str:
    """What has changed between two versions of a post; by default the newest and the one before."""
    from digest.editing import difference

    newer = at_version(app, number, after or find(app, number).version)
    return difference(at_version(app, number, before or max(1, newer.version - 1)), newer)


# --- editing --------------------------------------------------------------------------------------


def source(app: App, number: int) -> str:
    """A post as a text to be edited; raises UsageError where it cannot be changed any more."""
    from digest.editing import write_source
    from digest.text import readable

    post = _open(app, number)
    titles = {paper.id: readable(paper.title) for paper in app.store.papers(post.papers)}
    return write_source(post, titles)


def unchanged(app: App, number: int) -> Edited:
    """A post of which nothing was changed."""
    return Edited(find(app, number), ("nothing has changed",))


def edit(app: App, number: int, text: str, *, by: str | None = None) -> Edited:
    """Store what was made of a post's source as its next version, a draft. Raises InputError with a line
    for each thing that is wrong, Changed where the post is not any more what the source was made from."""
    from digest.editing import read_source

    given = read_source(text)
    if given.post != number:
        raise InputError(f"line 1: this is the source of post {given.post}, not of post {number}")
    return put(app, given, by=by)


def put(app: App, given: Source, *, by: str | None = None) -> Edited:
    """As `edit`, of a source that was read."""
    post = _open(app, given.post)
    _same(post, given.version)
    new = _joined(app, post, given)
    if new is None:
        return unchanged(app, post.id)
    what = _what(post, new.papers, blocks_of(given.text) != blocks_of(_body(post)))
    return _stored(app, post, new, by or app.person, what)


def preview(app: App, given: Source) -> tuple[Part, ...]:
    """The parts that a post would have if this were stored. Raises as `put`."""
    from digest.markup import split

    post = _open(app, given.post)
    _same(post, given.version)
    new = _joined(app, post, given)
    return post.parts if new is None else split(new.made.blocks)


def _joined(app: App, post: Post, given: Source) -> _New | None:
    from digest.editing import linked, wanted_papers

    _check(post.id, given.text, ())
    after = blocks_of(given.text)
    if post.genre != GENRE:  # its text says where which paper stands
        told = {paper for block in after for paper in linked(block)}
        papers = tuple(paper for paper in given.papers if paper in told)
        return _revised(app, post, papers, given.text, as_listed=False)
    papers = wanted_papers(post.papers, given.papers, blocks_of(_body(post)), after)
    return _revised(app, post, papers, given.text, as_listed=given.papers != post.papers)


def _body(post: Post) -> str:
    from digest.editing import body

    return body(post.parts)


class Wanted(Struct, frozen=True):
    """Papers to take out of a post, to put in, and to put first."""

    drop: Sequence[str] = ()
    add: Sequence[str] = ()
    order: Sequence[str] = ()


def change(
    app: App, number: int, wanted: Wanted, *, version: int | None = None, by: str | None = None
) -> Edited:
    """Change which papers a post has. Its text follows the template; what was written by hand stays."""
    from digest.editing import with_changes

    post = _open(app, number)
    _same(post, version)
    if post.genre != GENRE:
        raise UsageError(f"the papers of a {post.genre} stand in its text: digest posts edit {number}")
    papers = with_changes(post.papers, *(_bases(given) for given in (wanted.drop, wanted.add, wanted.order)))
    new = _revised(app, post, papers, _body(post), as_listed=True)
    if new is None:
        return unchanged(app, post.id)
    return _stored(app, post, new, by or app.person, _what(post, papers, rewritten=False))


def change_others(app: App, number: int, wanted: Wanted, *, by: str | None = None) -> list[Edited]:
    """Do to a post's other languages what was done to it, as far as they have the papers. Those that can
    no longer be changed are left alone, and say so."""
    done = []
    for post in siblings(app, number):
        there = {*post.papers, *_bases(wanted.add)}
        drop, order = (
            [one for one in _bases(given) if one in there] for given in (wanted.drop, wanted.order)
        )
        try:
            done.append(change(app, post.id, Wanted(drop, wanted.add, order), by=by))
        except UsageError as error:
            done.append(Edited(post, (str(error),)))
    return done


def _bases(given: Sequence[str]) -> list[str]:
    from digest import ids

    return [ids.parse(one).base for one in given]


def siblings(app: App, number: int) -> list[Post]:
    """The same post in the other languages, as far as it was not rejected."""
    post = find(app, number)
    same = app.store.posts(topic=post.topics[0], genre=post.genre, since=post.slot, until=post.slot)
    return [one for one in same if one.language != post.language and one.state != "rejected"]


def why_closed(app: App, post: Post) -> str | None:
    """Why a post cannot be changed any more; None where it can."""
    number = post.id
    if post.state == "rejected":
        return f"post {number} is rejected, and its papers may stand elsewhere: it cannot be edited"
    unsent: tuple[DeliveryState, ...] = ("queued", "cancelled")
    left = [one for one in app.store.deliveries(post_id=number) if one.state not in unsent]
    if left:
        return f"post {number} cannot be edited: {left[0].channel} has it, or may have it ({left[0].state})"
    return None


def _open(app: App, number: int) -> Post:
    """A post that can still be changed."""
    post = find(app, number)
    if reason := why_closed(app, post):
        raise UsageError(reason)
    return post


class _New(Struct, frozen=True):
    """What a post is to become: its papers, why each was chosen, its blocks."""

    papers: tuple[str, ...]
    choices: tuple[Choice, ...]
    made: Revised


def _revised(app: App, post: Post, papers: Sequence[str], text: str, *, as_listed: bool) -> _New | None:
    """The post with these papers and this text, joined with what the template writes; None where that is
    what it says already."""
    if any(part.picture for part in post.parts):
        how = f"digest posts picture {post.id} --none takes it away; put it back after that"
        raise UsageError(f"post {post.id} has a picture, and is edited without it: {how}")
    from digest.editing import revise

    standing = blocks_of(_body(post))
    written = app.store.as_written(post.id) or standing
    same = tuple(papers) == post.papers
    choices = app.store.choices(post.id) if same else _choices(app, post, papers, again=as_listed)
    fresh = _fresh(app, post, choices) if post.genre == GENRE and not same else written
    made = revise({*post.papers, *papers}, written, blocks_of(text), fresh, as_listed=as_listed)
    if same and made.blocks == standing:
        return None
    _check(post.id, "\n\n".join(made.blocks), papers)
    return _New(tuple(papers), tuple(choices), made)


def _stored(app: App, post: Post, new: _New, by: str, what: str) -> Edited:
    """The post after it has become what it was to be."""
    _put(app, post, new.choices, new.made, by, what)
    notes = (*_told(app, post, new.papers), *new.made.notes, *_then(app, post))
    return Edited(find(app, post.id), notes)


def _check(number: int, text: str, papers: Sequence[str]) -> None:
    from digest.editing import problems

    if wrong := problems(text, papers):
        raise InputError("\n".join(f"post {number}: {line}" for line in wrong))


def _fresh(app: App, post: Post, choices: Sequence[Choice]) -> tuple[str, ...]:
    """The post as the template writes it of these papers."""
    from digest import pipeline
    from digest.editing import body

    topic = app.topic(post.topics[0])
    updates = app.store.updates_of(post.id)
    draft = pipeline.draft(
        app.store, app.writer, topic, post.slot, post.language, choices, updates, words=app.words
    )
    return blocks_of(body(draft.parts))


def _put(app: App, post: Post, choices: Sequence[Choice], made: Revised, by: str, what: str) -> None:
    from digest.markup import split

    new = Draft(
        topics=post.topics,
        slot=post.slot,
        genre=post.genre,
        language=post.language,
        choices=tuple(choices),
        parts=split(made.blocks),
        updates=tuple(app.store.updates_of(post.id)),
    )
    if not app.store.put_version(post.id, post.version, new, made.written, app.now, by=by, what=what):
        _same(_open(app, post.id), post.version)
        raise Changed(f"post {post.id} was decided about meanwhile: nothing was changed")


def _choices(app: App, post: Post, papers: Sequence[str], *, again: bool) -> list[Choice]:
    """The choices of these papers; ``again``: what is told at length goes by the new order."""
    from digest.editing import in_tiers

    known = {choice.paper: choice for choice in app.store.choices(post.id)}
    topic = app.topic(post.topics[0])
    chosen = [known.get(paper) or _chosen(app, post, topic, paper) for paper in papers]
    return list(in_tiers(chosen, topic.limits)) if again else chosen


def _chosen(app: App, post: Post, topic: Topic, paper: str) -> Choice:
    """A paper that a person puts into a post. Raises InputError where it cannot stand there."""
    from digest.corpus import known_keys
    from digest.mentions import other_keys, seed_keys
    from digest.phrases import KeyMatcher

    found = next(iter(app.store.papers([paper])), None)
    if found is None:
        raise InputError(f"{paper} is not in the archive: digest papers fetch {paper} brings it")
    if found.withdrawn:
        raise InputError(f"{paper} was withdrawn: it cannot be posted")
    _not_posted(app, post, paper)
    matches = {match.topic: match for match in app.store.matches_of(paper)}
    keys = known_keys(app.store, topic)
    seeds = KeyMatcher(seed_keys(topic, keys), topic.exclude_keys).find(found.text)
    others = KeyMatcher(tuple(other_keys(topic, keys)), topic.exclude_keys).find(found.text)
    own = matches.get(topic.name)
    return Choice(
        paper=paper,
        tier="brief",
        score=own.score if own else 0.0,
        silent=not seeds and bool(others or own),
        evidence=own.evidence if own else Evidence(seed_keys=seeds, other_keys=others),
        topics=(topic.name,),
    )


def _not_posted(app: App, post: Post, paper: str) -> None:
    """Raises InputError for a paper that another post of the genre has shown, unless that is this post in
    another language."""
    if post.genre != GENRE or paper not in app.store.posted_papers():
        return
    own = {one.id for one in siblings(app, post.id)}
    shown = [one for one in app.store.posts(genre=GENRE) if one.state != "rejected" and paper in one.papers]
    if not own.issuperset(one.id for one in shown) or not shown:
        where = f"in post {shown[0].id} of {shown[0].slot}" if shown else "as nearly the same as another"
        raise InputError(f"{paper} was posted before, {where}: a roundup never repeats a paper")


def _told(app: App, post: Post, papers: Sequence[str]) -> Iterator[str]:
    """What has become of the papers that came and went."""
    still = app.store.posted_papers(post.genre)
    for paper in post.papers:
        if paper not in papers:
            yield (
                f"{paper} is dropped here and stays in the post's other languages"
                if paper in still
                else f"{paper} is dropped and free again"
            )
    for paper in papers:
        if paper not in post.papers:
            yield f"{paper} is added and counts as posted"


def _what(post: Post, papers: Sequence[str], rewritten: bool) -> str:
    """What was done, for the history."""
    dropped = [paper for paper in post.papers if paper not in papers]
    added = [paper for paper in papers if paper not in post.papers]
    moved = [one for one in papers if one in post.papers] != [one for one in post.papers if one in papers]
    done = [f"dropped {', '.join(dropped)}"] * bool(dropped) + [f"added {', '.join(added)}"] * bool(added)
    return "; ".join([*done, *["reordered"] * moved, *["text changed"] * rewritten])


def _then(app: App, post: Post) -> Iterator[str]:
    from digest.text import utf16_length

    if post.state == "approved":
        yield "it was approved, and has to be approved again"
    parts = find(app, post.id).parts
    if len(parts) > max(1, len(post.parts)):
        over = utf16_length(parts[-1].text)
        yield f"it has grown to {len(parts)} messages: shorten it by {over} characters for one less"


# --- writing --------------------------------------------------------------------------------------


def write(
    app: App,
    genre: WindowGenre,
    topics: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    languages: Sequence[Language] = (),
) -> RunReport:
    """Write posts of a genre about a window: of these topics (all where none is named), from ``since``
    (by default the genre's own number of days) to ``until`` (today), in these languages (the topic's)."""
    from digest import windows
    from digest.days import new_york_day

    today = new_york_day(app.now)
    last = min(until or today, today)
    first = since or last - timedelta(days=windows.DAYS[genre] - 1)
    if first > last:
        raise UsageError(f"--since {first} is later than {'--until' if until else 'today'}")
    wanted = [app.topic(name) for name in topics] or app.topics
    with app.alone("run"):
        stages, posts = [], []
        for topic in wanted:
            days = (first, last)
            report, ids = app.write_window(topic, genre, days, languages or topic.languages, again=True)
            stages.append(report)
            posts += ids
        return app.record("write", stages, posts)
