"""Settings from a text, and the mistakes in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from digest import config
from digest.config import Settings
from digest.errors import ConfigError

TOPIC = '[topics.cats]\nterm = "cat"\nseed_keys = ["cat"]\n'
NEWS = '[channels.c]\ntype = "telegram"\nchat = "@news"\n'
CHANNEL = '[channels.c]\ntype = "file"\nfolder = "posts"\n'


def load(tmp_path: Path, text: str | bytes | None = None, environ: Mapping[str, str] = {}) -> Settings:
    if text is None:
        return config.load(None, tmp_path / "home", environ)
    file = Path("digest.toml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.load(file, tmp_path / "home", environ)


def mistakes(tmp_path: Path, text: str | bytes = "", environ: Mapping[str, str] = {}) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    return str(caught.value).splitlines()
