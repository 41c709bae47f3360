"""The vector index: right answers whatever is added, replaced, damaged or killed."""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import digest.index
from digest.index import Newest, Stored, VectorIndex, Vectors, open_index, unfit
from digest.index.files import BLOCK
from digest.store import Store
from stored import NOW, page, paper

F32 = npt.NDArray[np.float32]
FEW = 600  # the limit of exact search in these tests
MODEL = "a-model"


def name(number: int) -> bytes:
    return number.to_bytes(16, "little")


class Archive:
    """Vectors around a few centres, numbered 7, 10, 13, ... and named by their numbers; remembers what
    was read of it."""

    def __init__(self, count: int, dimension: int = 32, seed: int = 0) -> None:
        dice = np.random.default_rng(seed)
        centres = dice.standard_normal((20, dimension))
        rows = centres[dice.integers(20, size=count)] + dice.standard_normal((count, dimension))
        self.rows: F32 = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        self.numbers = np.arange(count, dtype=np.int64) * 3 + 7
        self.held = count
        self.read = 0

    def since(self, number: int) -> Iterator[Stored]:
        first = int(np.searchsorted(self.numbers, number))
        for start in range(first, self.held, 250):
            end = min(start + 250, self.held)
            self.read += end - start
            numbers = self.numbers[start:end]
            yield Stored(numbers, [name(number) for number in numbers.tolist()], self.rows[start:end])

    def vectors(self, model: str = MODEL) -> Vectors:
        last = int(self.numbers[self.held - 1])
        return Vectors(model, self.rows.shape[1], Newest(last, name(last)), self.since)

    def open(self, folder: Path, *, fast: bool = False) -> VectorIndex:
        return open_index(folder, self.vectors(), fast=fast)

    def nearest(self, query: F32, k: int) -> list[bytes]:
        order = np.argsort(-(self.rows[: self.held] @ query), kind="stable")[:k]
        return [name(number) for number in self.numbers[order].tolist()]


def recall(archive: Archive, index: VectorIndex, queries: F32, k: int = 10) -> float:
    found = [len(index.nearest(query, k).keys() & set(archive.nearest(query, k))) / k for query in queries]
    return sum(found) / len(found)


def is_right(archive: Archive, index: VectorIndex) -> bool:
    """Whether each of ten vectors, the last among them, is found first and with a cosine of one, and most
    of its neighbours with it."""
    places = np.linspace(0, archive.held - 1, 10).astype(int)
    for place in places:
        text, cosine = next(iter(index.nearest(archive.rows[place], 5).items()))
        if text != name(int(archive.numbers[place])) or abs(cosine - 1) > 5e-3:
            return False
    return len(index) == archive.held and recall(archive, index, archive.rows[places]) > 0.9


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest.index, "EXACT_UP_TO", FEW)


both = pytest.mark.parametrize("count", [500, 3000], ids=["exact", "bytes"])
ways = pytest.mark.parametrize("fast", [False, True], ids=["numpy", "faiss"])


# answers


@ways
def test_the_nearest_come_first_with_their_cosine(tmp_path: Path, *, fast: bool) -> None:
    archive = Archive(500)
    index = archive.open(tmp_path, fast=fast)
    for row in archive.rows[:20]:
        found = index.nearest(row, 5)
        assert list(found) == archive.nearest(row, 5)
        assert list(found.values()) == pytest.approx(np.sort(archive.rows @ row)[::-1][:5], abs=1e-6)
        assert max(found.values()) <= 1


@ways
def test_beyond_the_limit_nearly_the_same_is_found_in_a_third_of_the_bytes(
    tmp_path: Path, *, fast: bool
) -> None:
    archive = Archive(20_000, dimension=64)
    index = archive.open(tmp_path, fast=fast)
    assert recall(archive, index, archive.rows[:50]) > 0.95
    size = sum(file.stat().st_size for file in tmp_path.iterdir())
    assert size < archive.rows.nbytes * 0.55
    assert max(index.nearest(archive.rows[3], 5).values()) <= 1


