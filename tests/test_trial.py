"""Templates: those built in hold what they promise, and a broken one is told by file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest import config, trial
from digest.actions import templates
from digest.app import App
from digest.errors import UsageError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def app(home: Path) -> Iterator[App]:
    with App(config.load(None, home, {}), trial.NOON, quiet=True) as app:
        yield app


def reopened(app: App) -> App:
    """The program as the next command would find it."""
    return App(app.settings, app.now, quiet=True)


@pytest.mark.slow
def test_every_genre_holds_in_every_language(app: App) -> None:
    assert templates.check(app) == []


def test_a_copied_template_is_used_and_told(app: App, home: Path) -> None:
    made = templates.copy(app, "ru/roundup")
    assert made == home / "templates" / "ru" / "roundup.html.j2"
    [mine] = [one for one in templates.found(app) if one.own]
    assert (mine.name, mine.own, mine.built_in, mine.same) == ("ru/roundup.html.j2", made, True, True)
    made.write_text(made.read_text("utf-8") + "mine", "utf-8")
    assert [one.same for one in templates.found(app) if one.own] == [False]
    with pytest.raises(UsageError, match="is there already; give --force"):
        templates.copy(app, "ru/roundup")
    templates.copy(app, "ru/roundup", force=True)
    assert [one.same for one in templates.found(app) if one.own] == [True]
    templates.copy(app, "shared/paper")


def test_a_name_that_is_none_is_told_with_the_nearest(app: App) -> None:
    for name, told in {
        "ru/rondup": "did you mean ru/roundup.html.j2",
        "../../etc": "digest template list",
    }.items():
        with pytest.raises(UsageError, match=told):
            templates.copy(app, name)


def test_a_folder_that_cannot_be_written_is_told(app: App, home: Path) -> None:
    home.mkdir()
    (home / "templates").write_text("in the way")
    with pytest.raises(Exception, match="templates"):
        templates.copy(app, "ru/roundup")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{{ title }}", "{{ titel }}", "roundup.html.j2, line 27: 'titel' is undefined"),
        ("{{ title }}", "{{ title }", "roundup.html.j2, line 27: unexpected '}'"),
        ("<b>{{ title }}</b>", "<h2>{{ title }}</h2>", 'Unsupported start tag "h2"'),
        ("<b>{{ title }}</b>", "<b><i>{{ title }}</b></i>", 'expected "</i>", found "</b>"'),
        (
            "<b>{{ title }}</b>",
            "<code><b>{{ title }}</b></code>",
            "Telegram would not show bold on “Забывчивые",
        ),
        ("{% for item in brief %}", "{% for item in [] %}", "ru/roundup.html.j2: links to"),
    ],
)
def test_what_is_wrong_with_a_template_is_told(app: App, old: str, new: str, told: str) -> None:
    made = templates.copy(app, "ru/roundup")
    text = made.read_text("utf-8")
    assert old in text
    made.write_text(text.replace(old, new), "utf-8")
    with reopened(app) as again:
        try:
            [wrong] = trial.problems(again.writer, "roundup", "ru")
        except UsageError as error:  # it cannot even be read
            wrong = str(error)
    assert told in wrong
    assert "\n" not in wrong
