"""The vector index: right answers, whatever happened to its files."""

from __future__ import annotations

import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import digest.index
from digest.index import EXACT_UP_TO, VectorIndex, open_index

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]


class Archive:
    """Normalised random vectors with numbers 7, 10, 13, ..., given in blocks; counts how often."""

    def __init__(self, count: int, dimension: int = 16, seed: int = 0) -> None:
        dice = np.random.default_rng(seed)
        rows = dice.standard_normal((count, dimension), dtype=np.float32)
        self.rows: F32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        self.numbers = np.arange(count, dtype=np.int64) * 3 + 7
        self.dimension = dimension
        self.read = 0

    def __call__(self) -> Iterator[tuple[I64, F32]]:
        self.read += 1
        for start in range(0, len(self.numbers), 1000):
            yield self.numbers[start : start + 1000], self.rows[start : start + 1000]

    def open(self, folder: Path, state: str = "1", model: str = "m@1") -> VectorIndex:
        return open_index(folder, model, self.dimension, state, self)

    def nearest(self, query: F32, k: int) -> list[list[int]]:
        order = np.argsort(-(query @ self.rows.T), axis=1)[:, :k]
        return self.numbers[order].tolist()


@pytest.fixture
def archive() -> Archive:
    return Archive(500)


def test_the_nearest_come_first_with_their_cosine(archive: Archive, tmp_path: Path) -> None:
    similarities, numbers = archive.open(tmp_path).search(archive.rows[:20], 5)
    assert similarities.dtype == np.float32
    assert numbers.dtype == np.int64
    assert numbers.tolist() == archive.nearest(archive.rows[:20], 5)
    np.testing.assert_allclose(similarities[:, 0], 1, atol=1e-6)
    assert similarities.max() <= 1
    assert (np.diff(similarities) <= 0).all()


def test_what_is_not_there_is_number_minus_one(tmp_path: Path) -> None:
    archive = Archive(3)
    index = archive.open(tmp_path)
    assert len(index) == 3
    similarities, numbers = index.search(archive.rows[:1], 5)
    assert numbers[0, 3:].tolist() == [-1, -1]
    assert (similarities[0, 3:] == -np.inf).all()


def test_an_empty_archive_has_an_empty_index(tmp_path: Path) -> None:
    empty = Archive(0)
    for _ in range(2):  # built, then read
        index = empty.open(tmp_path)
        similarities, numbers = index.search(Archive(2).rows, 3)
        assert len(index) == 0
        assert (numbers == -1).all()
        assert similarities.shape == numbers.shape == (2, 3)
    assert empty.read == 1


def test_no_queries_have_no_answers(archive: Archive, tmp_path: Path) -> None:
    _, numbers = archive.open(tmp_path).search(np.empty((0, 16), np.float32), 4)
    assert numbers.shape == (0, 4)


@pytest.mark.parametrize(("shape", "k"), [((1, 15), 3), ((16,), 3), ((1, 16), 0)])
def test_a_query_of_the_wrong_shape_is_a_mistake_of_the_caller(
    archive: Archive, tmp_path: Path, shape: tuple[int, ...], k: int
) -> None:
    with pytest.raises(ValueError, match="not"):
        archive.open(tmp_path).search(np.zeros(shape, np.float32), k)


def test_all_can_be_asked_for(archive: Archive, tmp_path: Path) -> None:
    _, numbers = archive.open(tmp_path).search(archive.rows[:2], len(archive.numbers))
    assert sorted(numbers[1]) == archive.numbers.tolist()


# beyond exact search


def test_a_large_archive_is_kept_as_bytes_and_finds_nearly_the_same(tmp_path: Path) -> None:
    archive = Archive(EXACT_UP_TO + 1, dimension=32)
    archive.open(tmp_path)
    index = archive.open(tmp_path)
    assert archive.read == 1
    assert json.loads((tmp_path / "index.json").read_text())["kind"] == "sq8"
    assert (tmp_path / "index.faiss").stat().st_size < archive.rows.nbytes / 2
    query = archive.rows[:50]
    similarities, numbers = index.search(query, 10)
    wanted = archive.nearest(query, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(numbers.tolist(), wanted, strict=True)])
    assert recall > 0.95
    assert numbers[:, 0].tolist() == archive.numbers[:50].tolist()
    assert similarities.max() <= 1


def test_up_to_the_limit_search_is_exact(tmp_path: Path) -> None:
    Archive(EXACT_UP_TO, dimension=4).open(tmp_path)
    assert json.loads((tmp_path / "index.json").read_text())["kind"] == "flat"


# the files are only a cache


def answers(archive: Archive, index: VectorIndex) -> list[list[int]]:
    return index.search(archive.rows[:10], 5)[1].tolist()


def test_an_index_that_fits_is_not_built_again(archive: Archive, tmp_path: Path) -> None:
    first = answers(archive, archive.open(tmp_path))
    assert answers(archive, archive.open(tmp_path)) == first == archive.nearest(archive.rows[:10], 5)
    assert archive.read == 1


def truncate(folder: Path) -> None:
    os.truncate(folder / "index.faiss", 100)


def flip(place: float) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        data = bytearray((folder / "index.faiss").read_bytes())
        data[int(place * (len(data) - 1))] ^= 0x10
        (folder / "index.faiss").write_bytes(data)

    return act


def lengthen(folder: Path) -> None:
    with (folder / "index.faiss").open("ab") as file:
        file.write(b"more")


def swap(folder: Path) -> None:
    """The index of one archive beside the label of another, as two writers may leave it."""
    label = (folder / "index.json").read_bytes()
    Archive(400, seed=5).open(folder, state="other")
    (folder / "index.json").write_bytes(label)


def label(**fields: object) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / "index.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return act


