"""A long post becomes messages: the properties every split must have, judged by TDLib's parser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode

import tdlib
from digest.markup import (
    CAPTION_LIMIT,
    ENTITY_BYTES,
    ENTITY_LIMIT,
    SOURCE_BYTES,
    TEXT_LIMIT,
    Formatted,
    MarkupError,
    entity_bytes,
    escape,
    parse,
    split,
    utf16_length,
)
from digest.markup.split import _html_bytes
from digest.types import Part, TextEntity

GRAPHEME = regex.compile(r"\X")
TOKEN = regex.compile(
    r"https?://(?:(?!https?://)[!-~])+|#(?:(?!https?://)\w)+|(?<![a-zа-яё\d])(?:arXiv:)?\d{4}\.\d{4,5}(?:v\d+)?"
    r"|(?:(?!https?://)[a-zа-яё])+",  # a word ends where a link begins
    regex.IGNORECASE,
)
CASES = Path(__file__).parents[2] / "shared" / "data" / "telegram-cases"
NAMES = sorted(path.name for path in CASES.glob("*.html") if not path.name.startswith("bad_"))


@cache
def judged(html: str) -> tuple[str, tuple[TextEntity, ...]]:
    """Text (trimmed) and entities of a message as TDLib sees them."""
    fixed = tdlib.repair(tdlib.parse(html))
    text = fixed["text"].rstrip(" \n")
    entities = tdlib.entities(fixed)
    start = len(text) - len(text.lstrip(" \n"))
    start = min([start, *(e.offset for e in entities)])
    shifted = (tdlib.moved(e, e.offset - start) for e in entities)
    return text[start:], tuple(shifted)


def looks(html: str) -> list[tuple[str, frozenset[tuple[object, ...]]]]:
    """Each character with what it is formatted as."""
    text, entities = judged(html)
    formats: list[set[tuple[object, ...]]] = [set() for _ in range(utf16_length(text))]
    for entity in entities:
        for unit in range(entity.offset, min(entity.offset + entity.length, len(formats))):
            formats[unit].add((entity.type, entity.url, entity.language, entity.custom_emoji_id))
    unit = 0
    result = []
    for character in text:
        result.append((character, frozenset(formats[unit])))
        unit += utf16_length(character)
    return result


def visible(html: str) -> list[tuple[str, frozenset[tuple[object, ...]]]]:
    return [pair for pair in looks(html) if not pair[0].isspace()]


def places(original: str, parts: Sequence[Part]) -> Iterator[tuple[int, int]]:
    """Where the text of each part stands in the original."""
    at = 0
    for part in parts:
        text = part.text.translate(tdlib.MARKDOWN)
        start = original.index(text, at)
        assert not original[at:start].strip(), f"lost: {original[at:start]!r}"
        at = start + len(text)
        yield start, at
    assert not original[at:].strip(), f"lost: {original[at:]!r}"


def hold(blocks: Sequence[str], limit: int = TEXT_LIMIT) -> tuple[Part, ...]:
    """Splits and checks all that must be true of any split."""
    parts = split(blocks, limit=limit)
    for part in parts:
        written = tdlib.parse(part.html)
        assert written["@type"] == "formattedText", f"P1: {written}"
        assert parse(part.html) == Formatted(part.text, part.entities)
        assert judged(part.html) == (part.text.translate(tdlib.MARKDOWN), part.entities)
        assert 0 < utf16_length(part.text.strip()) <= utf16_length(part.text) <= limit, "P2"
        assert len(written["entities"]) <= ENTITY_LIMIT, "P3"
        assert len(part.html.encode()) <= SOURCE_BYTES, "P3"
        assert sum(map(entity_bytes, part.entities)) <= ENTITY_BYTES, "P3"
        assert split([part.html], limit=limit) == (part,), "P8: a part is split no more"
    texts = [text for text, _ in map(judged, blocks) if text]
    original = "\n\n".join(texts)
    spans = list(places(original, parts))
    expected = [pair for block in blocks for pair in visible(block)]
    assert [pair for part in parts for pair in visible(part.html)] == expected, "P4, P5"
    check_cuts(original, [end for _, end in spans[:-1]], limit)
    check_blocks_stay_whole(blocks, parts, limit)
    assert split(blocks, limit=limit) == parts, "P8: the same again"
    return parts


def check_cuts(original: str, cuts: Sequence[int], limit: int) -> None:
    """P6: no cut inside a grapheme or a token, unless it is too long for a part."""
    for pattern in (GRAPHEME, TOKEN):
        for found in pattern.finditer(original):
            inside = any(found.start() < cut < found.end() for cut in cuts)
            assert not inside or utf16_length(found[0]) > limit, f"P6: cut inside {found[0]!r}"


def check_blocks_stay_whole(blocks: Sequence[str], parts: Sequence[Part], limit: int) -> None:
    """P7: what fits a part is not cut."""
    for block in blocks:
        text, entities = judged(block)
        small = utf16_length(text) <= limit and len(entities) <= ENTITY_LIMIT
        if (
            text
            and small
            and sum(map(entity_bytes, entities)) <= ENTITY_BYTES
            and len(block) < SOURCE_BYTES // 6
        ):
            whole = text.strip()  # white space at the ends may go, in formatting too
            assert any(whole in part.text.translate(tdlib.MARKDOWN) for part in parts), f"P7: {text!r} is cut"


@pytest.mark.parametrize("name", NAMES)
def test_all_properties_hold_on_the_reference_cases(name: str, shared: Path) -> None:
    html = (shared / "data" / "telegram-cases" / name).read_bytes().decode()
    case = decode((shared / "data" / "telegram-cases" / "expected.json").read_bytes())[name]
    parts = hold([html])
    fewest = max(case["min_parts_by_utf16"], -(-case["entities"] // ENTITY_LIMIT))
    if name == "only_spaces.html":
        fewest = 0
    assert len(parts) == fewest
    hold([html], limit=CAPTION_LIMIT)


def test_the_reference_cases_in_blocks_are_cut_between_papers(shared: Path) -> None:
    html = (shared / "data" / "telegram-cases" / "nasty9000.html").read_bytes().decode()
    blocks = html.split("\n\n")
    assert len(blocks) > 10
    hold(blocks)
    hold(blocks, limit=CAPTION_LIMIT)


def test_the_reference_cases_that_telegram_refuses_are_refused(shared: Path) -> None:
    refused = list((shared / "data" / "telegram-cases").glob("bad_*.html"))
    assert refused
    for path in refused:
        with pytest.raises(MarkupError, match=r"^Bad Request: can't parse entities: "):
            split([path.read_bytes().decode()])


WORDS = st.sampled_from(
    [
        *("paper", "unlearning", "a", "модель", "разобучение", "и", "本文提出一种", "模型。", "基线，", "x"),
        *("e.g.", "et al.", "End.", "Конец!", "что;", "p < 0.05", "$\\theta$", "R&D", '"so"', "—", "1."),
        *("https://arxiv.org/abs/2403.00001v2", "#machine_unlearning", "arXiv:2403.00001", "2403.00001"),
        *("👩‍👩‍👧‍👦", "🇷🇺🇨🇳", "👍🏽", "e\u0301", "𝔼", "नमस्ते", "שלום", "*", "_", f" {'l' * 70} ", "本" * 40),
    ]
)
SPACES = st.sampled_from([" ", " ", " ", "", "\n", "  ", "\n\n"])
TAGS = st.sampled_from(
    [
        *(("<b>", "</b>"), ("<i>", "</i>"), ("<u>", "</u>"), ("<s>", "</s>")),
        *(("<tg-spoiler>", "</tg-spoiler>"), ("<code>", "</code>"), ("<pre>", "</pre>")),
        *(("<blockquote>", "</blockquote>"), ("<blockquote expandable>", "</blockquote>")),
        ('<pre><code class="language-py">', "</code></pre>"),
        *((f'<a href="https://arxiv.org/abs/{n}?x=1&amp;y=2">', "</a>") for n in (1, 2)),
    ]
)
PLAIN = st.lists(st.tuples(WORDS, SPACES), max_size=12).map(lambda ws: "".join(escape(w) + s for w, s in ws))
MARKED = st.recursive(
    PLAIN,
    lambda inner: st.lists(st.tuples(TAGS, inner, PLAIN), max_size=4).map(
        lambda nodes: "".join(f"{start}{text}{end}{after}" for (start, end), text, after in nodes)
    ),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(MARKED, max_size=6), st.sampled_from([64, 100, 300, TEXT_LIMIT]))
def test_all_properties_hold_on_any_post(blocks: list[str], limit: int) -> None:
    hold(blocks, limit)


def test_a_hashtag_that_runs_into_chinese_is_cut_behind_its_letters() -> None:
    parts = hold(
        ["paper " * 5 + "#machine_unlearning #machine_unlearning" + "本" * 40 + "unlearning"], limit=64
    )
    assert all(part.text.count("#") == part.text.count("#machine_unlearning") for part in parts)


def test_links_that_hang_together_are_cut_between_them() -> None:
    link = "https://arxiv.org/abs/2403.00001v2"
    hold([f"paper{link}{link}paper "], limit=64)
    hold([f"paper{link}{link} "], limit=64)  # of which the part from "arxiv.org" on would fit
    assert [part.text for part in hold([link * 3], limit=70)] == [link * 2, link]


def test_a_link_that_hangs_on_a_word_is_cut_off_before_it_begins() -> None:
    link = f"https://arxiv.org/{'1' * 46}"
    assert [part.text for part in hold([f"one a{link}"], limit=64)] == ["one a", link]


@pytest.mark.parametrize("before", [f"#machine{'本' * 51}", f"{'a' * 45}.arxiv.org"])
def test_a_hashtag_or_a_domain_ends_where_a_link_begins(before: str) -> None:
    link = "https://arxiv.org/abs/2403.00001v2"
    assert [part.text for part in hold([f"{before}{link}"], limit=64)] == [before, link]


@pytest.mark.parametrize("before", [" _", "al."])
def test_an_id_behind_a_sign_is_whole_too(before: str) -> None:
    parts = hold([f"<b>paper {'本' * 50}{before}</b>arXiv:2403.00001"], limit=64)
    assert parts[-1].text.endswith("arXiv:2403.00001")


def test_names_that_overlap_are_cut_where_one_of_them_ends() -> None:
    link = "https://arxiv.org/abs/2403.00001v2"
    assert [part.text for part in hold([f"{link}#тема{'l' * 30}"], limit=64)] == [
        f"{link}#",
        f"тема{'l' * 30}",
    ]
    assert [part.text for part in hold([f"arxiv.org/abs/1234567890/{link}Концепция!"], limit=64)] == [
        f"arxiv.org/abs/1234567890/{link}",
        "Концепция!",
    ]


@pytest.mark.slow
@settings(max_examples=20_000, deadline=None)
@given(st.lists(MARKED, max_size=6), st.sampled_from([64, 100, 300, TEXT_LIMIT]))
def test_all_properties_hold_on_20_000_posts(blocks: list[str], limit: int) -> None:
    hold(blocks, limit)


def texts(*blocks: str, limit: int = 64, numbered: bool = False) -> list[str]:
    return [part.text for part in split(blocks, limit=limit, numbered=numbered)]


def test_a_post_that_fits_is_one_part() -> None:
    (part,) = split(["<b>Header</b>", "paper &amp; paper", "", "<i> </i>", "footer"])
    assert part.html == "<b>Header</b>\n\npaper &amp; paper\n\nfooter"
    assert part.text == "Header\n\npaper & paper\n\nfooter"
    assert part.entities == (TextEntity("bold", 0, 6),)


def test_nothing_gives_no_part() -> None:
    assert split([]) == split(["", "<b> </b>"]) == ()


def test_blocks_are_packed_whole_and_in_order() -> None:
    assert texts("a" * 30, "b" * 32, "c" * 33, "d" * 10) == [
        f"{'a' * 30}\n\n{'b' * 32}",
        f"{'c' * 33}\n\n{'d' * 10}",
    ]


def test_the_limit_is_met_exactly() -> None:
    assert texts("😀" * 32) == ["😀" * 32]
    assert texts("😀" * 32 + "a") == ["😀" * 32, "a"]


@pytest.mark.parametrize(
    ("block", "first"),
    [
        ("one. two\n\nthree. four\nfive six, seven eight nine ten eleven twelve", "one. two"),
        ("one. two\nthree. four five six, seven eight nine ten eleven twelve", "one. two"),
        ("One two. Three four, five six seven eight nine ten eleven twelve thirteen", "One two."),
        ("One of Fig. 2 by Smith et al. Two e.g. three four five six seven eight nine", None),
        ("one two, three four five six seven eight nine ten eleven twelve fourteen", "one two,"),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", None),
        ("本文。" + "提出一种，" * 14, "本文。" + "提出一种，" * 12),
        ("本文提出一种新的概念模型" * 6, "本文提出一种新的概念模型" * 5 + "本文提出"),
    ],
)
def test_a_block_that_is_too_big_is_cut_at_the_coarsest_boundary(block: str, first: str | None) -> None:
    given_parts = texts(block)
    assert len(given_parts) == 2
    if first is None:
        first = block[: block.rindex(" ", 0, 65)]
    assert given_parts[0] == first


def test_a_cut_block_fills_the_part_before_and_is_filled_up_after() -> None:
    lines = [f"line {n} of the abstract" for n in range(4)]
    assert texts("header", "\n".join(lines), "footer") == [
        "header\n\n" + "\n".join(lines[:2]),
        "\n".join(lines[2:]) + "\n\nfooter",
    ]


@pytest.mark.parametrize(
    "token",
    [
        "https://arxiv.org/abs/2403.00001v2",
        "#разобучение_моделей",
        "arXiv: 2403.00001",
        "cs.AI/0101001",
        "👩‍👩‍👧‍👦",
    ],
)
def test_no_cut_inside_a_link_a_hashtag_or_an_id(token: str) -> None:
    for before in range(40, 64):
        block = "本" * before + token + "本" * 20
        assert any(token in text for text in texts(block))
        hold([block], limit=64)


def test_no_cut_inside_formatting_that_fits_a_part() -> None:
    title = '<b>A title. With two sentences</b> <a href="a.b">and a longer link. Of two sentences, too</a>'
    first, second = split([title, "x" * 10], limit=64)
    assert first.html == "<b>A title. With two sentences</b>"
    assert second.text == "and a longer link. Of two sentences, too\n\nxxxxxxxxxx"


def test_formatting_that_fits_no_part_is_closed_and_opened_again() -> None:
    block = f"<blockquote expandable><b>{'word ' * 20}</b><i>end</i></blockquote>"
    first, second = split([block], limit=64)
    assert first.html.startswith("<blockquote expandable><b>word ")
    assert first.html.endswith("</b></blockquote>")
    assert second.html == f"<blockquote expandable><b>{'word ' * 7}</b><i>end</i></blockquote>"


def test_code_keeps_its_indentation_where_it_is_cut() -> None:
    code = "def f():\n" + "    return 1\n\n" * 8
    first, second = split([f'<pre><code class="language-py">{code}</code></pre>'], limit=64)
    assert second.text.startswith("    return 1")
    assert {entity.language for part in (first, second) for entity in part.entities} == {"py"}


def test_a_word_too_long_for_a_part_is_cut_between_graphemes() -> None:
    assert texts("e\u0301" * 50) == ["e\u0301" * 32, "e\u0301" * 18]
    assert texts("a" + "\u0301" * 100) == ["a" + "\u0301" * 63, "\u0301" * 37]


def test_a_link_glued_to_a_word_is_kept_before_the_word() -> None:
    link = "https://arxiv.org/abs/2403.00001v2"
    assert texts("l" * 50 + link) == ["l" * 50, link]


def test_more_than_a_hundred_entities_go_to_the_next_part() -> None:
    lines = "\n".join(f'<b>{n}</b> <a href="https://arxiv.org/abs/{n}">paper</a>' for n in range(120))
    parts = hold([lines])
    assert [len(part.entities) for part in parts] == [100, 100, 40]


def test_long_links_are_limited_in_bytes() -> None:
    blocks = [f'<a href="https://a.b/?{"q" * 1000}{n}">paper {n}</a>' for n in range(20)]
    parts = hold(blocks)
    assert [len(part.entities) for part in parts] == [8, 8, 4]


def test_source_is_limited_in_bytes() -> None:
    parts = hold(["&amp;<b>я</b> " * 1000, "<u>&lt;</u> " * 1200], limit=10_000)
    assert all(len(part.html.encode()) <= SOURCE_BYTES for part in parts)


def test_parts_are_numbered_within_the_limit() -> None:
    assert texts("a" * 60, "b" * 40, numbered=True) == [
        "a" * 52 + "\n\n(1/2)",
        "a" * 8 + "\n\n" + "b" * 40 + "\n\n(2/2)",
    ]
    assert texts("a" * 60, numbered=True) == ["a" * 60]
    numbered = split(["<b>word</b> " * 200], limit=64, numbered=True)
    assert len(numbered) > 9
    for number, part in enumerate(numbered, 1):
        assert part.text.endswith(f"\n\n({number}/{len(numbered)})")
        assert utf16_length(part.text) <= 64
        assert (part.text.translate(tdlib.MARKDOWN), part.entities) == judged(part.html)


def test_a_block_that_telegram_would_refuse_is_refused_in_its_words() -> None:
    with pytest.raises(MarkupError, match='Unsupported start tag "p"'):
        split(["fine", "<p>not</p>"])


def test_a_limit_too_small_for_words_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        split(["a"], limit=10)


@pytest.mark.parametrize("character", "a\x7f\x80\u07ff\u0800\uffff\U00010000&<>")
def test_bytes_are_counted_as_they_are_written(character: str) -> None:
    assert _html_bytes(character) == len(escape(character).encode())


@pytest.mark.parametrize(
    ("length", "padded"), [(0, 4), (3, 4), (4, 8), (7, 8), (253, 256), (254, 260), (256, 260), (257, 264)]
)
def test_an_entity_takes_its_integers_and_its_string_padded_to_four(length: int, padded: int) -> None:
    """One byte of length, or from 254 on four (https://core.telegram.org/type/string)."""
    assert entity_bytes(TextEntity("text_link", 0, 1, url="x" * length)) == 16 + padded
