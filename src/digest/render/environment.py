"""The templates: the user's before the packaged ones, sandboxed, their mistakes told with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import TracebackType

from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import format_decimal
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from digest.errors import UsageError
from digest.types import Language

_YEAR_SIGN = re.compile(r"\s*г\.$")
LOCALES: Mapping[Language, str] = {"en": "en", "ru": "ru", "zh": "zh_Hans"}


def templates(folder: Path | None, packaged: Path) -> Environment:
    """The templates: the user's, by the same name, before the packaged ones.

    They run sandboxed, escape what they write and may use no undefined name. Raises UsageError, a line
    each, for those of the user's that cannot be read, whether a post needs them or not.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([path for path in (folder, packaged) if path is not None]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(day=_day, plural=_plural, period=_period, number=_number)
    mistakes = list(_mistakes(environment, folder)) if folder is not None else []
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return environment


def _mistakes(environment: Environment, folder: Path) -> Iterator[str]:
    """What is wrong with the templates of a folder, file by file."""
    for path in sorted(folder.rglob("*.j2")):
        try:
            load(environment, path.relative_to(folder).as_posix())
        except UsageError as error:
            yield str(error)


def load(environment: Environment, name: str) -> Template:
    """A template; an error of its syntax becomes one line with file, line and message."""
    try:
        return environment.get_template(name)
    except TemplateSyntaxError as error:
        raise _misspelt(error, name) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"template {name}: not UTF-8; save the file in this encoding") from error
    except TemplateNotFound as error:
        raise UsageError(f"no template {name} in {_folders(environment)}; correct the folder") from error


def fill(environment: Environment, name: str, **values: object) -> str:
    """Render a template; its errors become one line with file, line and message."""
    template = load(environment, name)
    try:
        return template.render(**values)
    except TemplateSyntaxError as error:  # of a template that it imports
        raise _misspelt(error, name) from error
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        place = _place(error.__traceback__)
        if place is None:
            raise
        raise UsageError(f"{place}: {_line(error)}; correct the template") from error


def _misspelt(error: TemplateSyntaxError, name: str) -> UsageError:
    said = (error.message or "").rstrip(".")
    return UsageError(f"{error.filename or name}, line {error.lineno}: {said}; correct the template")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def _folders(environment: Environment) -> str:
    loader = environment.loader
    return " or ".join(loader.searchpath) if isinstance(loader, FileSystemLoader) else "the templates"


def _place(trace: TracebackType | None) -> str | None:
    """The last line of a template that a traceback passes through."""
    place = None
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if path.endswith(".j2"):
            place = f"{path}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place


@cache
def _locale(language: Language) -> Locale:
    return Locale.parse(LOCALES[language])


@pass_context
def _day(context: Context, day: date, pattern: str) -> str:
    """Filter: a date in the post's language, by a CLDR pattern such as ``d MMMM y, EEEE``."""
    return format_date(day, pattern, locale=_locale(context["language"]))


def long_day(day: date, language: Language) -> str:
    """A date in words: 15 May 2026, 15 мая 2026, 2026年5月15日."""
    locale = Locale.parse("en_GB") if language == "en" else _locale(language)  # the day first, as in roundups
    return _YEAR_SIGN.sub("", format_date(day, "long", locale=locale))


@pass_context
def _plural(context: Context, count: int, **forms: str) -> str:
    """Filter: the form for a number in the post's language (CLDR: one, few, many, other), {n} the number."""
    form = _locale(context["language"]).plural_form(count)
    return forms.get(form, forms["other"]).replace("{n}", str(count))


@pass_context
def _period(context: Context, since: date, until: date) -> str:
    """Filter: days from one to another in the post's language, such as ``1–15 May 2026``."""
    language = context["language"]
    if since == until:
        return long_day(since, language)
    locale = Locale.parse("en_GB") if language == "en" else _locale(language)
    return _YEAR_SIGN.sub("", format_interval(since, until, "yMMMMd", locale=locale))


@pass_context
def _number(context: Context, value: float) -> str:
    """Filter: a number in the post's language, with as many decimals as it deserves: 0.04, 1.5, 23."""
    digits = 0 if value >= 10 else 1 if value >= 1 else 2
    return format_decimal(value, f"0.{'#' * digits}" if digits else "0", locale=_locale(context["language"]))
