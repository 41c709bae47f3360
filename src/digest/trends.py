"""A term over the years: which share of the papers holds it, when that jumped, what stands beside it.

An archive is uneven: of one year it holds a daily harvest, of another only what a search has found.
So a year is compared with what it would hold if the term were always equally common in each
category: observed over expected, as in indirect standardisation (Breslow and Day, Statistical
Methods in Cancer Research II, 1987). That mends the mix of categories, not what was gathered within
one: whoever shows a trend says so.

The years are cut into stretches of one level by optimal partitioning (Jackson et al. 2005; Scargle
et al. 2013, "Bayesian Blocks") of Poisson counts with a gamma prior, exactly. The jump is the cut
with the largest rise that is certain.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from math import exp, lgamma, log, sqrt

from msgspec.structs import replace

from digest.mentions import other_keys, seed_keys
from digest.phrases import KeyMatcher, normalise, phrases, stem, surface, tokens
from digest.types import Beside, Curve, Jump, Key, Paper, Stretch, Topic, Trend, YearShare

Held = Mapping[tuple[int, str], int]
"""Papers of the archive by year of the first version and primary category."""

STEADY = 50.0
"""A category's rate is drawn to that of all as if so many papers more had been seen of it."""
MOST_STRETCHES = 5
LEAST_ODDS = log(20)
"""A cut must make the counts twenty times as likely, so that noise is no news."""
LEAST_RISE = 1.25
"""A rise that may be less is no jump."""
Z90 = 1.645
LEAST_BESIDE = 5
"""In a stretch of fewer papers nothing can be said to stand beside a term."""
MOST_READ = 1000
"""So many papers of a stretch are read for phrases, spread evenly: more change no order."""
SHOWN_BESIDE = 6
CANDIDATES = 300
LEAST_SHARE = 0.02
MOST_COMMON = 0.25
"""What stands in a quarter of all papers ("method") stands beside nothing."""
REPEATED = 1.25
"""A single word that tells of a subject comes back in the papers that hold it (Church and Gale 1995):
"circuit" 2.6 times, "item" 2.4, but "crucial", "efforts" and "appropriate" 1.0 to 1.1."""
MOSTLY = 0.6
SPELT = 50
"""So many papers say how a phrase is written."""
PRIOR = 50.0


def trend(
    term: str,
    held: Held,
    said: Sequence[Paper],
    silent: Sequence[Paper] | None = None,
    *,
    topic: Topic | None = None,
    since: int | None = None,
) -> Trend:
    """The trend of a term that stands in the papers ``said``, of a topic with the papers ``silent``."""
    kept = {cell: number for cell, number in held.items() if number and cell[0] >= (since or 0)}
    curves = [_curve(kept, papers) for papers in (said, silent or ())]
    return Trend(
        term=term,
        papers=sum(kept.values()),
        said=curves[0],
        topic=topic.name if topic else None,
        silent=None if silent is None else curves[1],
    )


def topic_of(term: str, topics: Iterable[tuple[Topic, Sequence[Key]]]) -> tuple[Topic, Sequence[Key]] | None:
    """The topic whose seed key a term is, else one that has it as another active key."""
    wanted = normalise(term)
    known = list(topics)
    for names in (seed_keys, other_keys):
        for topic, keys in known:
            if wanted in {normalise(name) for name in names(topic, keys)}:
                return topic, keys
    return None


def holding(term: str, papers: Iterable[Paper]) -> list[Paper]:
    """The papers in which a term stands."""
    matcher = KeyMatcher((term,))
    return [paper for paper in papers if matcher.find(paper.text)]


def silent_of(
    topic: Topic, keys: Sequence[Key], papers: Iterable[Paper], matched: Collection[str] = ()
) -> list[Paper]:
    """The papers that hold none of a topic's seed keys, but one of its others or a match's id."""
    matcher = KeyMatcher((*seed_keys(topic, keys), *other_keys(topic, keys)), topic.exclude_keys)
    seeds = set(seed_keys(topic, keys))
    found = []
    for paper in papers:
        names = matcher.find(paper.text)
        if seeds.isdisjoint(names) and (names or paper.id in matched):
            found.append(paper)
    return found


