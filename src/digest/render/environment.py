"""The templates: the user's before the packaged ones, sandboxed, their mistakes told with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import TracebackType

from babel import Locale
from babel.dates import format_date
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    pass_context,
)
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

from digest.errors import UsageError
from digest.types import Language

LOCALES: Mapping[Language, str] = {"en": "en", "ru": "ru", "zh": "zh_Hans"}


def templates(folder: Path | None, packaged: Path) -> Environment:
    """The templates: the user's, by the same name, before the packaged ones.

    They run sandboxed, escape what they write and may use no undefined name.
    """
    environment = SandboxedEnvironment(
        loader=FileSystemLoader([path for path in (folder, packaged) if path is not None]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(day=_day, plural=_plural)
    return environment


def fill(environment: Environment, name: str, **values: object) -> str:
    """Render a template; its errors become one line with file, line and message."""
    try:
        return environment.get_template(name).render(**values)
    except TemplateSyntaxError as error:
        raise UsageError(
            f"{error.filename or name}, line {error.lineno}: {error.message}; correct the template"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"template {name}: not UTF-8; save the file in this encoding") from error
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        place = _place(error.__traceback__)
        if place is None and isinstance(error, TemplateNotFound):
            raise UsageError(f"no template {name} in {_folders(environment)}; correct the folder") from error
        if place is None:
            raise
        raise UsageError(f"{place}: {_line(error)}; correct the template") from error


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


@pass_context
def _plural(context: Context, count: int, **forms: str) -> str:
    """Filter: the form for a number in the post's language (CLDR: one, few, many, other), {n} the number."""
    form = _locale(context["language"]).plural_form(count)
    return forms.get(form, forms["other"]).replace("{n}", str(count))
