"""What can go wrong, by what the caller can do about it.

DigestError                 exit code
├── UsageError              2   the command or the configuration is wrong: correct it
│   └── ConfigError         2   digest.toml or the environment
├── InputError              65  a file or an answer cannot be read: give another one
├── Changed                 65  a post is not any more what was looked at: look again
├── TryAgain                75  not now: a lock, a limit, a full disk; run again later
│   ├── StoreBusy           75  another process holds the database
│   ├── Deferred            75  arXiv is not to be asked before some time: go on from the cursor then
│   └── NotAnAnswer         75  what came back is not what was asked for: cut, empty, another page
├── StoreError              1   the database cannot be used as it is
│   ├── NewerDatabase       1   it was written by a newer version of the program
│   └── OlderDatabase       1   it was to be read only, and must be upgraded first
├── DeliveryError           1   a part was not delivered
│   ├── NotSent                 surely not sent: safe to try again, after some time if it says so
│   │   ├── Moved               the chat has another id now: send it there
│   │   ├── Paused              the channel takes nothing until a person has mended something
│   │   └── Stopped             none of the sender's channels does
│   ├── Uncertain               may have been sent: never try again by itself
│   └── Refused                 the channel will never take it as it is
│       └── Gone                the message that was to be changed is not there any more
└── ModelError              1   the embedding model cannot be loaded

A message is one line: what, where, what to do.
"""

from __future__ import annotations

import errno
from datetime import timedelta


class DigestError(Exception):
    """Base of all errors a user can do something about; the message is one line."""

    exit_code = 1


class UsageError(DigestError):
    """The command or the configuration is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """digest.toml or the environment is wrong; names file, key and the nearest right one."""


class InputError(DigestError):
    """A file or an answer cannot be read as what it should be."""

    exit_code = 65


class Changed(DigestError):
    """A post is not any more what was looked at; nothing was done to it."""

    exit_code = 65


class TryAgain(DigestError):
    """It may work later without a change."""

    exit_code = 75


class StoreError(DigestError):
    """The database cannot be used as it is."""


class DiskFailed(StoreError):
    """The disk under the database failed; it may not the next time."""


class StoreBusy(TryAgain):
    """Another process holds the database."""


class Deferred(TryAgain):
    """arXiv is not to be asked for some time; what was read so far is stored."""


class NotAnAnswer(TryAgain):
    """An answer that is not what was asked for, whatever its status: ask again."""


class NewerDatabase(StoreError):
    """The database was written by a newer version of the program."""


class OlderDatabase(StoreError):
    """The database was to be read only, and must be upgraded first."""


class DeliveryError(DigestError):
    """A part was not delivered."""


class NotSent(DeliveryError):
    """Surely not sent: safe to try again. ``wait``: not before so much time has passed, for all
    channels of the same sender; None where nothing is said about that."""

    def __init__(self, message: str, wait: timedelta | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Moved(NotSent):
    """Not sent: the chat goes by another id now."""

    def __init__(self, message: str, chat: str) -> None:
        super().__init__(message)
        self.chat = chat


class Paused(NotSent):
    """Not sent: the channel takes nothing until a person has mended what the message names."""


class Stopped(NotSent):
    """Not sent: nothing goes through this sender until a person has mended what the message names."""


class Uncertain(DeliveryError):
    """May have been sent: must not be tried again without a look."""


class Refused(DeliveryError):
    """The channel will never take the part as it is."""


class Gone(Refused):
    """The message that was to be changed is not there any more."""


class ModelError(DigestError):
    """The embedding model cannot be loaded."""


def refused(error: OSError, advice: str = "check whose it is and what may be written there") -> DigestError:
    """What the system refused as an error of ours; on a full disk it may work later, else see ``advice``."""
    what = f"{error.filename or 'the system'}: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TryAgain(f"{what}: make room and run again")
    return DigestError(f"{what}: {advice}")
