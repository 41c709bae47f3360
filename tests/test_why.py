"""Why a paper belongs to a topic and was posted, or not."""

from __future__ import annotations

from datetime import UTC, date, datetime

from msgspec.structs import replace

from digest.report import topics as report
from digest.types import Evidence, Feedback, Key, KeyEvidence, Match, Neighbour, Paper, Post, Topic
from digest.why import Posted, Record, Said, Why, why

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TOPIC = Topic(
    name="unlearning", term="unlearning", seed_keys=("machine unlearning", "unlearning"),
    exclude_keys=("unlearnable example",), categories=("cs.LG",), floor=0.3,
)  # fmt: skip
KEYS = [
    Key(
        topic="unlearning", text="concept erasure", normal="concept erasure", state="active", origin="auto",
        evidence=KeyEvidence(matches=12, adds=8, verified=6, lower_bound=0.58, contrast=4.2),
    ),
    Key(topic="unlearning", text="forget", normal="forget", state="rejected", origin="auto"),
]  # fmt: skip
PAPER = Paper(
    id="2606.00001",
    version=1,
    title="Concept erasure in diffusion models",
    abstract="We forget concepts.",
    authors=("A",),
    categories=("cs.LG",),
    submitted=NOW,
    updated=NOW,
    announced=date(2026, 6, 1),
)
MATCH = Match(
    topic="unlearning",
    paper=PAPER.id,
    score=0.76,
    silent=True,
    evidence=Evidence(
        other_keys=("concept erasure",),
        neighbours=(Neighbour("2501.00001", "Erasing styles", 0.81),),
        scores={"svm": 0.998, "looks": 0.83, "keys": 0.35},
    ),
    scorer="s",
)
POST = Post(
    id=7, topics=("unlearning",), slot=date(2026, 6, 2), genre="roundup", language="en", state="approved",
    papers=("2606.00009",), parts=(),
)  # fmt: skip


def told(paper: Paper = PAPER, **record: object) -> Why:
    return why(paper, TOPIC, KEYS, Record(**record))  # type: ignore[arg-type]


def said(paper: Paper = PAPER, **record: object) -> str:
    return report.why([told(paper, **record)]).replace("\n    ", " ")


def test_a_silent_find_tells_the_key_its_trust_its_looks_and_neighbours() -> None:
    text = said(match=MATCH)
    for words in (
        '+ its title holds "concept erasure", a key of which 6 of 8 added papers were verified',
        "at least 58% (trust 0.58)",
        "+ looks more like the topic than 83% of its own papers",
        "ranks above 99.8% by svm",
        '+ near to a paper on topic: "Erasing styles" (2501.00001, cosine 0.81)',
        '- never says "machine unlearning" or "unlearning": it is silent about its topic',
        '- holds "forget", a key that was rejected',
        "= score 0.76, over the topic's floor of 0.3",
    ):
        assert words in text


def test_a_seed_key_in_the_title_says_more_than_one_in_the_abstract() -> None:
    title = told(replace(PAPER, title="Machine unlearning")).speaks_for[0]
    once = told(replace(PAPER, title="Lamps", abstract="Unlearning them.")).speaks_for[0]
    assert title == 'its title holds the seed key "machine unlearning" (weight 0.6)'
    assert once == 'its abstract holds once the seed key "unlearning", which says little (weight 0.25)'


def test_few_looks_speak_against() -> None:
    weak = replace(MATCH, score=0.2, evidence=Evidence(scores={"looks": 0.04}))
    assert any("than 4% of its own papers" in each for each in told(match=weak).speaks_against)
    assert told(match=weak).outcome == ("score 0.20, below the topic's floor of 0.3",)


def test_an_excluded_phrase_rules_out_unless_a_seed_key_stands_beside_it() -> None:
    alone = told(replace(PAPER, abstract="An unlearnable example.")).speaks_against
    beside = told(replace(PAPER, abstract="An unlearnable example for unlearning.")).speaks_against
    assert 'holds the excluded "unlearnable example", and no seed key: that rules it out' in alone
    assert 'holds the excluded "unlearnable example", beside a seed key, so it counts as usual' in beside