def _curve(held: Held, papers: Sequence[Paper]) -> Curve:
    totals: Counter[int] = Counter()
    for (year, _), number in held.items():
        totals[year] += number
    if not totals:
        return Curve(years=(), stretches=())
    first, last = min(totals), max(totals)
    found = Counter(_cell(paper) for paper in papers if first <= paper.submitted.year <= last)
    worth = _exposure(held, found)
    counts: Counter[int] = Counter()
    for (year, _), number in found.items():
        counts[year] += number
    span = range(first, last + 1)
    years = tuple(_share(year, totals[year], counts[year], worth.get(year, 0.0)) for year in span)
    return _cut(years, [worth.get(year, 0.0) for year in span])


def _cell(paper: Paper) -> tuple[int, str]:
    return paper.submitted.year, paper.primary


def _exposure(held: Held, found: Mapping[tuple[int, str], int]) -> dict[int, float]:
    """Per year how many papers of the usual mix of categories its papers are worth."""
    papers, hits = Counter[str](), Counter[str]()
    for (_, category), number in held.items():
        papers[category] += number
    for (_, category), number in found.items():
        hits[category] += number
    usual = max(sum(hits.values()), 1) / sum(papers.values())
    worth: dict[int, float] = defaultdict(float)
    for (year, category), number in held.items():
        rate = (hits[category] + STEADY * usual) / (papers[category] + STEADY)
        worth[year] += number * rate / usual
    return worth


def _share(year: int, held: int, found: int, worth: float) -> YearShare:
    low, high = _poisson_interval(found)
    scale = max(worth, 1e-9)
    return YearShare(
        year=year,
        held=held,
        found=found,
        share=min(1.0, found / scale) if held else 0.0,
        low=min(1.0, low / scale) if held else 0.0,
        high=min(1.0, high / scale) if held else 1.0,
    )


def _poisson_interval(count: int) -> tuple[float, float]:
    """Byar's approximation of the 90 % interval of a count's mean (Breslow and Day 1987, p. 69)."""
    more = count + 1
    high = more * (1 - 1 / (9 * more) + Z90 / (3 * sqrt(more))) ** 3
    low = count * (1 - 1 / (9 * count) - Z90 / (3 * sqrt(count))) ** 3 if count else 0.0
    return max(0.0, low), high


# Stretches and the jump.


class _Counts:
    """Sums of counts and exposures over years, and how likely a stretch of one level makes them."""

    def __init__(self, found: Sequence[int], worth: Sequence[float]) -> None:
        self._found, self._worth = [0], [0.0]
        for count, papers in zip(found, worth, strict=True):
            self._found.append(self._found[-1] + count)
            self._worth.append(self._worth[-1] + papers)
        self._prior = 0.5, 0.5 * max(self._worth[-1], 1.0) / max(self._found[-1], 1)

    def found(self, start: int, end: int) -> int:
        return self._found[end] - self._found[start]

    def worth(self, start: int, end: int) -> float:
        return self._worth[end] - self._worth[start]

    def evidence(self, start: int, end: int) -> float:
        """The log of the marginal likelihood, the rate integrated out under its gamma prior (shape 1/2,
        mean that of all years); what all partitions share is left out."""
        shape, rate = self._prior
        count, papers = self.found(start, end), self.worth(start, end)
        return (
            shape * log(rate) - lgamma(shape) + lgamma(shape + count) - (shape + count) * log(rate + papers)
        )

    def rise(self, first: tuple[int, int], second: tuple[int, int]) -> tuple[float, float]:
        """The log of how many times higher the second stretch is, and its standard error (half a paper
        added to each: Haldane 1956, Anscombe 1956)."""
        (before, papers_before), (after, papers_after) = (
            (self.found(*one) + 0.5, self.worth(*one) + 1e-9) for one in (first, second)
        )
        ratio = log(after / papers_after) - log(before / papers_before)
        return ratio, sqrt(1 / before + 1 / after)


def _cut(years: tuple[YearShare, ...], worth: Sequence[float]) -> Curve:
    counts = _Counts([each.found for each in years], worth)
    borders = _partition(counts, len(years))
    pieces = list(pairwise(borders))
    first = years[0].year
    stretches = tuple(
        Stretch(
            since=first + start,
            until=first + end - 1,
            found=counts.found(start, end),
            share=min(1.0, counts.found(start, end) / max(counts.worth(start, end), 1e-9)),
        )
        for start, end in pieces
    )
    return Curve(years=years, stretches=stretches, jump=_jump(counts, borders, first))


