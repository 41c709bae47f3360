"""What is read: the environment, else a file, else the defaults; and the reference of all settings."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from configured import CHANNEL, NEWS, TOPIC, load, mistakes
from digest import config, toml
from digest.config import Channel, Settings
from digest.errors import ConfigError, UsageError
from digest.types import Limits, Rhythm, Topic

ROOT = Path(__file__).parents[2]


# --- what holds without a file, with a part of one, and where files are looked for -----------------


def test_without_a_file_three_topics_go_to_the_posts_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    found = load(tmp_path)
    assert found.home == home
    assert found.database == f"sqlite:///{home}/digest.sqlite3"
    assert found.source == "oai"
    assert found.lookback_days == 7
    assert (found.approval, found.posts_wait) == ("if-public", False)
    assert found.contact is None
    assert (found.embed.model, found.embed.device, found.embed.batch_size) == ("all-MiniLM-L6-v2", "auto", 32)
    assert found.channels == {"files": Channel(type="file", folder=home / "posts")}
    assert list(found.topics) == ["xai", "unlearning", "diffusion"]
    for name, topic in found.topics.items():
        assert topic.name == name
        assert topic.languages == ("en", "ru", "zh")
        assert set(topic.titles) == set(topic.languages)
        assert topic.limits == Limits(5, 5)
        assert len(topic.seed_keys) >= 2
    assert {name: topic.rhythm for name, topic in found.topics.items()} == {
        "xai": Rhythm(1, 1),
        "unlearning": Rhythm(3, 7),
        "diffusion": Rhythm(1, 1),
    }


def test_init_writes_the_very_file_the_defaults_are_read_from(tmp_path: Path) -> None:
    written = config.init(tmp_path / "deep" / "digest.toml")
    assert written.read_text("utf-8") == config.default_text()
    assert config.load(written, tmp_path / "home", {}) == load(tmp_path)
    assert [file.name for file in written.parent.iterdir()] == ["digest.toml"]


def test_init_replaces_a_file_only_when_forced(tmp_path: Path) -> None:
    file = tmp_path / "digest.toml"
    file.write_text("mine")
    with pytest.raises(UsageError, match=rf"^{file}: there is a file already; give --force to replace it$"):
        config.init(file)
    assert file.read_text() == "mine"
    assert config.init(file, force=True).read_text("utf-8") == config.default_text()


def test_init_where_nothing_can_be_written_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/digest\.toml: cannot be written: Not a directory$"):
        config.init(tmp_path / "file" / "digest.toml")
    folder = tmp_path / "folder"
    (folder / "digest.toml").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"digest\.toml: cannot be written: Is a directory$"):
        config.init(folder / "digest.toml", force=True)
    assert [file.name for file in folder.iterdir()] == ["digest.toml"]


def test_the_default_file_is_short_and_every_setting_shown_as_a_comment_is_right(tmp_path: Path) -> None:
    text = config.default_text()
    assert text.count("\n") < 190
    assert max(map(len, text.splitlines())) <= 110
    (tmp_path / "home" / "templates").mkdir(parents=True)
    shown = re.compile(r"^# (?=\w+ = |\[)", re.MULTILINE)
    assert len(shown.findall(text)) == 41
    found = load(tmp_path, shown.sub("", text))
    assert found.contact == "you@example.org"
    assert found.posts.templates == tmp_path / "home" / "templates"
    assert found.topics["xai"].seed_papers
    assert found.channels["files"].languages == ("ru",)


def test_what_a_file_leaves_out_is_as_in_the_defaults(tmp_path: Path) -> None:
    found = load(tmp_path, 'lookback_days = 3\n[embed]\ndevice = "cpu"\n[posts.greetings]\nru = []\n')
    default = load(tmp_path)
    assert (found.lookback_days, found.embed.device, found.posts.greetings["ru"]) == (3, "cpu", ())
    assert found.embed.model == default.embed.model
    assert found.posts.greetings["en"] == default.posts.greetings["en"]
    assert (found.topics, found.channels) == (default.topics, default.channels)


@pytest.mark.parametrize(
    ("approval", "telegram", "wait"),
    [
        ("if-public", False, False),
        ("if-public", True, True),
        ("automatic", True, False),
        ("manual", False, True),
    ],
)
def test_what_strangers_read_waits_for_a_person_unless_told_otherwise(
    tmp_path: Path, approval: str, telegram: bool, wait: bool
) -> None:
    assert load(tmp_path, (NEWS if telegram else CHANNEL), {"DIGEST_APPROVAL": approval}).posts_wait is wait


def test_two_channels_may_share_a_chat_for_different_posts(tmp_path: Path) -> None:
    other = NEWS.replace(".c]", ".d]") + "languages = ['ru']\n"
    assert len(load(tmp_path, NEWS + "languages = ['en']\n" + other).channels) == 2
    assert len(load(tmp_path, NEWS + NEWS.replace(".c]", ".d]") + "thread = 5\n").channels) == 2


def test_the_token_comes_from_the_environment_or_a_file_and_is_no_setting(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("7:secret\n")
    found = load(tmp_path, f"[telegram]\ntoken_file = '{file}'", {"DIGEST_TELEGRAM_TOKEN": "8:other"})
    assert config.bot_token(found.telegram, {}) == "7:secret"
    assert config.bot_token(found.telegram, {"DIGEST_TELEGRAM_TOKEN": "8:other"}) == "8:other"
    assert "secret" not in repr(found)
    assert "8:other" not in repr(found)
    file.unlink()
    with pytest.raises(ConfigError, match="the bot token cannot be read: No such file"):
        config.bot_token(found.telegram, {})
    with pytest.raises(ConfigError, match="set DIGEST_TELEGRAM_TOKEN, or telegram.token_file"):
        config.bot_token(load(tmp_path, "").telegram, {})


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == load(tmp_path)


def test_seed_papers_lose_their_version_and_address(tmp_path: Path) -> None:
    papers = ["2107.05580v2", "https://arxiv.org/abs/hep-th/9901001"]
    found = load(tmp_path, f"{TOPIC}seed_papers = {papers}")
    assert found.topics["cats"].seed_papers == ("2107.05580", "hep-th/9901001")


def test_topics_and_channels_of_a_file_replace_the_default_ones(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        TOPIC + '[channels.ru]\ntype = "file"\nfolder = "/srv/ru"\n',
    )
    assert list(found.topics) == ["cats"]
    assert found.topics["cats"].name == "cats"
    assert found.channels == {"ru": Channel(type="file", folder=Path("/srv/ru"))}


@pytest.mark.parametrize(
    "text", ["\ufefflookback_days = 3", "lookback_days = 3\r\n[embed]\r\n", "lookback_days=3"]
)
def test_files_of_other_editors_are_read(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text).lookback_days == 3


@pytest.mark.parametrize(
    ("database", "expected"),
    [
        ("sqlite:///digest.sqlite3", "sqlite:///{home}/digest.sqlite3"),
        ("sqlite:///../other/d.sqlite3", "sqlite:///{home}/../other/d.sqlite3"),
        ("sqlite:////srv/d.sqlite3", "sqlite:////srv/d.sqlite3"),
        ("sqlite:///~/d.sqlite3", "sqlite:///{user}/d.sqlite3"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_paths_are_relative_to_the_digest_home(tmp_path: Path, database: str, expected: str) -> None:
    found = load(tmp_path, f'database = "{database}"\n[channels.c]\ntype="file"\nfolder="~/posts"\n')
    assert found.database == expected.format(home=tmp_path / "home", user=tmp_path)
    assert found.channels["c"].folder == tmp_path / "posts"


def test_the_environment_gives_settings_of_a_table_that_no_file_has(tmp_path: Path) -> None:
    found = load(
        tmp_path, "", {"DIGEST_WRITER_URL": "http://localhost:8000/v1", "DIGEST_WRITER_MODEL": "any"}
    )
    assert (found.writer.url, found.writer.model) == ("http://localhost:8000/v1", "any")


def test_the_home_is_the_one_given_else_the_variable_else_the_users_data_folder(tmp_path: Path) -> None:
    environ = {"DIGEST_HOME": str(tmp_path / "variable"), "XDG_DATA_HOME": str(tmp_path / "xdg")}
    assert config.find_home(tmp_path / "given", environ) == tmp_path / "given"
    assert config.find_home(None, environ) == tmp_path / "variable"
    assert config.find_home(None, environ | {"DIGEST_HOME": ""}) == tmp_path / "xdg" / "digest"
    assert config.find_home(None, {}) == tmp_path / ".local" / "share" / "digest"
    relative = {"XDG_DATA_HOME": "relative"}  # to be ignored, says the specification
    assert config.find_home(None, relative) == tmp_path / ".local" / "share" / "digest"
    assert config.find_home(None, {"DIGEST_HOME": "~/d"}) == tmp_path / "d"
    assert config.find_home(Path("here"), {}) == tmp_path / "here"


def test_the_file_is_the_one_given_else_the_variable_else_in_the_home_else_here(tmp_path: Path) -> None:
    home, here = tmp_path / "home", Path("digest.toml")
    environ = {"DIGEST_CONFIG": "~/variable.toml"}
    assert config.find_config(None, home, {}) is None
    here.touch()
    assert config.find_config(None, home, {}) == here
    home.mkdir()
    (home / "digest.toml").symlink_to("nowhere")
    assert config.find_config(None, home, {}) == home / "digest.toml", (
        "a broken link is told, not passed over"
    )
    assert config.find_config(None, home, environ) == tmp_path / "variable.toml"
    assert config.find_config(Path("given.toml"), home, environ) == Path("given.toml")


def test_a_channel_takes_what_it_names_or_everything() -> None:
    everything = Channel(type="file", folder=Path("/"))
    some = Channel(type="file", folder=Path("/"), topics=("xai",), languages=("ru", "en"))
    assert everything.takes("xai", "zh")
    assert some.takes("xai", "ru")
    assert not some.takes("xai", "zh")
    assert not some.takes("diffusion", "ru")


# --- the environment ----------------------------------------------------------------------------


def test_the_environment_stands_before_the_file(tmp_path: Path) -> None:
    environ = {
        "DIGEST_LOOKBACK_DAYS": "3",
        "DIGEST_EMBED_MODEL": "other",
        "DIGEST_EMBED_BATCH_SIZE": "8",
        "DIGEST_SOURCE": "sample",
        "DIGEST_APPROVAL": "manual",
        "DIGEST_DATABASE": "sqlite:///e.sqlite3",
        "DIGEST_CONTACT": "a@b.org",
        "DIGEST_HOME": str(tmp_path / "elsewhere"),
        "DIGEST_EMBED_DEVICE": "",
        "PATH": "/bin",
        "NODIGEST_X": "1",
    }
    found = load(tmp_path, 'lookback_days = 5\n[embed]\nmodel = "mine"\ndevice = "cpu"\n', environ)
    assert (found.lookback_days, found.embed.model, found.embed.batch_size) == (3, "other", 8)
    assert (found.approval, found.contact, found.embed.device) == ("manual", "a@b.org", "cpu")
    assert found.database == f"sqlite:///{tmp_path}/home/e.sqlite3", "--home stands before DIGEST_HOME"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("DIGEST_EMBED_MODLE", "x", "unknown variable DIGEST_EMBED_MODLE; did you mean DIGEST_EMBED_MODEL?"),
        ("DIGEST_HOEM", "x", "unknown variable DIGEST_HOEM; did you mean DIGEST_HOME?"),
        (
            "DIGEST_SOURCE",
            "smaple",
            'DIGEST_SOURCE must be "oai" or "rss" or "api" or "sample", not "smaple"',
        ),
        ("DIGEST_APPROVAL", "no", 'DIGEST_APPROVAL must be "if-public" or "automatic" or "manual", not "no"'),
        (
            "DIGEST_LOOKBACK_DAYS",
            "week",
            'DIGEST_LOOKBACK_DAYS must be a whole number of days from 1 to 3650, not "week"',
        ),
        (
            "DIGEST_LOOKBACK_DAYS",
            "0",
            "DIGEST_LOOKBACK_DAYS must be a whole number of days from 1 to 3650, not 0",
        ),
        (
            "DIGEST_DATABASE",
            "postgres://me:secret@db",
            (
                'DIGEST_DATABASE must be a database URL such as "sqlite:///digest.sqlite3" '
                'or "postgresql+psycopg://host/digest"'
            ),
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, name: str, value: str, line: str
) -> None:
    assert mistakes(tmp_path, "lookback_days = 3", {name: value}) == [f"environment: {line}"]


def test_a_variable_of_no_likeness_gets_the_names_there_are(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, "", {"DIGEST_QQ": "1"})
    assert line.startswith("environment: unknown variable DIGEST_QQ; allowed are DIGEST_APPROVAL, ")


def test_the_environment_corrects_the_files_mistake(tmp_path: Path) -> None:
    assert load(tmp_path, "lookback_days = 0", {"DIGEST_LOOKBACK_DAYS": "2"}).lookback_days == 2


LOOPBACK = {f"DIGEST_ARXIV_{name}_URL": f"http://127.0.0.1:8000/{name}" for name in ("OAI", "RSS", "API")}


def test_less_than_three_seconds_between_requests_is_for_servers_on_this_machine(tmp_path: Path) -> None:
    fast = {"DIGEST_ARXIV_GAP_SECONDS": "0.1"}
    assert load(tmp_path, "", {**LOOPBACK, **fast}).arxiv.gap_seconds == 0.1
    for real in LOOPBACK:
        some = {name: url for name, url in LOOPBACK.items() if name != real}
        [line] = mistakes(tmp_path, "", {**some, **fast})
        assert line.startswith(
            "environment: DIGEST_ARXIV_GAP_SECONDS must be at least 3, not 0.1: arXiv asks"
        )
    [line] = mistakes(tmp_path, "[arxiv]\n\ngap_seconds = 2")
    assert line.startswith("digest.toml:3: arxiv.gap_seconds must be at least 3, not 2")
    assert load(tmp_path, "[arxiv]\ngap_seconds = 3").arxiv.gap_seconds == 3


@pytest.mark.parametrize(
    "url", ["arxiv.org/oai", "ftp://arxiv.org/", "https://", "https://a b/", "https://a/?x=1"]
)
def test_an_address_must_be_one(tmp_path: Path, url: str) -> None:
    [line] = mistakes(tmp_path, "", {"DIGEST_ARXIV_OAI_URL": url})
    assert "DIGEST_ARXIV_OAI_URL must be an address such as" in line


# --- the reference, and the cost -----------------------------------------------------------------


def reference(kind: type[msgspec.Struct], table: str = "") -> Iterator[tuple[str, str, str]]:
    """The rows that docs/configuration.md must have: setting, what it is, default of its struct."""
    for field in msgspec.structs.fields(kind):
        name = f"{table}{field.name}"
        if name in ("home", "topics.NAME.name"):
            continue
        if name in ("topics", "channels"):
            yield from reference({"topics": Topic, "channels": Channel}[name], f"{name}.NAME.")
        elif isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from reference(field.type, f"{name}.")
        else:
            default = field.default if field.default is not msgspec.NODEFAULT else None
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            given = "none" if not field.required and default is None else ""
            if default is not None:
                given = f"`{msgspec.json.encode(default).decode()}`"
            yield name, config.words(field.type), given


def test_the_reference_describes_every_setting_as_it_is() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-zNAME_.]+)` \| (.*?) \| (.*?) ?\| (?:`(\w+)` )?\|$", text, re.MULTILINE)
    described = {name: (words, default, variable) for name, words, default, variable in rows}
    from_file = tomllib.loads(config.default_text())
    variables = {toml.dotted(path): name for name, path in config.variables().items()}
    expected = {}
    for name, words, default in reference(Settings):
        in_file: Any = from_file
        for key in name.split("."):
            in_file = in_file.get(key) if isinstance(in_file, dict) else None
        shown = "in the default file" if isinstance(in_file, dict) else f"`{toml.show(in_file)}`"
        if isinstance(in_file, list):
            shown = f"`{msgspec.json.encode(in_file).decode()}`"
        expected[name] = (words, shown if in_file is not None else default, variables.get(name, ""))
    assert described == expected
    assert set(re.findall(r"`(DIGEST_\w+)`", text)) == {*config.variables(), *config.OWN_VARIABLES}


def test_every_mistake_shown_in_the_reference_is_one_the_program_makes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    shown = re.search(r"```\n(digest\.toml.*?)```", text, re.DOTALL)
    assert shown
    wrong = ("\n" * 11) + (
        "[topics.xai]\nterm = 'x'\nseed_key = ['x']\n\n\ncategories = ['cs.LGG']\n\n\n\n\nfloor = 1.5\n"
    )
    assert mistakes(tmp_path, wrong, {"DIGEST_EMBED_MODLE": "x"}) == shown[1].splitlines()


def test_reading_the_configuration_loads_nothing_slow() -> None:
    code = (
        "import os, sys; from digest import config; before = set(sys.modules);"
        "config.load(None, None, {}); loaded = {name.partition('.')[0] for name in sys.modules};"
        "slow = {'numpy', 'structlog', 'sqlalchemy', 'torch', 'importlib.resources', 'click', 'pydantic'};"
        "assert not slow & loaded, slow & loaded; assert 'tomllib' not in before"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "src")},
        check=False,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
