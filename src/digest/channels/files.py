"""A channel that writes one file per post: the dry run, and a folder to read from."""

from __future__ import annotations

from pathlib import Path

from digest.errors import NotSent
from digest.markup import escape
from digest.types import Post
from digest.whole import make_folder, write_whole

_PAGE = """\
<!doctype html>
<html lang="{language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  body {{ background: #e6ebee; font: 16px/1.4 system-ui, sans-serif; margin: 0; padding: 1rem; }}
  article {{ background: #fff; border-radius: 12px; box-shadow: 0 1px 2px #0003; margin: 0 auto 1rem;
             max-width: 34rem; overflow-wrap: anywhere; padding: .8rem 1rem; white-space: pre-wrap; }}
  blockquote {{ border-left: 3px solid #3390ec; margin: .2rem 0; padding-left: .6rem; }}
  a {{ color: #2481cc; text-decoration: none; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: #0e1621; color: #fff; }} article {{ background: #182533; }} a {{ color: #6ab3f3; }}
  }}
</style>
{parts}
</html>
"""


class FileChannel:
    """Writes ``FOLDER/SLOT-TOPIC-GENRE-LANGUAGE.html``, whole and at once."""

    repeatable = True

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder

    def send(self, post: Post, part: int) -> str:
        """Write the post's file; every part writes the same bytes. Returns the file's path.

        Raises NotSent when the file cannot be written.
        """
        path = self.folder / f"{post.slot}-{'-'.join(post.topics)}-{post.genre}-{post.language}.html"
        if part:
            return str(path)
        try:
            make_folder(self.folder)
            write_whole(path, page(post).encode())
        except OSError as error:
            raise NotSent(f"{path}: {error.strerror}; free or change the channel's folder") from error
        return str(path)


def page(post: Post) -> str:
    """The post as a page that looks like its messages."""
    shown = (
        part.html.replace("</blockquote>\n", "</blockquote>") for part in post.parts
    )  # a block ends its line
    parts = "\n".join(f"<article>{html}</article>" for html in shown)
    title = f"{post.slot} {', '.join(post.topics)}"
    return _PAGE.format(language=post.language, title=escape(title), parts=parts)
