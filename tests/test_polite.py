"""The gate: what arXiv is spared, and what comes back when it is not well."""

from __future__ import annotations

import gzip
import json
import os
import socket
import struct
import subprocess
import sys
import time
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from answers import Behaviour, Server, Time, http, serving
from digest.errors import ConfigError, Deferred, DigestError, InputError, NotAnAnswer
from digest.sources import polite
from digest.sources.gap import is_loopback
from digest.sources.polite import (
    Gate,
    GateState,
    backoff,
    default_state,
    retry_after,
    user_agent,
)

ROOT = Path(__file__).parents[1]
GOOD = http(b"<good/>")


def accept(body: bytes) -> str:
    if b"<good" not in body:
        raise NotAnAnswer("not good")
    return body.decode()


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "gate.json"


@pytest.fixture
def gate(state: Path, clock: Time) -> Gate:
    return make(state, clock)


def make(
    state: Path, clock: Time, *, gap: float = 3.0, patience: float = 10_000.0, total: float = 20.0
) -> Gate:
    return Gate(
        "digest/test", gap=gap, state=state, patience=patience, total=total, clock=clock, sleep=clock.sleep,
        random=lambda: 1.0,
    )  # fmt: skip


# --- the gap ---------------------------------------------------------------------------------------


def test_between_the_end_of_an_answer_and_the_next_request_lies_the_gap(gate: Gate, clock: Time) -> None:
    with serving(GOOD) as server:
        for _ in range(3):
            assert gate.get(server.url, {"a": "b c"}, accept) == "<good/>"
    assert clock.slept == [3.0, 3.0]
    assert server.targets == ["/x?a=b+c"] * 3


def test_the_gap_begins_when_the_answer_ends(gate: Gate, clock: Time) -> None:
    def slow(connection: socket.socket) -> None:
        clock.now += 100
        connection.sendall(GOOD)

    with serving(slow) as server:
        gate.get(server.url, {}, accept)
        gate.get(server.url, {}, accept)
    assert clock.slept == [3.0]


def test_all_gates_of_a_machine_keep_one_gap(state: Path, clock: Time) -> None:
    with serving(GOOD) as server:
        make(state, clock).get(server.url, {}, accept)
        make(state, clock).get(server.url, {}, accept)
    assert clock.slept == [3.0]


def test_after_the_gap_nobody_waits(gate: Gate, clock: Time) -> None:
    with serving(GOOD) as server:
        gate.get(server.url, {}, accept)
        clock.now += 60
        gate.get(server.url, {}, accept)
    assert clock.slept == []


def test_a_clock_that_was_set_back_costs_one_gap_at_most(gate: Gate, clock: Time) -> None:
    with serving(GOOD) as server:
        gate.get(server.url, {}, accept)
        clock.now -= 1_000_000
        gate.get(server.url, {}, accept)
    assert clock.slept == [3.0]


def test_after_a_process_that_died_while_it_asked_a_whole_gap_is_waited(
    state: Path, gate: Gate, clock: Time
) -> None:
    with serving(GOOD) as server:
        gate.get(server.url, {}, accept)
        stored = json.loads(state.read_bytes())
        state.write_text(json.dumps({**stored, "busy": True}))
        clock.now += 1000
        gate.get(server.url, {}, accept)
    assert clock.slept == [3.0]


@pytest.mark.parametrize("damage", [b"{", b"[]", b'{"busy": 3}', b"\xff" * 3000])
def test_a_damaged_state_file_costs_a_gap_and_is_mended(
    state: Path, gate: Gate, clock: Time, damage: bytes
) -> None:
    state.parent.mkdir()
    state.write_bytes(damage)
    with serving(GOOD) as server:
        gate.get(server.url, {}, accept)
    assert clock.slept == [3.0]
    assert not gate.state().busy
    assert gate.state().next_allowed_at == clock.now + 3


def test_less_than_three_seconds_is_for_this_machine_only(state: Path, clock: Time) -> None:
    with pytest.raises(ConfigError, match=r"at least 3 s .* not for export\.arxiv\.org"):
        make(state, clock, gap=2.9).get("https://export.arxiv.org/api/query", {}, accept)
    assert not state.exists()


@pytest.mark.parametrize(
    "url", ["export.arxiv.org/api", "ftp://127.0.0.1/x", "http://", "http://[::1/x", "http://a\nb/"]
)
def test_what_is_no_address_is_a_mistake_of_the_configuration(gate: Gate, url: str) -> None:
    with pytest.raises(ConfigError, match="is no address"):
        gate.get(url, {}, accept)