def _partition(counts: _Counts, size: int) -> list[int]:
    """The borders of the likeliest cut into at most :data:`MOST_STRETCHES` stretches, 0 and size included."""
    best = {0: (0.0, [0])}
    chosen = (float("-inf"), [0, size])
    for pieces in range(1, min(MOST_STRETCHES, size) + 1):
        best = {
            end: max(
                (told + counts.evidence(start, end), [*borders, end])
                for start, (told, borders) in best.items()
                if start < end
            )
            for end in range(pieces, size + 1)
        }
        told, borders = best[size]
        chosen = max(chosen, (told - LEAST_ODDS * (pieces - 1), borders))
    return chosen[1]


def _jump(counts: _Counts, borders: Sequence[int], first: int) -> Jump | None:
    rises = []
    for start, middle, end in zip(borders, borders[1:], borders[2:], strict=False):
        ratio, error = counts.rise((start, middle), (middle, end))
        rises.append((ratio - Z90 * error, ratio, (start, middle, end)))
    if not rises or max(rises)[0] < log(LEAST_RISE):
        return None
    at_least, ratio, (start, middle, end) = max(rises)
    earliest, latest = _credible(counts, start, end)
    return Jump(
        year=first + middle,
        ratio=exp(ratio),
        at_least=exp(at_least),
        earliest=first + min(earliest, middle),
        latest=first + max(latest, middle),
    )


def _credible(counts: _Counts, start: int, end: int) -> tuple[int, int]:
    """The shortest run of years that holds the cut between two stretches at 90 %."""
    places = range(start + 1, end)
    told = [counts.evidence(start, at) + counts.evidence(at, end) for at in places]
    weights = [exp(each - max(told)) for each in told]
    runs = (
        (last - at, -sum(weights[at : last + 1]), at, last)
        for at in range(len(weights))
        for last in range(at, len(weights))
        if sum(weights[at : last + 1]) >= 0.9 * sum(weights)
    )
    _, _, at, last = min(runs)
    return places[at], places[last]


# What stands beside a term.

Phrase = tuple[str, ...]


def with_company(found: Trend, said: Sequence[Paper], others: Mapping[int, Sequence[Paper]]) -> Trend:
    """A trend that also tells what stood beside the term in each stretch.

    ``others`` are papers of each stretch, by its first year, whether they hold the term or not. A
    phrase stands beside a term then if it is likelier in the term's papers of these years than in
    those of other years, and likelier than in the other papers of these years: what all papers of
    the day say ("large language model") says nothing of the term unless its own say it more.
    """
    stretches = found.said.stretches
    groups = [_spread(_within(each, said)) for each in stretches]
    company = _Company(found.term, groups)
    told = tuple(
        replace(each, beside=company.beside(at, others.get(each.since, ())))
        for at, each in enumerate(stretches)
    )
    return replace(found, said=replace(found.said, stretches=told))


def _within(stretch: Stretch, papers: Iterable[Paper]) -> list[Paper]:
    return [paper for paper in papers if stretch.since <= paper.submitted.year <= stretch.until]


