"""Other words for a paper's own: an OpenAI-compatible endpoint may retell, translate and title.

It is given one text and asked for one; what comes back is checked (`faithful`) and refused where it says
more. What is kept is kept by the text it was made of, so the same is never asked twice. A run makes so
many calls and spends so many tokens, and no more; an endpoint that fails three times is left alone. What
is not had from it is left out: no post waits for it (https://platform.openai.com/docs/api-reference/chat).
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from digest.errors import UsageError
from digest.faithful import problem
from digest.types import Language, Task, Wording

if TYPE_CHECKING:
    from openai import OpenAI

FAILURES = 3
"""So many failures in a row, and the endpoint is left alone for the rest of the run."""
ANSWER_BYTES = 65_536
"""No answer that is wanted is longer."""
ANSWER_TOKENS = 600
LETTERS_A_TOKEN = 2
"""Where an endpoint does not say what it used, this many letters are taken for a token: rather too few."""

LANGUAGES: Mapping[Language, str] = {"en": "English", "ru": "Russian", "zh": "Simplified Chinese"}
_RULES = (
    "Use only what the text says. Add no number, name, link or claim that is not in it. Keep names of "
    "methods, models and datasets in Latin letters as they are written. Plain text, no Markdown, no LaTeX, "
    "no preamble."
)
ASKED: Mapping[Task, str] = {
    "tell": "Say what the text says in one or two plain {language} sentences for readers who know the field.",
    "translate": "Translate the text into {language}, as an editor of a science channel would write it.",
    "title": "Translate this paper's title into {language}, short and exact.",
}
"""What is asked for; a change of these words asks anew."""

logger = logging.getLogger(__name__)


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where to ask and how much a run may cost."""

    url: str
    model: str
    seconds: float
    calls: int
    tokens: int


class Kept(Protocol):
    """What was asked before."""

    def wording(self, key: str) -> Wording | None:
        """The answer kept under a key."""
        ...

    def put_wording(self, key: str, one: Wording) -> None:
        """Keep an answer."""
        ...


class Words:
    """An endpoint, asked as little as possible."""

    def __init__(self, endpoint: Endpoint, key: Callable[[], str], kept: Kept) -> None:
        self._endpoint, self._key, self._kept = endpoint, key, kept
        self._client: OpenAI | None = None
        self._failures = 0
        self.calls = 0
        self.tokens = 0
        self.notes: list[str] = []

    def __call__(self, task: Task, text: str, language: Language) -> str | None:
        """Other words for a text; None where there are none that can be trusted."""
        asked = ASKED[task].format(language=LANGUAGES[language])
        told = "\0".join((self._endpoint.model, language, asked, _RULES, text))
        key = hashlib.sha256(told.encode()).hexdigest()
        kept = self._kept.wording(key)
        if kept is None:
            answer = self._ask(asked, text)
            if answer is None:
                return None
            kept = Wording(
                task, language, self._endpoint.model, text, answer, problem(answer, text, language)
            )
            self._kept.put_wording(key, kept)
            if kept.refused:
                self._note(f"an answer was refused: {kept.refused}")
        return None if kept.refused else kept.text

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()

    def _ask(self, asked: str, text: str) -> str | None:
        """The endpoint's answer; None where it gives none, or may not be asked any more."""
        if not self._may_ask():
            return None
        self.calls += 1
        try:
            answer = self._answer(asked, text)
        except UsageError as error:  # no key, no client: the same for every text
            self._failures = FAILURES
            self._note(str(error))
            return None
        except Exception as error:
            self._failures += 1
            self._note(f"no answer: {_reason(error)}")
            logger.warning("no wording", extra={"reason": _reason(error), "failures": self._failures})
            return None
        self._failures = 0
        return answer

    def _may_ask(self) -> bool:
        if self._failures >= FAILURES:
            self._note(f"it has failed {FAILURES} times and is left alone until the next run")
        elif self.calls >= self._endpoint.calls:
            self._note(f"the {self._endpoint.calls} calls of a run are used up")
        elif self.tokens >= self._endpoint.tokens:
            self._note(f"the {self._endpoint.tokens} tokens of a run are used up")
        else:
            return True
        return False

    def _answer(self, asked: str, text: str) -> str:
        client = self._opened()  # loading it takes a second or two
        until = time.monotonic() + self._endpoint.seconds
        request = client.chat.completions.with_streaming_response.create(
            model=self._endpoint.model,
            messages=[
                {"role": "system", "content": f"{asked} {_RULES}"},
                {"role": "user", "content": text},
            ],
            max_tokens=ANSWER_TOKENS,
            temperature=0,
        )
        body = bytearray()
        with request as response:
            for piece in response.iter_bytes():
                body += piece
                if time.monotonic() > until:  # a server that trickles never meets a time-out between bytes
                    raise TimeoutError
                if len(body) > ANSWER_BYTES:
                    raise OverflowError
        answer = msgspec.json.decode(bytes(body), type=_Answer)
        said = answer.choices[0].message.content.strip()
        spent = answer.usage.total_tokens if answer.usage else 0
        self.tokens += max(spent, (len(asked) + len(_RULES) + len(text) + len(said)) // (2 * LETTERS_A_TOKEN))
        return said

    def _opened(self) -> OpenAI:
        if self._client is None:
            try:
                from openai import OpenAI
            except ImportError:
                raise UsageError('the writer needs the client: pip install "digest[writer]"') from None
            self._client = OpenAI(
                base_url=self._endpoint.url,
                api_key=self._key(),
                timeout=self._endpoint.seconds,
                max_retries=0,
            )
        return self._client

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


class _Message(Struct):
    content: str


class _Choice(Struct):
    message: _Message


class _Usage(Struct):
    total_tokens: int = 0


class _Answer(Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def _reason(error: Exception) -> str:
    """What went wrong, without a word of the server's: an answer may repeat the key."""
    status = getattr(error, "status_code", None)
    if status is not None:
        return f"status {status}"
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return "it took too long"
    if isinstance(error, OverflowError):
        return "it is far too long"
    if isinstance(error, msgspec.MsgspecError | IndexError):
        return "it is no answer of a chat"
    return "the endpoint cannot be reached" if "Connect" in type(error).__name__ else type(error).__name__
