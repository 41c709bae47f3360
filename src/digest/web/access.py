"""Who may use the page: the password, sessions, a token for programs, and tokens that show that a form is
one of ours.

A session is a cookie that only the program can have written: a random name, when it ends, whether a
password was given, and an HMAC of these (RFC 2104). Nothing of it is stored, so a restart ends none; a
new password ends all. A form's token is an HMAC of its session's name
(https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections import deque
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from digest.errors import InputError, refused

COOKIE = "digest"
LASTS = timedelta(days=30)
LEAST = 10
"""Characters of a password."""
# About 0.1 s and 32 MB a try (https://datatracker.ietf.org/doc/html/rfc7914#section-2).
_COST = {"n": 2**15, "r": 8, "p": 1}
_MOST_MEMORY = 2**26


class Password(Struct, frozen=True):
    """What is kept of a password: its scrypt hash, and what that was made with."""

    salt: bytes
    hash: bytes
    n: int
    r: int
    p: int

    def fits(self, given: str) -> bool:
        """Whether this is the password; takes as long for any other."""
        return hmac.compare_digest(_scrypt(given, self.salt, self.n, self.r, self.p), self.hash)


class Token(Struct, frozen=True):
    """What is kept of the token that programs give instead of a password: its hash. It was drawn by chance
    (256 bits), so a plain hash tells nothing."""

    hash: bytes

    def fits(self, given: str) -> bool:
        """Whether this is the token; takes as long for any other."""
        return hmac.compare_digest(_hash(given), self.hash)


class Session(Struct, frozen=True):
    """A browser: a random name, and whether the password was given in it."""

    name: str
    entered: bool


PROGRAM = Session("program", entered=True)
"""No browser, but a program that gives the token with each request. Its forms need no token of ours: it has
no cookie that another site could make use of."""


class Access:
    """The password and the token (None where there is none) and the secret of a digest home."""

    def __init__(self, secret: bytes, password: Password | None, token: Token | None = None) -> None:
        self.password = password
        self.bearer = token
        self.tries = Tries()
        self.token_tries = Tries()
        self._key = secret + b"".join(one.hash for one in (password, token) if one)

    def session(self, cookie: str | None, now: datetime) -> Session | None:
        """The session a cookie stands for; None for one that is not ours, or over."""
        text, _, sign = (cookie or "").rpartition(".")
        if not hmac.compare_digest(self._sign("session", text), sign.encode("ascii", "replace")):
            return None
        name, ends, entered = text.split(".")
        return Session(name, entered == "1") if int(ends) > now.timestamp() else None

    def cookie(self, session: Session, now: datetime) -> str:
        """The cookie of a session."""
        text = f"{session.name}.{int((now + LASTS).timestamp())}.{int(session.entered)}"
        return f"{text}.{self._sign('session', text).decode()}"

    def token(self, session: Session) -> str:
        """What a form of this session holds."""
        return self._sign("form", session.name).decode()

    def is_token(self, session: Session, given: str) -> bool:
        """Whether a form is one of this session."""
        return hmac.compare_digest(self.token(session).encode(), given.encode())

    @property
    def is_locked(self) -> bool:
        """Whether something must be given before the pages are seen."""
        return self.password is not None or self.bearer is not None

    def may_enter(self, session: Session) -> bool:
        """Whether a session may see the pages."""
        return session.entered or not self.is_locked

    def opens(self, given: str) -> bool:
        """Whether this is the password, or the token."""
        return any(one is not None and one.fits(given) for one in (self.password, self.bearer))

    def _sign(self, what: str, text: str) -> bytes:
        return hmac.new(self._key, f"{what}:{text}".encode(), hashlib.sha256).hexdigest().encode()


class Tries:
    """How often a password or a token may be tried: five times, then once in ten seconds; for all who try
    together, since an address costs an attacker nothing."""

    FREE = 5
    EVERY = timedelta(seconds=10)

    def __init__(self) -> None:
        self._lock = Lock()
        self._made: deque[datetime] = deque(maxlen=self.FREE)

    def take(self, now: datetime) -> timedelta:
        """Count a try, where one may be made now: zero; else how long nobody may."""
        with self._lock:
            full = len(self._made) == self.FREE and self._made[0] > now - self.EVERY * self.FREE
            wait = max(self._made[-1] + self.EVERY - now, timedelta()) if full else timedelta()
            if not wait:
                self._made.append(now)
            return wait

    def forget(self) -> None:
        """Begin anew, after the right one."""
        with self._lock:
            self._made.clear()


def new_session(*, entered: bool = False) -> Session:
    """A session that was not there before."""
    return Session(secrets.token_urlsafe(18), entered)


def load(home: Path) -> Access:
    """The access to the page of a digest home, whose secret is made where there is none. Raises DigestError
    where its files cannot be used."""
    secret = home / "page.secret"
    if not secret.exists():
        _write(secret, secrets.token_bytes(32))
    return Access(_read(secret), load_password(home), load_token(home))


def load_password(home: Path) -> Password | None:
    """The password of the page of a digest home, if one is set."""
    file = _password_file(home)
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(_read(file), type=Password)
    except msgspec.DecodeError as error:
        raise InputError(f"{file}: is no password; set it anew with: digest serve --set-password") from error


def set_password(home: Path, given: str) -> Path:
    """Keep the hash of a new password; the file. Raises InputError for one that is too short."""
    if len(given) < LEAST:
        raise InputError(f"the password has {len(given)} characters; give it at least {LEAST}")
    salt = secrets.token_bytes(16)
    made = Password(salt, _scrypt(given, salt, **_COST), **_COST)
    _write(_password_file(home), msgspec.json.encode(made))
    return _password_file(home)


def load_token(home: Path) -> Token | None:
    """The token of the page of a digest home, if one was made."""
    file = _token_file(home)
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(_read(file), type=Token)
    except msgspec.DecodeError as error:
        raise InputError(f"{file}: is no token; make another with: digest serve --make-token") from error


def make_token(home: Path) -> str:
    """Draw a new token, keep its hash, and give it: it is told once. The one before ends."""
    made = secrets.token_urlsafe(32)
    _write(_token_file(home), msgspec.json.encode(Token(_hash(made))))
    return made


def _token_file(home: Path) -> Path:
    return home / "page.token"


def _hash(given: str) -> bytes:
    return hashlib.sha256(given.encode("utf-8", "replace")).digest()


def _password_file(home: Path) -> Path:
    return home / "page.password"


def _scrypt(given: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(given.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise refused(error) from error


def _write(file: Path, content: bytes) -> None:
    """A file that only its owner can read, whole or not at all."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(content)
        draft.replace(file)
    except OSError as error:
        raise refused(error) from error
