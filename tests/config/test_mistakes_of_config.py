"""Every mistake in the configuration gives one line: where, what, and what was meant."""

from __future__ import annotations

import os
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from configured import CHANNEL, NEWS, TOPIC, load, mistakes
from digest import config
from digest.errors import ConfigError

# --- mistakes in the file ------------------------------------------------------------------------

DAYS = "a whole number of days from 1 to 3650"
TOP = (
    "approval, arxiv, channels, contact, database, embed, lookback_days, page, posts, schedule, site, "
    "source, telegram, topics, writer"
)
GENRES = "a list of roundup, review, links, essay, listing"
DOUBLE = "channels.d would post again what c posts to the same chat; give the two other topics or languages"

DATABASE = (
    'database must be a database URL such as "sqlite:///digest.sqlite3" or "postgresql+psycopg://host/digest"'
)


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
        (
            "database = 3",
            f"1: {DATABASE}",
        ),
        (
            "database = 'x://me:secret@db'",
            f"1: {DATABASE}",
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