def test_what_a_person_said_is_told_and_only_the_last() -> None:
    like, dislike = (
        Feedback(topic="unlearning", paper=PAPER.id, opinion=opinion, given_by="human", given_at=NOW)
        for opinion in ("like", "dislike")
    )
    assert told(feedback=(dislike, like)).speaks_for[0] == "liked on 2026-06-01 by human"
    refused = told(feedback=(like, dislike))
    assert refused.speaks_against[0].startswith("disliked on 2026-06-01 by human")
    assert refused.outcome == ("left out of the topic: a person dislikes it",)


def test_categories_withdrawal_and_later_versions_speak_against() -> None:
    paper = replace(PAPER, categories=("hep-th",), withdrawn=True, announce_type="replace")
    against = " ".join(told(paper).speaks_against)
    assert "withdrawn by its authors" in against
    assert "its categories, hep-th, are none of the topic's" in against
    assert "first seen as replace, a later version" in against


def test_a_paper_of_the_window_without_a_match_was_scored_and_one_outside_was_not() -> None:
    window = (date(2026, 5, 25), date(2026, 6, 1))
    assert "was scored and is no match" in told(scored=window).outcome[0]
    assert "was not scored: it was announced on 2026-06-01" in told().outcome[0]


def test_where_it_stands_is_told_once_for_all_languages() -> None:
    other = replace(POST, id=8, language="ru")
    assert told(match=MATCH, holding=(POST, other)).outcome[1] == (
        "stands in post 7, 8 of 2026-06-02 (roundup in en, ru; approved)"
    )


def test_a_match_in_no_post_says_why() -> None:
    full = Posted(post=POST, scores={"2606.00009": 0.9})
    room = Posted(post=POST, scores={"2606.00009": 0.5})
    for record, words in (
        ({"candidate": full}, "post 7 of 2026-06-02 was full: its 1 papers score 0.90 and more"),
        ({"candidate": room}, "this one was too like one of them"),
        ({"elsewhere": (("diffusion", 0.9),), "candidate": full}, "fits diffusion better (0.90)"),
        ({"merged_into": "2606.00002"}, "near-identical to 2606.00002"),
        ({}, "no post of unlearning was written since it was announced on 2026-06-01"),
    ):
        assert words in told(match=MATCH, **record).outcome[1]


def test_the_stored_reason_is_told_and_nothing_inferred_beside_it() -> None:
    day = date(2026, 6, 2)
    crowded = (day, "over the limit of 20 papers, which score 0.61 and more")
    outcome = told(match=MATCH, left_out=crowded, elsewhere=(("diffusion", 0.9),)).outcome
    assert outcome[1:] == ("in no post: left out on 2026-06-02: " + crowded[1],)
    excluded = told(left_out=(day, "holds an excluded phrase")).outcome
    assert excluded == ("left out of the topic on 2026-06-02: holds an excluded phrase",)


def test_a_match_below_the_floor_needs_no_other_reason() -> None:
    assert len(told(match=replace(MATCH, score=0.1)).outcome) == 1


def test_topics_it_has_nothing_to_do_with_are_one_line() -> None:
    nothing = Topic(name="optics", term="optics", seed_keys=("optics",))
    text = report.why([told(match=MATCH), why(PAPER, nothing, [], Record())])
    assert "nothing speaks for it in optics" in text


def test_a_line_knows_what_it_says_and_of_what_for_other_languages() -> None:
    line = Said("excluded", keys=("a b", "c"))
    assert line == 'holds the excluded "a b" or "c", and no seed key: that rules it out'
    assert (line.name, line.values) == ("excluded", {"keys": ("a b", "c")})
    inner = Said("other_key", place=Said("in_abstract", n=3), key="k", trust=Said("trust_given", trust=0.5))
    assert inner.startswith('its abstract holds 3 times "k", a key a person gave')
    assert inner.values["place"].values == {"n": 3}
