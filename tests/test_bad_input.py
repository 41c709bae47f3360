"""What cannot be read or written, as a user meets it: one clear line, the right exit code, nothing lost."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import zstandard

import road
from digest import config
from digest.app import App
from digest.embed import DEFAULT_MODEL, model_name
from digest.sources.sample import sample
from disks import make_room, small_disk

MB = 1 << 20
LINES = sample().path.read_bytes().splitlines(keepends=True)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


Digest = Callable[..., Done]


@pytest.fixture
def digest(tmp_path: Path, fork: Callable[..., int]) -> Digest:
    """Runs a command in the test's folder and home; with ``before``, a prefix, as a process from nothing."""
    stdout, err = tmp_path / "stdout", tmp_path / "stderr"

    def run(*arguments: object, before: Sequence[str] = (), out: Path = stdout, **environ: str) -> Done:
        words, home = [str(one) for one in arguments], {"DIGEST_HOME": str(tmp_path / "home")}
        if before:
            command = [*before, sys.executable, "-m", "digest", *words]
            with out.open("w") as one, err.open("w") as two:
                code = subprocess.run(
                    command, stdout=one, stderr=two, cwd=tmp_path, env=os.environ | home, check=False
                ).returncode
        else:
            code = fork(road.command, words, tmp_path, home | environ, out, err)
        return Done(code, stdout.read_text() if out == stdout else "", err.read_text())

    return run