def test_loopback_is_told_by_address_and_name() -> None:
    yes = ["http://127.0.0.1:80/x", "http://localhost/", "http://[::1]:8080", "https://127.9.9.9"]
    no = [
        "http://arxiv.org",
        "http://127.0.0.1.arxiv.org",
        "http://10.0.0.1",
        "x",
        "http://[",
        "http://localhost.org",
    ]
    assert [is_loopback(url) for url in yes] == [True] * len(yes)
    assert [is_loopback(url) for url in no] == [False] * len(no)


def test_the_state_stands_in_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state() == tmp_path / "digest" / "arxiv-gate.json"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_state() == tmp_path / ".local/state/digest/arxiv-gate.json"


def test_a_state_that_cannot_be_written_is_told_in_one_line(tmp_path: Path, clock: Time) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DigestError, match="XDG_STATE_HOME"):
        make(tmp_path / "file" / "gate.json", clock).get("http://127.0.0.1:1/", {}, accept)


def test_two_processes_at_once_keep_the_gap_at_the_server(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from digest.sources.polite import Gate\n"
        "gate = Gate('t', gap=0.2, state=Path(sys.argv[2]))\n"
        "for _ in range(6): gate.get(sys.argv[1], {}, lambda body: body)\n"
    )
    seen: list[tuple[float, float]] = []

    def note(connection: socket.socket) -> None:
        begun = time.monotonic()
        time.sleep(0.05)
        seen.append((begun, time.monotonic()))
        connection.sendall(GOOD)

    with serving(note) as server:
        command = [sys.executable, "-c", code, server.url, str(tmp_path / "gate.json")]
        environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        running = [subprocess.Popen(command, env=environ) for _ in range(2)]
        assert [process.wait(60) for process in running] == [0, 0]
    assert len(seen) == 12
    assert min(later - ended for (_, ended), (later, _) in pairwise(seen)) >= 0.2


# --- what is asked ---------------------------------------------------------------------------------


def test_the_program_says_who_it_is_and_takes_gzip(state: Path, clock: Time) -> None:
    agent = user_agent("1.2", "me@example.org", "https://example.org/digest")
    assert agent == "digest/1.2 (+https://example.org/digest; mailto:me@example.org)"
    assert user_agent("1.2", None) == "digest/1.2"
    with serving(http(gzip.compress(b"<good/>"), 200, "Content-Encoding: gzip")) as server:
        assert Gate(agent, gap=0, state=state, clock=clock).get(server.url, {}, accept) == "<good/>"
    assert f"user-agent: {agent}" in server.asked[0].lower().replace("digest/1.2 (", "digest/1.2 (")
    assert "accept-encoding: gzip\r\n" in server.asked[0].lower()


def test_an_unchanged_answer_is_asked_for_by_its_etag(gate: Gate) -> None:
    with serving(http(b"<good/>", 200, "ETag: abc"), http(b"", 304, "Content-Encoding: gzip")) as server:
        assert gate.get_if_changed(server.url, {}, accept, None) == ("<good/>", "abc")
        assert gate.get_if_changed(server.url, {}, accept, "abc") == (None, "abc")
    assert "if-none-match: abc\r\n" in server.asked[1].lower()


