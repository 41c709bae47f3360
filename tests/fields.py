"""Small made-up fields of research, the same in every run, for tests of ranking and keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

import numpy as np

from digest.store import Store
from digest.types import Page, Paper

DAY = datetime(2026, 6, 1, tzinfo=UTC)

# Per field: titles, then sentences; {} is filled with a word of the field.
FIELDS: dict[str, tuple[Sequence[str], Sequence[str], Sequence[str]]] = {
    "unlearning": (
        ("Machine unlearning by {}", "Unlearning {} in large models", "Certified machine unlearning with {}"),
        (
            "We remove the influence of {} so that the model behaves as if retrained from scratch.",
            "The forget set is erased while utility on the retain set is preserved.",
            "Requests for removal of private data under the right to be forgotten are served by {}.",
            "Gradient ascent on {} erases knowledge without retraining.",
            "Machine unlearning is compared with exact retraining.",
        ),
        ("influence functions", "gradient ascent", "weight scrubbing", "data shards", "membership tests"),
    ),
    "erasure": (
        ("Concept erasure by {}", "Erasing undesirable content with {}"),
        (
            "Concept erasure removes undesirable concepts, and knowledge of {} is erased.",
            "Utility is preserved while private data and styles are removed without retraining.",
            "The influence of {} is removed from the weights by gradient ascent.",
        ),
        ("closed-form edits", "weight scrubbing", "negative guidance", "influence functions"),
    ),
    "continual": (
        ("Continual learning with {}", "Against catastrophic forgetting: {}"),
        (
            "Networks forget earlier tasks when trained on new ones; we forget less with {}.",
            "A sequence of tasks is learned with {} and a rehearsal buffer.",
            "Accuracy on old tasks is measured after each new task; models that forget are rehearsed.",
        ),
        ("rehearsal buffers", "elastic weights", "prompt pools", "task streams"),
    ),
    "training": (
        ("Training networks with {}", "Faster training by {}"),
        (
            "Networks are trained on new tasks in large models with {}.",
            "A sequence of tasks is learned from old data with {} and a rehearsal schedule.",
            "Accuracy of models on each task is measured after training with {}.",
            "Utility of large models grows with {} and weights are averaged.",
        ),
        ("warm restarts", "weight averaging", "curricula", "gradient clipping", "task streams"),
    ),
    "protection": (
        ("Unlearnable examples from {}", "Robust unlearnable examples with {}"),
        (
            "Unlearnable examples protect images by {} added to pixels.",
            "Models trained on poisoned pixels with {} reach chance accuracy.",
        ),
        ("error-minimising noise", "surrogate perturbations", "class-wise shortcuts"),
    ),
    "robots": (
        ("Grasping with {}", "A gripper that learns {}"),
        (
            "A robot arm grasps objects by {} from tactile sensors.",
            "The controller is trained in simulation with {} and moved to a real gripper.",
        ),
        ("torque control", "tactile maps", "motion primitives", "visual servoing"),
    ),
    "speech": (
        ("Speech recognition with {}", "Recognising accents by {}"),
        (
            "Phonemes are decoded from acoustic frames by {}.",
            "Word error rates fall on far-field recordings with {} and a language model.",
        ),
        ("streaming decoders", "acoustic units", "speaker embeddings", "beam search"),
    ),
    "physics": (
        ("Heat diffusion in {}", "Transport and {}"),
        (
            "The temperature field of {} obeys a partial differential equation.",
            "We measure conductivity of {} at low pressure and fit a kernel.",
        ),
        ("porous solids", "thin films", "layered crystals", "alloys"),
    ),
}


def paper(
    number: str,
    title: str,
    abstract: str,
    categories: tuple[str, ...] = ("cs.LG",),
    *,
    withdrawn: bool = False,
) -> Paper:
    """A paper with this text."""
    return Paper(
        id=number,
        version=1,
        title=title,
        abstract=abstract,
        authors=("Ada Lovelace",),
        categories=categories,
        submitted=DAY,
        updated=DAY,
        announced=date(2026, 6, 1),
        withdrawn=withdrawn,
    )


def papers_of(field: str, count: int, seed: int = 0) -> list[Paper]:
    """Papers of a field; ids are the field's name and a number."""
    titles, sentences, words = FIELDS[field]
    rng = np.random.default_rng([seed, sorted(FIELDS).index(field)])
    made = []
    for at in range(count):
        chosen = rng.permutation(len(sentences))[:3]
        filled = [sentences[each].format(words[rng.integers(len(words))]) for each in chosen]
        title = titles[at % len(titles)].format(words[rng.integers(len(words))])
        made.append(paper(f"{field}.{at:04d}", f"{title}, part {at}", " ".join(filled)))
    return made


def corpus(**counts: int) -> list[Paper]:
    """Papers of several fields: corpus(unlearning=40, robots=60)."""
    return [each for field, count in counts.items() for each in papers_of(field, count)]


@contextmanager
def archive(now: datetime) -> Iterator[Store]:
    """An archive in memory: a topic, what is silent about it, and what only looks like it."""
    papers = corpus(unlearning=30, erasure=12, continual=60)
    with Store.open("sqlite://") as opened:
        opened.add_papers("test", Page(papers=tuple(papers), cursor=None), now)
        yield opened


def vectors_of(papers: Sequence[Paper], directions: dict[str, int], dimension: int = 8) -> np.ndarray:
    """Unit vectors: papers of a field point the field's way, with a little noise."""
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 0.1, (len(papers), dimension)).astype(np.float32)
    for at, each in enumerate(papers):
        rows[at, directions[each.id.split(".")[0]]] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
