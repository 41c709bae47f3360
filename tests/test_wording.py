"""The optional writer, against an endpoint that answers, lies, stalls, trickles and talks rubbish."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from msgspec import structs

from digest import config
from digest.actions import posts
from digest.actions.posts import Wanted
from digest.app import App
from digest.editing import body
from digest.faithful import problem
from digest.store import Store
from digest.types import Evidence, Language, Match, Page, Paper, Topic, WindowGenre
from digest.wording import FAILURES, Endpoint, Words

SOURCE = (
    "We propose DIM, a lamp that forgets 98.5% of GPT-4's colours in three rooms, see github.com/example/dim."
)
RUSSIAN = "Авторы предлагают лампу DIM, которая забывает 98,5% цветов GPT-4 в 3 комнатах."
SECRET = "sk-very-secret"

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request to an endpoint; what it does is up to the server's behaviour."""

    server: ChatServer

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.server.keys.append(self.headers["Authorization"])
        try:
            self.server.behaviour(self)
        except OSError:  # the client has left
            self.close_connection = True

    def answer(self, body: bytes, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ChatServer(ThreadingHTTPServer):
    """An endpoint on this machine."""

    daemon_threads = True

    def __init__(self, behaviour: Behaviour) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviour = behaviour
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def saying(text: str, tokens: int = 50) -> Behaviour:
    message = {
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"total_tokens": tokens},
    }
    return lambda handler: handler.answer(json.dumps(message).encode())


def stalling(handler: Handler) -> None:
    time.sleep(1.5)


def trickling(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler: Handler) -> None:
    handler.answer(b'{"choices": "' + b"x" * 200_000)


def hanging_up(handler: Handler) -> None:
    handler.connection.close()


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer(saying(RUSSIAN)) as made:
        thread = Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('words') / 'digest.db'}") as store:
        yield store


@pytest.fixture
def words(server: ChatServer, store: Store) -> Iterator[Callable[..., Words]]:
    """Makes a run's writer; each asks another model, so that it knows nothing of the tests before."""
    made: list[Words] = []

    def make(**changes: Any) -> Words:
        given = {"url": server.url, "model": server.url, "seconds": 0.4, "calls": 9, "tokens": 9000} | changes
        made.append(Words(Endpoint(**given), lambda: SECRET, store))
        return made[-1]

    yield make
    for one in made:
        one.close()


Make = Callable[..., Words]


def test_a_faithful_answer_is_used_and_asked_for_once(server: ChatServer, words: Make) -> None:
    first = words()
    assert first("translate", SOURCE, "ru") == RUSSIAN
    assert (first.calls, first.notes) == (1, [])
    assert first.tokens >= 50
    assert words()("translate", SOURCE, "ru") == RUSSIAN
    assert len(server.asked) == 1
    [asked] = server.asked
    assert asked["messages"][1] == {"role": "user", "content": SOURCE}
    assert "Russian" in asked["messages"][0]["content"]
    assert server.keys == [f"Bearer {SECRET}"]


def test_the_source_is_kept_beside_the_answer(server: ChatServer, words: Make, store: Store) -> None:
    words()("translate", SOURCE, "ru")
    with store._reading() as connection:
        rows = connection.exec_driver_sql(
            "SELECT source, text, refused FROM wording WHERE model = ?", (server.url,)
        )
        assert rows.fetchall() == [(SOURCE, RUSSIAN, None)]


