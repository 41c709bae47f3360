"""Inputs that nobody would write, by the million: nothing crashes, hangs, or leaves its limits.

    python tests/soak_fuzz.py [--inputs 20000] [--seed 1] [--minutes 10] [--folder DIR]
    python tests/soak_fuzz.py --inputs 10000000 --folder DIR

Mark-up (escaped, parsed, split), answers of arXiv that were mutated, LaTeX, queries, TOML. What comes out
must hold: escaped text comes back as it was, parts keep Telegram's limits, parsers give what stands there
or a named error. Inputs go by batches, each from its own seed; how many batches are done is kept in the
folder, so the same command goes on where it was ended. A failure prints its kind, seed and input.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from itertools import accumulate
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "src")]

import msgspec

import test_strict
from digest import ids, latex, query, toml
from digest.errors import DigestError
from digest.markup import TEXT_LIMIT, MarkupError, escape, parse, split, utf16_length
from digest.text import readable, sentences
from tried import commit

BATCH = 1_000
SLOW = 2.0
"""Seconds that no input may take."""

_LETTERS = (
    *"abc XYZ 019.,:;!?-_()[]{}|/\\<>&\"'#@$%^~`*+=\n\t",
    *"яёЖ你好。，éñü\u0301\u200d\u202e\u00a0\ufeff\x00\x1b",
    *("😀", "👩‍👩‍👧", "🏳️‍🌈", "\ud7ff", "\U0010fffd"),
)
_MARKUP = (
    *(
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<a href='https://arxiv.org/abs/2605.00001'>",
        "</a>",
        "<code>",
        "</code>",
    ),
    *("<pre>", "</pre>", "<blockquote expandable>", "</blockquote>", "<tg-spoiler>", "</tg-spoiler>"),
    *("&amp;", "&lt;", "&#128512;", "&#x110000;", "&nbsp;", "<br>", "<b", "</", "<!--", "<script>"),
)
_TEX = (
    *("$", "$$", "\\frac{1}{2}", "\\alpha", "\\'e", '\\"{o}', "\\mathbb{R}", "^{2}", "_{i}", "{", "}", "\\"),
    *("\\textbf{", "\\cite{x}", "\\href{https://a.b}{c}", "\\sqrt[3]{x}", "\\begin{equation}", "\\%", "~"),
)
_QUERY = (
    "title:",
    "author:",
    "ti:",
    "au:",
    "year:2019..",
    "id:2605.00001",
    "topic:",
    '"',
    "-",
    "+",
    "cat:cs.LG",
    "since:2026-01-01",
    "until:",
    "(",
    ")",
    "*",
    "OR",
    "AND",
)
_TOML = (
    "[",
    "]",
    "[[",
    "]]",
    "=",
    '"',
    "'''",
    "{",
    "}",
    "#",
    "\n",
    "1979-05-27",
    "0x",
    "inf",
    "[topics.a]\n",
)


def _drawn(chance: random.Random, pieces: tuple[str, ...], longest: int) -> str:
    """A text of letters and, three times in ten, pieces."""
    count = min(int(chance.expovariate(1 / 20)), longest)
    drawn, limits = _alphabet(pieces)
    return "".join(chance.choices(drawn, cum_weights=limits, k=count))


@cache
def _alphabet(pieces: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[float, ...]]:
    each = [0.3 / len(pieces)] * len(pieces) + [0.7 / len(_LETTERS)] * len(_LETTERS)
    return (*pieces, *_LETTERS), tuple(accumulate(each))


def _escaped(chance: random.Random) -> object:
    text = _drawn(chance, _MARKUP, 400)
    shown = parse(escape(text)).text
    assert parse(escape(shown)).text == shown
    return text


def _split(chance: random.Random) -> object:
    html = _drawn(chance, _MARKUP, 200) * chance.choice((1, 1, 1, 40))
    limit = chance.choice((64, 300, TEXT_LIMIT))
    try:
        parts = split(
            [html, escape(_drawn(chance, _QUERY, 100))], limit=limit, numbered=chance.random() < 0.5
        )
    except MarkupError:
        return html
    for part in parts:
        assert utf16_length(part.text) <= limit, html
        assert parse(part.html).text == part.text, html
    return html


def _answer(chance: random.Random) -> object:
    parser, body = chance.choice(test_strict.SEEDS)
    body = test_strict.mutated(chance, body)
    parser(body)
    return body


def _tex(chance: random.Random) -> object:
    text = _drawn(chance, _TEX, 300)
    return sentences(readable(latex.read(text)))


def _asked(chance: random.Random) -> object:
    text = _drawn(chance, _QUERY, 100)
    query.read(text)
    query.plain(text)
    return text


def _configured(chance: random.Random) -> object:
    text = _drawn(chance, _TOML, 100)
    toml.parse(text, None)
    toml.places(text)
    return text


def _named(chance: random.Random) -> object:
    text = "".join(chance.choice("0123456789.v/hepth-TH ٣٤x") for _ in range(chance.randint(0, 20)))
    return str(ids.parse(text))


KINDS: tuple[tuple[Callable[[random.Random], object], int], ...] = (
    *((_escaped, 4), (_split, 3), (_answer, 2), (_tex, 4), (_asked, 3), (_configured, 2), (_named, 2)),
)
"""What is tried, and how often of twenty."""


def batch(seed: int) -> list[str]:
    """What is wrong with a batch of inputs, each by its kind."""
    chance = random.Random(seed)
    kinds, weights = [kind for kind, _ in KINDS], [weight for _, weight in KINDS]
    found: list[str] = []
    for at, kind in enumerate(chance.choices(kinds, weights, k=BATCH)):
        if wrong := _tried(kind, random.Random(seed * BATCH + at)):
            found.append(f"{kind.__name__} of seed {seed}, input {at}: {wrong}")
    return found


def _tried(kind: Callable[[random.Random], object], chance: random.Random) -> str:
    begun = time.process_time()
    try:
        kind(chance)
    except DigestError:
        pass
    except Exception as error:
        return repr(error)
    took = time.process_time() - begun
    return f"it took {took:.1f} s" if took > SLOW else ""


class Came(msgspec.Struct):
    """How far it came, over all times it was begun: batches, failures, and at which commits."""

    batches: int = 0
    failed: int = 0
    commits: list[str] = []


def main() -> int:
    """Try them, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first batch")
    parser.add_argument("--minutes", type=float, default=1e9)
    parser.add_argument("--folder", type=Path, help="where to keep how far it came")
    given = parser.parse_args()
    began, here = time.monotonic(), commit()
    with tempfile.TemporaryDirectory() as own:
        kept = (given.folder or Path(own)) / f"fuzz-{given.seed}.json"
        kept.parent.mkdir(parents=True, exist_ok=True)
        came = msgspec.json.decode(kept.read_bytes(), type=Came) if kept.exists() else Came()
        while came.batches * BATCH < given.inputs and time.monotonic() - began < 60 * given.minutes:
            found = batch(given.seed + came.batches)
            for wrong in found:
                print(wrong[:400], flush=True)
            came.batches, came.failed = came.batches + 1, came.failed + len(found)
            came.commits = sorted({*came.commits, here})
            kept.write_bytes(msgspec.json.encode(came))
    last = given.seed + came.batches - 1
    print(f"reached {came.batches * BATCH:,} of {given.inputs:,} inputs, seeds {given.seed} to {last}")
    print(f"{came.failed} failed; commits {', '.join(came.commits)}")
    return int(came.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
