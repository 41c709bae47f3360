"""Templates."""

from __future__ import annotations

from collections.abc import Sequence

from digest.report.table import table
from digest.types import Template


def templates(found: Sequence[Template]) -> str:
    """Templates, a line each, and whose they are."""
    return table([("template", "in use"), *((one.name, _in_use(one)) for one in found)])


def _in_use(one: Template) -> str:
    if one.own is None:
        return "built in"
    if not one.built_in:
        return f"{one.own} (no built-in one has this name: nothing uses it, unless another template does)"
    return f"{one.own}{' (the same as the built-in one)' if one.same else ''}"


def checked(wrong: Sequence[str], found: Sequence[Template]) -> str:
    """What a check has found."""
    own = sum(one.own is not None for one in found)
    return "\n".join(wrong) or f"all is well: {len(found)} templates, {own} of them yours"