def test_a_lie_is_refused_and_not_paid_for_twice(server: ChatServer, words: Make) -> None:
    server.behaviour = saying(RUSSIAN.replace("98,5", "99,9"))
    run = words()
    assert run("translate", SOURCE, "ru") is None
    assert run.notes == ["an answer was refused: the number 99.9 is not in the source"]
    assert words()("translate", SOURCE, "ru") is None
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("behaviour", "told"),
    [
        (stalling, "it took too long"),
        (trickling, "it took too long"),
        (endless, "it is far too long"),
        (hanging_up, "the endpoint cannot be reached"),
        (lambda handler: handler.answer(b"<html>no</html>"), "it is no answer of a chat"),
        (lambda handler: handler.answer(b'{"choices": []}'), "it is no answer of a chat"),
        (
            lambda handler: handler.answer(b'{"choices": [{"message": {"content": null}}]}'),
            "no answer of a chat",
        ),
        (lambda handler: handler.answer(f"bad key {SECRET}".encode(), 401), "status 401"),
        (lambda handler: handler.answer(b"{}", 429), "status 429"),
        (lambda handler: handler.answer(b"{}", 500), "status 500"),
    ],
)
def test_whatever_goes_wrong_there_is_a_reason_and_no_text(
    server: ChatServer, words: Make, behaviour: Behaviour, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.behaviour = behaviour
    run = words()
    began = time.monotonic()
    assert run("translate", SOURCE, "ru") is None
    assert time.monotonic() - began < 3
    assert told in run.notes[0]
    assert SECRET not in "".join(run.notes) + "".join(record.getMessage() for record in caplog.records)
    server.behaviour = saying(RUSSIAN)
    assert words()("translate", SOURCE, "ru") == RUSSIAN  # a failure is not kept


def test_nobody_there_is_told(words: Make) -> None:
    run = words(url="http://127.0.0.1:9/v1")
    assert run("translate", SOURCE, "ru") is None
    assert run.notes == ["no answer: the endpoint cannot be reached"]


def test_an_endpoint_that_keeps_failing_is_left_alone(server: ChatServer, words: Make) -> None:
    server.behaviour = lambda handler: handler.answer(b"{}", 500)
    run = words()
    for number in range(FAILURES + 3):
        assert run("translate", f"{SOURCE} {number}", "ru") is None
    assert len(server.asked) == FAILURES
    assert run.notes[-1] == "it has failed 3 times and is left alone until the next run"


def test_a_run_costs_no_more_than_it_may(server: ChatServer, words: Make) -> None:
    run = words(calls=2)
    for number in range(4):
        run("translate", f"{SOURCE} {number}", "ru")
    assert (len(server.asked), run.notes[-1]) == (2, "the 2 calls of a run are used up")
    server.behaviour = saying(RUSSIAN, tokens=0)  # it lies about what it used
    run = words(tokens=250, model="other")
    for number in range(9):
        run("translate", f"{SOURCE} {number}", "ru")
    assert len(server.asked) < 6
    assert run.notes[-1] == "the 250 tokens of a run are used up"


def test_a_key_that_cannot_be_had_stops_no_post(server: ChatServer, store: Store) -> None:
    from digest.config import Writer, writer_key

    endpoint = Endpoint(url=server.url, model="m", seconds=1, calls=9, tokens=9)
    run = Words(endpoint, lambda: writer_key(Writer(key_file=Path("/nowhere/key")), {}), store)
    assert run("tell", SOURCE, "en") is None
    assert run.notes == ["/nowhere/key: the writer's key cannot be read: No such file or directory"]
    assert writer_key(Writer(), {"DIGEST_WRITER_KEY": " k \n"}) == "k"


@pytest.mark.parametrize(
    ("text", "language", "wrong"),
    [
        (RUSSIAN, "ru", None),
        ("DIM 是一种能在三个房间里遗忘 GPT-4 98.5% 颜色的灯。", "zh", None),
        ("DIM is a lamp; it forgets 98.5% of the colours of GPT-4 in 3 rooms.", "en", None),
        ("A lamp called DIM forgets most of GPT-4’s colours.", "en", None),
        ("DIM forgets 99% of GPT-4's colours in three rooms.", "en", "the number 99 is not in the source"),
        ("DIM forgets 98.5% of Qwen's colours in three rooms.", "en", "the name qwen is not in the source"),
        (
            "A group proposes DIM, and Llama forgets it.",
            "en",
            "the name llama is not in the source",
        ),
        ("Лампа DIM от Google забывает цвета.", "ru", "the name google is not in the source"),
        (
            "DIM: see https://evil.com/dim for this lamp.",
            "en",
            "the link evil.",
        ),
        ("Лампа DIM (arXiv:2605.01234) забывает цвета.", "ru", "the number 2605.01234 is not in the source"),
        ("", "en", "it is empty"),
        ("<b>DIM</b> forgets colours.", "en", "it holds mark-up"),
        ("Here is the translation: DIM forgets colours.", "en", "it speaks of itself"),
        ("DIM is a lamp that forgets.", "ru", "it is not Russian"),
        ("DIM is a lamp that forgets.", "zh", "it is not Chinese"),
        ("Лампа DIM забывает цвета.", "en", "it is not English"),
        ("лампа " * 200, "ru", "it is much longer than its source"),
        ("DIM.", "en", "it is much shorter than its source"),
    ],
)
def test_a_text_that_says_more_than_its_source_is_refused(
    text: str, language: Language, wrong: str | None
) -> None:
    found = problem(text, SOURCE, language)
    assert found == wrong or (wrong and found and found.startswith(wrong))


def test_formulas_may_come_back_as_they_are_read() -> None:
    assert (
        problem(
            "Метод даёт оценку O(n²) вместо 10³ на MNIST.", "We show $O(n^2)$, not $10^3$, on MNIST.", "ru"
        )
        is None
    )


# --- in posts -------------------------------------------------------------------------------------

NOON = datetime(2026, 5, 15, 16, tzinfo=UTC)
IDS = ["2605.00001", "2605.00002"]
TOPIC = Topic(name="unlearning", term="unlearning", seed_keys=("unlearning",), floor=0.3, languages=("ru",))


def lamp(id_: str) -> Paper:
    return Paper(
        id=id_,
        version=1,
        title=f"Unlearning Lamps, Part {id_[-1]}",
        abstract=f"We propose LAMP-{id_[-1]}, an owners' lamp for unlearning that forgets {id_[-1]} colours.",
        authors=("Ada Example",),
        categories=("cs.LG",),
        submitted=NOON,
        updated=NOON,
        announced=NOON.date(),
    )


@pytest.fixture
def app(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("DIGEST_WRITER_KEY", SECRET)
    told = {
        "DIGEST_WRITER_URL": server.url,
        "DIGEST_WRITER_MODEL": "loopback",
        "DIGEST_WRITER_SECONDS": "0.4",
    }
    chosen = config.load(None, tmp_path / "home", told | {"DIGEST_APPROVAL": "manual"})
    with App(structs.replace(chosen, topics={"unlearning": TOPIC}), NOON, quiet=True) as app:
        app.store.add_papers("oai", Page(tuple(map(lamp, IDS)), None), NOON)
        evidence = Evidence(seed_keys=("unlearning",))
        found = [
            Match(topic="unlearning", paper=id_, score=0.8, silent=False, evidence=evidence, scorer="test")
            for id_ in IDS
        ]
        app.store.put_matches("unlearning", found, "print")
        yield app


def honest(handler: Handler) -> None:
    """Says of a text only what it names."""
    about = handler.server.asked[-1]["messages"][1]["content"]
    name = re.search(r"LAMP-\d", about)
    saying(f"Авторы предлагают лампу {name[0]}." if name else "Лампы разобучения")(handler)


def test_a_roundup_tells_in_other_words_with_the_original_folded_below(app: App, server: ChatServer) -> None:
    server.behaviour = honest
    [number] = app.stage("write").posts
    html = body(posts.find(app, number).parts)
    for id_ in IDS:
        told = f"Авторы предлагают лампу LAMP-{id_[-1]}.\n<blockquote expandable>We propose LAMP-{id_[-1]},"
        assert told in html
    assert "пересказала модель" in html
    posts.change(app, number, Wanted(drop=[IDS[0]]))
    assert "Авторы предлагают лампу LAMP-2." in body(posts.find(app, number).parts)


@pytest.mark.parametrize("genre", ["links", "review", "essay"])
def test_a_post_about_a_window_does_so_too_and_a_lie_leaves_the_quotation(
    app: App, server: ChatServer, genre: WindowGenre
) -> None:
    def behaviour(handler: Handler) -> None:
        second = "LAMP-2" in handler.server.asked[-1]["messages"][1]["content"]
        saying("Лампа LAMP-2 забывает 99 % цветов.")(handler) if second else honest(handler)

    server.behaviour = behaviour
    report = posts.write(app, genre, ["unlearning"])
    html = body(posts.find(app, report.posts[0]).parts)
    if genre != "essay":  # of papers that tell of no problem an essay only gives the names
        assert "Авторы предлагают лампу LAMP-1." in html
        assert "«We propose LAMP-2," in html
        assert "writer: an answer was refused: the number 99 is not in the source" in report.stages[0].notes
    assert "99 %" not in html


@pytest.mark.parametrize("behaviour", [stalling, trickling, endless, hanging_up, saying("")])
def test_no_post_waits_for_an_endpoint_that_fails(app: App, server: ChatServer, behaviour: Behaviour) -> None:
    server.behaviour = behaviour
    report = app.stage("write")
    html = body(posts.find(app, report.posts[0]).parts)
    assert html.count("<blockquote>We propose LAMP-") == 2
    assert any(note.startswith("writer: ") for note in report.stages[0].notes)
    assert SECRET not in str(report)
