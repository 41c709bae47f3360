"""One call of a method: its arguments, however they were sent, and the errors it can end in."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl


class ApiError(Exception):
    """The server's refusal: HTTP status, description, and parameters such as retry_after."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad_request(text: str, **parameters: int) -> ApiError:
    """400. The first letter becomes small unless the second is a capital or an underscore
    (telegram-bot-api, Client.cpp, fail_query_with_error)."""
    shouted = len(text) > 1 and (text[1] == "_" or text[1].isupper())
    return ApiError(400, f"Bad Request: {text if shouted else text[:1].lower() + text[1:]}", **parameters)


def forbidden(text: str) -> ApiError:
    """403."""
    return ApiError(403, f"Forbidden: {text}")


@dataclass(frozen=True)
class File:
    """An uploaded file."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Call:
    """A call of a method. All arguments are text, as on the wire; objects are JSON."""

    method: str
    args: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, File] = field(default_factory=dict)

    def arg(self, name: str) -> str:
        """An argument; empty where there is none."""
        return self.args.get(name, "")

    def required(self, name: str) -> str:
        """An argument that must be there."""
        if not (value := self.arg(name)):
            raise bad_request(f'Parameter "{name}" is required')
        return value

    def true(self, name: str) -> bool:
        """A Boolean argument."""
        return self.arg(name).lower() in ("true", "yes", "1")

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; the default where there is none."""
        found = re.fullmatch(r"[+-]?\d+", self.arg(name).strip())
        return int(found[0]) if found else default

    def objects(self, name: str, what: str) -> list[dict[str, Any]]:
        """A JSON array of objects."""
        given = self.parsed(name, what)
        if not isinstance(given, list):
            raise bad_request(f"Expected an Array of {what}")
        if not all(isinstance(one, dict) for one in given):
            raise bad_request(f"Expected an Object as {what}")
        return given

    def parsed(self, name: str, what: str) -> Any:
        """A JSON argument; None where there is none. ``what`` names it in the error."""
        if not (text := self.arg(name)):
            return None
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise bad_request(f"Can't parse {what} JSON object") from None


def read_call(method: str, query: str, kind: str, body: bytes) -> Call:
    """A call from its address and body: JSON, a form, or a form with files. Names of methods and
    content types are not case-sensitive. Raises ApiError."""
    args: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True))
    files: dict[str, File] = {}
    sort = kind.partition(";")[0].strip().lower()
    if sort == "application/json":
        args |= _json_args(body)
    elif sort == "multipart/form-data":
        _read_parts(kind, body, args, files)
    elif sort == "application/x-www-form-urlencoded":
        args |= dict(parse_qsl(_decoded(body), keep_blank_values=True))
    elif body:
        raise bad_request(f"Unsupported content type: {sort or 'none'}")
    for value in args.values():
        if re.search("[\ud800-\udfff]", value):
            raise bad_request("Strings must be encoded in UTF-8")
    return Call(method.lower(), args, files)


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise bad_request("Strings must be encoded in UTF-8") from None


def _json_args(body: bytes) -> dict[str, str]:
    if not body:
        return {}
    try:
        given = json.loads(_decoded(body))
    except (ValueError, RecursionError):
        raise bad_request("Can't parse JSON object") from None
    if not isinstance(given, dict):
        raise bad_request("JSON object expected")
    text = {True: "true", False: "false"}
    return {
        name: value
        if isinstance(value, str)
        else text[value]
        if isinstance(value, bool)
        else json.dumps(value, ensure_ascii=False)
        for name, value in given.items()
        if value is not None
    }


def _read_parts(kind: str, body: bytes, args: dict[str, str], files: dict[str, File]) -> None:
    """RFC 7578, as far as clients go."""
    found = re.search(r'boundary="?([^";]+)', kind)
    if not found:
        raise bad_request("Boundary field not found")
    for part in body.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        content = content.removesuffix(b"\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        if not name:
            raise bad_request("Field name in multipart/form-data not found")
        file = re.search(rb'filename="([^"]*)"', head)
        if file:
            files[name[1].decode()] = File(file[1].decode(), content)
        else:
            args[name[1].decode()] = _decoded(content)
