"""Telegram's HTML as the server reads it, with TDLib's own parser as the judge."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.json import decode

import tdlib
from digest.errors import InputError
from digest.markup import (
    ENTITY_LIMIT,
    SOURCE_BYTES,
    Formatted,
    MarkupError,
    check,
    escape,
    parse,
    to_html,
    utf16_length,
)
from digest.markup.links import LinkError, checked_link
from digest.markup.parse import read, scan
from digest.markup.repair import _sort_key, repaired
from digest.types import TextEntity

TAGS = (
    *("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote"),
    *("tg-spoiler", "span", "tg-emoji", "tg-time"),
)
ATTRIBUTES = {
    "a": ["href"],
    "code": ["class"],
    "pre": ["class"],
    "span": ["class"],
    "blockquote": ["expandable"],
    "tg-emoji": ["emoji-id"],
    "tg-time": ["unix", "format"],
}
VALUES = {
    "class": ["language-py", "tg-spoiler", "language-", "x", "language-\ta&lt;", "tg-x", "language-\r"],
    "emoji-id": ["5"] * 30 + ["-5", "0", "05", "x", "9223372036854775807", "9223372036854775808", ""],
    "unix": ["5", "-5", "0", "05", "x5", "4294967301", "2147483648", "", "12a", "1700000000"],
    "format": ["r", "R", "t", "wDT", "dt", "", "Wtd", "tT"] * 3 + ["x", "rr"],
    "expandable": ["", "1"],
}
LINK_PIECES = (
    *("http", "https", "HTTP", "tg", "ton", "tonsite", "ftp", ":", "//", "://", "://", "a", "b.c", "x.org"),
    *("@", "u:p", "[", "]", "::1", "[::1]", "[1::2]", ":80", ":0", ":00443", ":70000", ":8a", "%20", "%2"),
    *("?", "?q=1", "#f", "/", "/p", "..", ".", " ", "\t", "\n", "&amp;", "'", "(", ")", "*", "~", "я", "\\"),
    *(
        "^",
        "{",
        "_",
        "-",
        "user",
        "?id=",
        "7",
        "&id=8",
        "=",
        "\x01",
        "\u202e",
        "\u030a",
        "1.2.3.4",
        "[::ffff]",
    ),
    *("tg://user?id=12", "arxiv.org/abs/1", "javascript:x", "tg://resolve?domain=q"),
)
TEXTS = (
    *("a", "b c", " ", "\n", "  \n", "\t", "\r", "я", "本", "😀", "👩‍👩‍👧", "\u202e", "\u200e", "\u200f"),
    *("\u200f\u200e", "\u030a", "\u0333", "A\u030a", "\u200b", "\u2028", "\u00a0", "&lt;", "&amp;", "&quot;"),
    *("&nbsp;", "&#65;", "&#x41", "&#0;", "&#x1F600;", "&#99999999;", "&#1114111;", "&#;", "&#X41;", "&"),
    *(
        "&ltx",
        ">",
        '"',
        "'",
        "=",
        "x.y",
        "\x0b",
        "\x01",
        "*",
        "_",
        "`",
        "&#10;",
        "&#13;",
        "&#x202e;",
        "\u212a",
    ),
)
BROKEN = ("<", "<x", "</>", "</b>", "< b>", "1<2", "\0", "<p>", "<br/>", "<B>", "</B>", "<span>")


class Writer:
    """Writes markup as a careless hand would: mostly right."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def sample(self) -> str:
        html = "".join(self.node(0) for _ in range(self.random.randint(1, 6)))
        return self.mutated(html) if self.random.random() < 0.25 else html

    def nodes(self, depth: int) -> str:
        return "".join(self.node(depth) for _ in range(self.random.randint(0, 4)))

    def node(self, depth: int) -> str:
        if depth < 5 and self.random.random() < 0.5:
            tag = self.random.choice(TAGS)
            ends = [f"</{tag}>"] * 100 + ["</>", f"</{tag.upper()}>", f"</{tag} >", "</b>", "", f"</{tag}"]
            return f"<{tag}{self.attributes(tag)}>{self.nodes(depth + 1)}{self.random.choice(ends)}"
        return self.random.choice(TEXTS if self.random.random() < 0.98 else BROKEN)

    def attributes(self, tag: str) -> str:
        if tag == "span" and self.random.random() < 0.9:
            return ' class="tg-spoiler"'
        names = ATTRIBUTES.get(tag, [])
        if tag == "tg-emoji" and self.random.random() < 0.9:
            return ' emoji-id="5"'
        count = self.random.choice((0, 1, 1, 1, 2)) if names else self.random.random() < 0.03
        return "".join(self.attribute(self.random.choice(names or ["x"])) for _ in range(count))

    def attribute(self, name: str) -> str:
        space = self.random.choice((" ", " ", " ", "\n", "  "))
        if name == "expandable" and self.random.random() < 0.7:
            return space + name
        value = self.link() if name == "href" else self.random.choice(VALUES.get(name, ["1"]))
        quote = self.random.choice('""""\'\'') if self.random.random() < 0.95 else ""
        equals = "=" if self.random.random() < 0.95 else self.random.choice((" = ", "\n=\t", ""))
        return f"{space}{name}{equals}{quote}{value}{quote}"

    def link(self) -> str:
        if self.random.random() < 0.4:
            return "http://a.b"
        return "".join(self.random.choice(LINK_PIECES) for _ in range(self.random.randint(0, 6)))

    def mutated(self, html: str) -> str:
        characters = list(html)
        for _ in range(self.random.randint(1, 3)):
            at = self.random.randrange(len(characters) + 1)
            if self.random.random() < 0.5:
                del characters[at : at + 1]
            else:
                characters.insert(at, self.random.choice("<>/=\"'& \n\tab;#x\0я😀"))
        return "".join(characters)