def test_no_proxy_stands_before_this_machine(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with serving(GOOD) as server:
        assert gate.get(server.url, {}, accept)


# --- what fails and is asked for again ---------------------------------------------------------------


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_in_the_body(connection: socket.socket) -> None:
    connection.sendall(http(b"<good", length=100))
    reset(connection)


FAULTS: dict[str, bytes | Behaviour] = {
    "429": http(b"", 429),
    "500": http(b"oh", 500),
    "202": http(b"<good/>", 202),
    "204": http(b"", 204),
    "206": http(b"<good/>", 206),
    "304 unasked": http(b"", 304),
    "507": http(b"", 507),
    "502": http(b"", 502),
    "503": http(b"", 503),
    "504": http(b"", 504),
    "200 Rate exceeded": http(b"Rate exceeded."),
    "200 HTML": http(b"<!DOCTYPE html><html><body>maintenance</body></html>"),
    "200 empty": http(b""),
    "cut body": http(b"<goo", length=1000),
    "cut gzip": http(gzip.compress(b"<good/>" * 99)[:20], 200, "Content-Encoding: gzip"),
    "not gzip": http(b"<good/>", 200, "Content-Encoding: gzip"),
    "other packing": http(b"<good/>", 200, "Content-Encoding: gzip, gzip"),
    "bad length": http(b"<good/>", 200).replace(b"Content-Length: 7", b"Content-Length: x"),
    "no HTTP": b"hello\r\n\r\n",
    "closed": b"",
    "reset": reset,
    "reset in the body": reset_in_the_body,
    "redirect elsewhere": http(b"", 302, "Location: http://127.0.0.2/x"),
    "redirect to arXiv from this machine": http(b"", 302, "Location: https://arxiv.org/x"),
    "redirect to nowhere": http(b"", 302),
    "redirect to no address": http(b"", 302, "Location: http://[x"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_waited_out_and_never_taken_for_an_answer(gate: Gate, clock: Time, fault: str) -> None:
    with serving(FAULTS[fault], GOOD) as server:
        assert gate.get(server.url, {}, accept) == "<good/>"
    assert clock.slept == [30.0]
    assert gate.state().throttles == 0


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault not in ("429", "200 Rate exceeded")])
def test_a_fault_that_stays_defers_the_run_and_names_itself(state: Path, clock: Time, fault: str) -> None:
    with serving(FAULTS[fault]) as server, pytest.raises(Deferred) as caught:
        make(state, clock).get(server.url, {}, accept)
    assert len(server.asked) == 5
    assert clock.slept == [30.0, 60.0, 120.0, 240.0]
    assert caught.value.exit_code == 75
    assert "no request before" in str(caught.value)
    assert "\n" not in str(caught.value)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_a_server_that_cannot_be_reached_is_tried_three_times_and_leaves_the_gate_open(
    gate: Gate, clock: Time
) -> None:
    query = {"search_query": "x" * 500}
    with pytest.raises(Deferred) as caught:
        gate.get(f"http://127.0.0.1:{free_port()}/", query, accept)
    assert str(caught.value) == (
        "arXiv cannot be reached (127.0.0.1: Connection refused); run again when the network is back"
    )
    assert clock.slept == [3.0, 3.0], "the gap, and no more: nobody was asked"
    assert gate.closed(datetime.fromtimestamp(clock.now, UTC)) is None


def test_a_name_that_is_not_known_is_told_in_the_systems_words(gate: Gate, clock: Time) -> None:
    with pytest.raises(
        Deferred, match=r"arXiv cannot be reached \(arxiv\.invalid: [A-Z][a-z ]+\); run again"
    ):
        gate.get("https://arxiv.invalid/oai", {}, accept)
    assert sum(clock.slept) <= 10


def test_a_connection_that_takes_too_long_is_not_waited_for_twice(
    gate: Gate, clock: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: object, **__: object) -> None:
        clock.now += 10
        raise httpx.ConnectTimeout("")

    monkeypatch.setattr(httpx.Client, "stream", hang)
    with pytest.raises(Deferred, match="no connection within 10 s"):
        gate.get("http://127.0.0.1:9/", {}, accept)
    assert clock.slept == []


def test_a_connection_that_comes_about_at_last_is_used(gate: Gate, clock: Time) -> None:
    port, servers = free_port(), []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        server = Server(GOOD, port=port)
        servers.append(server.__enter__())

    gate._sleep = sleep
    assert gate.get(f"http://127.0.0.1:{port}/x", {}, accept) == "<good/>"
    servers[0].__exit__()


def test_a_gate_tells_its_state_without_asking(state: Path, clock: Time) -> None:
    gate = make(state, clock, patience=10)
    assert gate.in_words() == "open; next request at any time"
    assert not state.exists()
    with serving(GOOD, http(b"", 503, "Retry-After: 60")) as server:
        gate.get(server.url, {}, accept)
        assert gate.in_words() == "open; next request in 3.0 s"
        with pytest.raises(Deferred) as caught:
            gate.get(server.url, {"q": "x" * 300}, accept)
    assert "xxx" not in str(caught.value)
    assert gate.in_words().startswith("closed: answered 503; no request before 2026-")
    state.write_text(json.dumps({"busy": True}))
    assert "on its way" in gate.in_words()


def test_an_answer_that_drips_is_ended_in_time(state: Path, clock: Time) -> None:
    def drip(connection: socket.socket) -> None:
        for letter in http(b"<good/>" + b" " * 1000):
            connection.sendall(bytes([letter]))
            time.sleep(0.02)

    begun = time.monotonic()
    with serving(drip, GOOD) as server:
        assert make(state, clock, total=0.4).get(server.url, {}, accept) == "<good/>"
    assert time.monotonic() - begun < 5


def test_an_answer_without_end_is_not_kept(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polite, "_BODY_CAP", 1 << 20)
    bomb = gzip.compress(b"<good/>" + b" " * (8 << 20))
    with serving(http(bomb, 200, "Content-Encoding: gzip"), GOOD) as server:
        assert gate.get(server.url, {}, accept) == "<good/>"
    assert len(server.asked) == 2


def test_what_the_parser_does_not_accept_is_asked_for_again(gate: Gate) -> None:
    with serving(http(b"<bad/>"), http(b"<bad/>"), GOOD) as server:
        assert gate.get(server.url, {}, accept) == "<good/>"


def test_a_mistake_of_the_program_is_no_fault_of_arxivs(gate: Gate) -> None:
    def wrong(body: bytes) -> str:
        raise KeyError("x")

    with serving(GOOD) as server, pytest.raises(KeyError):
        gate.get(server.url, {}, wrong)
    assert not gate.state().busy


# --- how long it waits -------------------------------------------------------------------------------


def test_retry_after_is_obeyed_in_seconds_and_as_a_date(gate: Gate, clock: Time) -> None:
    date = format_datetime(datetime.fromtimestamp(clock.now + 7 + 90, UTC), usegmt=True)
    with serving(http(b"", 503, "Retry-After: 7"), http(b"", 503, f"Retry-After: {date}"), GOOD) as server:
        gate.get(server.url, {}, accept)
    assert clock.slept == [7.0, 90.0]


def test_retry_after_nothing_still_waits_for_the_gap(gate: Gate, clock: Time) -> None:
    with serving(http(b"", 503, "Retry-After: 0"), GOOD) as server:
        gate.get(server.url, {}, accept)
    assert clock.slept == [3.0]


@pytest.mark.parametrize("value", ["", "soon", "-5", "1e9", "٣", "Mon, 99 Foo 2026 25:00:00 GMT", None])
def test_a_retry_after_that_cannot_be_read_is_none(value: str | None) -> None:
    assert retry_after(value, 0.0) is None


def test_retry_after_asks_for_a_day_at_most_and_never_for_the_past() -> None:
    assert retry_after("999999999999", 0.0) == 86_400
    assert retry_after("Thu, 01 Jan 2099 00:00:00 GMT", 0.0) == 86_400
    assert retry_after("Thu, 01 Jan 1970 00:00:10 GMT", 60.0) == 0


@given(st.integers(1, 60), st.floats(0, 1))
def test_pauses_double_up_to_a_quarter_of_an_hour_and_are_drawn_from_the_upper_half(
    tries: int, draw: float
) -> None:
    longest = min(900, 30 * 2 ** (tries - 1))
    assert longest / 2 <= backoff(tries, draw) <= longest
    assert backoff(tries, 0.0) == longest / 2


def test_pauses_are_as_short_as_the_gap_where_it_may_be_short() -> None:
    assert backoff(1, 1.0, 0.3) == pytest.approx(3.0)
    assert backoff(1, 1.0, 60.0) == 30.0


def test_a_pause_beyond_the_patience_ends_the_run_and_the_next_one_keeps_it(state: Path, clock: Time) -> None:
    gate = make(state, clock, patience=100)
    with serving(http(b"", 503, "Retry-After: 3600"), GOOD) as server:
        with pytest.raises(Deferred, match="answered 503"):
            gate.get(server.url, {}, accept)
        with pytest.raises(Deferred, match="answered 503"):
            make(state, clock, patience=100).get(server.url, {}, accept)
        assert len(server.asked) == 1
        assert gate.closed(datetime.fromtimestamp(clock.now, UTC)) is not None
        clock.now += 3600
        assert gate.closed(datetime.fromtimestamp(clock.now, UTC)) is None
        assert make(state, clock).get(server.url, {}, accept) == "<good/>"
    assert clock.slept == []


def test_the_patience_is_for_all_pauses_of_a_request_together(state: Path, clock: Time) -> None:
    with serving(http(b"", 503)) as server, pytest.raises(Deferred):
        make(state, clock, patience=120).get(server.url, {}, accept)
    assert clock.slept == [30.0, 60.0]
    assert len(server.asked) == 3


def test_a_clock_that_was_set_back_keeps_the_gate_closed_no_longer_than_was_decided() -> None:
    state = GateState().closed(1000.0, 60.0, "why")
    assert state.closed_left(1010.0) == 50
    assert state.closed_left(0.0) == 60
    assert state.closed_left(2000.0) == 0


# --- the breaker -------------------------------------------------------------------------------------


def test_three_429_in_a_row_close_the_gate_for_an_hour_then_two_four_eight(state: Path, clock: Time) -> None:
    pauses = []
    with serving(http(b"", 429)) as server:
        for asked in (3, 4, 5, 6, 7):
            begun = clock.now
            with pytest.raises(Deferred, match="429, too many requests"):
                make(state, clock, patience=200).get(server.url, {}, accept)
            assert len(server.asked) == asked
            pauses.append(GateState.closed_left(make(state, clock).state(), clock.now))
            clock.now = make(state, clock).state().closed_until
            assert clock.now > begun
    assert pauses == [3600, 7200, 14400, 28800, 28800]


def test_a_good_answer_takes_the_breaker_back_to_its_beginning(state: Path, clock: Time) -> None:
    throttled = http(b"Rate exceeded.")
    with serving(throttled, throttled, throttled, GOOD, throttled, throttled, throttled) as server:
        for expected in (3600, 3600):
            with pytest.raises(Deferred):
                make(state, clock, patience=200).get(server.url, {}, accept)
            gate = make(state, clock, patience=200)
            assert gate.state().closed_left(clock.now) == expected
            clock.now += 3600
            if expected and len(server.asked) == 3:
                gate.get(server.url, {}, accept)


def test_429_that_do_not_follow_each_other_leave_the_gate_open(gate: Gate) -> None:
    with serving(http(b"", 429), http(b"", 429), http(b"", 503), http(b"", 429), GOOD) as server:
        assert gate.get(server.url, {}, accept) == "<good/>"
    assert gate.state().closings == 0


def test_403_closes_the_gate_for_a_day_and_tells_the_operator(state: Path, clock: Time) -> None:
    with serving(http(b"", 403)) as server:
        for _ in range(2):
            with pytest.raises(Deferred, match=r"403, forbidden: stop, and write to help@arxiv\.org"):
                make(state, clock).get(server.url, {}, accept)
    assert len(server.asked) == 1
    assert make(state, clock).state().closed_left(clock.now) == 86_400


# --- what is not asked for again ---------------------------------------------------------------------


def test_400_is_told_with_the_query_and_arxivs_words_and_not_asked_again(gate: Gate) -> None:
    def parse(body: bytes) -> str:
        raise InputError("incorrect id format for abc")

    with serving(http(b"<feed/>", 400)) as server, pytest.raises(InputError) as caught:
        gate.get(server.url, {"id_list": "abc"}, parse)
    assert "id_list=abc" in str(caught.value)
    assert "incorrect id format for abc" in str(caught.value)
    assert caught.value.exit_code == 65
    assert len(server.asked) == 1


def test_other_refusals_are_told_with_the_beginning_of_what_was_said(gate: Gate) -> None:
    with (
        serving(http(b"no\nsuch page", 404)) as server,
        pytest.raises(InputError, match=r"answers 404 .* no such page"),
    ):
        gate.get(server.url, {}, accept)
    assert len(server.asked) == 1


# --- redirects ---------------------------------------------------------------------------------------


def test_redirects_on_the_same_server_are_followed_each_after_a_gap(gate: Gate, clock: Time) -> None:
    with serving(http(b"", 301, "Location: /y?z=1"), http(b"", 308, "Location: w"), GOOD) as server:
        assert gate.get(server.url, {}, accept) == "<good/>"
    assert server.targets == ["/x", "/y?z=1", "/w"]
    assert clock.slept == [3.0, 3.0]


def test_a_loop_of_redirects_ends_after_three(gate: Gate) -> None:
    with (
        serving(http(b"", 302, "Location: /x")) as server,
        pytest.raises(Deferred, match="more than 3 times"),
    ):
        gate.get(server.url, {}, accept)
    assert len(server.asked) == 5 * 4


@pytest.mark.parametrize(
    ("target", "inside"),
    [
        ("https://oaipmh.arxiv.org/oai", True),
        ("https://arxiv.org/x", True),
        ("/other", True),
        ("http://export.arxiv.org/oai2", False),
        ("https://arxiv.org.example.org/", False),
        ("https://notarxiv.org/", False),
        ("https://127.0.0.1/", False),
        ("file:///etc/passwd", False),
    ],
)
def test_redirects_lead_nowhere_but_inside_arxiv(target: str, inside: bool) -> None:
    try:
        polite._redirected("https://export.arxiv.org/oai2", target)
    except polite._Failed:
        assert not inside
    else:
        assert inside


def test_no_connection_is_kept_between_requests(gate: Gate) -> None:
    with Server(GOOD) as server:
        gate.get(server.url, {}, accept)
        gate.get(server.url, {}, accept)
        gate.close()
    assert all("connection: close\r\n" in head.lower() for head in server.asked)
