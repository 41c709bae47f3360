"""How good keys and ranking are on the archive at hand, by lists that experts made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from digest.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from digest.app import App
    from digest.archive import Archive
    from digest.evaluation.intervals import Evaluation, Method
    from digest.evaluation.recall import RecallCheck
    from digest.search import Mode
    from digest.types import Paper, Topic

PROPOSED = 1000
"""So many keys are asked for: recall at ten times the topic's papers needs many."""


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure by: a file of labels, the topic and subfields that count in it, the seed keys to
    begin with, keys that name neighbouring topics, and a file of ids where not all of the archive is
    meant."""

    labels: Path
    topic: str
    seeds: tuple[str, ...]
    subfields: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    ids: Path | None = None


def keys(app: App, lists: Lists) -> Evaluation:
    """Keys proposed from the seeds alone, and those of the baselines."""
    from digest.evaluation.keys import evaluate_keys
    from digest.keys import ranked

    bench = _Bench(app, lists)
    ours = ranked(bench.topic, (), bench.archive, PROPOSED)
    return bench.evaluation("keys", evaluate_keys(bench.archive, lists.seeds, bench.named, bench.truth, ours))


def ranking(app: App, lists: Lists) -> Evaluation:
    """The ranking learned from the seeds alone, and those of the baselines."""
    from digest import relevance
    from digest.evaluation.ranking import evaluate_ranking

    bench = _Bench(app, lists)
    ours = relevance.looks(bench.topic, (), bench.archive)
    methods = evaluate_ranking(bench.archive, lists.seeds, bench.named, bench.truth, ours)
    return bench.evaluation("ranking", methods)


def recall(app: App, lists: Lists, floor: float) -> RecallCheck:
    """The estimate of recall, month by month, beside the share of listed papers that was found."""
    from digest import relevance
    from digest.evaluation.recall import LEAST_LISTED, RecallCheck, monthly

    bench = _Bench(app, lists)
    judged = relevance.judged(bench.topic, (), bench.archive)
    months = monthly(bench.archive, judged, floor, bench.truth)
    if not months:
        raise InputError(f"{lists.labels}: no month has {LEAST_LISTED} papers listed for {lists.topic}")
    about = f"recall for {lists.topic} from {', '.join(lists.seeds)}, found from {floor:g} on"
    return RecallCheck(about=about, months=tuple(months))


def search(app: App, queries: Path, ids: Path | None) -> Evaluation:
    """Search by words, by meaning and by both, beside arxiv-sanity's way."""
    from digest.actions import archive as actions
    from digest.evaluation import labels
    from digest.evaluation import search as evaluation
    from digest.evaluation.intervals import Evaluation

    asked = evaluation.read_asked(queries)
    papers = _papers(app, labels.read_ids(ids) if ids else None)
    names = [paper.id for paper in papers]
    kept = evaluation.answerable(asked, names)
    if not kept:
        raise InputError(f"{queries}: the archive holds none of the papers that answer these queries")
    among = None if ids is None else frozenset(names)
    methods: dict[str, evaluation.Rank] = {
        mode: actions.ranker(app, mode, evaluation.DEPTH, among) for mode in _modes(app)
    }
    methods["TF-IDF"] = evaluation.tfidf([paper.text for paper in papers], names)
    counts = {"papers": len(papers), "queries": len(asked), "with an answer here": len(kept)}
    found = evaluation.evaluate_search(kept, methods, "words")
    return Evaluation(about=f"search by {queries.name}", counts=counts, methods=found)


def _modes(app: App) -> tuple[Mode, ...]:
    return ("words",) if app.store.model_dimension(app.model) is None else ("both", "words", "vectors")


class _Bench:
    """The papers, the seeds' papers among them, and what the lists say of each."""

    def __init__(self, app: App, lists: Lists) -> None:
        from digest.evaluation import labels

        known = labels.read_labels(lists.labels)
        labels.check_names(known, lists.topic, lists.subfields)
        wanted = labels.read_ids(lists.ids) if lists.ids else None
        self.topic = _topic(lists)
        self.archive = _archive(app, wanted)
        self.named = _named(self.archive, self.topic)
        self.truth = labels.truth(known, lists.topic, lists.subfields, self.archive)
        self._lists = lists
        if not (self.truth.positive & ~self.named).any():
            raise InputError(
                f"{lists.labels}: of the papers listed for {lists.topic} none "
                "that the archive holds goes without a seed key: there is nothing to find"
            )

    def evaluation(self, what: str, methods: Sequence[Method]) -> Evaluation:
        from digest.evaluation.intervals import Evaluation

        lists = self._lists
        of = f" ({', '.join(lists.subfields)})" if lists.subfields else ""
        counts = {
            "papers": len(self.archive),
            "embedded": 0 if self.archive.vectors is None else int(self.archive.vectors.any(axis=1).sum()),
            "with a seed key": int(self.named.sum()),
            "listed": int(self.truth.positive.sum()),
            "listed and silent": int((self.truth.positive & ~self.named).sum()),
            "off topic or for others": int((self.truth.drift & ~self.named).sum()),
            "mixed, not counted": int(self.truth.ignored.sum()),
        }
        without = f", off it {', '.join(lists.off)}" if lists.off else ""
        about = f"{what} for {lists.topic}{of} from {', '.join(lists.seeds)}{without}"
        return Evaluation(about=about, counts=counts, methods=tuple(methods))


def _topic(lists: Lists) -> Topic:
    from digest.phrases import normalise
    from digest.types import Topic

    for seed in lists.seeds:
        if not normalise(seed):
            raise UsageError(f"--seed {seed!r}: no word in it; give a phrase such as 'machine unlearning'")
    return Topic(name=lists.topic, term=lists.seeds[0], seed_keys=lists.seeds, off_keys=lists.off)


def _archive(app: App, wanted: Sequence[str] | None) -> Archive:
    """The papers of the archive, or those of some ids; in the order of their ids, so that what is
    measured does not depend on when they came."""
    from digest.archive import Archive
    from digest.corpus import vectors_of

    papers = _papers(app, wanted)
    vectors = vectors_of(app.store, app.model, [paper.id for paper in papers])
    return Archive(papers, vectors, embed=app.encode)


def _papers(app: App, wanted: Sequence[str] | None) -> list[Paper]:
    papers = app.store.all_papers() if wanted is None else app.store.papers(wanted)
    if not papers:
        raise InputError("the archive holds none of these papers; digest import brings papers from a file")
    return sorted((paper for paper in papers if not paper.withdrawn), key=lambda paper: paper.id)


def _named(archive: Archive, topic: Topic) -> NDArray[np.bool_]:
    from digest.mentions import find_mentions

    named = find_mentions(topic, (), archive).named
    if not named.any() or named.all():
        which = "all" if named.all() else "none"
        raise InputError(
            f"{which} of the {len(archive)} papers hold a seed key, which teaches nothing: give other seeds"
        )
    return named