def ours(html: str) -> tuple[object, ...]:
    try:
        scanned = scan(html)
        formatted = repaired(scanned.text, scanned.found)
    except MarkupError as error:
        return (str(error),)
    return scanned.text, formatted.text.translate(tdlib.MARKDOWN), formatted.entities


def theirs(html: str) -> tuple[object, ...]:
    parsed = tdlib.parse(html)
    fixed = parsed if parsed["@type"] == "error" else tdlib.repair(parsed)
    if fixed["@type"] == "error":
        return (tdlib.message(fixed),)
    return parsed["text"], fixed["text"], tdlib.entities(fixed)


def same(mine: tuple[object, ...], judged: tuple[object, ...]) -> bool:
    """TDLib gives no text where nothing can be seen; we see that only when trimming."""
    invisible = len(mine) == len(judged) == 3 and judged[1] == "" and not str(mine[1]).strip(tdlib.INVISIBLE)
    return mine[0] == judged[0] if invisible else mine == judged


def left_open(html: str) -> bool:
    """Whether two entities of one rank stand on the same text among more than 16: TDLib sorts them
    with std::sort, which does not say whose turn it is (up to 16 it is the inner one's)."""
    entities = tdlib.entities(tdlib.parse(html))
    keys = [_sort_key(entity) for entity in entities]
    return len(keys) > 16 and len(set(keys)) < len(set(entities))


def differences(make: Callable[[Writer], str], count: int, seed: int) -> list[str]:
    writer = Writer(seed)
    samples = (make(writer) for _ in range(count))
    return [html for html in samples if not same(ours(html), theirs(html)) and not left_open(html)]


def test_markup_is_read_as_telegram_reads_it() -> None:
    assert differences(Writer.sample, 3_000, seed=1) == []


def test_links_are_taken_and_refused_as_telegram_does() -> None:
    assert differences(lambda writer: f'<a href="{writer.link()}">x</a>', 3_000, seed=2) == []


@pytest.mark.slow
def test_markup_is_read_as_telegram_reads_it_100_000_times() -> None:
    assert differences(Writer.sample, 100_000, seed=3) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_read_as_telegram_reads_it(text: str) -> None:
    for html in (text, f"<b>{text}</b>"):
        assert same(ours(html), theirs(html))


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60))
def test_escaped_text_comes_back_as_text(text: str) -> None:
    assert scan(escape(text)).text == text
    assert scan(f'<a href="{escape("http://a.b/" + text)}">x</a>').text == "x"


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("1<2 is true", 'Unsupported start tag "2" at byte offset 1'),
        ("1<2", "Unclosed start tag at byte offset 1"),
        ("я<p>a</p>", 'Unsupported start tag "p" at byte offset 2'),
        ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
        ("</b>", "Unexpected end tag at byte offset 0"),
        ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b>a</b", "Unclosed end tag at byte offset 4"),
        ("<a href=x/y>a</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a =x>", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href", 'Unclosed start tag "a" at byte offset 0'),
        ("<a ", 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<tg-emoji emoji-id=x>a</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("<tg-time unix=1 format=x>a</tg-time>", "Invalid date format used"),
        (
            "&#xd83d;&#xde00;",
            (
                "Text contains invalid Unicode characters after decoding HTML entities, "
                "check for unmatched surrogate code units"
            ),
        ),
    ],
)
def test_errors_are_telegrams_word_for_word(html: str, message: str) -> None:
    assert theirs(html) == (f"Bad Request: can't parse entities: {message}",)
    with pytest.raises(MarkupError) as error:
        parse(html)
    assert isinstance(error.value, InputError)
    assert str(error.value) == theirs(html)[0]


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(MarkupError, match="encoded in UTF-8"):
        parse("\ud800")
    with pytest.raises(MarkupError, match=r"messageEntityTextUrl\.url must be encoded in UTF-8"):
        parse('<a href="a.b/&#xd800;">x</a>')


