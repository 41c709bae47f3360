"""A client that speaks plain HTTP to the server, for its own tests."""

from __future__ import annotations

import json
import struct
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from botapi import TOKEN

USER = 5501
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 640, 480) + b"\x08\x02\0\0\0\r\n--x\r\n"


@dataclass
class Answer:
    """Status, body and headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def why(self) -> tuple[int, str]:
        """Status and description of a refusal."""
        assert self.body["ok"] is False
        assert self.body["error_code"] == self.status
        return self.status, self.body["description"]


class Client:
    """Speaks plain HTTP to the server."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self.url, self.token = url, token

    def ask(self, method: str, **args: Any) -> Answer:
        body = json.dumps(args).encode()
        return self.send(f"/bot{self.token}/{method}", body, "application/json")

    def send(self, path: str, body: bytes | None, kind: str, timeout: float = 10) -> Answer:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Answer(answer.status, json.load(answer), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.load(error), dict(error.headers))

    def ok(self, method: str, **args: Any) -> Any:
        answer = self.ask(method, **args)
        assert answer.body["ok"], answer
        return answer.body["result"]

    def why(self, method: str, **args: Any) -> tuple[int, str]:
        return self.ask(method, **args).why


def bad(text: str) -> tuple[int, str]:
    return 400, f"Bad Request: {text}"


def keyboard(*rows: list[dict[str, str]]) -> dict[str, Any]:
    return {"inline_keyboard": list(rows)}


def parts(fields: dict[str, str], **files: bytes) -> tuple[bytes, str]:
    body = b""
    for name, value in fields.items():
        body += f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for name, content in files.items():
        head = f'--B42\r\nContent-Disposition: form-data; name="{name}"; filename="a.png"\r\n'
        body = body.replace(b"--x\r\n", b"--B42\r\n") + head.encode()
        body += b"Content-Type: image/png\r\n\r\n" + content + b"\r\n"
    return body + b"--B42--\r\n", "multipart/form-data; boundary=B42"


def photo(bot: Client, content: bytes, **fields: Any) -> Answer:
    text = {name: str(value) for name, value in fields.items()}
    return bot.send(f"/bot{TOKEN}/sendPhoto", *parts(text, photo=content))