def test_both_ways_beyond_the_limit_give_the_same_cosines(tmp_path: Path) -> None:
    archive = Archive(3000)
    slow, fast = archive.open(tmp_path), archive.open(tmp_path, fast=True)
    for row in archive.rows[:20]:
        assert slow.nearest(row, 5) == pytest.approx(fast.nearest(row, 5))


@both
@ways
def test_all_can_be_asked_for_and_no_more_than_there_are(tmp_path: Path, count: int, *, fast: bool) -> None:
    archive = Archive(count)
    index = archive.open(tmp_path, fast=fast)
    found = index.nearest(archive.rows[0], count + 100)
    assert sorted(found) == sorted(map(name, archive.numbers.tolist()))
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_a_single_vector_is_an_index(tmp_path: Path) -> None:
    archive = Archive(1)
    assert list(archive.open(tmp_path).nearest(archive.rows[0], 10)) == [name(7)]


@both
def test_a_dimension_that_is_no_multiple_of_anything_is_served(tmp_path: Path, count: int) -> None:
    archive = Archive(count, dimension=37)
    assert is_right(archive, archive.open(tmp_path))
    assert is_right(archive, archive.open(tmp_path, fast=True))


@pytest.mark.parametrize(("shape", "k"), [((31,), 3), ((1, 32), 3), ((32,), 0)])
def test_a_query_of_the_wrong_shape_is_a_mistake_of_the_caller(
    tmp_path: Path, shape: tuple[int, ...], k: int
) -> None:
    with pytest.raises(ValueError, match="not"):
        Archive(500).open(tmp_path).nearest(np.zeros(shape, np.float32), k)


def test_vectors_that_are_all_the_same_are_all_found(tmp_path: Path) -> None:
    archive = Archive(3000)
    archive.rows[:] = archive.rows[0]
    assert len(archive.open(tmp_path).nearest(archive.rows[0], 200)) == 200


# adding


@both
@ways
def test_a_day_costs_a_day(tmp_path: Path, count: int, *, fast: bool) -> None:
    archive = Archive(count)
    archive.held = count - 80
    archive.open(tmp_path, fast=fast)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("rows-*")}
    archive.held, archive.read = count, 0
    index = archive.open(tmp_path, fast=fast)
    assert archive.read == 81  # and the last one before, to see that it is the same database
    assert is_right(archive, index)
    after = {file.name: file.read_bytes() for file in tmp_path.glob("rows-*")}
    assert before.keys() == after.keys()
    assert all(after[file].startswith(data) for file, data in before.items())
    archive.open(tmp_path, fast=fast)
    assert archive.read == 81


