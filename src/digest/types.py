"""The words of the program: what crosses a boundary is one of these small frozen types.

They are msgspec structs: frozen, slotted, quick to make (a snapshot holds millions of papers) and
written as JSON without further code. All times are aware and in UTC; a "day" is a calendar day in
New York, arXiv's calendar (https://info.arxiv.org/help/availability.html).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

AnnounceType = Literal["new", "cross", "replace", "replace-cross"]
Language = Literal["en", "ru", "zh"]
Origin = Literal["seed", "adjacent", "auto", "human"]
KeyState = Literal["proposed", "active", "rejected", "retired"]
Opinion = Literal["like", "dislike"]
PostState = Literal["draft", "approved", "rejected"]
DeliveryState = Literal["queued", "sending", "sent", "uncertain", "failed", "cancelled"]
FollowUpKind = Literal["edit", "poll", "pin"]
Mark = Literal["withdrawn", "version"]
Tier = Literal["detailed", "brief", "named"]
WindowGenre = Literal["links", "review", "essay", "listing"]
ResourceKind = Literal["survey", "benchmark", "dataset", "library", "list"]
Stage = Literal["crawl", "embed", "match", "write", "deliver"]

# What a setting may be; the description is what a person reads when it is something else.
Phrase = Annotated[str, Meta(pattern=r"\S", description="a text in quotes")]
Hashtag = Annotated[str, Meta(pattern=r"^\w+\Z", description="a word without #")]
Share = Annotated[float, Meta(ge=0, le=1, description="a number between 0 and 1")]
Amount = Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")]
Days = Annotated[int, Meta(ge=1, le=3650, description="a whole number of days from 1 to 3650")]
SeedKeys = Annotated[tuple[Phrase, ...], Meta(min_length=1, description="a list with at least one phrase")]
Languages = Annotated[tuple[Language, ...], Meta(min_length=1, description="a list of en, ru, zh")]


class Version(Struct, frozen=True, gc=False):
    """One version of a paper and when it was submitted."""

    number: int
    submitted: datetime


class Paper(Struct, frozen=True, kw_only=True, gc=False):
    """One paper of arXiv in its newest known version.

    ``title`` and ``abstract`` keep their LaTeX; accents are decoded, white space is collapsed, the
    text is NFC. ``categories`` begins with the primary category. ``announced`` is the day of the
    batch in which the paper was first seen as new or cross-listed; a source that does not say it
    gives the day of the first version, and ``estimated`` is true.
    """

    id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    submitted: datetime
    updated: datetime
    announced: date
    announce_type: AnnounceType = "new"
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    withdrawn: bool = False
    versions: tuple[Version, ...] = ()
    estimated: bool = False

    @property
    def primary(self) -> str:
        """The primary category."""
        return self.categories[0]

    @property
    def text(self) -> str:
        """What is embedded and matched: title, full stop, abstract."""
        return f"{self.title}. {self.abstract}"


class Listed(Struct, frozen=True, kw_only=True):
    """A paper in a list: what the archive has of it, and as what it was announced on which day."""

    id: str
    version: int
    primary: str
    categories: tuple[str, ...]
    submitted: datetime
    announced: date
    announce_type: AnnounceType
    withdrawn: bool


class Skipped(Struct, frozen=True):
    """A record that could not be read: where it stands and why it was left out."""

    where: str
    reason: str


class Page(Struct, frozen=True):
    """What a source gives at a time: papers, what it had to skip, and how far it has read.

    ``cursor`` is the source's own note of where to go on; it is stored in the same transaction as
    the papers. A source that was read to its end says so in its last cursor; None says nothing.
    ``deleted`` are ids of papers that arXiv has taken out of its records: they are marked withdrawn,
    never erased. ``notes`` are sentences for a person, such as why a day is empty.
    """

    papers: tuple[Paper, ...]
    cursor: str | None
    skipped: tuple[Skipped, ...] = ()
    deleted: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How many papers a post holds: with a summary, with one line, and by their titles alone."""

    detailed: Amount = 5
    brief: Amount = 5
    named: Amount = 10


class Rhythm(Struct, frozen=True, forbid_unknown_fields=True):
    """When a topic's roundup is due: at least so many papers wait, or one has waited so many days."""

    at_least: Annotated[int, Meta(ge=1, le=1000, description="a whole number from 1 to 1000")] = 1
    at_latest_days: Days = 1


