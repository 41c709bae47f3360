"""Pictures of posts, as a phone shows Telegram's messages: to look at every genre and language.

    python benchmarks/pictures.py HOME OUT [--since DAY] [--genre NAME] [--dark]

Needs Chromium and fonts with Cyrillic and Chinese letters (Debian: chromium fonts-noto-cjk fonts-noto-core).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

from digest import config
from digest.app import App
from digest.channels.files import page
from digest.types import Post

WIDTH = 480
"""CSS pixels: a large phone."""


def height(post: Post) -> int:
    """CSS pixels enough for all parts: about 52 characters a line, 23 pixels a line."""
    lines = sum(1 + len(line) // 46 for part in post.parts for line in part.text.splitlines())
    return 120 + 24 * lines + 60 * len(post.parts)


def picture(post: Post, folder: Path, *, dark: bool) -> Path:
    """Write a post's picture; raises CalledProcessError where Chromium fails."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("no Chromium here; install it (Debian: apt-get install chromium)")
    out = folder / f"{post.slot}-{post.topics[0]}-{post.genre}-{post.language}.png"
    with tempfile.TemporaryDirectory() as work:
        file = Path(work) / "post.html"
        file.write_text(page(post), encoding="utf-8")
        look = ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"] if dark else []
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *look]
        command += [f"--user-data-dir={work}/profile", f"--window-size={WIDTH},{height(post)}"]
        command += [f"--screenshot={out}", file.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return out


def main() -> None:
    """Write the pictures of the posts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--since", type=date.fromisoformat)
    parser.add_argument("--genre")
    parser.add_argument("--topic")
    parser.add_argument("--language")
    parser.add_argument("--dark", action="store_true")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with App(config.load(None, given.home, {}), datetime.now(UTC), quiet=True) as app:
        found = app.store.posts(
            since=given.since, genre=given.genre, topic=given.topic, language=given.language
        )
    for post in found:
        print(picture(post, given.out, dark=given.dark))


if __name__ == "__main__":
    main()