def test_sign_bits_go_on_where_a_block_was_left(tmp_path: Path) -> None:
    archive = Archive(2 * BLOCK + 100, dimension=64)
    for held in (900, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 100):
        archive.held = held
        index = archive.open(tmp_path)
        for place in (0, 899, held // 2, held - 1):
            assert list(index.nearest(archive.rows[place], 1)) == [name(int(archive.numbers[place]))]
    assert archive.read == archive.held + 4  # never built anew


def test_an_archive_that_outgrows_exact_search_is_kept_as_bytes(tmp_path: Path) -> None:
    archive = Archive(FEW + 1)
    archive.held = FEW
    archive.open(tmp_path)
    assert kind(tmp_path) == "exact"
    archive.held = FEW + 1
    assert is_right(archive, archive.open(tmp_path))
    assert kind(tmp_path) == "bytes"
    assert len(list(tmp_path.glob("rows-*"))) == 1


def kind(folder: Path) -> str:
    return str(json.loads((folder / "index.json").read_text())["kind"])


def test_a_fresh_process_reads_a_part_of_a_large_index_only(tmp_path: Path) -> None:
    archive = Archive(30_000, dimension=64)
    archive.open(tmp_path)

    def read_so_far() -> int:
        return int(Path("/proc/self/io").read_text().split()[1])

    before = read_so_far()
    archive.open(tmp_path).nearest(archive.rows[0], 10)
    (rows,) = tmp_path.glob("rows-*")
    assert read_so_far() - before < rows.stat().st_size / 3


# the files are only a cache


def truncate(part: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(file_of(folder, part), 100)


def file_of(folder: Path, part: str) -> Path:
    (file,) = folder.glob(f"{part}*")
    return file


def flip(part: str, place: float) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = file_of(folder, part)
        data = bytearray(file.read_bytes())
        data[int(place * (len(data) - 1))] ^= 0x10
        file.write_bytes(data)

    return act


def zero(part: str) -> Callable[[Path], None]:
    """What a file system may leave after a loss of power: the length, and nothing in it."""
    return lambda folder: (
        file_of(folder, part).write_bytes(bytes(file_of(folder, part).stat().st_size)) and None
    )


def label(**fields: object) -> Callable[[Path], None]:
    def act(folder: Path) -> None:
        file = folder / "index.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | fields))

    return act


def write(file: str, text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / file).write_text(text) and None


def remove(part: str) -> Callable[[Path], None]:
    return lambda folder: file_of(folder, part).unlink()


DAMAGES = {
    "rows cut": truncate("rows"),
    "signs cut": truncate("signs"),
    "first row": flip("rows", 0),
    "row": flip("rows", 0.3),
    "sign": flip("signs", 0.05),
    "no rows": zero("rows"),
    "no signs": zero("signs"),
    "rows gone": remove("rows"),
    "signs gone": remove("signs"),
    "label gone": remove("index.json"),
    "fewer": label(count=499),
    "other model": label(model="m@0"),
    "other dimension": label(dimension=15),
    "no number": label(last="no number"),
    "empty label": write("index.json", ""),
    "list": write("index.json", "[]"),
    "half a label": write("index.json", '{"model": "m@1"'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_rebuilt_with_one_line_and_the_same_answers(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(9000)
    archive.open(tmp_path)
    DAMAGES[damage](tmp_path)
    archive.read = 0
    with caplog.at_level(logging.INFO, "digest.index"):
        index = archive.open(tmp_path)
        for row in archive.rows[::200]:  # what is read is checked when it is read
            index.nearest(row, 5)
        assert is_right(archive, index)
        assert is_right(archive, archive.open(tmp_path))
    assert archive.read == 9000
    (line,) = caplog.records
    assert (line.message, line.levelname) == ("index rebuilt", "INFO")
    assert line.__dict__["why"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_by_who_looks_for_it(tmp_path: Path, damage: str) -> None:
    archive = Archive(3000)
    archive.open(tmp_path)
    assert unfit(tmp_path, archive.vectors()) is None
    DAMAGES[damage](tmp_path)
    assert unfit(tmp_path, archive.vectors())


@pytest.mark.parametrize("place", [0, 0.2, 0.5, 0.9, 1])
def test_a_damaged_exact_index_is_rebuilt(tmp_path: Path, place: float) -> None:
    archive = Archive(500)
    archive.open(tmp_path)
    flip("rows", place)(tmp_path)
    assert is_right(archive, archive.open(tmp_path))
    assert archive.read == 1000


@pytest.mark.parametrize("damage", [truncate("fast.faiss"), flip("fast.faiss", 0.5), write("fast.json", "{")])
def test_damaged_codes_are_made_again_from_the_rows(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    archive = Archive(3000)
    archive.open(tmp_path, fast=True)
    damage(tmp_path)
    assert is_right(archive, archive.open(tmp_path, fast=True))
    assert archive.read == 3000


@both
@pytest.mark.parametrize("left", [0, 100, 100 * 160])
def test_an_index_cut_short_while_it_is_open_is_rebuilt(tmp_path: Path, count: int, left: int) -> None:
    archive = Archive(count)
    index = archive.open(tmp_path)
    size = index._files.label.layout.itemsize
    os.truncate(file_of(tmp_path, "rows"), left // 160 * size if left > 100 else left)  # whole records too
    assert is_right(archive, index)


def test_an_open_index_answers_on_while_it_is_added_to_and_replaced(tmp_path: Path) -> None:
    archive = Archive(3000)
    archive.held = 2000
    index = archive.open(tmp_path)
    archive.held = 3000
    archive.open(tmp_path)
    open_index(tmp_path, Archive(50, seed=9).vectors("another"))
    archive.held = 2000
    assert is_right(archive, index)


def test_another_model_means_another_index(tmp_path: Path) -> None:
    Archive(500).open(tmp_path)
    other = Archive(400, seed=1, dimension=8)
    assert is_right(other, open_index(tmp_path, other.vectors("other")))
    assert other.read == 400


@pytest.mark.parametrize("held", [300, 500, 600])
def test_a_database_with_another_history_means_another_index(tmp_path: Path, held: int) -> None:
    """A backup was put back, and other papers were embedded since: fewer, as many, more."""
    Archive(500).open(tmp_path)
    other = Archive(600, seed=1)
    other.held = held
    other.numbers += 1
    assert is_right(other, other.open(tmp_path))


def test_what_an_older_version_or_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    for left in ("index.faiss", "rows-00000000", "signs-00000000", ".index.json-1.tmp"):
        (tmp_path / left).write_text("left")
    Archive(500).open(tmp_path)
    assert {file.name.split("-")[0] for file in tmp_path.iterdir()} == {"index.json", "index.lock", "rows"}


# a folder that cannot be written


@both
@ways
def test_without_a_folder_the_index_is_in_memory_and_a_warning_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, count: int, *, fast: bool
) -> None:
    archive = Archive(count)
    (tmp_path / "file").write_text("in the way")
    assert is_right(archive, archive.open(tmp_path / "file", fast=fast))
    assert {line.message for line in caplog.records if line.levelname == "WARNING"} <= {
        "index not stored, it will be rebuilt next time",
        "fast index not stored",
    }
    assert caplog.records


def test_a_full_disk_leaves_the_old_files_and_nothing_half_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The disk's end is played by a limit on the size of files: write(2) fails in the middle."""
    archive, other = Archive(500), Archive(3000, seed=1)
    archive.open(tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        index = open_index(tmp_path, other.vectors("other"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert is_right(other, index)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files
    (warning,) = [line for line in caplog.records if line.levelname == "WARNING"]
    assert "\n" not in warning.__dict__["why"]


def test_an_archive_that_cannot_be_read_leaves_the_old_index(tmp_path: Path) -> None:
    archive = Archive(500)
    archive.open(tmp_path)
    files = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def since(number: int) -> Iterator[Stored]:
        yield next(archive.since(number))
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError, match="went away"):
        open_index(tmp_path, archive.vectors("other")._replace(since=since))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == files


# processes


def kill_at_each_step(folder: Path) -> None:
    """Adds 200 vectors to an index of 2,800, killed before each call that files.py makes, one child process
    for each; after each kill the index must be the old one or the new one and become right. What the
    one before left behind the end of the files stays there."""
    digest.index.EXACT_UP_TO = FEW
    os.fsync = lambda _: None
    archive = Archive(3000)
    archive.held = 2800
    archive.open(folder)
    archive.held = 3000
    before = (folder / "index.json").read_bytes()
    for step in range(10_000):
        (folder / "index.json").write_bytes(before)
        if (child := os.fork()) == 0:
            sys.setprofile(_Killer(step))
            open_index(folder, archive.vectors())
            os._exit(0)
        ended = os.waitpid(child, 0)[1] == 0
        count = json.loads((folder / "index.json").read_text())["count"]
        archive.read = 0
        assert list(archive.open(folder).nearest(archive.rows[-1], 1)) == [name(9004)]
        assert (count, archive.read) in ((2800, 201), (3000, 0)), (step, count, archive.read)
        if ended:
            print(step)
            return


class _Killer:
    def __init__(self, steps: int) -> None:
        self.left = steps

    def __call__(self, frame: object, event: str, argument: object) -> None:
        if event == "c_call" and frame.f_code.co_filename.endswith("index/files.py"):  # type: ignore[attr-defined]
            self.left -= 1
            if self.left < 0:
                os._exit(9)


def test_killed_at_any_step_of_adding_the_index_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    ran = run(f"import test_index, pathlib; test_index.kill_at_each_step(pathlib.Path({str(tmp_path)!r}))")
    assert int(ran) > 50


def write_in_turns(folder: Path, seed: int) -> None:
    digest.index.EXACT_UP_TO = FEW
    archive = Archive(2000, seed=seed)
    for _ in range(3):
        assert is_right(archive, open_index(folder, archive.vectors(str(seed))))


def test_processes_that_rebuild_at_once_all_have_right_answers(tmp_path: Path) -> None:
    """Three writers of different models in one folder; each must see its own archive only."""
    writers = [
        start(
            f"import test_index, pathlib; test_index.write_in_turns(pathlib.Path({str(tmp_path)!r}), {seed})"
        )
        for seed in (1, 2, 3)
    ]
    assert [writer.communicate(timeout=60) and writer.returncode for writer in writers] == [0, 0, 0]
    assert len(list(tmp_path.glob("rows-*"))) == 1


def start(code: str) -> subprocess.Popen[str]:
    root = Path(__file__).parents[1]
    env = os.environ | {"PYTHONPATH": f"{root / 'src'}:{root / 'tests'}"}
    env |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=env, text=True, stdout=subprocess.PIPE)


def run(code: str) -> str:
    process = start(code)
    out, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return out


def test_a_single_query_loads_no_faiss(tmp_path: Path) -> None:
    archive = f"test_index.Archive(3000).open(pathlib.Path({str(tmp_path)!r}))"
    code = f"import sys, pathlib, test_index; {archive}; print('faiss' in sys.modules)"
    assert run(code) == "False\n"


# with the store: what papers say now


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """Steps of an archive: a paper gets a text (its first, a new one, or one it had), vectors are made of
    what has none, the index is asked."""
    step = st.tuples(st.sampled_from(["text", "text", "embed", "ask"]), st.integers(1, 6), st.integers(0, 3))
    return [*draw(st.lists(step, max_size=25)), ("embed", 1, 0), ("ask", 1, 0)]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "digest.sqlite3"
    with Store.open(f"sqlite:///{file}") as store:
        store.ensure_model(MODEL, 8)
    return file


@settings(max_examples=15, deadline=None)
@given(history=histories(), limit=st.sampled_from([3, 100]))
def test_after_any_history_the_index_says_what_a_search_in_full_says(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, history: list[tuple[str, int, int]], limit: int
) -> None:
    folder = tmp_path_factory.mktemp("history")
    digest.index.EXACT_UP_TO = limit
    versions = dict.fromkeys(range(1, 7), 0)
    dice = np.random.default_rng(0)
    shutil.copy(empty, folder)
    with Store.open(f"sqlite:///{folder}/digest.sqlite3") as store:
        for what, number, text in history:
            if what == "text":
                versions[number] += 1
                changed = paper(number, version=versions[number], title=f"Title {text}")
                store.add_papers("oai", page(changed), NOW)
            elif what == "embed":
                for batch in store.texts_without_vector(MODEL, 2):
                    rows = dice.standard_normal((len(batch), 8)).astype(np.float32)
                    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
                    store.add_vectors(MODEL, zip([text_hash for text_hash, _ in batch], rows, strict=True))
            elif newest := store.newest_vector(MODEL):
                asked = dice.standard_normal(8).astype(np.float32)
                asked /= np.linalg.norm(asked)
                source = Vectors(
                    MODEL,
                    8,
                    Newest(*newest),
                    lambda n: (Stored(*b) for b in store.vectors_since(MODEL, n, 2)),
                )
                found = open_index(folder / "index", source).nearest(asked, 99)
                said = {number: found[text] for number, text in store.papers_with_texts(list(found))}
                assert said == pytest.approx(in_full(store, asked), abs=0.02)


def in_full(store: Store, asked: F32) -> dict[int, float]:
    """The cosine of each paper that has a vector of its text now."""
    numbers = store.paper_numbers([paper(number).id for number in range(1, 7)])
    ids, vectors = store.vectors(MODEL, list(numbers))
    return {numbers[id_]: float(row @ asked) for id_, row in zip(ids, vectors, strict=True)}


@pytest.mark.gpu
@both
def test_a_gpu_gives_the_same_answers(tmp_path: Path, count: int) -> None:
    faiss = pytest.importorskip("faiss")
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        pytest.skip("no GPU that FAISS can use")
    archive = Archive(count)
    index = archive.open(tmp_path, fast=True)
    assert is_right(archive, index)
    assert len(index.nearest(archive.rows[0], count)) == count
