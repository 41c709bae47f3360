"""Vectors carried in a file: what is taken, what is left, what is refused."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest import config, vectors
from digest.actions import vectors as actions
from digest.app import App
from digest.errors import InputError, UsageError
from digest.report import vectors as report
from digest.store.papers import text_hash
from stored import NOW, page, paper

F32 = npt.NDArray[np.float32]


def unit(count: int, dimension: int = 384, seed: int = 0) -> F32:
    rows = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def names(count: int) -> list[bytes]:
    return [number.to_bytes(16, "big") for number in range(count)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some.safetensors"
    vectors.write(path, "m@1", 8, [(names(100), unit(100, 8))])
    return path


# the file


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(0, 20), max_size=4), dimension=st.integers(1, 9), model=st.text(max_size=20)
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], dimension: int, model: str
) -> None:
    path = tmp_path_factory.mktemp("carried") / "file"
    texts, rows = names(sum(sizes)), unit(sum(sizes), dimension)
    ends = np.cumsum(sizes).tolist()
    blocks = (
        (texts[end - size : end], rows[end - size : end]) for end, size in zip(ends, sizes, strict=True)
    )
    model = model.encode(errors="replace").decode()
    assert vectors.write(path, model, dimension, blocks) == len(texts)
    found = vectors.read(path)
    found.check()
    assert (found.model, found.dimension, found.total) == (model, dimension, len(texts))
    read = list(found.blocks())
    assert [text for texts, _ in read for text in texts] == texts
    np.testing.assert_array_equal(
        np.concatenate([np.empty((0, dimension)), *(rows for _, rows in read)]), rows
    )


def test_other_programs_can_read_it(file: Path) -> None:
    from safetensors import safe_open

    with safe_open(file, "numpy") as opened:
        assert opened.metadata()["model"] == "m@1"
        np.testing.assert_array_equal(opened.get_tensor("vectors"), unit(100, 8))
        assert opened.get_tensor("texts")[99].tobytes() == names(100)[99]


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def flip(place: float) -> Callable[[Path], None]:
    def act(file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[int(place * (len(data) - 1))] ^= 1
        file.write_bytes(data)

    return act


def header(**changes: object) -> Callable[[Path], None]:
    def act(file: Path) -> None:
        data = file.read_bytes()
        length = int.from_bytes(data[:8], "little")
        changed = msgspec.json.decode(data[8 : 8 + length])
        for key, value in changes.items():
            name, _, field = key.partition("_")
            changed[name or "__metadata__"][field] = value
        file.write_bytes(data[:8] + msgspec.json.encode(changed).ljust(length) + data[8 + length :])

    return act


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        *map(flip, (0, 0.0001, 0.3, 0.7, 0.95, 1)),
        header(_format="digest-vectors-9"),
        header(vectors_shape=[99, 8]),
        header(vectors_shape=[8]),
        header(vectors_shape=[-1, 8]),
        header(vectors_shape=[100, 0]),
        header(vectors_dtype="F16"),
        header(texts_shape=[100, 15]),
        header(texts_data_offsets=[0, 1600]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"\xff" * 100),
        lambda file: file.write_text("no such thing as a vector"),
        lambda file: file.unlink(),
        lambda file: (file.unlink(), file.mkdir()),
    ],
)
def test_a_damaged_file_is_refused_in_one_line_that_names_it(
    file: Path, damage: Callable[[Path], object]
) -> None:
    damage(file)
    with pytest.raises(InputError) as refused:
        vectors.read(file).check()
    assert str(refused.value).startswith(f"{file}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 3.0])
def test_what_is_no_vector_of_length_one_is_refused(tmp_path: Path, wrong: float) -> None:
    rows = unit(10, 8)
    rows[3, 0] = wrong
    vectors.write(tmp_path / "file", "m@1", 8, [(names(10), rows)])
    with pytest.raises(InputError, match="length is not 1"):
        vectors.read(tmp_path / "file").check()


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(file: Path) -> None:
    before = file.read_bytes()

    def broken() -> Iterator[tuple[list[bytes], F32]]:
        yield names(50), unit(50, 8)
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        vectors.write(file, "m@1", 8, broken())
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """60,000 vectors of 384 are 92 MB."""
    rows, path = unit(4000), tmp_path / "file"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    vectors.write(path, "m@1", 384, ((names(4000), rows) for _ in range(15)))
    found = vectors.read(path)
    found.check()
    assert sum(len(texts) for texts, _ in found.blocks()) == 60_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KB


# from home to home


@pytest.fixture
def here(tmp_path: Path) -> Iterator[App]:
    """A home with five papers, four of which are embedded (by the name of the real model)."""
    with opened(tmp_path / "here") as app:
        app.store.add_papers("oai", page(*map(paper, range(1, 6))), NOW)
        app.store.ensure_model(app.model, 384)
        hashes = [text_hash(paper(number).text) for number in (1, 2, 3, 4)]
        app.store.add_vectors(app.model, zip(hashes, unit(4), strict=True))
        yield app


def opened(home: Path) -> App:
    return App(config.load(None, home, {}), NOW + timedelta(days=1), quiet=True)


def test_a_small_machine_serves_what_another_one_has_embedded(here: App, tmp_path: Path) -> None:
    file = tmp_path / "vectors.safetensors"
    done = actions.export(here, file)
    assert (done.vectors, done.waiting) == (4, 1)
    assert report.exported(file, done).splitlines()[1] == "texts left to be embedded: 1 (digest embed)"
    with opened(tmp_path / "there") as there:
        there.store.add_papers("oai", page(paper(1), paper(2, title="Changed"), paper(3)), NOW)
        done = actions.import_(there, file)
        assert (done.vectors, done.stored, done.elsewhere, done.waiting) == (4, 2, 2, 1)
        ids, rows = there.store.vectors(there.model, [paper(number).id for number in (1, 2, 3)])
        assert ids == [paper(1).id, paper(3).id]
        np.testing.assert_array_equal(rows, unit(4)[[0, 2]])
        index = there.index()
        assert index is not None
        assert list(index.nearest(unit(4)[2], 1)) == [text_hash(paper(3).text)]
        again = actions.import_(there, file)
        assert (again.stored, again.waiting) == (0, 1)
        there.store.add_papers("oai", page(paper(4)), NOW)
        assert actions.import_(there, file).stored == 1
        assert "1 new, 2 were there" in report.imported(
            file, msgspec.structs.replace(again, stored=1, elsewhere=1)
        )


def test_vectors_that_no_paper_has_any_more_are_not_exported(here: App, tmp_path: Path) -> None:
    here.store.add_papers("oai", page(paper(1, version=2, title="Changed")), NOW)
    assert actions.export(here, tmp_path / "file").vectors == 3


def test_nothing_is_exported_where_nothing_is_embedded(tmp_path: Path) -> None:
    with opened(tmp_path) as app, pytest.raises(UsageError, match="digest embed"):
        actions.export(app, tmp_path / "file")


@pytest.mark.parametrize(
    ("model", "dimension", "said"),
    [("other@1", 384, "are of the model other@1, not of"), (None, 8, "have 8 dimensions, not 384")],
)
def test_vectors_that_do_not_belong_here_are_refused(
    here: App, tmp_path: Path, model: str | None, dimension: int, said: str
) -> None:
    file = tmp_path / "file"
    vectors.write(file, model or here.model, dimension, [(names(10), unit(10, dimension))])
    with pytest.raises(InputError, match=said):
        actions.import_(here, file)
    assert here.store.count_without_vector(here.model) == 1


def test_nothing_is_stored_of_a_damaged_file(here: App, tmp_path: Path) -> None:
    file = tmp_path / "file"
    vectors.write(file, here.model, 384, [([text_hash(paper(5).text)], unit(1))])
    flip(0.9)(file)
    with pytest.raises(InputError, match="damaged"):
        actions.import_(here, file)
    assert here.store.count_without_vector(here.model) == 1
