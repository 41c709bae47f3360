"""A backup holds all that cannot be made again, a restore brings it back whole, and nothing is sent twice."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from botapi import TOKEN, BotApi
from digest import backup, config
from digest.actions import backup as actions
from digest.actions import sending
from digest.app import App
from digest.errors import DigestError, InputError, StoreError, UsageError
from digest.store import Store
from outbox import EDITOR, NOON, draft
from stored import page, paper

FILE = '[topics.xai]\nterm = "XAI"\nseed_keys = ["XAI"]\n[channels.files]\ntype = "file"\nfolder = "posts"\n'
TELEGRAM = """
[telegram]
url = "{url}"
token_file = "token"
editor_chat = "{editor}"
editors = [{editor}]
[topics.xai]
term = "XAI"
seed_keys = ["XAI"]
[channels.news]
type = "telegram"
chat = "{chat}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with papers, a post that waits, a template, and what is no part of a backup."""
    home = tmp_path / "home"
    for folder in ("index", "templates/ru", "posts"):
        home.joinpath(folder).mkdir(parents=True)
    home.joinpath("digest.toml").write_text(FILE)
    home.joinpath("templates/ru/roundup.html.j2").write_text("{{ greeting }}")
    home.joinpath("posts/новый пост.html").write_text("<b>one</b>")
    home.joinpath("index/vectors.faiss").write_bytes(b"made again")
    home.joinpath("digest.lock").touch()
    home.joinpath("page.secret").write_bytes(b"signs the page's cookies")
    with Store.open(f"sqlite:///{home}/digest.sqlite3") as store:
        store.add_papers("oai", page(*map(paper, range(1, 30))), NOON)
        store.add_posts([draft("<b>one</b>", "two")], {"en": ["files", "news"]}, "approved", 29, NOON)
    return home


def save(home: Path, target: Path, *, force: bool = False) -> backup.Manifest:
    with opened(home) as app:
        return actions.backup(app, target, home / "digest.toml", force=force)


def opened(home: Path) -> App:
    return App(config.load(home / "digest.toml", home, {}), NOON, quiet=True)


def restore(file: Path, home: Path, *, force: bool = False) -> backup.Restored:
    return actions.restore(file, home, {}, force=force)