def one_line(done: Done, code: int, *said: str) -> None:
    """It ended with the exit code and one line that says these things."""
    assert done.err.count("\n") == 1, done.err
    assert done.err.startswith("digest: ")
    assert [word for word in said if word not in done.err] == [], done.err
    assert done.code == code
    assert done.out == ""


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the whole sample in it, scored and with stand-ins for vectors, to be copied."""
    home = tmp_path_factory.mktemp("archive") / "home"
    home.mkdir()
    now, model = datetime(2026, 7, 3, 12, tzinfo=UTC), model_name(DEFAULT_MODEL)
    rows = np.random.default_rng(0).normal(size=(len(LINES), 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    with App(config.load(None, home, {}), now, quiet=True) as app:
        app.crawl("sample")
        app.store.ensure_model(model, 384)
        [texts] = app.store.texts_without_vector(model, len(LINES))
        app.store.add_vectors(model, zip((text_hash for text_hash, _ in texts), rows, strict=True))
        app.stage("match")
        app.index()
    return home


@pytest.fixture
def home(tmp_path: Path, archive: Path) -> Path:
    shutil.copytree(archive, tmp_path / "home")
    return tmp_path / "home"


def papers_in(home: Path) -> list[str]:
    """The ids that are stored, in the order in which they came."""
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection:
        return [id_ for (id_,) in connection.execute("SELECT id FROM paper ORDER BY number")]


def ids(lines: Sequence[bytes]) -> list[str]:
    return [json.loads(line)["id"] for line in lines]


# --- files that are no snapshot -------------------------------------------------------------------

NO_SNAPSHOT: Mapping[str, tuple[bytes, tuple[str, ...]]] = {
    "empty.jsonl": (b"", ("the file is empty",)),
    "blank.jsonl": (b"\n \n\t\n", ("the file is empty",)),
    "random.bin": (np.random.default_rng(1).bytes(200_000), ("random.bin:1: ",)),
    "zeros.bin": (bytes(200_000), ("zeros.bin:1: ",)),
    "picture.png": (b"\x89PNG\r\n\x1a\n" + bytes(1000), ("picture.png:1: ",)),
    "other.jsonl": (
        b'{"user": "x", "text": "y"}\n' * 3,
        ("none of its first 3 lines", "missing required field"),
    ),
    "list.json": (json.dumps([{"id": "2605.00001"}] * 3, indent=1).encode(), ("one JSON object a line",)),
    "page.html": (b"<!doctype html>\n<html>\n</html>\n", ("page.html:1: ",)),
    "utf16.jsonl": (LINES[0].decode().encode("utf-16"), ("utf16.jsonl:1: ",)),
    "header.xz": (lzma.compress(b"")[:12], ("before its first line ends", "get the file again")),
    "torn.xz": (lzma.compress(LINES[0])[:-20], ("torn.xz: cut or damaged", "get the file again")),
    "not.gz": (b"\x1f\x8b" + b"nothing of the kind", ("not.gz: cut or damaged",)),
}


@pytest.mark.parametrize("name", NO_SNAPSHOT)
def test_a_file_that_is_no_snapshot(name: str, tmp_path: Path, home: Path, digest: Digest) -> None:
    content, said = NO_SNAPSHOT[name]
    (tmp_path / name).write_bytes(content)
    one_line(digest("import", name), 65, name, *said)
    assert papers_in(home) == ids(LINES)


PACK: Mapping[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("kind", PACK)
def test_of_a_cut_file_the_good_papers_are_kept_and_the_whole_file_adds_the_rest(
    kind: str, tmp_path: Path, digest: Digest
) -> None:
    file = tmp_path / f"papers.{kind}"
    whole = PACK[kind](b"".join(LINES))
    file.write_bytes(whole[: len(whole) * 4 // 5])
    one_line(digest("import", file), 65, file.name, "cut or damaged after line ", "get the file again")
    kept = papers_in(tmp_path / "home")
    assert 50 < len(kept) < len(LINES)
    assert kept == ids(LINES[: len(kept)])
    file.write_bytes(whole)
    assert digest("import", file).code == 0
    assert papers_in(tmp_path / "home") == ids(LINES)


def measured(folder: Path) -> list[str]:
    """A prefix that notes the most memory a command holds. (Asked of a child of this process it would be
    the memory of this process, at least.)"""
    code = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[2:]);"
        "open(sys.argv[1], 'w').write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss));"
        "sys.exit(code)"
    )
    return [sys.executable, "-c", code, str(folder / "memory")]


def memory(folder: Path) -> int:
    """What was noted, in bytes."""
    return int((folder / "memory").read_text()) * (1 if sys.platform == "darwin" else 1024)


def test_a_line_of_50_mb_is_skipped_in_little_memory(tmp_path: Path, digest: Digest) -> None:
    with (tmp_path / "long.jsonl").open("wb") as file:
        file.writelines(LINES[:5])
        file.write(b'{"id": "2605.00001", "abstract": "')
        for _ in range(50):
            file.write(b"x" * MB)
        file.write(b'"}\n')
        file.writelines(LINES[5:10])
    done = digest("import", "long.jsonl", "--json", before=measured(tmp_path))
    assert (done.code, done.err) == (0, "")
    [stage] = json.loads(done.out)["stages"]
    assert (stage["counts"]["new"], stage["counts"]["skipped"]) == (10, 1)
    assert stage["notes"] == ["skipped long.jsonl:6: longer than 8 MB"]
    assert memory(tmp_path) < 200 * MB


def test_a_file_of_one_line_of_50_mb(tmp_path: Path, home: Path, digest: Digest) -> None:
    (tmp_path / "long.json").write_bytes(b"[" + b"1," * (25 * MB))
    done = digest("import", "long.json", before=measured(tmp_path))
    one_line(done, 65, "long.json:1: longer than 8 MB")
    assert memory(tmp_path) < 200 * MB
    assert papers_in(home) == ids(LINES)


def test_a_small_file_that_unpacks_to_a_giant_line(tmp_path: Path, digest: Digest) -> None:
    packed = zstandard.ZstdCompressor().compress(bytes(300 * MB))
    (tmp_path / "bomb.zst").write_bytes(packed)
    done = digest("import", "bomb.zst", before=measured(tmp_path))
    one_line(done, 65, "bomb.zst:1: longer than 8 MB")
    assert memory(tmp_path) < 400 * MB


def test_bad_lines_among_good_ones_are_skipped_named_and_counted(tmp_path: Path, digest: Digest) -> None:
    bad = [
        b"not json\n",
        b'{"id": "2605.00001"}\n',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
        LINES[0].replace(b'"id":', b'"no":'),
        LINES[0].replace(b'"v1"', b'"v99999999999999999999"'),
        re.sub(rb'"created":"[^"]+"', b'"created":"Mon, 1 Jan 0001 00:00:01 GMT"', LINES[0]),
        re.sub(rb'"title":"', rb'"title":"\\ud800', LINES[0]),
    ]
    (tmp_path / "mixed.jsonl").write_bytes(b"".join([*LINES[:3], *bad, *LINES[3:6]]))
    done = digest("import", "mixed.jsonl", "--json")
    [stage] = json.loads(done.out)["stages"]
    assert done.code == 0
    assert (stage["counts"]["new"], stage["counts"]["skipped"]) == (6, 8)
    named = [note.split(": ")[0] for note in stage["notes"]]
    assert named == [f"skipped mixed.jsonl:{number}" for number in range(4, 12)]


def test_a_file_whose_name_is_no_text(tmp_path: Path, digest: Digest) -> None:
    """A file's name may hold any bytes, a database's text may not."""
    try:
        (tmp_path / "\udcff.jsonl").write_bytes(b"".join([*LINES[:2], b"bad\n"]))
    except OSError:
        pytest.skip("here a file's name must be text")
    done = digest("import", "\udcff.jsonl", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["stages"][0]["notes"][0].startswith("skipped \\xff.jsonl:3: ")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("folder", "Is a directory"),
        ("nowhere.jsonl", "No such file"),
        ("loop", "symbolic link"),
        ("file.jsonl/inner", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("/dev/null", "the file is empty"),
    ],
)
def test_a_path_that_is_no_file(path: str, said: str, tmp_path: Path, home: Path, digest: Digest) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file.jsonl").touch()
    one_line(digest("import", path), 65, path, said)
    assert papers_in(home) == ids(LINES)


def test_the_files_before_a_bad_one_are_kept(tmp_path: Path, digest: Digest) -> None:
    (tmp_path / "good.jsonl").write_bytes(b"".join(LINES[:7]))
    (tmp_path / "empty.jsonl").touch()
    one_line(digest("import", "good.jsonl", "empty.jsonl"), 65, "empty.jsonl")
    assert papers_in(tmp_path / "home") == ids(LINES[:7])


# --- what may not be read or written --------------------------------------------------------------


@pytest.fixture(scope="session")
def as_other() -> list[str]:
    """A prefix to commands under which a mode of 000 means something, for root too."""
    if os.geteuid():
        return []
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
    if not shutil.which("setpriv") or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("root may read everything here, and setpriv is not there to forbid it")
    return prefix


def test_a_file_that_may_not_be_read(tmp_path: Path, as_other: list[str], home: Path, digest: Digest) -> None:
    (tmp_path / "secret.jsonl").write_bytes(LINES[0])
    (tmp_path / "secret.jsonl").chmod(0)
    one_line(digest("import", "secret.jsonl", before=as_other), 65, "secret.jsonl", "Permission denied")


def test_an_archive_in_a_folder_that_may_not_be_written(
    as_other: list[str], home: Path, digest: Digest
) -> None:
    home.chmod(0o500)
    try:
        done = digest("search", "diffusion", before=as_other)
    finally:
        home.chmod(0o700)
    one_line(done, 1, "may not be written: check who owns the file and its folder")


@pytest.mark.parametrize("name", ["", "digest.sqlite3", "digest.lock"])
def test_a_home_that_may_not_be_written(
    name: str, as_other: list[str], archive: Path, home: Path, digest: Digest
) -> None:
    (home / "digest.lock").touch()
    (home / name).chmod(0o500 if not name else 0o400)
    try:
        done = digest("import", sample().path, before=as_other)
    finally:
        (home / name).chmod(0o700)
    one_line(done, 1, str(home / name))
    assert papers_in(home) == papers_in(archive)


def test_a_home_under_a_folder_that_may_not_be_written(
    tmp_path: Path, as_other: list[str], digest: Digest
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = digest("status", "--home", "locked/home", before=as_other)
    one_line(done, 1, "locked/home", "Permission denied", "choose another --home")


def test_a_config_that_may_not_be_read(tmp_path: Path, as_other: list[str], digest: Digest) -> None:
    (tmp_path / "digest.toml").touch(mode=0)
    one_line(digest("status", before=as_other), 2, "digest.toml", "Permission denied")


# --- a full disk ----------------------------------------------------------------------------------


def test_a_full_disk_stops_an_import_and_loses_nothing(tmp_path: Path, digest: Digest) -> None:
    with small_disk(tmp_path / "disk", "400k") as disk:
        done = digest("import", sample().path, "--home", disk / "home")
        one_line(done, 75, "the disk is full", "make room and run again")
        make_room(disk)
        assert digest("import", sample().path, "--home", disk / "home").code == 0
        assert papers_in(disk / "home") == ids(LINES)


def test_a_disk_without_room_for_anything(tmp_path: Path, digest: Digest) -> None:
    with small_disk(tmp_path / "disk", "4k") as disk:
        one_line(digest("status", "--home", disk / "a" / "home"), 75, "make room")


def test_a_disk_that_is_full_when_posts_are_delivered(tmp_path: Path, home: Path, digest: Digest) -> None:
    """They wait, and go out when there is room."""
    with small_disk(tmp_path / "disk", "8k") as disk:
        (tmp_path / "digest.toml").write_text(f'[channels.files]\ntype = "file"\nfolder = "{disk}/posts"\n')
        assert digest("write", "--as-of", "2026-07-03").code == 0
        done = digest("deliver", "--json")
        assert (done.code, done.err) == (75, "")
        [stage] = json.loads(done.out)["stages"]
        assert stage["counts"]["queued"] == 1
        assert "No space left on device" in stage["notes"][0]
        make_room(disk)
        written = json.loads(digest("posts", "list", "--json").out)
        assert digest("deliver").code == 0
        assert len(list((disk / "posts").iterdir())) == len(written) > 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written(home: Path, digest: Digest) -> None:
    one_line(
        digest("status", before=["env"], out=Path("/dev/full")),
        75,
        "standard output",
        "No space left on device",
    )


def test_a_reader_that_has_seen_enough(home: Path, digest: Digest) -> None:
    """`digest search ... | head -1` is no error to speak of."""
    command = f"{sys.executable} -m digest --home {home} search diffusion -k 200 --json | head -c 10"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith('[{"id":"')
    assert done.stderr == ""


def test_a_terminal_that_knows_no_chinese(home: Path, digest: Digest) -> None:
    assert digest("write", "--as-of", "2026-07-03").code == 0
    done = digest("posts", "show", before=["env", "PYTHONIOENCODING=ascii"])
    assert (done.code, done.err) == (0, "")
    assert "\\u4eba\\u5de5\\u667a\\u80fd" in done.out


# --- a database that is none, or not now ----------------------------------------------------------


def spoil(home: Path, content: bytes) -> None:
    """Other bytes in the database's place."""
    for file in home.glob("digest.sqlite3*"):
        file.unlink()
    (home / "digest.sqlite3").write_bytes(content)