class Topic(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An information need with a name, as the configuration gives it.

    ``term`` is what the field is called and by which it is said to go unnamed in a silent paper;
    ``titles`` its name per language; ``floor`` the least score (0 to 1) a paper is posted with.
    ``adjacent_keys`` point to work that goes by another name: a paper with none of the seed keys is
    silent even where an adjacent key stands in it. ``off_keys`` name neighbouring topics: papers that
    hold one and no seed key are examples of what the topic is not.
    ``seed_papers`` are ids of papers that are on topic whatever their words. ``questions`` and
    ``definitions``, by language, open a review in the author's words.
    """

    name: str
    term: Phrase
    seed_keys: SeedKeys
    adjacent_keys: tuple[Phrase, ...] = ()
    exclude_keys: tuple[Phrase, ...] = ()
    off_keys: tuple[Phrase, ...] = ()
    seed_papers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    titles: Mapping[Language, Phrase] = {}
    questions: Mapping[Language, Phrase] = {}
    definitions: Mapping[Language, Phrase] = {}
    hashtags: tuple[Hashtag, ...] = ()
    languages: Languages = ("en",)
    floor: Share = 0.5
    limits: Limits = Limits()
    rhythm: Rhythm = Rhythm()

    def title(self, language: Language) -> str:
        """The topic's name in a language, else its term."""
        return self.titles.get(language, self.term)


class KeyEvidence(Struct, frozen=True, kw_only=True):
    """Why a key was proposed (leave-key-out verification; docs/keys.md).

    ``adds`` papers match the key and no key that was active before; ``verified`` of them stand among
    the topic's best when every feature that shares a word with the key, or comes with it elsewhere, is
    left out; ``lower_bound`` is Wilson's (z = 1) for their share. ``parents`` are the keys of the papers
    it was found in, ``hop`` is 1 where seeds or a person's keys led to it, 2 where only other found keys
    did. ``overlap``: by better keys, the share of the added papers that they add too.
    """

    matches: int
    adds: int
    verified: int
    lower_bound: float
    contrast: float
    best: tuple[str, ...] = ()
    worst: tuple[str, ...] = ()
    corpus: int = 0
    scorer: str = ""
    parents: tuple[str, ...] = ()
    hop: int = 1
    overlap: Mapping[str, float] = {}


class Key(Struct, frozen=True, kw_only=True):
    """A phrase that points to a topic. ``text`` is the form for display and queries, ``normal`` the
    normalised form that is matched and that is unique within a topic."""

    topic: str
    text: str
    normal: str
    state: KeyState
    origin: Origin
    evidence: KeyEvidence | None = None


class KeyDecision(Struct, frozen=True, kw_only=True):
    """What was decided about a key, by whom, when, why, and on what evidence."""

    topic: str
    normal: str
    state: KeyState
    decided_by: str
    decided_at: datetime
    reason: str
    evidence: KeyEvidence | None = None


class Feedback(Struct, frozen=True, kw_only=True):
    """What a person thinks of a paper as one of a topic; ``opinion`` None takes back what was said."""

    topic: str
    paper: str
    opinion: Opinion | None
    given_by: str
    given_at: datetime


class Neighbour(Struct, frozen=True):
    """A paper on topic and how near it is (cosine)."""

    paper: str
    title: str
    similarity: float


class Evidence(Struct, frozen=True, kw_only=True):
    """Why a paper belongs to a topic: the keys that stand in it, the papers on topic it is near,
    and the score of each way of ranking (0 to 1)."""

    seed_keys: tuple[str, ...] = ()
    other_keys: tuple[str, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    scores: Mapping[str, float] = {}


class Match(Struct, frozen=True, kw_only=True):
    """A paper of a topic. ``score`` (0 to 1) joins what its text looks like (the share of the topic's
    own papers that look less like the topic, as far as that can be believed) and the keys that stand
    in it: .6 and more when a seed key is in the title. ``silent``: no seed key stands in title or
    abstract."""

    topic: str
    paper: str
    score: float
    silent: bool
    evidence: Evidence
    scorer: str


class Choice(Struct, frozen=True, kw_only=True):
    """A paper chosen for a post: how fully it is shown, why, and all topics it belongs to (the
    post's own first). ``duplicates`` are ids of near-identical papers merged into it."""

    paper: str
    tier: Tier
    score: float
    silent: bool
    evidence: Evidence
    topics: tuple[str, ...]
    duplicates: tuple[str, ...] = ()


class LeftOut(Struct, frozen=True):
    """A paper that was considered for a post and left out, with the reason in a word or two."""

    paper: str
    reason: str


class Group(Struct, frozen=True):
    """Papers of a topic that are alike: the phrase that most of them hold, and their ids, the most
    telling first."""

    name: str
    papers: tuple[str, ...]


class Resource(Struct, frozen=True):
    """What readers keep: a paper that is a survey, benchmark, dataset or library, or the address of a
    repository that gathers papers."""

    kind: ResourceKind
    paper: str
    url: str


class Overview(Struct, frozen=True, kw_only=True):
    """What a topic's papers of some days (both included) hold, for the genres that tell of a window.

    ``choices`` are all papers, best first. By paper: ``leads`` are the sentences that tell what was done,
    the others one sentence each, word for word. ``bridges`` are papers that stand in another topic too,
    by its name. ``definition`` is a paper and its sentence.
    """

    since: date
    until: date
    choices: tuple[Choice, ...]
    groups: tuple[Group, ...] = ()
    leads: Mapping[str, tuple[str, ...]] = {}
    questions: Mapping[str, str] = {}
    problems: Mapping[str, str] = {}
    doubts: Mapping[str, str] = {}
    unsolved: Mapping[str, str] = {}
    bridges: Mapping[str, tuple[str, ...]] = {}
    resources: tuple[Resource, ...] = ()
    definition: tuple[str, str] | None = None
    abbreviation: str | None = None


class TextEntity(Struct, frozen=True, omit_defaults=True):
    """A stretch of formatted text as Telegram counts it: ``offset`` and ``length`` in UTF-16 units
    (https://core.telegram.org/bots/api#messageentity). The mention of a user is a ``text_link`` to
    ``tg://user?id=N``, which Telegram takes for the same."""

    type: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None
    unix_time: int | None = None
    date_time_format: str | None = None


class Part(Struct, frozen=True, omit_defaults=True):
    """One Telegram message of a post: the HTML it was written in, and the text and entities that
    are sent. Frozen: the same bytes on every try. With a ``picture`` (the path of a PNG or JPEG in the
    digest home) the text is its caption."""

    html: str
    text: str
    entities: tuple[TextEntity, ...]
    picture: str | None = None

    @property
    def sha256(self) -> str:
        """64 hexadecimal digits that change with anything of the part."""
        entities = msgspec.json.encode(self.entities).decode()
        whole = "\0".join((self.html, self.text, entities, self.picture or ""))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()


class Draft(Struct, frozen=True, kw_only=True):
    """A post before it is stored."""

    topics: tuple[str, ...]
    slot: date
    genre: str
    language: Language
    choices: tuple[Choice, ...]
    parts: tuple[Part, ...]


class Post(Struct, frozen=True, kw_only=True):
    """A stored post. ``papers`` are the ids of its papers, in order."""

    id: int
    topics: tuple[str, ...]
    slot: date
    genre: str
    language: Language
    state: PostState
    papers: tuple[str, ...]
    parts: tuple[Part, ...]


class Delivery(Struct, frozen=True, kw_only=True):
    """One part of a post on its way to one channel.

    ``attempted`` is when it was last tried, ``chat`` where, and ``after`` the newest message known to
    stand there at that time: what it became, if anything, has a higher number. ``message`` is that number
    once it is known, ``sha256`` that of the part as it was when it was sent, or edited since.
    """

    id: int
    post: int
    channel: str
    part: int
    state: DeliveryState
    attempts: int = 0
    not_before: datetime | None = None
    receipt: str | None = None
    error: str | None = None
    attempted: datetime | None = None
    chat: str | None = None
    after: int | None = None
    message: int | None = None
    sha256: str | None = None


class FollowUp(Struct, frozen=True, kw_only=True):
    """Something that is done to a part that stands in a channel: an edit to ``content``, a poll after
    it, a pin. ``chat`` and ``message`` say where the part stands; ``base`` is the sha256 of the stored part
    that an edit was made from."""

    id: int
    delivery: int
    post: int
    part: int
    channel: str
    chat: str
    message: int
    kind: FollowUpKind
    state: DeliveryState
    why: str
    content: Part | None = None
    base: str | None = None
    attempts: int = 0
    error: str | None = None


class Reactions(Struct, frozen=True, kw_only=True):
    """Readers' reactions to a part of a post, all channels together: emoji (or "custom", "paid") to count."""

    post: int
    part: int
    counts: Mapping[str, int]


class Turn(Struct, frozen=True, kw_only=True):
    """A sender's turn: as long as it is ``owner``'s, nobody else sends through the sender. Each claim
    makes it last until ``until`` and lets the chat rest until ``rest``."""

    sender: str
    owner: str
    until: datetime
    chat: str
    rest: datetime


class Chat(Struct, frozen=True, kw_only=True):
    """What is known of a chat: the id it goes by now, the newest message known to stand there, and when
    the next one may follow."""

    id: str
    last: int | None = None
    rest: datetime | None = None


class Pause(Struct, frozen=True):
    """Why and since when a channel takes nothing."""

    channel: str
    reason: str
    since: datetime


class Review(Struct, frozen=True):
    """A post that was shown to an editor, as it was then: the message with the buttons."""

    post: int
    version: str
    chat: str
    message: int


class Question(Struct, frozen=True):
    """The bot asked an editor for the new text of a part of a draft, as it was in a version: the message
    that asks."""

    chat: str
    message: int
    post: int
    part: int
    version: str


class StageReport(Struct, frozen=True):
    """What a stage did: counts by name, seconds, and sentences a person should read."""

    stage: Stage
    seconds: float
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()


class RunReport(Struct, frozen=True, kw_only=True):
    """What a run did, stage by stage, the ids of the posts it wrote, and the code it exits with."""

    as_of: datetime
    stages: tuple[StageReport, ...]
    posts: tuple[int, ...] = ()
    exit_code: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """What the archive holds (name to figure), posts and deliveries by state, the last runs in words,
    how far arXiv was read and whether it may be asked (name to words), and readers' reactions to the
    last posts (in words)."""

    archive: Mapping[str, str | int]
    posts: Mapping[str, int]
    deliveries: Mapping[str, int]
    runs: tuple[str, ...]
    arxiv: Mapping[str, str] = {}
    reactions: tuple[str, ...] = ()


class Hit(Struct, frozen=True, kw_only=True):
    """One answer of a search. ``why`` says in words how it was found; ``snippet`` is the passage of the
    abstract that answers best, with ``marks`` as (start, end) in characters of it."""

    id: str
    version: int
    title: str
    authors: tuple[str, ...]
    published: datetime
    categories: tuple[str, ...]
    score: float
    why: str
    url: str
    snippet: str = ""
    marks: tuple[tuple[int, int], ...] = ()


class Answer(Struct, frozen=True):
    """The answers to a query, best first, and what is to be said about how it was read."""

    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()


class Window(Struct, frozen=True):
    """Filters of a search; None and () stand for no limit. Of ``topics`` and of ``categories`` a paper
    has at least one; ``silent`` keeps the papers that do not say their topic's name."""

    topics: tuple[str, ...] = field(default_factory=tuple)
    since: date | None = None
    until: date | None = None
    categories: tuple[str, ...] = field(default_factory=tuple)
    not_topics: tuple[str, ...] = field(default_factory=tuple)
    not_categories: tuple[str, ...] = field(default_factory=tuple)
    silent: bool = False


class YearShare(Struct, frozen=True, kw_only=True):
    """One year of a curve: ``found`` of the ``held`` papers of the archive. ``share`` (0 to 1) is what
    it would be if each year were held in the same mix of categories; ``low`` and ``high`` bound it (90 %)."""

    year: int
    held: int
    found: int
    share: float
    low: float
    high: float


class Jump(Struct, frozen=True, kw_only=True):
    """The sharpest rise of a curve: the first year of the higher level, how many times higher it is,
    how many times at least (95 %), and between which years the rise lies (90 %)."""

    year: int
    ratio: float
    at_least: float
    earliest: int
    latest: int


class Beside(Struct, frozen=True, kw_only=True):
    """A phrase that stood beside a term in some years: the share of the term's papers of these years
    that hold it, and the share of those of all other years."""

    text: str
    share: float
    elsewhere: float


class Stretch(Struct, frozen=True, kw_only=True):
    """Years (both included) in which a share kept one level, and what stood beside the term then."""

    since: int
    until: int
    found: int
    share: float
    beside: tuple[Beside, ...] = ()


class Curve(Struct, frozen=True, kw_only=True):
    """A share over the years, cut into stretches; ``jump`` is None where no rise is certain."""

    years: tuple[YearShare, ...]
    stretches: tuple[Stretch, ...]
    jump: Jump | None = None

    @property
    def found(self) -> int:
        """All papers of the curve."""
        return sum(each.found for each in self.years)


class Trend(Struct, frozen=True, kw_only=True):
    """A term over the years in an archive of ``papers`` papers: ``said``, the papers that hold it, and
    where it is a key of a topic ``silent``, the topic's papers that hold none of the seed keys."""

    term: str
    papers: int
    said: Curve
    topic: str | None = None
    silent: Curve | None = None


class Recall(Struct, frozen=True, kw_only=True):
    """An estimate of how much of a topic was found: papers found and missed, the share found, with 90 %
    intervals; and how many papers the keys, the looks and both have caught."""

    found: float
    missed: float
    fewest: float
    most: float
    share: float
    low: float
    high: float
    by_keys: int
    by_looks: int
    by_both: int
