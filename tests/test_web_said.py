"""What the program says in English reaches a reader of the page in the page's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from string import Formatter

import pytest

import digest
from digest.errors import DigestError, InputError
from digest.markup import MarkupError
from digest.store import Store
from digest.types import Language
from digest.web.said import LONGEST, said, sentences

SOURCE = Path(digest.__file__).parent
LETTERS: dict[Language, str] = {"ru": "[А-яё]", "zh": "[\u4e00-\u9fff]"}
READ = (
    "actions/posts.py",
    "actions/sending.py",
    "actions/topics.py",
    "channels/check.py",
    "channels/messages.py",
    "channels/telegram.py",
    "delivery.py",
    "editing.py",
    "ids.py",
    "markup/parse.py",
    "pipeline.py",
    "query.py",
    "terms.py",
    "web/jobs.py",
    "web/outbox.py",
    "web/papers.py",
    "web/pieces.py",
    "web/posts.py",
    "web/trends.py",
    "web/work.py",
    "windows.py",
    "wording.py",
)
"""The modules whose errors and notes a reader of the page may see."""
TERMINAL = {
    # Forms of the page cannot send these.
    "line 1: this is the source of post {}, not of post {}",
    "line 1: the first line must say which post: “post 7, version 1”",
    "line {}: {}",
    "there is no line {} between the papers and the text: put it back",
    "{} stands twice among the papers: delete one of the lines",
    "{} is not in the post; its papers are {}",
    "{} cannot be put in order: it is not in the post",
    "the papers of a {} stand in its text: digest posts edit {}",
    "no Telegram channel {}; there are {}",
    "nobody may approve: name telegram.editors, or use digest posts approve",
    # Two sentences in one.
    "{} was refused{}",
    # The archive itself is damaged: for whoever keeps it.
    "delivery {} has lost its post {}",
    "{}: message {} does not say where it comes from",
}
SYSTEM = "No space left on device, Permission denied, Read-only file system"


def bare(sentence: str) -> str:
    """A sentence without the names of what it holds."""
    return re.sub(r"\{\w+\}", "{}", sentence)


def template(said: ast.expr) -> str | None:
    """A text of the code with {} for what is put in; None for what is put together otherwise."""
    match said:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=pieces):
            return "".join(str(one.value) if isinstance(one, ast.Constant) else "{}" for one in pieces)
    return None


def errors() -> set[str]:
    """The names of all errors a person can do something about."""
    kinds: list[type[DigestError]] = [DigestError, MarkupError]
    found: set[str] = set()
    while kinds:
        kind = kinds.pop()
        found.add(kind.__name__)
        kinds += kind.__subclasses__()
    return found


def lines(module: str) -> Iterator[str]:
    """The errors and notes of a module, with {} for what is put in."""
    known = errors()
    for node in ast.walk(ast.parse((SOURCE / module).read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in known:
                yield template(first) or ""
            case ast.Call(func=ast.Attribute(attr="append", value=ast.Attribute(attr="notes")), args=[one]):
                yield template(one) or ""
            case ast.Call(func=ast.Attribute(attr="_note"), args=[one]):
                yield template(one) or ""
            case ast.Call(func=ast.Attribute(attr="append", value=ast.Name(id="notes")), args=[one]):
                yield template(one) or ""
            case ast.AugAssign(target=ast.Attribute(attr="notes"), value=ast.ListComp(elt=one)):
                yield template(one) or ""


@pytest.mark.parametrize("module", READ)
def test_whatever_a_module_tells_a_reader_is_said_in_all_languages(module: str) -> None:
    known = {bare(one["en"]) for one in sentences()}
    told = {line for line in lines(module) if re.search("[a-z]{3}", line)}
    assert told - known - TERMINAL <= {line for line in told if said(line.replace("{}", "7"), "ru")}


def test_every_sentence_is_still_said_by_the_program() -> None:
    trees = (ast.parse(file.read_text("utf-8")) for file in SOURCE.rglob("*.py"))
    texts = (
        template(node) for node in chain.from_iterable(map(ast.walk, trees)) if isinstance(node, ast.expr)
    )
    code = "\n".join({text for text in texts if text} | {SYSTEM})
    for one in sentences():
        phrases = re.split(r"\{\w+\}|[:;,()“”]", one["en"])  # the code puts some together of these
        assert all(phrase.strip() in code for phrase in phrases), one["en"]


@pytest.mark.parametrize("language", LETTERS)
def test_sentences_say_the_same_in_every_language(language: Language) -> None:
    assert len({one["en"] for one in sentences()}) == len(sentences())
    for one in sentences():
        holes = {name for _, name, *_ in Formatter().parse(one["en"]) if name}
        assert {name for _, name, *_ in Formatter().parse(one[language]) if name} <= holes, one["en"]
        mute = not re.search(r"[A-Za-z]", re.sub(r"\{\w+\}", "", one["en"]))
        assert mute or re.search(LETTERS[language], one[language]), one["en"]


def test_a_line_is_known_again_with_what_was_put_in() -> None:
    line = "not an arXiv identifier: 'x': give one such as 2107.05580v2 or hep-th/9901001"
    assert said(line, "ru") == "Это не номер arXiv: 'x'. Нужен такой, как 2107.05580v2 или hep-th/9901001"
    assert said(line, "en") is None
    assert said("no such sentence", "ru") is None
    assert said(
        "post 3: “Привет”: Bad Request: can't parse entities: Unexpected end tag at byte offset 7", "zh"
    ) == ("推文 3：“Привет”：Telegram 无法解析标记：结束标签没有对应的开始标签（第 7 字节）")


def test_a_sentence_is_read_by_those_that_account_for_most_of_it() -> None:
    told = (
        "post 9 was changed meanwhile: it is version 2 now, not 1; digest posts diff 9 shows what has changed"
    )
    assert said(told, "zh") == "推文 9 已被他人修改：现在是第 2 版，而不是第 1 版。改动见历史记录"


def test_days_and_counted_things_within_a_line_are_said_too() -> None:
    batch = "nothing new: the batch of Friday 2026-07-03 was read before, 13 papers of it"
    assert (
        said(batch, "ru") == "ничего нового: рассылка за 3 июл. 2026\u202fг. уже прочитана, статей в ней: 13"
    )
    tally = "xai: no post, nothing new among 5 matches: 3 near-duplicate, 2 posted before"
    assert (
        said(tally, "ru")
        == "xai: поста нет — ничего нового среди 5 подходящих: 3 почти повтор, 2 уже публиковалась"
    )
    assert said("nothing new: the batch of Friday 2026-99-99 was read before, 1 papers of it", "zh")


def test_what_a_person_typed_is_put_in_as_it_is() -> None:
    assert said("no topic '{lambda}'; there are {x}", "ru") == "Темы '{lambda}' нет; есть {x}"
    assert said("no topic " + "a: b; " * LONGEST + "there are", "ru") is None


def test_an_error_of_the_program_is_a_sentence_too() -> None:
    assert said(str(InputError("2605.1 is not in the archive")), "zh") == "论文 2605.1 不在库中"


@pytest.mark.parametrize("language", LETTERS)
def test_all_that_a_run_notes_is_said(sample_home: Path, language: Language) -> None:
    with Store.open(f"sqlite:///{sample_home / 'digest.sqlite3'}") as store:
        reports = [run.report for run in store.runs(99) if run.report]
        notes = [note for report in reports for stage in report.stages for note in stage.notes]
    assert len(notes) > 5
    assert [note for note in notes if said(note, language) is None] == []
