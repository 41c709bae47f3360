"""What readers' reactions say of papers: a weak like, where enough of them are good.

Telegram counts the reactions to a message, and a message shows several papers: each is given an even
share, so that a lone paper is told from ten in a list. What is no clear praise or blame counts for nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction

from digest.types import Reactions

GOOD = frozenset("👍❤🔥🥰👏🎉🤩🙏👌😍💯⚡🏆🍾🤝🤗🫡🆒💘🦄😎") | {"❤\u200d🔥"}
BAD = frozenset("👎🤬🤮💩🤡🥱🖕😴😡")
"""Of the emoji that can be a reaction (https://core.telegram.org/bots/api#reactiontypeemoji)."""

_AS_PICTURE = "\ufe0f"


def applauded(found: Iterable[Reactions], least: int) -> list[str]:
    """The ids of the papers that got ``least`` good reactions more than bad ones, all messages that show
    them together; none where ``least`` is 0."""
    shares: defaultdict[str, Fraction] = defaultdict(Fraction)
    for one in found:
        for paper in one.papers:
            shares[paper] += Fraction(balance(one.counts), len(one.papers))
    return sorted(paper for paper, share in shares.items() if 0 < least <= share)


def balance(counts: Mapping[str, int]) -> int:
    """Good reactions less bad ones."""
    told = ((emoji.replace(_AS_PICTURE, ""), count) for emoji, count in counts.items())
    return sum(count * ((emoji in GOOD) - (emoji in BAD)) for emoji, count in told)
