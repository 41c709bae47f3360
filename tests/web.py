"""A real server of the page on loopback, over an archive of its own, and a browser's manners for httpx."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from digest import config
from digest.app import App
from digest.store import Store
from digest.types import Evidence, Match, Neighbour, Page, Paper
from digest.web import access, server
from digest.web import app as web
from digest.web.guard import Hosts
from digest.web.work import Jobs

FRIDAY = datetime(2026, 7, 3, 12, tzinfo=UTC)
HARM = "2607.09999"
SCRIPT = "<script>document.title='harmed'</script>"
_PICTURE = '"><img src=x onerror="document.title=1">'


def add_harm(home: Path) -> None:
    """Add a paper whose every text is an attack, a match of it, and such a key."""
    paper = Paper(
        id=HARM,
        version=1,
        title=f"{SCRIPT} {_PICTURE} {{{{7*7}}}} interpretability $x^2$",
        abstract=f"Interpretability {SCRIPT} {_PICTURE} of javascript:alert(1) is $\\alpha$. " * 3,
        authors=(f"Eve {SCRIPT}", "O'Hara"),
        categories=("cs.LG",),
        submitted=FRIDAY,
        updated=FRIDAY,
        announced=FRIDAY.date(),
        comments=f"{SCRIPT} code at https://github.com/a/b?x=%22onload",
        journal_ref=_PICTURE,
        doi="10.1/<script>",
    )
    evidence = Evidence(
        seed_keys=(SCRIPT,), neighbours=(Neighbour(HARM, SCRIPT, 0.9),), scores={"looks": 0.9}
    )
    match = Match(topic="xai", paper=HARM, score=0.99, silent=True, evidence=evidence, scorer="x")
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_papers("import", Page((paper,), None), FRIDAY)
        store.put_matches("xai", [match], "x")
        store.decide_key("xai", SCRIPT, SCRIPT, "proposed", by="digest", reason=SCRIPT, now=FRIDAY)


@contextmanager
def serving(
    home: Path, now: datetime | None = None, *, program: Sequence[str] = (), options: Sequence[str] = ()
) -> Iterator[str]:
    """The address of the page of a digest home, while it is served; ``program`` is what long work is begun
    with, ``options`` what it is given."""
    with (
        App(config.load(None, home, {}), now or datetime.now(UTC), quiet=True) as app,
        Jobs(program, app.clock.now, options) as jobs,
    ):
        page = web.build(app, access.load(home), Hosts("127.0.0.1"), jobs, now=now)
        listening = server.listen("127.0.0.1", 0)
        made = server.server(page)
        thread = threading.Thread(target=made.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            while not made.started:
                thread.join(0.01)
                assert thread.is_alive(), "the server did not start"
            yield server.url(listening).rstrip("/")
        finally:
            made.should_exit = True
            thread.join(10)
            listening.close()
            assert not thread.is_alive(), "the server did not end"


class Browser(httpx.Client):
    """Keeps cookies, follows redirections, says where a form comes from, and sends forms with their token."""

    def __init__(self, address: str, **more: Any) -> None:
        super().__init__(base_url=address, follow_redirects=True, trust_env=False, timeout=60, **more)

    def send_form(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Open a page, and send the form of it that goes to ``path``, with these fields as they are."""
        form = self.form(page, path)
        headers = {"Origin": str(self.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        return self.post(path, data={**form, **fields}, headers=headers)

    def form(self, page: str, path: str) -> dict[str, str]:
        """The hidden fields of the form of a page that goes to ``path``."""
        text = self.get(page).raise_for_status().text
        found = re.search(rf'<form[^>]*action="{re.escape(path)}"[^>]*>(.*?)</form>', text, re.DOTALL)
        assert found, f"{page} has no form for {path}"
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', found[1])
        return dict(hidden)

    def settled(self, path: str) -> httpx.Response:
        """The page once what takes long is done; meanwhile it says so and asks again by itself."""
        for _ in range(600):
            answer = self.get(path)
            if "<progress" not in answer.text:
                return answer
            assert '<meta http-equiv="refresh"' in answer.text
            time.sleep(0.1)
        raise AssertionError("it is never done")