def write(name: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(text) and None


def remove(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        *(flip(place) for place in (0, 0.001, 0.3, 0.7, 1)),
        lengthen,
        swap,
        label(faiss="1.0.0"),
        label(count=499),
        label(state="0"),
        label(model="m@0"),
        label(dimension=15),
        label(crc32="no number"),
        write("index.json", ""),
        write("index.json", "[]"),
        write("index.json", '{"model": "m@1"'),
        write("index.faiss", ""),
        remove("index.faiss"),
        remove("index.json"),
        remove("index.json", "index.faiss"),
    ],
)
def test_a_damaged_index_is_rebuilt_with_the_same_answers(
    archive: Archive, tmp_path: Path, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = answers(archive, archive.open(tmp_path))
    damage(tmp_path)
    caplog.clear()
    with caplog.at_level(logging.INFO, "digest.index"):
        assert answers(archive, archive.open(tmp_path)) == before
        assert answers(archive, archive.open(tmp_path)) == before
    assert archive.read == 2
    (line,) = caplog.records
    assert (line.message, line.levelname) == ("index rebuilt", "INFO")
    assert line.__dict__["why"]


@pytest.mark.parametrize(("model", "state"), [("m@2", "1"), ("m@1", "2")])
def test_another_model_or_state_means_another_index(
    archive: Archive, tmp_path: Path, model: str, state: str
) -> None:
    archive.open(tmp_path)
    newer = Archive(600, seed=1)
    index = newer.open(tmp_path, state, model)
    assert answers(newer, index) == newer.nearest(newer.rows[:10], 5)
    assert newer.read == 1


def test_an_index_of_another_dimension_is_rebuilt(archive: Archive, tmp_path: Path) -> None:
    archive.open(tmp_path)
    other = Archive(100, dimension=8)
    assert answers(other, other.open(tmp_path)) == other.nearest(other.rows[:10], 5)


def test_an_open_index_answers_on_while_its_file_is_cut_short_and_replaced(
    archive: Archive, tmp_path: Path
) -> None:
    archive.open(tmp_path)
    index = archive.open(tmp_path)
    truncate(tmp_path)
    assert answers(archive, index) == archive.nearest(archive.rows[:10], 5)
    Archive(50, seed=9).open(tmp_path, state="2")
    assert answers(archive, index) == archive.nearest(archive.rows[:10], 5)


# a folder that cannot be written


def test_without_a_folder_the_index_is_in_memory_and_a_warning_says_so(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    index = archive.open(tmp_path / "file")
    assert answers(archive, index) == archive.nearest(archive.rows[:10], 5)
    assert [line.message for line in caplog.records if line.levelname == "WARNING"] == [
        "index not stored, it will be rebuilt next time"
    ]


@pytest.mark.parametrize("name", ["index.faiss", "index.json"])
def test_a_folder_in_the_place_of_a_file_does_not_stop_the_search(
    archive: Archive, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    assert answers(archive, archive.open(tmp_path)) == archive.nearest(archive.rows[:10], 5)


def test_a_full_disk_leaves_the_old_files_and_nothing_half_written(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk's end is played by a limit on the size of files: write(2) fails in the middle."""
    archive.open(tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        index = archive.open(tmp_path, state="2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answers(archive, index) == archive.nearest(archive.rows[:10], 5)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files
    (warning,) = [line for line in caplog.records if line.levelname == "WARNING"]
    assert "\n" not in warning.__dict__["why"]


def test_what_a_killed_writer_left_is_swept_away_and_what_one_is_writing_is_not(
    archive: Archive, tmp_path: Path
) -> None:
    old, young = tmp_path / ".index-old.tmp", tmp_path / ".index-young.tmp"
    old.write_text("half an index")
    young.write_text("half an index")
    os.utime(old, (time.time() - 7200,) * 2)
    archive.open(tmp_path)
    assert not old.exists()
    assert young.exists()


def test_an_archive_that_cannot_be_read_leaves_the_old_index(archive: Archive, tmp_path: Path) -> None:
    archive.open(tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def rows() -> Iterator[tuple[I64, F32]]:
        yield archive.numbers[:10], archive.rows[:10]
        raise OSError("the database went away")

    with pytest.raises(OSError, match="went away"):
        open_index(tmp_path, "m@1", 16, "2", rows)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


WRITER = """
import sys
from pathlib import Path
from test_index import Archive, answers
archive = Archive(2000, seed=int(sys.argv[2]))
for turn in range(10):
    index = archive.open(Path(sys.argv[1]), state=f"{sys.argv[2]}")
    assert answers(archive, index) == archive.nearest(archive.rows[:10], 5)
"""


def test_processes_that_rebuild_at_once_all_have_right_answers(tmp_path: Path) -> None:
    """Three writers of different states in one folder; each must see its own archive only."""
    root = Path(__file__).parents[1]
    env = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root / 'tests'}", "OMP_NUM_THREADS": "1"}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, str(seed)], env=env) for seed in (1, 2, 3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["index.faiss", "index.json"]
    archive = Archive(2000, seed=4)
    assert answers(archive, archive.open(tmp_path, state="4")) == archive.nearest(archive.rows[:10], 5)


def test_importing_the_module_loads_no_faiss() -> None:
    code = "import sys, digest.index; print('faiss' in sys.modules)"
    env = {"PYTHONPATH": str(Path(digest.index.__file__).parents[1])}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert run.stdout == "False\n"


@pytest.mark.gpu
def test_a_gpu_gives_the_same_answers(archive: Archive, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        pytest.skip("no GPU that FAISS can use")
    large = Archive(5000)
    index = large.open(tmp_path)
    assert answers(large, index) == large.nearest(large.rows[:10], 5)
    assert sorted(index.search(large.rows[:1], 5000)[1][0]) == large.numbers.tolist()
