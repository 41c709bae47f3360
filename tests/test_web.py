from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.markup import MarkupError, parse, read_text, web, web_blocks
from digest.types import TextEntity


def shown(html: str) -> str:
    made = parse(html)
    return web(made.text, made.entities)


class _Reader(HTMLParser):
    """The text, and the tags with their attributes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.mark.parametrize("style", ["b", "i", "u", "s", "code", "pre", "blockquote"])
def test_a_style_is_shown_as_html_shows_it(style: str) -> None:
    assert shown(f"<{style}>a &lt; b</{style}>") == f"<{style}>a &lt; b</{style}>"


def test_what_only_telegram_has_is_shown_by_a_class() -> None:
    assert shown("<tg-spoiler>x</tg-spoiler>") == '<span class="spoiler" tabindex="0">x</span>'
    assert shown("<blockquote expandable>x</blockquote>") == '<blockquote class="expandable">x</blockquote>'
    assert shown('<tg-emoji emoji-id="1">x</tg-emoji>') == "<span>x</span>"


def test_addresses_and_hashtags_are_found_as_telegram_finds_them() -> None:
    url = '<a href="https://a.org/x?y=1&amp;z" rel="noopener noreferrer">https://a.org/x?y=1&amp;z</a>'
    assert shown("(see https://a.org/x?y=1&amp;z).") == f"(see {url})."
    assert shown("#xai, C#x and #1") == '<span class="hashtag">#xai</span>, C#x and #1'
    assert shown("<code>#xai https://a.org</code>") == "<code>#xai https://a.org</code>"
    assert shown('<a href="https://b.org">https://a.org</a>').count("<a ") == 1


def test_only_links_to_the_web_are_links() -> None:
    assert shown('<a href="tg://user?id=7">me</a>') == '<span class="mention">me</span>'
    bad = web("x", [TextEntity("text_link", 0, 1, url="javascript:alert(1)")])
    assert bad == '<span class="mention">x</span>'
    quoted = web("x", [TextEntity("text_link", 0, 1, url='https://a.org/"onmouseover="alert(1)')])
    assert [*read(quoted).tags[0][1]] == ["href", "rel"]


def test_offsets_are_in_utf16_units() -> None:
    assert shown("🐥 <b>bold</b> #tag") == '🐥 <b>bold</b> <span class="hashtag">#tag</span>'


def test_a_quotation_ends_its_line() -> None:
    assert shown("a\n<blockquote>b</blockquote>\nc") == "a\n<blockquote>b</blockquote>c"


def test_a_block_of_any_length_is_shown_and_a_broken_one_is_told() -> None:
    assert web_blocks("<b>" + "a" * 5000 + "</b>").startswith("<b>aaa")
    assert read_text("<b>a</b>\n  b") == "a b"
    with pytest.raises(MarkupError):
        web_blocks("<b>")


@given(
    st.text("ab<>&\"'#/:.\n 🐥https://a.b", max_size=60),
    st.lists(
        st.tuples(st.sampled_from(["bold", "italic", "text_link", "spoiler", "code", "blockquote"]),
                  st.integers(0, 40), st.integers(1, 20)),
        max_size=6,
    ),
)  # fmt: skip
def test_whatever_a_message_says_the_page_shows_its_text_and_no_other_tags(
    text: str, spans: list[tuple[str, int, int]]
) -> None:
    units = len(text.encode("utf-16-le")) // 2
    starts = {len(text[:at].encode("utf-16-le")) // 2 for at in range(len(text) + 1)}
    entities = [
        TextEntity(kind, at, length, url="javascript:x" if kind == "text_link" else None)
        for kind, at, length in spans
        if at + length <= units and {at, at + length} <= starts
    ]
    reader = read(web(text, entities))
    assert reader.text.replace("\n", "") == text.replace("\n", "")
    assert {tag for tag, _ in reader.tags} <= {"b", "i", "a", "span", "code", "blockquote"}
    assert all((more.get("href") or "https://").startswith("https://") for _, more in reader.tags)
