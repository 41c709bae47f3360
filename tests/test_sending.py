"""What a person does about sending, by the command line: checks of channels, corrections, what is held."""

from __future__ import annotations

from pathlib import Path

import pytest

from botapi import BotApi
from digest.store import Store
from newsroom import Command, newsroom
from outbox import EDITOR, NOON, draft

# --- channel check --------------------------------------------------------------------------------


def test_a_check_of_a_channel_where_all_is_well(home: Path, api: BotApi, digest: Command) -> None:
    done = digest(home, "channel", "check")
    assert (done.returncode, done.stdout.count("ok "), "WRONG" in done.stdout) == (0, 4, False)
    assert api.messages(EDITOR)[-1].text == "This is how posts will look: bold, and a link."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rights": {"can_post_messages": False}}, "switch on “Post messages”"),
        ({"status": "kicked"}, "add the bot again"),
    ],
)
def test_a_check_says_what_is_missing(
    home: Path, api: BotApi, chat: int, change: dict[str, object], said: str, digest: Command
) -> None:
    api.change(chat, **change)
    done = digest(home, "channel", "check", "news")
    assert done.returncode == 1
    assert "WRONG" in done.stdout
    assert said in done.stdout


def test_a_check_says_that_a_group_does_not_let_the_bot_write(
    tmp_path: Path, api: BotApi, digest: Command
) -> None:
    group = api.chat("supergroup")
    api.change(group, status="restricted")
    done = digest(newsroom(tmp_path, api, group), "channel", "check")
    assert (done.returncode, "let it send messages" in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize(("allowed", "code", "said"), [(True, 0, 0), (False, 1, 1)])
def test_a_check_says_where_pins_are_wanted_and_not_allowed(
    home: Path, api: BotApi, chat: int, digest: Command, allowed: bool, code: int, said: int
) -> None:
    with (home / "digest.toml").open("a") as file:
        file.write('pin = ["review"]\n')
    api.change(chat, rights={"can_edit_messages": allowed})
    done = digest(home, "channel", "check")
    assert (done.returncode, done.stdout.count("it may not pin them")) == (code, said)
    assert "it may post there" in done.stdout


def test_a_check_resumes_a_channel_that_is_well_again(
    home: Path, api: BotApi, chat: int, digest: Command
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.pause_channel("news", str(chat), "kicked", NOON)
    assert "it was paused and goes on" in digest(home, "channel", "check").stdout
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        assert store.pause("news", str(chat)) is None


def test_a_check_names_the_channels_there_are(home: Path, digest: Command) -> None:
    done = digest(home, "channel", "check", "nwes")
    assert done.returncode == 2
    assert "no Telegram channel nwes; there are news" in done.stderr


# --- a correction ---------------------------------------------------------------------------------


def test_a_person_corrects_a_part_that_was_sent(
    home: Path, api: BotApi, chat: int, digest: Command, tmp_path: Path
) -> None:
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("<b>one</b>", "two")], {"en": ["news"]}, "approved", 0, NOON)
        store.add_posts([draft("draft", day=1)], {"en": ["news"]}, "draft", 0, NOON)
    digest(home, "deliver")
    assert digest(home, "outbox", "correct", "1").stdout == "<b>one</b>\n"
    file = tmp_path / "part.html"
    file.write_text("<b>one</b>, corrected\n")
    assert digest(home, "outbox", "correct", "1", str(file)).returncode == 0
    digest(home, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one, corrected", "two"]
    assert "edit" in digest(home, "outbox", "list", "--all").stdout
    file.write_text("<b>one")
    wrong = digest(home, "outbox", "correct", "1", str(file))
    assert (wrong.returncode, "Can't find end tag" in wrong.stderr.replace("can't", "Can't")) == (65, True)
    assert "only what was approved is corrected" in digest(home, "outbox", "correct", "2").stderr
    assert "post 1 has no part 3, but 2" in digest(home, "outbox", "correct", "1", "--part", "3").stderr


# --- what a person settles ------------------------------------------------------------------------


@pytest.fixture
def held(home: Path, api: BotApi, chat: int, digest: Command) -> Path:
    """A home whose first part of two is uncertain, and stands in the channel."""
    with Store.open(f"sqlite:///{home / 'digest.sqlite3'}") as store:
        store.add_posts([draft("one", "two")], {"en": ["news"]}, "approved", 0, NOON)
    api.fault("drop_after", methods=["sendMessage"])
    assert "uncertain" in digest(home, "deliver").stdout
    return home


def test_the_outbox_says_what_to_do_about_a_part_that_is_held(held: Path, digest: Command) -> None:
    said = digest(held, "outbox", "list").stdout
    assert "digest outbox resolve 1 --sent MSGID" in said
    assert "digest posts show 1" in said


def test_a_part_that_a_person_found_is_sent_and_the_rest_follows(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    message = api.messages(chat)[0].message_id
    done = digest(held, "outbox", "resolve", "1", "--sent", str(message))
    assert f"/{message}" in done.stdout
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_a_part_that_a_person_did_not_find_is_sent_again(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    api.remove(chat, api.messages(chat)[0].message_id)
    assert digest(held, "outbox", "resolve", "1", "--retry").returncode == 0
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one", "two"]


def test_a_part_that_is_dropped_takes_those_behind_it_along(
    held: Path, api: BotApi, chat: int, digest: Command
) -> None:
    assert "cancelled" in digest(held, "outbox", "resolve", "1", "--drop").stdout
    digest(held, "deliver")
    assert [one.text for one in api.messages(chat)] == ["one"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("1",), 2, "say one of --sent MSGID, --retry, --drop"),
        (("1", "--retry", "--drop"), 2, "say one of"),
        (("99", "--retry"), 65, "no delivery 99"),
        (("2", "--retry"), 2, "delivery 2 is queued: only uncertain or failed becomes queued"),
    ],
)
def test_what_cannot_be_settled_is_one_line(
    held: Path, arguments: tuple[str, ...], code: int, said: str, digest: Command
) -> None:
    done = digest(held, "outbox", "resolve", *arguments)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False)