def _spread(papers: Sequence[Paper]) -> Sequence[Paper]:
    return papers[:: -(-len(papers) // MOST_READ) or 1]


class _Company:
    """The phrases of a term's papers, group by group."""

    def __init__(self, term: str, groups: Sequence[Sequence[Paper]]) -> None:
        self._groups = groups
        self._matcher = KeyMatcher((term,))
        own = _Own(term)
        self._normals = [[normalise(paper.text) for paper in group] for group in groups]
        self._held = [
            Counter(phrase for text in texts for phrase in set(phrases(text)) if not own.is_in(phrase))
            for texts in self._normals
        ]
        self._total = sum(self._held, Counter[Phrase]())
        self._words = Counter(word for texts in self._normals for text in texts for word in text.split())
        self._size = sum(map(len, groups))

    def beside(self, at: int, others: Sequence[Paper]) -> tuple[Beside, ...]:
        """The phrases that stand out most in a group."""
        size = len(self._groups[at])
        if size < LEAST_BESIDE:
            return ()
        around_it = ((paper.text, normalise(paper.text)) for paper in others)
        texts = [normal for text, normal in around_it if not self._matcher.find(text, normal)]
        candidates = self._candidates(at)
        matcher = KeyMatcher([" ".join(phrase) for phrase in candidates])
        around = Counter(phrase for text in texts for phrase in matcher.find("", text))
        told = []
        for phrase, sure in candidates.items():
            common, count = around[" ".join(phrase)], self._held[at][phrase]
            least = min(sure, _surely(count, size, common, len(texts)))
            if least > 0 and common <= MOST_COMMON * len(texts):
                told.append((least * sqrt(count / size), phrase))
        best = _apart([phrase for _, phrase in sorted(told, reverse=True)])
        return tuple(self._shown(at, phrase) for phrase in best[:SHOWN_BESIDE])

    def _candidates(self, at: int) -> dict[Phrase, float]:
        """The likeliest phrases against other years, each with how surely it is; of a phrase and a
        longer one that mostly makes it up, the longer."""
        held, size = self._held[at], len(self._groups[at])
        least = max(4, LEAST_SHARE * size)
        often = {phrase: count for phrase, count in held.items() if count >= least}
        covered = {
            part for phrase, count in often.items() for part in _parts(phrase) if count >= MOSTLY * held[part]
        }
        rest = self._size - size
        sure = {
            phrase: _surely(count, size, self._total[phrase] - count, rest)
            for phrase, count in often.items()
            if phrase not in covered and self._tells(phrase)
        }
        best = sorted((phrase for phrase in sure if sure[phrase] > 0), key=lambda each: (-sure[each], each))
        return {phrase: sure[phrase] for phrase in best[:CANDIDATES]}

    def _tells(self, phrase: Phrase) -> bool:
        """Whether a phrase is of a subject, not of the way papers are written."""
        return len(phrase) > 1 or self._words[phrase[0]] >= REPEATED * self._total[phrase]

    def _shown(self, at: int, phrase: Phrase) -> Beside:
        group, normal = self._groups[at], " ".join(phrase)
        inside, rest = self._held[at][phrase], self._size - len(group)
        texts = (paper.text for paper, held in zip(group, self._normals[at], strict=True) if normal in held)
        return Beside(
            text=surface(normal, islice(texts, SPELT)) or normal,
            share=inside / len(group),
            elsewhere=(self._total[phrase] - inside) / max(1, rest),
        )


class _Own:
    """The term's own words: a phrase of nothing else, or with its initials, is not beside it."""

    def __init__(self, term: str) -> None:
        words = tokens(term)
        self._stems = {stem(word) for word in words}
        self._initials = "".join(word[0] for word in words) if len(words) > 1 else None

    def is_in(self, phrase: Sequence[str]) -> bool:
        """Whether a phrase holds the term, or is a part of it."""
        stems = {stem(word) for word in phrase}
        return stems <= self._stems or self._stems <= stems or self._initials in stems


def _parts(phrase: Phrase) -> Iterator[Phrase]:
    for start in range(len(phrase)):
        for end in range(start + 1, len(phrase) + 1):
            if end - start < len(phrase):
                yield phrase[start:end]


def _surely(count: int, size: int, others: int, rest: int) -> float:
    """The least log-odds ratio (95 %) of a phrase here against elsewhere, with a prior of its rate in
    all (Monroe, Colaresi, Quinn 2008)."""
    prior = PRIOR * (count + others) / (size + rest)
    one, other = count + prior, others + prior
    not_one, not_other = max(size + PRIOR - one, 0.5), max(rest + PRIOR - other, 0.5)
    ratio = log(one / not_one) - log(other / not_other)
    return ratio - Z90 * sqrt(1 / one + 1 / not_one + 1 / other + 1 / not_other)


def _apart(found: Sequence[Phrase]) -> list[Phrase]:
    """The phrases without those that share a word with a better one."""
    kept: list[Phrase] = []
    said: set[str] = set()
    for phrase in found:
        words = {stem(word) for word in phrase}
        if said.isdisjoint(words):
            kept.append(phrase)
            said |= words
    return kept
