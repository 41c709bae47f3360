"""The tests of posting bite: each of these mistakes, planted, makes the named test fail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import true

import test_followup
import test_outbox
import test_pictures_sent
import test_polls
import test_review
import test_review_races
import test_senders
import test_uncertain
from botapi import BotApi
from digest import delivery, followup, review
from digest.channels import telegram
from digest.errors import DeliveryError, Paused, Refused, Uncertain
from digest.store import Store, outbox
from digest.store.prepared import prepared
from digest.types import Part
from outbox import EDITOR, office, png
from planted import an_unclear_answer_is_taken_for_a_failure, nothing_is_marked_before_it_is_sent
from reviewing import SECOND, STRANGER

Plant = Callable[[pytest.MonkeyPatch], None]


def what_was_being_sent_is_queued_at_start(patch: pytest.MonkeyPatch) -> None:
    real = Store.recover_deliveries

    def recover(store: Store, now: datetime, repeatable: Any = (), channels: Any = None) -> int:
        return real(store, now, channels or (), channels)

    patch.setattr(Store, "recover_deliveries", recover)


def the_turn_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "take_turn", lambda *_: None)
    patch.setattr(outbox, "in_turn", lambda *_: true())
    built_anew(patch, "_claim_in_turn")


def a_claim_does_not_ask_whose_turn_it_is(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outbox, "in_turn", lambda *_: true())
    built_anew(patch, "_claim_in_turn")


def any_failed_look_is_a_miss(patch: pytest.MonkeyPatch) -> None:
    real = telegram.TelegramChannel.look

    def look(channel: telegram.TelegramChannel, message: int) -> Any:
        try:
            return real(channel, message)
        except DeliveryError:
            return None

    patch.setattr(telegram.TelegramChannel, "look", look)


def one_miss_is_absence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "MISSES", 1)


def the_first_of_all_can_be_missed(patch: pytest.MonkeyPatch) -> None:
    real = delivery._Round._find

    def find(turn: Any, channel: Any, one: Any, part: Part) -> Any:
        return real(turn, channel, replace(one, after=one.after or 0), part)

    patch.setattr(delivery._Round, "_find", find)


def it_is_looked_for_at_once(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "LOOK_AFTER", timedelta(0))


def a_look_takes_another_posts_message(patch: pytest.MonkeyPatch) -> None:
    real = Store.deliveries

    def deliveries(store: Store, **wanted: Any) -> Any:
        return [] if wanted.get("states") == ("sent",) else real(store, **wanted)

    patch.setattr(Store, "deliveries", deliveries)


def later_parts_do_not_wait(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(outbox, "exists", Never)
    built_anew(patch, "_claim", "_claim_in_turn", "_next")


def built_anew(patch: pytest.MonkeyPatch, *statements: str) -> None:
    """Let statements that may be built already be built of what was planted."""
    for name in statements:
        patch.setattr(outbox, name, prepared(getattr(outbox, name).__wrapped__))


class Never:
    """An EXISTS that is never so."""

    def where(self, *_: Any) -> Any:
        return ~true()


def a_flood_answer_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "rest_sender", lambda *_: None)


def the_pace_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "PACE", timedelta(0))


def lost_rights_fail_the_part(patch: pytest.MonkeyPatch) -> None:
    real = telegram.meaning

    def meaning(error: Any, chat: str = "") -> Any:
        found = real(error, chat)
        return Refused(str(found)) if isinstance(found, Paused) else found

    patch.setattr(telegram, "meaning", meaning)


def a_new_number_is_not_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "move_chat", lambda *_: None)


def the_same_text_of_any_day_is_found(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(delivery, "CLOCKS_DIFFER", timedelta(days=9))


def every_part_makes_a_sound(patch: pytest.MonkeyPatch) -> None:
    real = telegram.Bot.call

    def call(bot: telegram.Bot, method: str, **arguments: Any) -> Any:
        return real(bot, method, **{**arguments, "disable_notification": False})

    patch.setattr(telegram.Bot, "call", call)


def an_edit_is_retried_as_a_send(patch: pytest.MonkeyPatch) -> None:
    real = telegram.TelegramChannel.edit

    def edit(channel: telegram.TelegramChannel, message: int, post: Any, number: int, part: Part) -> None:
        try:
            real(channel, message, post, number, part)
        except DeliveryError:
            channel.send(post, number)

    patch.setattr(telegram.TelegramChannel, "edit", edit)


def an_edit_without_an_answer_is_given_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(followup, "TRIES", 1)


def a_poll_without_an_answer_is_asked_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(followup, "outcome", lambda *_: ("queued", timedelta(0)))


def a_poll_that_fails_pauses_the_channel(patch: pytest.MonkeyPatch) -> None:
    real = delivery._Round._not_done

    def not_done(turn: Any, one: Any, error: Any) -> None:
        turn._store.pause_channel(one.channel, one.chat, str(error), turn._clock.now())
        real(turn, one, error)

    patch.setattr(delivery._Round, "_not_done", not_done)


def an_alarm_is_told_at_each_run(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Store, "put_told", lambda *_: None)


def a_rich_message_without_an_answer_is_followed_by_a_classic_one(patch: pytest.MonkeyPatch) -> None:
    real = telegram.TelegramChannel._rich

    def rich(channel: telegram.TelegramChannel, *given: Any, **more: Any) -> Any:
        try:
            return real(channel, *given, **more)
        except DeliveryError:
            return None

    patch.setattr(telegram.TelegramChannel, "_rich", rich)


def what_cannot_be_read_is_another_message(patch: pytest.MonkeyPatch) -> None:
    real = delivery.is_same
    patch.setattr(delivery, "is_same", lambda seen, *more: seen.text is not None and real(seen, *more))


def an_alarm_without_an_answer_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = telegram.Bot.tell

    def tell(bot: telegram.Bot, text: str) -> None:
        with suppress(Uncertain):
            real(bot, text)

    patch.setattr(telegram.Bot, "tell", tell)


def a_decision_is_about_any_version(patch: pytest.MonkeyPatch) -> None:
    real = Store.set_post_state

    def decide(store: Store, *given: Any, **more: Any) -> bool:
        return real(store, *given, **{**more, "version": None})

    patch.setattr(Store, "set_post_state", decide)


def an_old_button_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(review, "version", lambda post: f"{post.id:08}")


def anybody_may_decide(patch: pytest.MonkeyPatch) -> None:
    real = review._Desk.__init__

    def begin(desk: Any, store: Any, bot: Any, editors: Any, *more: Any) -> None:
        real(desk, store, bot, frozenset({EDITOR, SECOND, STRANGER}), *more)

    patch.setattr(review._Desk, "__init__", begin)


def a_second_tap_decides_again(patch: pytest.MonkeyPatch) -> None:
    real = Store.set_post_state

    def decide(store: Store, id_: int, _: Any, *given: Any, **more: Any) -> bool:
        return real(store, id_, ("draft", "approved", "rejected"), *given, **more)

    patch.setattr(Store, "set_post_state", decide)


def the_checksum_covers_the_html_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Part, "sha256", property(lambda part: part.html))


def what_was_changed_meanwhile_is_looked_for(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Part, "sha256", property(lambda part: "the same"))


TEETH: list[tuple[Plant, Callable[..., None], dict[str, Any]]] = [
    (
        an_unclear_answer_is_taken_for_a_failure,
        test_uncertain.test_without_an_answer_nothing_is_sent_again_before_a_look,
        {"fault": "drop_after"},
    ),
    (
        what_was_being_sent_is_queued_at_start,
        test_senders.test_a_sender_killed_around_a_request_leaves_it_uncertain_and_the_next_looks,
        {"moment": "answered", "arrived": True},
    ),
    (
        nothing_is_marked_before_it_is_sent,
        test_senders.test_a_claim_stands_on_disk_before_anything_is_sent,
        {},
    ),
    (the_turn_is_ignored, test_senders.test_while_another_process_has_its_turn_nothing_is_claimed, {}),
    (a_claim_does_not_ask_whose_turn_it_is, test_senders.test_who_has_lost_the_turn_claims_nothing, {}),
    (any_failed_look_is_a_miss, test_uncertain.test_a_look_at_protected_content_is_no_miss, {}),
    (any_failed_look_is_a_miss, test_uncertain.test_a_look_without_rights_is_no_miss, {}),
    (one_miss_is_absence, test_uncertain.test_numbers_of_deleted_messages_are_no_answer, {}),
    (
        the_first_of_all_can_be_missed,
        test_uncertain.test_the_absence_of_the_first_message_of_all_cannot_be_seen,
        {},
    ),
    (
        it_is_looked_for_at_once,
        test_uncertain.test_without_an_answer_nothing_is_sent_again_before_a_look,
        {"fault": "late:2"},
    ),
    (
        a_look_takes_another_posts_message,
        test_uncertain.test_an_uncertain_part_that_equals_another_post_is_not_found_in_it,
        {},
    ),
    (
        later_parts_do_not_wait,
        test_outbox.test_a_part_that_is_refused_holds_the_rest_of_its_post_and_no_other,
        {},
    ),
    (
        a_flood_answer_is_forgotten,
        test_outbox.test_a_flood_answer_is_kept_for_the_whole_bot_and_not_slept_through,
        {},
    ),
    (the_pace_is_forgotten, test_outbox.test_the_pace_is_kept_within_a_run_and_from_run_to_run, {}),
    (lost_rights_fail_the_part, test_outbox.test_lost_rights_pause_one_channel_and_no_other, {}),
    (
        a_new_number_is_not_kept,
        test_outbox.test_a_group_that_became_a_supergroup_gets_the_post_under_its_new_id,
        {},
    ),
    (the_same_text_of_any_day_is_found, test_uncertain.test_the_same_text_of_another_time_is_held, {}),
    (
        an_edit_is_retried_as_a_send,
        test_followup.test_an_edit_without_an_answer_is_made_again_and_nothing_is_sent,
        {"fault": "drop_after"},
    ),
    (
        an_edit_without_an_answer_is_given_up,
        test_followup.test_an_edit_without_an_answer_is_made_again_and_nothing_is_sent,
        {"fault": "drop_before"},
    ),
    (
        an_unclear_answer_is_taken_for_a_failure,
        test_pictures_sent.test_a_photo_without_an_answer_is_looked_for_and_not_sent_again,
        {},
    ),
    (
        a_poll_without_an_answer_is_asked_again,
        test_polls.test_a_poll_that_may_have_been_asked_is_never_asked_again,
        {"fault": "drop_after"},
    ),
    (
        a_poll_that_fails_pauses_the_channel,
        test_polls.test_a_poll_or_pin_that_is_refused_never_harms_the_posts,
        {},
    ),
    (an_alarm_is_told_at_each_run, test_followup.test_a_paused_channel_is_told_once, {}),
    (
        an_alarm_without_an_answer_is_forgotten,
        test_followup.test_an_alarm_without_an_answer_is_told_again_for_two_are_better_than_none,
        {"fault": "drop_before", "times": 1},
    ),
    (
        a_decision_is_about_any_version,
        test_review_races.test_an_edit_in_the_moment_of_a_press_is_never_decided_unseen,
        {"button": "✅ Publish"},
    ),
    (
        an_old_button_counts,
        test_review_races.test_a_button_older_than_an_edit_decides_nothing_and_the_newer_text_is_shown,
        {},
    ),
    (anybody_may_decide, test_review.test_a_stranger_decides_nothing, {}),
    (
        a_second_tap_decides_again,
        test_review_races.test_of_two_editors_the_first_decides_and_the_other_is_told,
        {},
    ),
    (
        a_rich_message_without_an_answer_is_followed_by_a_classic_one,
        test_pictures_sent.test_a_rich_message_without_an_answer_is_followed_by_nothing,
        {"fault": "drop_after"},
    ),
    (
        what_cannot_be_read_is_another_message,
        test_pictures_sent.test_a_rich_message_without_an_answer_is_followed_by_nothing,
        {"fault": "drop_after"},
    ),
    (the_checksum_covers_the_html_only, test_pictures_sent.test_the_picture_belongs_to_what_is_frozen, {}),
    (
        what_was_changed_meanwhile_is_looked_for,
        test_followup.test_an_edit_waits_until_the_part_is_settled,
        {},
    ),
    (
        every_part_makes_a_sound,
        test_outbox.test_parts_stand_in_the_channel_once_in_order_as_they_were_frozen,
        {},
    ),
]


@pytest.mark.parametrize(("plant", "test", "arguments"), TEETH, ids=lambda one: getattr(one, "__name__", ""))
def test_a_planted_mistake_is_caught(
    plant: Plant,
    test: Callable[..., None],
    arguments: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telegram, "READ_TIMEOUT", 0.8)
    wanted = test.__code__.co_varnames[: test.__code__.co_argcount]
    with BotApi() as api, office(tmp_path, api) as desk:
        folders = {"tmp_path": tmp_path, "pictures": tmp_path}
        given = {"desk": desk, "api": api, "monkeypatch": monkeypatch, **folders, **arguments}
        if "pictures" in wanted:
            (tmp_path / "card.png").write_bytes(png())
            desk.options = {"home": tmp_path}
        if test.__module__ in ("test_review", "test_review_races"):
            desk.write("<b>one</b>", "two", state="draft")
        plant(monkeypatch)
        with pytest.raises(AssertionError):
            test(**{name: value for name, value in given.items() if name in wanted})


def test_the_mistakes_are_told_in_the_documentation() -> None:
    """docs/telegram.md lists them, so that a reader sees what is tried."""
    text = " ".join((Path(__file__).parents[1] / "docs" / "telegram.md").read_text("utf-8").split())
    assert [plant.__name__ for plant, _, _ in TEETH if plant.__name__.replace("_", " ") not in text] == []
