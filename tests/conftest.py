"""What all tests share: the offline model, marks, and the reference data where it is present."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from botapi import BotApi
    from newsroom import Command
    from outbox import Office
    from postgres import Server

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # before numpy: on matrices this small two threads
    os.environ.setdefault(name, "1")  # take twice the CPU time of one
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1] / "src")  # for the processes that tests start
for name in [name for name in os.environ if name.startswith("DIGEST_") or name == "DATABASE_URL"]:
    del os.environ[name]  # a developer's own settings must not reach the tests


settings.register_profile("digest", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("digest")  # how busy the machine is says nothing of the program


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")
    parser.addoption(
        "--archive", metavar="HOME", help="a digest home with months of posts, for test_web_real.py"
    )
    parser.addoption("--shots", metavar="DIR", help="keep pictures of the pages that test_web_real.py sees")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow"):
        return
    skip = pytest.mark.skip(reason="slow: run with --slow")
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the project; tests that need it skip where it is absent."""
    folder = Path(__file__).parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A running PostgreSQL with pgvector."""
    import postgres

    with postgres.running() as made:
        yield made


@pytest.fixture
def api() -> Iterator[BotApi]:
    """A strict loopback Bot API whose clock shows noon."""
    from botapi import BotApi
    from outbox import NOON

    with BotApi() as api:
        api.clock(NOON.timestamp())
        yield api


@pytest.fixture
def chat(api: BotApi) -> int:
    """A channel of the server."""
    return api.chat("channel")


@pytest.fixture
def desk(tmp_path: Path, api: BotApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    """A store, the server, and a Telegram channel between them that does not wait long for an answer."""
    from digest.channels import telegram
    from outbox import office

    monkeypatch.setattr(telegram, "READ_TIMEOUT", 0.8)
    with office(tmp_path, api) as made:
        yield made


@pytest.fixture
def a_draft(desk: Office) -> int:
    """A post of two parts that waits for approval."""
    return desk.write("<b>one</b>", "two", state="draft")


@pytest.fixture
def home(tmp_path: Path, api: BotApi, chat: int) -> Path:
    """A digest home whose posts go to the server's channel."""
    from newsroom import newsroom

    return newsroom(tmp_path, api, chat)


@pytest.fixture
def digest(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line, in this process."""
    from newsroom import command_line

    with command_line(capsys, monkeypatch) as run:
        yield run


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Makes a file or folder of a name once, even where several workers want it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def make(name: str, maker: Callable[[Path], None]) -> Path:
        with FileLock(folder / f"{name}.lock"):
            if not (folder / name).exists():
                maker(folder / name)
        return folder / name

    return make


@pytest.fixture(scope="session")
def vectors(once: Callable[..., Path]) -> Path:
    """The file of the sample's vectors."""
    import road

    return once("sample.npy", road.embed_sample)


@pytest.fixture(scope="session")
def sample_home(once: Callable[..., Path], vectors: Path) -> Path:
    """A home with all stages done over the sample on Friday, 2026-07-03, to be copied."""
    import road

    return once("sample_home", lambda home: road.all_stages(home, vectors))


@pytest.fixture(scope="session")
def page(sample_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the page over a home with the sample and one paper that means harm."""
    import shutil

    import web

    home = tmp_path_factory.mktemp("page") / "home"
    shutil.copytree(sample_home, home)
    web.add_harm(home)
    with web.serving(
        home, web.FRIDAY, program=[sys.executable, "-m", "digest", "--home", str(home)]
    ) as address:
        yield address


@pytest.fixture(scope="session")
def fork() -> Callable[..., int]:
    """Runs a function in a process of its own and gives its exit code.

    The process is forked from one that has loaded the program and has no threads: ten times as quick
    as a start from nothing.
    """
    import road

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(road.PRELOAD)
    with pytest.MonkeyPatch.context() as patch:
        folders = [Path(__file__).parents[1] / "src", Path(__file__).parent]
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
        forkserver.ensure_running()

    def run(target: Callable[..., None], *arguments: object) -> int:
        process = context.Process(target=target, args=arguments)
        process.start()
        process.join(120)
        code = process.exitcode
        assert code is not None, "it hangs"
        process.close()
        return code

    return run