BROKEN: Mapping[str, tuple[Callable[[bytes], bytes], str]] = {
    "a text": (lambda _: b"Dear diary, today I was no database.\n" * 100, "is not a database of digest"),
    "its first half": (lambda whole: whole[: len(whole) // 2], "is damaged"),
    "its first page torn": (lambda whole: whole[:1000], "is damaged"),
    "its first bytes": (lambda whole: whole[:50], "is damaged"),
    "its first byte": (lambda whole: whole[:1], "has lost all that it held: put a backup in its place"),
    "nothing": (lambda _: b"", "to begin anew remove it and the folder index"),
    "zeros from the second page on": (lambda whole: whole[:4096] + bytes(len(whole) - 4096), "is damaged"),
}


@pytest.mark.parametrize(
    "command", [("status",), ("write", "--as-of", "2026-07-03"), ("search", "diffusion")]
)
@pytest.mark.parametrize("what", BROKEN)
def test_a_database_that_is_broken(what: str, command: tuple[str, ...], home: Path, digest: Digest) -> None:
    broken, said = BROKEN[what]
    content = broken((home / "digest.sqlite3").read_bytes())
    spoil(home, content)
    one_line(digest(*command), 1, str(home / "digest.sqlite3"), said)
    assert (home / "digest.sqlite3").read_bytes() == content


def test_the_database_of_another_program(home: Path, digest: Digest) -> None:
    spoil(home, b"")
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection:
        connection.execute("CREATE TABLE bookmark (url TEXT)")
    one_line(digest("status"), 1, "digest.sqlite3", "another program")


def test_a_database_of_a_newer_version(home: Path, digest: Digest) -> None:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    one_line(
        digest("import", sample().path), 1, "digest.sqlite3", "newer version", "9999", "upgrade the program"
    )


def test_a_database_that_is_a_folder(tmp_path: Path, digest: Digest) -> None:
    (tmp_path / "home" / "digest.sqlite3").mkdir(parents=True)
    one_line(digest("status"), 1, "digest.sqlite3", "cannot be opened")


def test_a_locked_database(home: Path, digest: Digest) -> None:
    with closing(sqlite3.connect(home / "digest.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        one_line(digest("import", sample().path), 75, "digest.sqlite3", "another process is writing")
        assert digest("status").code == 0, "reading needs no lock"
        other.execute("ROLLBACK")
    assert digest("import", sample().path).code == 0


def test_a_second_run_at_the_same_time(home: Path, digest: Digest) -> None:
    from filelock import FileLock

    with FileLock(home / "digest.lock"):
        one_line(digest("run"), 75, "digest.lock", "another digest is at work", "try again")


@pytest.mark.parametrize("what", ["cut", "other bytes", "empty", "gone", "a folder"])
def test_a_broken_index_is_made_anew(what: str, home: Path, digest: Digest) -> None:
    first = digest("search", "concept bottleneck", "--json")
    (file,) = (home / "index").glob("rows-*")
    whole = file.read_bytes()
    spoiled = {"cut": whole[: len(whole) // 2], "other bytes": whole[:-4] + b"else", "empty": b""}
    file.unlink()
    if what in spoiled:
        file.write_bytes(spoiled[what])
    elif what == "a folder":
        file.mkdir()
    again = digest("search", "concept bottleneck", "--json")
    assert (again.code, again.out) == (0, first.out)
    assert len(json.loads(again.out)) == 10
    assert again.err == ""
    assert whole in [made.read_bytes() for made in (home / "index").glob("rows-*") if made.is_file()]


# --- settings that cannot be used -----------------------------------------------------------------


def test_a_home_that_is_a_file(tmp_path: Path, digest: Digest) -> None:
    (tmp_path / "home").touch()
    one_line(digest("run"), 2, str(tmp_path / "home"), "must be a folder", "--home")


CONFIGS: Mapping[str, tuple[bytes, tuple[str, ...]]] = {
    "no TOML": (b"[topics\n", ("digest.toml:1", "not valid TOML")),
    "cut": (b'approval = "manual"\n[posts.greet', ("digest.toml:2", "not valid TOML")),
    "latin-1": ('\napproval = "manuäl"\n'.encode("latin-1"), ("digest.toml:2", "not UTF-8")),
    "utf-16": ("approval = 'manual'\n".encode("utf-16"), ("digest.toml", "not UTF-8")),
    "binary": (bytes(range(256)), ("digest.toml:",)),
    "another word": (b'approval = "yes"\n', ("digest.toml:1", "approval", "manual")),
    "no such key": (b"lookback_dasy = 3\n", ("digest.toml:1", "lookback_days")),
    "no templates": (b'[posts]\ntemplates = "mine"\n', ("digest.toml:2", "posts.templates", "folder")),
    "another database": (b'database = "mysql://me:pw@host/x"\n', ("digest.toml:1", "sqlite:///")),
}


@pytest.mark.parametrize("what", CONFIGS)
def test_a_config_that_cannot_be_used(what: str, tmp_path: Path, digest: Digest) -> None:
    content, said = CONFIGS[what]
    (tmp_path / "digest.toml").write_bytes(content)
    one_line(digest("run"), 2, *said)
    assert not (tmp_path / "home").exists()


def test_a_config_that_is_not_there(digest: Digest) -> None:
    one_line(digest("run", "--config", "my.toml"), 2, "my.toml", "No such file")


def test_every_mistake_has_a_line_of_its_own(tmp_path: Path, digest: Digest) -> None:
    (tmp_path / "digest.toml").write_text('lookback_days = 0\napproval = "yes"\n')
    done = digest("run", DIGEST_EMBED_DEVICE="gpu")
    assert done.code == 2
    lines = done.err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("digest: ") for line in lines)


TEMPLATES: Mapping[str, tuple[str, str]] = {
    "a block that does not end": ("{% if title %}\nHello\n", "roundup.html.j2"),
    "an unknown name": ("{{ tpoic }}\n", "tpoic"),
    "a tag Telegram does not know": ("<marquee>{{ title }}</marquee>\n", "marquee"),
}


@pytest.mark.parametrize("what", TEMPLATES)
def test_a_broken_template(what: str, tmp_path: Path, home: Path, digest: Digest) -> None:
    text, said = TEMPLATES[what]
    (tmp_path / "mine" / "en").mkdir(parents=True)
    (tmp_path / "mine" / "en" / "roundup.html.j2").write_text(text)
    (tmp_path / "digest.toml").write_text(f'[posts]\ntemplates = "{tmp_path}/mine"\n')
    one_line(digest("write", "--as-of", "2026-07-03"), 2, "en/roundup.html.j2", said)
    assert digest("posts", "list", "--json").out == "[]\n"


def test_a_model_folder_that_does_not_exist(tmp_path: Path, digest: Digest) -> None:
    """It is told before an hour of crawling, not after it."""
    done = digest("run", "--source", "sample", DIGEST_EMBED_MODEL="/no/such")
    one_line(done, 1, "/no/such", "there is no model folder")
    assert not (tmp_path / "home" / "digest.sqlite3").exists()


@pytest.mark.slow  # torch takes six CPU-seconds to say so
@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("empty", "cannot be loaded"),
        ("no/such", "cannot be loaded"),
    ],
)
def test_a_model_that_cannot_be_loaded(model: str, said: str, tmp_path: Path, digest: Digest) -> None:
    """What was crawled is kept."""
    (tmp_path / "empty").mkdir()
    one_line(digest("run", "--source", "sample", DIGEST_EMBED_MODEL=model), 1, model, said)
    assert papers_in(tmp_path / "home") == ids(LINES)


# --- and whatever else the system refuses ---------------------------------------------------------


def test_wrong_use_is_one_line_too(digest: Digest) -> None:
    one_line(digest("search", "x", "-k", "many"), 2, "many", "digest search --help")
    one_line(digest("import"), 2, "FILES", "digest import --help")
    one_line(digest("run", "--nonsense"), 2, "--nonsense")
