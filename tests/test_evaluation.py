"""Measuring by expert lists: what is read, what is counted, and how it is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from digest.archive import Archive
from digest.cli.base import cli
from digest.cli.evaluate import repeated
from digest.errors import InputError, UsageError
from digest.evaluation import labels
from digest.evaluation.intervals import DRAWS, Measured, draws, measured
from digest.evaluation.keys import KeyMetrics, Proposal, evaluate_keys
from digest.evaluation.labels import Truth
from digest.evaluation.ranking import evaluate_ranking, rank_metrics
from digest.keys import ranked
from digest.mentions import find_mentions
from digest.relevance import looks
from digest.sources.sample import sample
from digest.types import Topic
from fields import DAY, corpus, paper

UNLEARNING = Topic(name="unlearning", term="unlearning", seed_keys=("machine unlearning", "unlearning"))


def written(path: Path, *records: object) -> Path:
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in records))
    return path


def label(paper: str, **marks: str) -> dict[str, object]:
    return {"arxiv_id": paper, "title": "any", "labels": marks, "votes": {}, "in_corpus": True}


# Labels.


def test_labels_are_read_plain_or_gzipped_and_ids_lose_their_version(tmp_path: Path) -> None:
    plain = written(
        tmp_path / "a.jsonl", label("2401.00001v2", xai="core"), "", label("cs/9402101", xai="off")
    )
    packed = tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert labels.read_labels(plain) == labels.read_labels(packed)
    assert [each.paper for each in labels.read_labels(plain)] == ["2401.00001", "cs/9402101"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "line 2: no label: Input data was truncated"),
        ('{"arxiv_id": "2401.00002"}', "line 2: no label: Object missing required field `labels`"),
        ('{"arxiv_id": "x", "labels": {}}', "line 2: no label: not an arXiv identifier: 'x'"),
        (label("2401.00002", xai="good"), "line 2: no label: Invalid enum value 'good'"),
        (label("2401.00001", xai="off"), "line 2: 2401.00001 has another label before"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, why: str) -> None:
    path = written(tmp_path / "labels.jsonl", label("2401.00001", xai="core"), line)
    with pytest.raises(InputError) as caught:
        labels.read_labels(path)
    assert f"{path}, {why}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_paper_given_twice_alike_is_one_label(tmp_path: Path) -> None:
    once = label("2401.00001", xai="core")
    assert len(labels.read_labels(written(tmp_path / "labels.jsonl", once, once))) == 1


def test_files_that_cannot_be_read_say_so(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"x" * 1000)[:-9])
    with pytest.raises(InputError, match="damaged gzip"):
        labels.read_labels(cut)
    with pytest.raises(InputError, match="no labels"):
        labels.read_labels(written(tmp_path / "empty"))
    with pytest.raises(InputError, match="no ids"):
        labels.read_ids(written(tmp_path / "none", ""))
    with pytest.raises(InputError, match="line 2: not an arXiv identifier: 'nonsense'"):
        labels.read_ids(written(tmp_path / "ids", "2401.00001", "nonsense"))
    with pytest.raises(Exception, match="absent"):
        labels.read_ids(tmp_path / "absent")


def test_core_and_adjacent_count_mixed_does_not_and_other_topics_are_drift(tmp_path: Path) -> None:
    known = labels.read_labels(
        written(
            tmp_path / "labels.jsonl",
            {**label("2401.00001", xai="core"), "subfields": {"xai": ["shapley"]}},
            label("2401.00002", xai="adjacent", diffusion="core"),
            label("2401.00003", xai="mixed", diffusion="core"),
            label("2401.00004", xai="off"),
            label("2401.00005", diffusion="core"),
            label("2401.00006", diffusion="off"),
        )
    )
    archive = Archive([paper(f"2401.0000{at}", "Title", "Abstract") for at in range(1, 8)])
    found = labels.truth(known, "xai", (), archive)
    assert found.positive.tolist() == [True, True, False, False, False, False, False]
    assert found.ignored.tolist() == [False, False, True, False, False, False, False]
    assert found.drift.tolist() == [False, False, False, True, True, False, False]
    assert labels.truth(known, "xai", ["shapley"], archive).positive.tolist() == [True, *6 * [False]]
    labels.check_names(known, "xai", ["shapley"])
    with pytest.raises(UsageError, match="there are diffusion, xai"):
        labels.check_names(known, "xia", ())
    with pytest.raises(UsageError, match="there are shapley"):
        labels.check_names(known, "xai", ["shap"])


# Intervals.


def test_the_first_draw_is_the_papers_as_they_are() -> None:
    drawn = draws(7)
    assert drawn.shape == (7, DRAWS + 1)
    assert (drawn[:, 0] == 1).all()
    assert abs(drawn[:, 1:].mean() - 1) < 0.05


@given(st.lists(st.floats(0, 1), min_size=3, max_size=30))
def test_an_interval_lies_among_the_drawn_figures(values: list[float]) -> None:
    found = measured(values)
    assert min(values[1:]) - 1e-4 <= found.low <= found.high <= max(values[1:]) + 1e-4
    assert found.value == pytest.approx(values[0], abs=1e-4)


# Ranking.


def ranking_of(order: list[bool], named: int = 0, ignored: tuple[int, ...] = ()) -> dict[str, Measured]:
    """The metrics of papers in this order, after ``named`` ones that hold a seed key."""
    size = named + len(order)
    archive = Archive([paper(f"a.{at:03d}", f"Title {at}", "") for at in range(size)])
    is_named = np.arange(size) < named
    ignore = np.zeros(size, dtype=bool)
    ignore[[named + at for at in ignored]] = True
    truth = Truth(np.array([*named * [True], *order]), np.zeros(size, dtype=bool), ignore)
    return rank_metrics(np.linspace(1, 0, size), truth, is_named, archive)


def test_the_figures_of_a_ranking_are_those_computed_by_hand() -> None:
    found = ranking_of([True, False, False, True, False, False, False, False, False, False], named=2)
    assert found["AP"].value == pytest.approx((1 / 1 + 2 / 4) / 2)
    assert found["R1x"].value == 0.5
    assert found["R4x"].value == 1.0
    assert found["WSS@95"].value == pytest.approx(0.95 - 4 / 10)


def test_named_and_mixed_papers_take_no_place() -> None:
    assert ranking_of([False, True], named=3, ignored=(0,))["AP"].value == 1.0


def test_a_figure_lies_within_its_interval() -> None:
    found = ranking_of([at % 7 == 0 for at in range(300)], named=20)
    for name, each in found.items():
        assert each.low <= each.value <= each.high, name
        assert each.low < each.high, name


def test_papers_that_no_ranking_tells_apart_stand_as_by_chance() -> None:
    """Equal scores must not profit from the order of the ids."""
    archive = Archive([paper(f"a.{at:04d}", "Title", "") for at in range(2000)])
    first = np.arange(2000) < 200
    truth = Truth(first, np.zeros(2000, bool), np.zeros(2000, bool))
    found = rank_metrics(np.zeros(2000), truth, np.zeros(2000, bool), archive)
    assert found["AP"].value == pytest.approx(0.1, abs=0.04)


# Keys.


def key_metrics() -> KeyMetrics:
    """Rows 0-9 hold a seed key; of the silent ones 10-14 are listed, 15-17 are drift, 18 is mixed."""
    rows = np.arange(40)
    truth = Truth((rows >= 8) & (rows < 15), (rows >= 15) & (rows < 18), rows == 18)
    return KeyMetrics(truth, rows < 10)


def key(text: str, *rows: int, accepted: bool = False) -> Proposal:
    return Proposal(text, np.array(rows, dtype=np.int64), accepted)


def test_a_key_is_useful_that_adds_two_listed_papers_at_a_fair_share() -> None:
    keys = [
        key("good", 0, 1, 10, 11, 20),
        key("found before", 0, 1, 8, 9),
        key("lone", 12),
        key("thin", 13, 14, *range(19, 40)),
    ]
    found = key_metrics().measure(keys)
    assert found["useful@20"].value == pytest.approx(1 / 20)
    assert found["useful@50"].value == pytest.approx(1 / 50)
    assert found["newP@20"].value == pytest.approx((2 / 3 + 0 + 1 + 2 / 23) / 20, abs=1e-4)


def test_mixed_papers_count_neither_for_nor_against_a_key() -> None:
    found = key_metrics().measure([key("one", 10, 18)])
    assert found["newP@20"].value == pytest.approx(1 / 20)


def test_keys_that_do_not_fit_the_budget_are_passed_over() -> None:
    keys = [key("small", 10, 11), key("large", *range(12, 40)), key("next", 12, 13)]
    found = key_metrics().measure(keys)
    assert found["silR@2x"].value == pytest.approx(4 / 5)
    assert found["silR@5x"].value == 1.0


def test_drift_and_what_acceptance_would_do_are_told() -> None:
    keys = [key("one", 0, 10, 11, 15, 30, accepted=True), key("other", 12, 16, 17)]
    found = key_metrics().measure(keys)
    assert found["off"].value == 0.5
    assert found["accepted"].value == pytest.approx(2 / 3, abs=1e-4)
    assert found["growth"].value == pytest.approx(1.4)


def test_keys_in_words_tell_what_they_add() -> None:
    metrics = key_metrics()
    assert metrics.tell(key("concept erasure", 0, 10, 11, 15, 30)) == "concept erasure (+4, 2 listed, 1 off)"
    assert metrics.tell(key("x", 10, accepted=True)) == "x (+1, 1 listed, 0 off, accepted)"


def test_without_a_key_there_is_nothing_but_zeros() -> None:
    found = key_metrics().measure([])
    assert found["useful@20"] == Measured(0, 0, 0)
    assert found["growth"].value == 1


# All together.


@pytest.fixture(scope="module")
def archive() -> Archive:
    return Archive.build(
        corpus(training=160, unlearning=60, erasure=20, continual=40, robots=60, speech=40, physics=40)
    )


@pytest.fixture(scope="module")
def truth(archive: Archive) -> Truth:
    fields = np.array([each.id.split(".")[0] for each in archive.papers])
    return Truth(np.isin(fields, ["unlearning", "erasure"]), fields == "continual", fields == "none")


def test_our_ranking_and_the_baselines_are_measured_alike(archive: Archive, truth: Truth) -> None:
    named = find_mentions(UNLEARNING, (), archive).named
    methods = evaluate_ranking(archive, UNLEARNING.seed_keys, named, truth, looks(UNLEARNING, (), archive))
    assert [each.name for each in methods] == ["digest", "TF-IDF SVM (arxiv-sanity)", "centroid", "RM3"]
    assert all(list(each.values) == ["AP", "R1x", "R4x", "WSS@95"] for each in methods)
    assert all(each.values["AP"].value > 0.2 for each in methods), "each finds erasure, by its words"
    assert methods[0].values["AP"].value > 0.9


def test_our_keys_and_the_baselines_are_measured_alike(archive: Archive, truth: Truth) -> None:
    named = find_mentions(UNLEARNING, (), archive).named
    ours = ranked(UNLEARNING, (), archive, 100)
    methods = evaluate_keys(archive, UNLEARNING.seed_keys, named, truth, ours)
    assert [each.name for each in methods] == [
        "digest",
        "Fightin' words",
        "NPMI",
        "node strength (litsearchr)",
    ]
    for each in methods:
        assert each.listed
        assert not any("nlearning" in told for told in each.listed), "a seed key is no candidate"


# The command line.


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--seed", "a", "b", "--json"], ["--seed", "a", "--seed", "b", "--json"]),
        (["--seed", "a", "--seed", "b"], ["--seed", "a", "--seed", "b"]),
        (["--ids", "f", "--seed", "a b", "c"], ["--ids", "f", "--seed", "a b", "--seed", "c"]),
        (["--seed=a", "--topic", "t"], ["--seed=a", "--topic", "t"]),
        ([], []),
    ],
)
def test_an_option_takes_several_values(given: list[str], meant: list[str]) -> None:
    assert repeated(given, {"--seed"}) == meant


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    papers = [each for page in sample().fetch(None, DAY) for each in page.papers]
    marks = ["core" if "unlearn" in each.text or "erasure" in each.text else "off" for each in papers]
    written(folder / "labels.jsonl", *(label(p.id, unlearning=m) for p, m in zip(papers, marks, strict=True)))
    written(folder / "ids.txt", *(each.id for each in papers))
    assert run(folder, "crawl", "--source", "sample", "--as-of", "2026-08-01")[0] == 0
    return folder


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli, ["--home", str(folder), *arguments])
    return done.exit_code, done.output, str(done.exception or "")


@pytest.mark.parametrize("what", ["keys", "ranking"])
def test_the_command_prints_a_table_or_json(home: Path, what: str) -> None:
    lists = ["--labels", f"{home}/labels.jsonl", "--topic", "unlearning", "--ids", f"{home}/ids.txt"]
    seeds = ["--seed", "machine unlearning", "unlearning"]
    code, said, _ = run(home, "evaluate", what, *lists, *seeds)
    assert code == 0
    assert f"{what} for unlearning from machine unlearning, unlearning" in said
    assert "listed and silent" in said
    found = json.loads(run(home, "evaluate", what, *lists, *seeds, "--json")[1])
    first = found["methods"][0]
    assert first["name"] == "digest"
    assert {"value", "low", "high"} == set(next(iter(first["values"].values())))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (["--topic", "xai", "--seed", "XAI"], "no label names it; there are unlearning"),
        (["--topic", "unlearning", "--seed", "no such phrase"], "none of the"),
        (["--topic", "unlearning", "--seed", "..."], "no word in it"),
        (["--topic", "unlearning", "--seed", "unlearning", "--subfield", "x"], "the labels give none"),
        (["--topic", "unlearning", "--seed", "unlearning", "--ids", "absent"], "absent"),
    ],
)
def test_wrong_use_is_one_clear_line(home: Path, wrong: list[str], why: str) -> None:
    code, _, error = run(home, "evaluate", "keys", "--labels", f"{home}/labels.jsonl", *wrong)
    assert code != 0
    assert why in error
    assert "\n" not in error