def test_source_is_limited_in_bytes_not_characters() -> None:
    assert len(parse("я" * (SOURCE_BYTES // 2)).text) == SOURCE_BYTES // 2
    with pytest.raises(MarkupError, match=r"^Bad Request: text is too long$"):
        parse("я" * (SOURCE_BYTES // 2) + "a")


def test_offsets_count_utf16_units() -> None:
    assert parse("😀<b>я😀</b>").entities == (TextEntity("bold", 2, 3),)
    assert utf16_length("я😀") == 3


def test_ends_are_trimmed_but_not_inside_a_leading_entity() -> None:
    assert parse(" \n a <b>b</b>\n ") == Formatted("a b", (TextEntity("bold", 2, 1),))
    assert parse(" <b> a</b>") == Formatted(" a", (TextEntity("bold", 0, 2),))
    assert parse("a<b>b \n</b> ") == Formatted("ab", (TextEntity("bold", 1, 1),))
    assert parse("a <b> </b><i> </i>") == Formatted("a")


@pytest.mark.parametrize("html", ["", " ", "<b></b>", "<b> </b>", "\u200b\u00a0", "<i>\ufeff</i>", "\r"])
def test_nothing_visible_is_no_text(html: str) -> None:
    assert parse(html) == Formatted("")


def test_trimming_changes_nothing_but_the_ends() -> None:
    """TDLib's offline parser does not trim; so: what it gives, cut by hand."""
    writer = Writer(4)
    for n in range(1_000):
        html = "\n " * (n % 3) + f"x{writer.nodes(0)}y" + " " * (n % 2)
        judged = theirs(html)
        if len(judged) == 3:
            text, entities = str(judged[1]), judged[2]
            start = len(text) - len(text.lstrip(" \n"))
            assert read(html).text.translate(tdlib.MARKDOWN) == text.strip(" \n")
            assert [(e.type, e.offset + start, e.length) for e in read(html).entities] == [
                (e.type, e.offset, e.length) for e in entities
            ]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("a\tb\x01c\r\n", "a b c"),
        ("A\u030angstro\u0308m", "Angstro\u0308m"),
        ("a\u202eb\u2028c", "abc"),
        ("a\u200f\u200eb", "a\u200c\u200eb"),
        ("soft\u00adhyphen\u200b.", "soft\u00adhyphen\u200b."),
        ("&nbsp;&apos;&mdash;", "&nbsp;&apos;&mdash;"),
        ("&lt1 & &#65 &#x1F600;", "<1 & A 😀"),
    ],
)
def test_characters_are_changed_as_telegram_changes_them(html: str, text: str) -> None:
    assert parse(html).text == text


def test_entities_move_with_removed_characters() -> None:
    assert parse("a\r\u202e<b>\rb\u030ac</b>") == Formatted("abc", (TextEntity("bold", 1, 2),))


@pytest.mark.parametrize(
    ("link", "written"),
    [
        ("arxiv.org/abs/1", "http://arxiv.org/abs/1"),
        ("HTTPS://ArXiv.org", "https://arxiv.org/"),
        ("https://a.b/x?q=1&r=2#f", "https://a.b/x?q=1&r=2#f"),
        ("a.b:0080?q", "http://a.b:80/?q"),
        ("https://a.b/x y ", "https://a.b/x%20y"),
        ("tg://resolve?domain=x", "tg://resolve?domain=x"),
        ("http://[::1]/", "http://[::1]/"),
    ],
)
def test_a_link_is_written_in_full(link: str, written: str) -> None:
    assert checked_link(link) == written
    assert checked_link(written) == written
    assert parse(f'<a href="{escape(link)}">x</a>').entities == (TextEntity("text_link", 0, 1, url=written),)


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("javascript:alert(1)", "Wrong port number specified in the URL"),
        ("not a url", "Disallowed character in URL host"),
        ("ftp://a.b", "Unsupported URL protocol"),
        ("localhost", "Wrong HTTP URL"),
        ("http://", "URL host is empty"),
        ("http://a.b:99999", "Wrong port number specified in the URL"),
        ("http://[::g]", "Wrong IPv6 address specified in the URL"),
        ("a%2.b", "Wrong percent-encoded symbol in URL host"),
        ("tg://https", None),
        ("ton://a.b", "Unallowed characters in URL host"),
        ("tg://a:1", "Wrong tg URL"),
    ],
)
def test_a_bad_link_is_dropped_and_the_text_stays(link: str, reason: str | None) -> None:
    assert (parse(f'<a href="{link}">x</a>') == Formatted("x")) == (reason is not None)
    if reason:
        with pytest.raises(LinkError, match=f"^{reason}$"):
            checked_link(link)


def test_a_mention_is_a_link_to_the_user() -> None:
    entity = TextEntity("text_link", 0, 1, url="tg://user?id=12")
    assert parse('<a href="TG:user/?a=1&id=12#x">x</a>').entities == (entity,)


def links(count: int) -> str:
    return "".join(f'<b>n</b> <a href="http://a.b/{n}">x</a> ' for n in range(count))


def test_of_more_than_a_hundred_entities_styles_go_first() -> None:
    assert len(parse(links(50)).entities) == ENTITY_LIMIT
    kinds = [entity.type for entity in parse(links(60)).entities]
    assert kinds.count("text_link") == 60
    assert kinds.count("bold") == 40
    assert {entity.type for entity in parse(links(120)).entities} == {"text_link"}
    assert len(read(links(120)).entities) == 240


def test_styles_that_touch_count_once() -> None:
    """A style cut at the edge of a link is merged again before it is counted."""
    html = f"<b>{links(60).replace('<b>n</b>', 'n')}</b>"
    assert len(parse(html).entities) > ENTITY_LIMIT


def test_custom_emoji_do_not_count() -> None:
    html = links(50) + '<tg-emoji emoji-id="5">x</tg-emoji>' * 10
    assert len(parse(html).entities) == 110


def test_html_and_back_is_the_same() -> None:
    writer = Writer(5)
    done = 0
    for _ in range(2_000):
        try:
            formatted = read(writer.sample())
        except MarkupError:
            continue
        html = to_html(formatted.text, formatted.entities)
        assert read(html) == formatted
        done += bool(formatted.entities)
    assert done > 300


@pytest.mark.parametrize(
    ("html", "complaint"),
    [
        ("<p>a</p>", 'Unsupported start tag "p"'),
        ("<b> </b>", "text must be non-empty"),
        ("a" * 4097, "4097 UTF-16 units long"),
        ('<a href="javascript:x">here</a>', "drop the link “javascript:x” on “here”"),
        ("<a>here</a>", "drop the link “here” on “here”"),
        ("<tg-time>now</tg-time>", "drop the date on “now”"),
        ("<b>bold <code>code</code></b>", "bold on “bold code”"),
        ('<a href="a.b">x <a href="c.d">y</a></a>', "text link on “y”"),
        ('<a href="a.b">x <code>y</code></a>', "code on “y”"),
        ("<blockquote>x <blockquote>y</blockquote></blockquote>", "blockquote on “y”"),
        ('<a href="a.b">x <blockquote>y</blockquote></a>', "text link on “x y”"),
        (links(60), "120 entities; Telegram keeps 100"),
    ],
)
def test_check_says_what_telegram_would_refuse_or_change(html: str, complaint: str) -> None:
    with pytest.raises(MarkupError) as error:
        check(html)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "html",
    [
        "plain &lt; text",
        '<b>1. <a href="arxiv.org/abs/1">Title</a></b>\n<i>A, <b>B</b></i>',
        "<b>a<b>b</b></b><b>c</b>",
        '<blockquote expandable><b>a</b> <a href="a.b">b</a> <code>c</code></blockquote>',
        '<pre><code class="language-py">x\n</code></pre>',
        links(50),
    ],
)
def test_check_passes_what_is_shown_as_written(html: str) -> None:
    check(html)


def test_reference_cases_give_the_expected_text_or_error(shared: Path) -> None:
    folder = shared / "data" / "telegram-cases"
    expected = decode((folder / "expected.json").read_bytes())
    del expected["_properties"]
    assert len(expected) > 30
    for name, case in expected.items():
        html = (folder / name).read_bytes().decode()
        if "error" in case:
            with pytest.raises(MarkupError) as error:
                parse(html)
            assert str(error.value) == case["error"]
        elif case["utf16"] and html.strip():
            scanned = scan(html)
            assert (len(scanned.text), utf16_length(scanned.text)) == (case["codepoints"], case["utf16"])
            assert len(scanned.found) == case["entities"]
