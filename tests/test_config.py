"""Every mistake in the configuration gives one line: where, what, and what was meant."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from digest import config, toml
from digest.config import Channel, Settings
from digest.errors import ConfigError, UsageError
from digest.types import Limits, Rhythm, Topic

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _nobody_elses_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def load(tmp_path: Path, text: str | bytes | None = None, environ: Mapping[str, str] = {}) -> Settings:
    if text is None:
        return config.load(None, tmp_path / "home", environ)
    file = Path("digest.toml")
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return config.load(file, tmp_path / "home", environ)


def mistakes(tmp_path: Path, text: str | bytes = "", environ: Mapping[str, str] = {}) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, environ)
    return str(caught.value).splitlines()


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
    assert text.count("\n") < 180
    assert max(map(len, text.splitlines())) <= 110
    (tmp_path / "home" / "templates").mkdir(parents=True)
    shown = re.compile(r"^# (?=\w+ = |\[)", re.MULTILINE)
    assert len(shown.findall(text)) == 37
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
            'DIGEST_DATABASE must be a database URL such as "sqlite:///digest.sqlite3"',
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


# --- mistakes in the file ------------------------------------------------------------------------

TOPIC = '[topics.cats]\nterm = "cat"\nseed_keys = ["cat"]\n'
DAYS = "a whole number of days from 1 to 3650"
TOP = (
    "approval, arxiv, channels, contact, database, embed, lookback_days, page, posts, source, telegram, "
    "topics, writer"
)
GENRES = "a list of roundup, review, links, essay, listing"
DOUBLE = "channels.d would post again what c posts to the same chat; give the two other topics or languages"
NEWS = '[channels.c]\ntype = "telegram"\nchat = "@news"\n'
CHANNEL = '[channels.c]\ntype = "file"\nfolder = "posts"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("lookback_day = 3", "1: unknown key lookback_day; did you mean lookback_days?"),
        ("\n\n[embd]\nmodel='x'", "3: unknown key embd; did you mean embed?"),
        ("[topic.cats]\nterm='cat'", "1: unknown key topic; did you mean topics?"),
        (
            "[topics.xai]\nterm='x'\nseed_key=['x']",
            "3: unknown key topics.xai.seed_key; did you mean seed_keys?",
        ),
        (TOPIC + "name = 'cats'", None),
        ("home = '/srv'", f"1: unknown key home; allowed are {TOP}"),
        ("[embed]\ncontact='a@b.org'", "2: unknown key embed.contact; contact belongs above the first table"),
        ("batch_size=3", "1: unknown key batch_size; batch_size belongs in [embed]"),
        (TOPIC + "rhythm={at_leats=3}", "4: unknown key topics.cats.rhythm.at_leats; did you mean at_least?"),
        (
            TOPIC + "[topics.cats.limits]\nbreif=3",
            "5: unknown key topics.cats.limits.breif; did you mean brief?",
        ),
        (TOPIC + 'titles = {fr = "chat"}', "4: unknown key topics.cats.titles.fr; allowed are en, ru, zh"),
        ("[posts]\ngreetings.eng = ['Hi']", "2: unknown key posts.greetings.eng; did you mean en?"),
        ('"a\\nb" = 3', None),
        (
            TOPIC + CHANNEL + "topics=['cats', 'cast']",
            '7: unknown topic "cast" in channels.c.topics; did you mean cats?',
        ),
        (CHANNEL + "topics=['xia']", '4: unknown topic "xia" in channels.c.topics; did you mean xai?'),
        (
            CHANNEL + "topics=[]",
            "4: channels.c.topics must be a list with at least one topic, not an empty list",
        ),
        (CHANNEL + "languages=[]", "4: channels.c.languages must be a list of en, ru, zh, not an empty list"),
        (CHANNEL + "topics='xai'", '4: channels.c.topics must be a list with at least one topic, not "xai"'),
        ("[channels.c]\ntype='file'", "1: channels.c has no folder; give a path in quotes"),
        (
            "[channels.c]\ntype='mail'",
            '2: channels.c.type must be "file" or "feed" or "telegram", not "mail"',
        ),
        (NEWS + "folder='x'", '4: channels.c.folder is not for a channel of type "telegram"'),
        (
            "[channels.c]\ntype='telegram'\nchat='@x'",
            f'3: channels.c.chat must be {config.words(config.Address)}, not "@x"',
        ),
        (CHANNEL + "chat='@news'", '4: channels.c.chat is not for a channel of type "file"'),
        (
            "[channels.c]\ntype='telegram'",
            '1: channels.c has no chat; give "@name" or a chat\'s number in quotes such as "-1001234567890"',
        ),
        (NEWS + "thread=1", "4: channels.c.thread must be the number of a forum's topic, not 1"),
        (
            NEWS + "quiet_hours='23:00-24:00'\ntime_zone='UTC'",
            '4: channels.c.quiet_hours must be hours such as "23:00-08:00", not "23:00-24:00"',
        ),
        (
            NEWS + "quiet_hours='23:00-23:00'\ntime_zone='UTC'",
            "4: channels.c.quiet_hours must end at another time",
        ),
        (
            NEWS + "quiet_hours='23:00-08:00'",
            '1: channels.c has quiet_hours and no time_zone; give a time zone such as "Europe/Berlin"',
        ),
        (
            NEWS + "time_zone='Europe/Belrin'",
            '4: unknown time zone "Europe/Belrin" in channels.c.time_zone; did you mean Europe/Berlin?',
        ),
        (
            NEWS + NEWS.replace(".c]", ".d]"),
            f"4: {DOUBLE}",
        ),
        ("[telegram]\ntoken='7:x'", "2: unknown key telegram.token; did you mean token_file?"),
        (
            "[telegram]\neditors=['me']",
            '2: each entry of telegram.editors must be a user\'s number in Telegram, not "me"',
        ),
        (
            f"[telegram.polls]\nen=['{'q' * 301}', 'a', 'b']",
            "2: telegram.polls.en holds a question of at most 300 characters, not 301",
        ),
        (
            f"[telegram.polls]\nen=['q', 'a', '{'b' * 101}']",
            "2: telegram.polls.en holds answers of at most 100 characters, not 101",
        ),
        (
            "[telegram.polls]\nen=['q', 'a']",
            "2: telegram.polls.en must be a list: a question and 2 to 12 answers; these are 2 texts",
        ),
        (NEWS + "pin='review'", f'4: channels.c.pin must be {GENRES}, not "review"'),
        ("[channels.c]\ntype='file'\nfolder=''", '3: channels.c.folder must be a path in quotes, not ""'),
        (
            "[channels.c]\ntype='file'\nfolder='~nobody9/x'",
            '3: channels.c.folder must be a path in quotes, not "~nobody9/x"',
        ),
        (
            TOPIC + "categories = ['cs.CL', 'cs.LGG']",
            '4: unknown category "cs.LGG" in topics.cats.categories; did you mean cs.LG?',
        ),
        (
            TOPIC + "categories = [\n  'cs.CL',\n  \"cs.LGG\", # hm\n]",
            '6: unknown category "cs.LGG" in topics.cats.categories; did you mean cs.LG?',
        ),
        (
            TOPIC + "languages = ['fr']",
            '4: each entry of topics.cats.languages must be "en" or "ru" or "zh", not "fr"',
        ),
        (
            TOPIC + "languages = []",
            "4: topics.cats.languages must be a list of en, ru, zh, not an empty list",
        ),
        (
            TOPIC + "seed_papers = ['2107.05580', '2113.05580']",
            "4: topics.cats.seed_papers: not an arXiv identifier: '2113.05580': 13 is no month",
        ),
        (TOPIC + "floor = 1.5", "4: topics.cats.floor must be a number between 0 and 1, not 1.5"),
        (TOPIC + "floor = -0.1", "4: topics.cats.floor must be a number between 0 and 1, not -0.1"),
        (TOPIC + "floor = nan", "4: topics.cats.floor must be a number between 0 and 1, not nan"),
        (TOPIC + "floor = true", "4: topics.cats.floor must be a number between 0 and 1, not true"),
        (TOPIC + "floor = '0.5'", '4: topics.cats.floor must be a number between 0 and 1, not "0.5"'),
        (
            TOPIC + "limits = { detailed = -1 }",
            "4: topics.cats.limits.detailed must be a whole number from 0 to 100, not -1",
        ),
        (
            TOPIC + "limits = { detailed = 0, brief = 0 }",
            "4: topics.cats.limits leave no room for a paper: detailed or brief must be above 0",
        ),
        (TOPIC + "limits = 5", "4: topics.cats.limits must be a table, not 5"),
        (
            TOPIC + "rhythm = { at_latest_days = 2.5 }",
            "4: topics.cats.rhythm.at_latest_days must be a whole number of days from 1 to 3650, not 2.5",
        ),
        (
            TOPIC + "rhythm = { at_latest_days = 99999999999999999999 }",
            f"4: topics.cats.rhythm.at_latest_days must be {DAYS}, not 99999999999999999999",
        ),
        (
            TOPIC + "hashtags = ['#cats']",
            '4: each entry of topics.cats.hashtags must be a word without #, not "#cats"',
        ),
        (
            TOPIC + "exclude_keys = 'dog'",
            '4: topics.cats.exclude_keys must be a list, each a text in quotes, not "dog"',
        ),
        (
            "[topics.cats]\nterm='cat'\nseed_keys=[]",
            "3: topics.cats.seed_keys must be a list with at least one phrase, not an empty list",
        ),
        (
            "[topics.cats]\nterm='cat'\nseed_keys=['cat', ' ']",
            '3: each entry of topics.cats.seed_keys must be a text in quotes, not " "',
        ),
        (
            "[topics.cats]\nterm='cat'",
            "1: topics.cats has no seed_keys; give a list with at least one phrase",
        ),
        (
            "[topics.'My cats']\nterm='c'\nseed_keys=['c']",
            '1: the name topics."My cats" must be small letters, digits, - and _',
        ),
        ("[topics]", "1: topics must be a table with at least one topic, not an empty table"),
        ("topics = ['xai']", "1: topics must be a table with at least one topic, not a list"),
        ("embed = 3", "1: embed must be a table, not 3"),
        ("source = 'arxiv'", '1: source must be "oai" or "rss" or "api" or "sample", not "arxiv"'),
        ("contact = 'me'", '1: contact must be a mail address in quotes, not "me"'),
        ('contact = "a@b.org\\nX: y"', '1: contact must be a mail address in quotes, not "a@b.org\\nX: y"'),
        (
            "lookback_days = 2026-01-01",
            "1: lookback_days must be a whole number of days from 1 to 3650, not 2026-01-01",
        ),
        ("database = 3", '1: database must be a database URL such as "sqlite:///digest.sqlite3"'),
        (
            "database = 'x://me:secret@db'",
            '1: database must be a database URL such as "sqlite:///digest.sqlite3"',
        ),
        (
            "[embed]\ndevice='gpu'",
            '2: embed.device must be "auto", "cpu", "mps", "cuda" or "cuda:N", not "gpu"',
        ),
        ("[posts]\ntemplates='nowhere'", '2: posts.templates must be a folder that exists, not "nowhere"'),
        ("[embed]\nmodel = [[[[]]]]", "2: embed.model must be a text in quotes, not a list"),
        # TOML itself
        ("a = 1\nb == 2", "2: not valid TOML: invalid value"),
        ("source = 'sample'\nsource = 'sample'", "2: not valid TOML: this key is given twice"),
        ('lookback_days = 3\n\nsource = "sample', "3: not valid TOML: unterminated string"),
        ("lookback_days = 3\n[topics.x]\nseed_keys = [\n 'a',\n", "3: not valid TOML: invalid value"),
        ("lookback_days = " + "1" * 5000, None),
        ("lookback_days = 3\nx = 'приве\udc80т'", None),
    ],
)
def test_each_mistake_is_one_line(tmp_path: Path, text: str, line: str | None) -> None:
    found = mistakes(tmp_path, text.encode(errors="surrogateescape"))
    assert len(found) == 1
    assert found[0].startswith("digest.toml:")
    if line:
        assert found == [f"digest.toml:{line}"]


def test_text_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    text = 'source = "sample"\ncontact = "Привет"\n'.encode("cp1251")
    assert mistakes(tmp_path, text) == ["digest.toml:2: not UTF-8; save the file in this encoding"]


def test_brackets_without_end_are_told(tmp_path: Path) -> None:
    [line] = mistakes(tmp_path, "a = " + "[" * 100_000)
    assert line == "digest.toml: not valid TOML: too many brackets in each other"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    def told(path: str) -> str:
        with pytest.raises(ConfigError) as caught:
            config.load(Path(path), tmp_path, {})
        return str(caught.value)

    Path("folder").mkdir()
    Path("file").touch()
    assert told("absent.toml") == "absent.toml: cannot be read: No such file or directory"
    assert told("folder") == "folder: cannot be read: Is a directory"
    assert told("file/digest.toml") == "file/digest.toml: cannot be read: Not a directory"
    assert told("~nobody9/digest.toml") == "~nobody9/digest.toml: there is no such user"
    if os.geteuid() != 0:
        Path("file").chmod(0)
        assert told("file") == "file: cannot be read: Permission denied"


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    home = tmp_path / "home"
    assert str(caught.value) == f"{home}: the digest home must be a folder; give another one with --home"


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file_the_environment_last(tmp_path: Path) -> None:
    text = (
        'sources = "sample"\nlookback_days = 0\n[topics.cats]\nterm = 3\nfloor = 2\n[embed]\nbatch_size = 0\n'
    )
    assert mistakes(tmp_path, text, {"DIGEST_EMBED_BATCH_SIZE": "x", "DIGEST_X": "1"})[:-1] == [
        "digest.toml:1: unknown key sources; did you mean source?",
        "digest.toml:2: lookback_days must be a whole number of days from 1 to 3650, not 0",
        "digest.toml:3: topics.cats has no seed_keys; give a list with at least one phrase",
        "digest.toml:4: topics.cats.term must be a text in quotes, not 3",
        "digest.toml:5: topics.cats.floor must be a number between 0 and 1, not 2",
        'environment: DIGEST_EMBED_BATCH_SIZE must be a whole number from 1 to 4096, not "x"',
    ]


# Key names of the default file: at the start of a line, in a table's header, in an inline table.
KEYS = [
    (match.start(), match.group())
    for pattern in (r"^\w+(?= = )", r"(?<=^\[)\w+(?=[.\]])", r"(?<=^\[posts\.)\w+", r"(?<=[{,] )\w+(?= = )")
    for match in re.finditer(pattern, config.default_text(), re.MULTILINE)
]
ADDRESSES = ("oai_url", "rss_url", "api_url")  # "aai_url" may be the first or the last


def near(key: str, wrong: str) -> float:
    return SequenceMatcher(None, key, wrong).ratio()


LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def typos(draw: st.DrawFn) -> tuple[int, str, str]:
    """Where a key stands in the default file, its name, and the name with one letter wrong."""
    start, name = draw(st.sampled_from(KEYS))
    at = draw(st.integers(0, len(name) - 1))
    letter = draw(st.sampled_from(LETTERS))
    swapped = name[:at] + name[at : at + 2][::-1] + name[at + 2 :]
    kinds = [
        name[:at] + name[at + 1 :],
        name[:at] + letter + name[at + 1 :],
        name[:at] + letter + name[at:],
        swapped,
    ]
    return start, name, draw(st.sampled_from(kinds))


@given(typos())
@settings(max_examples=200, deadline=None)
def test_any_typo_in_any_key_of_the_default_file_is_one_line_with_the_right_key(
    tmp_path_factory: pytest.TempPathFactory, typo: tuple[int, str, str]
) -> None:
    start, name, wrong = typo
    assume(wrong not in ("", name, "en", "ru", "zh"))
    assume(name not in ADDRESSES or max(ADDRESSES, key=lambda key: near(key, wrong)) == name)
    text = config.default_text()
    file = tmp_path_factory.getbasetemp() / "digest.toml"
    file.write_text(text[:start] + wrong + text[start + len(name) :], "utf-8")
    with pytest.raises(ConfigError) as caught:
        config.load(file, tmp_path_factory.getbasetemp(), {})
    [line] = str(caught.value).splitlines()
    match = re.fullmatch(rf"{file}:(\d+): unknown key (\S+); (did you mean (\w+)\?|allowed are .*)", line)
    assert match, line
    assert match[2].split(".")[-1] == wrong
    assert match[4] == name if len(name) > 2 else match[3]
    first = text[: text.rfind("\n", 0, start) + 1].count("\n") + 1
    assert int(match[1]) == first


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
