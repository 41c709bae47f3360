"""Which links Telegram takes, and how it writes them (TDLib, LinkManager.cpp and HttpUrl.cpp).

A link is ``[https?://][user@]host[:port][/path]``, or tg:, ton: or tonsite:. The scheme is added
where it is missing; other schemes, hosts without a dot and odd characters are refused.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from string import ascii_lowercase, ascii_uppercase

from msgspec import Struct

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
INTEGER = re.compile(r"0|-?[1-9][0-9]*")
SPACES = " \t\r\n\0\v"
_OWN_SCHEME = re.compile(r"(tg|tonsite|ton):(?://)?", re.IGNORECASE | re.ASCII)
_HOST_PART = r"(?:[A-Za-z0-9.\-_!$,~*'();&+={}]|%[0-9A-Fa-f]{{2}}|[^\x00-\x7f])*"
_HOST = re.compile(_HOST_PART.format(""))
_USER = re.compile(_HOST_PART.format(":"))
_LARGEST_USER = (1 << 40) - 1  # TDLib, UserId.h


def lower(text: str) -> str:
    """Lower case as Telegram has it: of ASCII letters only."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


class LinkError(ValueError):
    """Telegram refuses the link; the message is its reason."""


class _Url(Struct, frozen=True):
    scheme: str
    user: str
    host: str
    port: int
    path: str
    ipv6: bool


def user_link(link: str) -> str | None:
    """The canonical ``tg://user?id=N`` if the link mentions a user, else None."""
    found = re.match(r"tg:(?://)?user/?\?([^#]*)", lower(link), re.DOTALL)
    for parameter in found[1].split("&") if found else ():
        name, _, value = parameter.partition("=")
        if name == "id":
            known = INTEGER.fullmatch(value) and 0 < int(value) <= _LARGEST_USER
            return f"tg://user?id={value}" if known else None
    return None


def checked_link(link: str) -> str:
    """The link as Telegram writes it. Raises LinkError with Telegram's reason."""
    own = _OWN_SCHEME.match(link)
    if own:
        return _own_link(own[1].lower(), link[own.end() :])
    url = _parse(link)
    if "." not in url.host and not url.ipv6:
        raise LinkError("Wrong HTTP URL")
    user = f"{url.user}@" if url.user else ""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{user}{url.host}{port}{url.path}"


def _own_link(scheme: str, rest: str) -> str:
    url = _parse(rest)
    if lower(rest[:7]) == "http://" or url.scheme == "https" or url.user or url.port or url.ipv6:
        raise LinkError("Wrong tg URL" if scheme == "tg" else "Wrong ton URL")
    if not re.fullmatch(r"[A-Za-z0-9_.\-]*" if scheme == "tonsite" else r"[A-Za-z0-9_\-]*", url.host):
        raise LinkError("Unallowed characters in URL host")
    path = url.path[1:] if url.path.startswith("/?") else url.path
    return f"{scheme}://{url.host}{path}"


def _parse(link: str) -> _Url:
    scheme, rest = _scheme(link)
    authority = re.match(r"[^/?#]*", rest)[0]  # type: ignore[index]  # matches always
    rest = rest[len(authority) :]
    authority, port = _port(authority)
    user, _, host = authority.rpartition("@")
    ipv6 = host.startswith("[") and host.endswith("]")
    if ipv6:
        _check_ipv6(host)
    if not host:
        raise LinkError("URL host is empty")
    if host == ".":
        raise LinkError("Host is invalid")
    if not ipv6:
        _check_part(_HOST, host, "host")
        _check_part(_USER, user, "userinfo")
    return _Url(scheme, user, lower(host), port, _path(rest), ipv6)


def _scheme(link: str) -> tuple[str, str]:
    found = re.match(r"([^:/?#@\[\]]*)://", link)
    if not found:
        return "http", link
    scheme = lower(found[1])
    if scheme not in ("http", "https"):
        raise LinkError("Unsupported URL protocol")
    return scheme, link[found.end() :]


def _port(authority: str) -> tuple[str, int]:
    """Authority without its port, and the port; 0 where none is given."""
    found = re.fullmatch(r"(.+):([^:\]@]*)", authority, re.DOTALL)
    if not found:
        return authority, 0
    digits = found[2].lstrip("0")
    if not INTEGER.fullmatch(digits) or not 0 < int(digits) <= 65535:
        raise LinkError("Wrong port number specified in the URL")
    return found[1], int(digits)


def _check_ipv6(host: str) -> None:
    try:
        IPv6Address(host[1:-1])
    except AddressValueError:
        raise LinkError("Wrong IPv6 address specified in the URL") from None
    if "%" in host:
        raise LinkError("Wrong IPv6 address specified in the URL")


def _check_part(allowed: re.Pattern[str], part: str, name: str) -> None:
    found = allowed.match(part)
    end = found.end() if found else 0
    if end < len(part):
        wrong = "Wrong percent-encoded symbol" if part[end] == "%" else "Disallowed character"
        raise LinkError(f"{wrong} in URL {name}")


def _path(rest: str) -> str:
    path = rest.rstrip(SPACES) or "/"
    escaped = re.sub(r"[\x00-\x20]", lambda c: f"%{ord(c[0]):02X}", path)
    return escaped if escaped.startswith("/") else f"/{escaped}"
