"""The command line: options to calls, results to text. Results go to stdout, messages to stderr.

One module for each group of commands; ``base`` holds what they share, and says which module has which
command: only that one is imported. A plain search does without click (``asking``).
"""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from digest.cli import asking
from digest.errors import DigestError, refused
from digest.stopping import STOP, Ended

if TYPE_CHECKING:
    import click


def main() -> None:
    """Run the command line; every error a user can mend is one line and an exit code."""
    STOP.listen()
    _replace_closed()
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal without Chinese shows escapes
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        if asked := asking.plain(sys.argv[1:]):
            asking.run(asked)
        sys.exit(_by_click())
    except KeyboardInterrupt:
        sys.exit(130)
    except Ended as ended:
        _fail("stopped; what was done is stored, and the same command goes on from there", ended.exit_code)
    except BrokenPipeError:
        _forget_output()
        sys.exit(141)
    except OSError as error:
        _forget_output()
        _fail(str(refused(error)), refused(error).exit_code)
    except DigestError as error:
        _fail(str(error), error.exit_code)


def _by_click() -> int:
    """Run a command; gives its exit code."""
    import click

    from digest.cli.base import cli

    try:
        # What a command gave to context.exit comes back; one that ends by itself gives None.
        return cli(prog_name="digest", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        _fail(_as_line(error), error.exit_code)
    except click.Abort:
        return 130


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        sys.stderr.write(f"digest: {line}\n")
    sys.exit(code)


def _as_line(error: click.ClickException) -> str:
    import click

    message = " ".join(error.format_message().split()).rstrip(".")
    message = message.replace("is not a valid integer range", "is not a whole number")
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"{message}; see {context.command_path} --help" if context else message


def _replace_closed() -> None:
    """What is said on a stream that was closed before we began goes nowhere; without this the next file that
    is opened would have its number."""
    import os

    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(number, True)
    os.close(number)
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115, PTH123


def _forget_output() -> None:
    """What could not be written is not tried again at exit (https://docs.python.org/3/library/signal.html)."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
