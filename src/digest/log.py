"""What the program says about its work: on stderr, as lines for a person or as JSON.

Modules speak through the standard library, an event's name and its fields:

    logger = logging.getLogger(__name__)
    logger.info("crawled", extra={"papers": 12})

so that nothing is loaded to be silent: structlog, which writes the lines, costs 0.1 CPU-seconds and is
loaded with the first line.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from digest.patterns import pattern

if TYPE_CHECKING:
    import structlog

_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO, 2: logging.DEBUG}

# httpx logs each URL at INFO, and Telegram's URLs hold the token.
_TALKERS = ("httpx", "httpcore", "urllib3")

_SECRET_NAME = pattern(r"(^|[_-])(token|password|secret|authorization|api[_-]?key)$", re.IGNORECASE)
_SECRET = pattern(
    # a Telegram bot token: https://core.telegram.org/bots/api#authorizing-your-bot
    r"(?<!\d)\d{6,}:[A-Za-z0-9_-]{30,}"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"  # user:password in a URL
    r"|(?<=Bearer )\S+"
)
REDACTED = "[redacted]"


def configure(verbosity: int, json: bool = False) -> None:
    """Set up logging for a command. ``verbosity``: -1 errors only, 0 warnings too, 1 what is done, 2 all
    of the program's own words; other packages are heard from warnings on. ``json``: one object a line."""
    handler = _Stderr()
    handler.setFormatter(_Formatter(json))
    level = _LEVELS[max(-1, min(verbosity, 2))]
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)
    logging.getLogger("digest").setLevel(level)
    for name in _TALKERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def redact(text: str) -> str:
    """The text without what looks like a secret: bot tokens, passwords in URLs, bearer tokens."""
    return _SECRET.sub(REDACTED, text)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever sys.stderr is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Formatter(logging.Formatter):
    """structlog's formatter, made with the first record."""

    def __init__(self, json: bool) -> None:
        super().__init__()
        self._json = json

    def format(self, record: logging.LogRecord) -> str:
        return self._formatter.format(record)

    @cached_property
    def _formatter(self) -> structlog.stdlib.ProcessorFormatter:
        import structlog

        return structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_fields,
                *_renderers(self._json),
            ],
        )


def _renderers(json: bool) -> list[Any]:
    import structlog

    if json:
        as_json = structlog.processors.JSONRenderer(ensure_ascii=False)
        return [structlog.processors.format_exc_info, as_json, _redact_line]
    plain = structlog.dev.plain_traceback  # the default shows local variables where rich is installed
    return [
        structlog.dev.ConsoleRenderer(colors=has_colours(sys.stderr), exception_formatter=plain),
        _redact_line,
    ]


def has_colours(stream: TextIO) -> bool:
    """Whether it is a terminal that can and may show colours and bold letters (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _redact_fields(_: Any, __: str, event: Mapping[str, Any]) -> dict[str, Any]:
    """Blacks out what stands under a name such as token, however deep."""
    return {name: REDACTED if _SECRET_NAME.search(name) else _inner(value) for name, value in event.items()}


def _inner(value: Any) -> Any:
    if isinstance(value, dict):
        return _redact_fields(None, "", {str(name): inner for name, inner in value.items()})
    if isinstance(value, list | tuple):
        return [_inner(inner) for inner in value]
    return value


def _redact_line(_: Any, __: str, line: str) -> str:
    return redact(line)
