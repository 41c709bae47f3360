"""Answers of arXiv in our own words, and a server on this machine that gives them, as they are told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import NamedTuple, Self

# --- answers ---------------------------------------------------------------------------------------

OAI = "http://www.openarchives.org/OAI/2.0/"


class Raw(NamedTuple):
    """A record of OAI-PMH in the format arXivRaw."""

    id: str = "2606.00001"
    changed: str = "2026-06-02"
    versions: Sequence[tuple[str, str]] = (("v1", "Mon, 01 Jun 2026 10:00:00 GMT"),)
    title: str = "Forgetting on request"
    abstract: str = "A model forgets what it was asked to forget."
    authors: str = 'Ada Lovelace and Kurt G{\\"o}del'
    categories: str = "cs.LG stat.ML"
    more: str = "<comments>9 pages</comments>"
    source: tuple[str, str] = ("12kb", "D")

    def xml(self) -> str:
        size, kind = self.source
        versions = "".join(
            f'<version version="{number}"><date>{date}</date><size>{size}</size>'
            f"<source_type>{kind}</source_type></version>"
            for number, date in self.versions
        )
        return (
            f"<record>{header(self.id, self.changed)}<metadata>"
            '<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/">'
            f"<id>{self.id}</id><submitter>Someone</submitter>{versions}<title>{escape(self.title)}</title>"
            f"<authors>{escape(self.authors)}</authors><categories>{self.categories}</categories>"
            f"{self.more}<abstract>  {escape(self.abstract)}\n</abstract></arXivRaw></metadata></record>"
        )


def header(id_: str, changed: str = "2026-06-02", status: str = "") -> str:
    attribute = f' status="{status}"' if status else ""
    return (
        f"<header{attribute}><identifier>oai:arXiv.org:{id_}</identifier>"
        f"<datestamp>{changed}</datestamp><setSpec>cs</setSpec></header>"
    )


def oai(inside: str, day: str = "2026-06-03T05:30:00Z") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="{OAI}"><responseDate>{day}</responseDate>'
        f'<request verb="ListRecords">http://127.0.0.1/oai</request>{inside}</OAI-PMH>'
    ).encode()


def records(*items: Raw | str, token: str | None = None, day: str = "2026-06-03T05:30:00Z") -> bytes:
    xml = "".join(item.xml() if isinstance(item, Raw) else item for item in items)
    end = "" if token is None else f"<resumptionToken>{escape(token)}</resumptionToken>"
    return oai(f"<ListRecords>{xml}{end}</ListRecords>", day)


def identifiers(*headers: str, token: str | None = None) -> bytes:
    end = "" if token is None else f"<resumptionToken>{token}</resumptionToken>"
    return oai(f"<ListIdentifiers>{''.join(headers)}{end}</ListIdentifiers>")


def oai_error(code: str, day: str = "2026-06-03T05:30:00Z") -> bytes:
    return oai(f'<error code="{code}">Told why</error>', day)


def item(
    id_: str = "2606.00001v1", kind: str = "new", title: str = "Forgetting on request", more: str = ""
) -> str:
    return (
        f"<item><title>{escape(title)}</title><link>https://arxiv.org/abs/x</link>"
        f"<description>arXiv:{id_} Announce Type: {kind} \nAbstract: A model forgets what it was asked to "
        f'forget.</description><guid isPermaLink="false">oai:arXiv.org:{id_}</guid><category>cs.LG</category>'
        f"<category>stat.ML</category><pubDate>Tue, 02 Jun 2026 00:00:00 -0400</pubDate>"
        f"<arxiv:announce_type>{kind}</arxiv:announce_type>"
        f'<dc:creator>Ada Lovelace, Kurt G\\"odel</dc:creator>{more}</item>'
    )


def rss(
    *items: str, day: str = "Tue, 02 Jun 2026 00:00:00 -0400", title: str = "cs.LG updates on arXiv.org"
) -> bytes:
    return (
        '<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'version="2.0"><channel><title>{title}</title><description>The reason</description>'
        f"<pubDate>{day}</pubDate><skipDays><day>Saturday</day><day>Sunday</day></skipDays>"
        f"{''.join(items)}</channel></rss>"
    ).encode()


def entry(
    id_: str = "2606.00001v1",
    title: str = "Forgetting on request",
    updated: str = "2026-06-01T10:00:00Z",
    more: str = "",
) -> str:
    return (
        f"<entry><id>http://arxiv.org/abs/{id_}</id><title>{escape(title)}</title>"
        f"<updated>{updated}</updated><published>2026-06-01T10:00:00Z</published>"
        "<summary>  A model forgets what it was asked\n  to forget.\n</summary>"
        '<category term="stat.ML"/><category term="cs.LG"/><category term="68T05 (Primary)"/>'
        '<arxiv:primary_category term="cs.LG"/><arxiv:comment>9 pages</arxiv:comment>'
        "<author><name>Ada Lovelace</name><arxiv:affiliation>Home</arxiv:affiliation></author>"
        f"<author><name>Kurt G\u00f6del</name></author>{more}</entry>"
    )


def atom(*entries: str, total: int | None = None, start: int = 0) -> bytes:
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" '
        'xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/"><id>https://arxiv.org/api/x</id>'
        "<title>arXiv Query: x</title><updated>2026-06-03T05:30:00Z</updated>"
        f"<opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>"
        f"<opensearch:startIndex>{start}</opensearch:startIndex>"
        f"<opensearch:itemsPerPage>100</opensearch:itemsPerPage>{''.join(entries)}</feed>"
    ).encode()


def api_error(said: str = "incorrect id format for abc") -> bytes:
    error = (
        "<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>"
        f"<summary>{said}</summary><author><name>arXiv api core</name></author></entry>"
    )
    return atom(error)


# --- a server --------------------------------------------------------------------------------------

Behaviour = Callable[[socket.socket], None]


def http(body: bytes = b"", status: int = 200, *headers: str, length: int | None = None) -> bytes:
    """An answer on the wire."""
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {size}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Server:
    """Gives the answers of a list, one a connection and the last one for ever: bytes are sent as they
    are, a function is let loose on the socket. ``asked`` are the heads of the requests."""

    def __init__(self, *answers: bytes | Behaviour, port: int = 0) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/x"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def targets(self) -> list[str]:
        """What was asked for."""
        return [head.split()[1] for head in self.asked]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := connection.recv(4096)):
                return
            head += more
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.asked.append(head.decode())
        try:
            if callable(answer):
                answer(connection)
            else:
                connection.sendall(answer)
        except OSError:
            pass  # the client had enough

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)


@contextmanager
def serving(*answers: bytes | Behaviour) -> Iterator[Server]:
    with Server(*answers) as server:
        yield server


class Time:
    """A clock that goes on only while one sleeps."""

    def __init__(self, now: float = 1_780_000_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += seconds