def dump(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection:
        return list(connection.iterdump())


def content(home: Path) -> dict[str, bytes]:
    """The files of a home that belong into a backup, but for the database."""
    left_out = ("index", "digest.lock", "page.secret", "digest.sqlite3", "before-restore")
    found = {path.relative_to(home).as_posix(): path for path in home.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith(left_out)}


def test_a_home_that_was_destroyed_is_what_it_was(home: Path, tmp_path: Path) -> None:
    rows, files = dump(home), content(home)
    made = save(home, tmp_path / "kept.zip")
    assert {one.name for one in made.files} == {*files, "digest.sqlite3"}
    for path in sorted(home.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    done = restore(tmp_path / "kept.zip", home)
    assert (dump(home), content(home)) == (rows, files)
    assert (done.made, done.files, done.aside) == (made.made, 4, None)


def test_a_backup_is_one_state_of_a_database_that_is_being_written(home: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with Store.open(f"sqlite:///{home}/digest.sqlite3") as store:
            number = 100
            while not stop.is_set():
                pair = paper(number), paper(number + 1)
                store.add_papers("oai", page(*pair, cursor=str(number)), NOON)
                number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for name in ("one.zip", "two.zip", "three.zip"):
            save(home, tmp_path / name)
    finally:
        stop.set()
        writer.join()
    for name in ("one.zip", "two.zip", "three.zip"):
        other = tmp_path / f"other-{name}"
        restore(tmp_path / name, other)
        with Store.open(f"sqlite:///{other}/digest.sqlite3") as store:
            last = int(store.cursor("oai") or 0) if store.cursor("oai") != "here" else 98
            assert store.count_papers() == 29 + last + 2 - 100, "whole pages, each with its cursor"


def test_no_token_and_no_key_is_in_a_backup(home: Path, tmp_path: Path) -> None:
    home.joinpath("token").write_text(TOKEN)
    text = TELEGRAM.format(url="https://api.telegram.org", editor=EDITOR, chat="@news")
    home.joinpath("digest.toml").write_text(text)
    save(home, tmp_path / "kept.zip")
    with ZipFile(tmp_path / "kept.zip") as archive:
        assert not {"token", "page.secret"} & {*archive.namelist()}
        assert not any(TOKEN.encode() in archive.read(name) for name in archive.namelist())


def test_an_older_backup_is_replaced_only_when_told_and_by_a_whole_one(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.zip"
    save(home, target)
    before = target.read_bytes()
    with pytest.raises(UsageError, match="/dev/null: is no file; name one"):
        save(home, Path("/dev/null"), force=True)
    with pytest.raises(UsageError, match="kept.zip: there is a file already; give --force"):
        save(home, target)
    raw = bytearray((home / "digest.sqlite3").read_bytes())
    for start in range(8192, len(raw), 8192):
        raw[start : start + 64] = b"\xff" * 64
    (home / "digest.sqlite3").write_bytes(raw)
    with pytest.raises(StoreError, match="digest.sqlite3: is damaged"):
        save(home, target, force=True)
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["kept.zip"]


def test_where_there_is_nothing_to_back_up_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/digest.toml").write_text(FILE)
    with pytest.raises(UsageError, match=r"digest\.sqlite3: there is nothing to back up"):
        save(tmp_path / "home", tmp_path / "kept.zip")


def test_an_archive_that_is_there_is_moved_aside_and_only_when_told(home: Path, tmp_path: Path) -> None:
    save(home, tmp_path / "kept.zip")
    with Store.open(f"sqlite:///{home}/digest.sqlite3") as store:
        store.add_papers("oai", page(paper(77)), NOON)
    newer = dump(home)
    with pytest.raises(UsageError, match="there is an archive already; --force moves it aside"):
        restore(tmp_path / "kept.zip", home)
    assert dump(home) == newer
    done = restore(tmp_path / "kept.zip", home, force=True)
    assert done.aside is not None
    assert dump(done.aside) == newer
    assert dump(home) != newer
    assert not any(one.name.startswith("before-restore") for one in save(home, tmp_path / "next.zip").files)


def test_a_restore_that_is_cut_off_is_done_again(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, files = dump(home), content(home)
    save(home, tmp_path / "kept.zip")
    move, left = backup.shutil.move, [0]  # type: ignore[attr-defined]

    def moves(*paths: Path) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(5, "Input/output error")
        move(*paths)

    for count in range(1, 8):
        left[0] = count
        with monkeypatch.context() as patch:
            patch.setattr(backup.shutil, "move", moves)  # type: ignore[attr-defined]
            with pytest.raises(DigestError, match="mend that, then restore again"):
                restore(tmp_path / "kept.zip", home, force=True)
        restore(tmp_path / "kept.zip", home, force=True)
        assert (dump(home), content(home)) == (rows, files)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    (folder / "digest.toml").write_text(FILE)
    with Store.open(f"sqlite:///{folder}/digest.sqlite3") as store:
        store.add_papers("oai", page(paper(1)), NOON)
    save(folder, folder / "kept.zip")
    return folder / "kept.zip"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_backup_is_told_and_changes_nothing(
    kept: bytes, tmp_path: Path, data: st.DataObject
) -> None:
    """One byte is another one, or the end is cut off: what can still be read is what was written."""
    bad, file = bytearray(kept.read_bytes()), tmp_path / "bad.zip"
    at = data.draw(st.integers(0, len(bad) - 1))
    if data.draw(st.booleans()):
        del bad[at:]
    else:
        bad[at] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bad)
    try:
        made = backup.read(file)
    except InputError:
        return
    with ZipFile(file) as archive:
        for one in made.files:
            assert len(archive.read(one.name)) == one.size


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil"])
def test_a_backup_writes_nowhere_but_into_the_home(tmp_path: Path, name: str) -> None:
    file = tmp_path / "evil.zip"
    member = backup.Member(name, 1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb")
    with ZipFile(file, "w") as archive:
        archive.writestr(name, b"a")
        archive.writestr(backup.MANIFEST, msgspec.json.encode(backup.Manifest(made=NOON, files=(member,))))
    with pytest.raises(InputError, match="outside of a home"):
        restore(file, tmp_path / "home")
    assert not (tmp_path / "evil").exists()


def test_a_backup_of_a_newer_program_is_refused(home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(home / "digest.sqlite3")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    save(home, tmp_path / "kept.zip")
    with pytest.raises(StoreError, match="newer version of digest"):
        restore(tmp_path / "kept.zip", tmp_path / "other")
    assert not (tmp_path / "other/digest.sqlite3").exists()


def test_what_may_have_been_sent_after_the_backup_is_not_sent_by_itself(home: Path, tmp_path: Path) -> None:
    """Two parts waited when the backup was made: whether they were sent since, only a person can see."""
    with BotApi() as api:
        api.clock(NOON.timestamp())
        api.person(EDITOR)
        api.write(EDITOR, "/start")
        chat = api.chat("channel", username="daily_news")
        home.joinpath("token").write_text(TOKEN)
        home.joinpath("digest.toml").write_text(TELEGRAM.format(url=api.url, editor=EDITOR, chat=chat))
        save(home, tmp_path / "kept.zip")
        done = restore(tmp_path / "kept.zip", home, force=True)
        assert (done.paused, done.held) == (("news",), 2)
        with opened(home) as app:
            assert app.stage("deliver").exit_code == 1
            assert [one.state for one in app.store.deliveries(channel="news")] == ["uncertain"] * 2
            assert api.messages(chat) == []
            for one in app.store.deliveries(channel="news"):
                sending.resolve(app, one.id, sent=None, retry=False)
            sending.check(app, None)
            assert app.stage("deliver").exit_code == 0
            assert api.messages(chat) == []
