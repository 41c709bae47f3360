"""Posts and their deliveries, and what the runs did."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from digest.errors import StoreError
from digest.store import Store
from stored import CHILD, DAY, MODEL, NOW, REPORT, Archive, add, choice, draft, key, match, paper, rows


def test_a_post_comes_back_as_it_was_written(archive: Archive, posting: Store) -> None:
    [number] = add(posting, draft(3, 1))
    for store in (posting, archive.reopen()):
        post = store.post(number)
        assert post is not None
        assert (post.topics, post.slot, post.genre, post.language) == (
            ("unlearning", "xai"),
            DAY,
            "roundup",
            "en",
        )
        assert post.papers == (paper(3).id, paper(1).id)
        assert post.parts == draft(3, 1).parts
        assert store.choices(number) == list(draft(3, 1).choices)
        assert store.post(number + 1) is None


def test_a_post_is_written_once_per_topic_slot_genre_and_language(posting: Store) -> None:
    assert len(add(posting, draft(1), draft(1, language="ru"))) == 2
    assert add(posting, draft(2), draft(2, language="ru")) == []
    assert len(add(posting, draft(2), draft(2, language="zh"))) == 1
    assert [post.papers for post in posting.posts(language="en")] == [(paper(1).id,)]
    assert len(posting.deliveries()) == 3  # en: one channel, ru: two, zh: none


def test_all_languages_are_written_or_none(posting: Store) -> None:
    with pytest.raises(StoreError, match=r"2605\.00099"):
        add(posting, draft(1), draft(99, language="ru"))
    assert (posting.posts(), posting.deliveries(), posting.posted_papers()) == ([], [], set())


def test_posts_are_found_by_what_they_are(posting: Store) -> None:
    earlier = draft(1, slot=DAY - timedelta(1))
    other = draft(2, topics=("xai",), language="ru")
    numbers = add(posting, draft(3), other, earlier, draft(4, genre="review"))
    posting.set_post_state(numbers[0], ("approved",), "rejected", NOW)

    def found(**filters: Any) -> list[int]:
        return [post.id for post in posting.posts(**filters)]

    assert found() == [numbers[2], numbers[0], numbers[1], numbers[3]]
    assert found(topic="xai") == [numbers[1]]
    assert found(genre="review") == [numbers[3]]
    assert found(language="ru") == [numbers[1]]
    assert found(state="rejected") == [numbers[0]]
    assert found(since=DAY, topic="unlearning") == [numbers[0], numbers[3]]
    assert found(until=DAY - timedelta(1)) == [numbers[2]]


def test_the_last_post_tells_what_it_had_seen(posting: Store) -> None:
    posting.add_posts([draft(1, slot=DAY - timedelta(3))], {}, "approved", 7, NOW)
    posting.add_posts([draft(2, slot=DAY - timedelta(1))], {}, "draft", 9, NOW)
    [rejected] = posting.add_posts([draft(3, slot=DAY)], {}, "draft", 12, NOW)
    posting.set_post_state(rejected, ("draft",), "rejected", NOW)
    assert posting.last_post("unlearning", "roundup", DAY + timedelta(1)) == (DAY - timedelta(1), 9)
    assert posting.last_post("unlearning", "roundup", DAY - timedelta(1)) == (DAY - timedelta(3), 7)
    assert posting.last_post("unlearning", "review", DAY) is None


def test_a_rejected_post_gives_its_papers_back(posting: Store) -> None:
    merging = draft(1, choices=(choice(1, duplicates=("2605.77777",)),))
    first, second = add(posting, merging, draft(2, slot=DAY + timedelta(1)), state="draft")
    add(posting, draft(3, genre="review"))
    assert posting.posted_papers() == {paper(1).id, "2605.77777", paper(2).id}
    assert posting.posted_since(DAY + timedelta(1)) == [paper(2).id]
    assert posting.set_post_state(second, ("draft", "approved"), "rejected", NOW)
    assert posting.posted_papers() == {paper(1).id, "2605.77777"}
    assert posting.set_post_state(first, ("draft",), "approved", NOW)
    assert not posting.set_post_state(first, ("draft",), "rejected", NOW)
    assert not posting.set_post_state(99, ("draft",), "rejected", NOW)


def test_a_part_that_was_changed_in_the_file_is_not_sent(archive: Archive, posting: Store) -> None:
    [number] = add(posting, draft(1))
    archive.by_hand("UPDATE part SET text = 'something else'")
    with pytest.raises(StoreError, match="is not what was written"):
        posting.post(number)


# Deliveries


def test_parts_go_out_in_order_and_none_before_the_one_before_it_was_sent(posting: Store) -> None:
    add(posting, draft(1, 2))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    assert (first.part, first.state, first.attempts) == (0, "sending", 1)
    assert posting.claim_delivery("news", NOW) is None
    posting.record_delivery(first.id, "sent", NOW, receipt="t.me/news/1")
    second = posting.claim_delivery("news", NOW)
    assert second is not None
    assert second.part == 1
    assert posting.claim_delivery("elsewhere", NOW) is None
    assert [one.receipt for one in posting.deliveries(states=("sent",))] == ["t.me/news/1"]


@pytest.mark.parametrize("state", ["uncertain", "failed", "cancelled"])
def test_a_part_that_did_not_arrive_holds_the_later_ones_but_not_the_next_post(
    posting: Store, state: Any
) -> None:
    add(posting, draft(1, 2), draft(3, slot=DAY + timedelta(1)))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    posting.record_delivery(first.id, state, NOW, error="no")
    following = posting.claim_delivery("news", NOW)
    assert following is not None
    assert following.post != first.post
    assert posting.claim_delivery("news", NOW) is None


def test_only_approved_posts_go_out(posting: Store) -> None:
    [number] = add(posting, draft(1), state="draft")
    assert posting.claim_delivery("news", NOW) is None
    posting.set_post_state(number, ("draft",), "approved", NOW)
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    assert claimed.post == number


def test_what_surely_was_not_sent_waits_for_its_time(posting: Store) -> None:
    add(posting, draft(1))
    first = posting.claim_delivery("news", NOW)
    assert first is not None
    later = NOW + timedelta(seconds=30)
    posting.record_delivery(first.id, "queued", NOW, error="no connection", not_before=later)
    assert posting.claim_delivery("news", NOW) is None
    again = posting.claim_delivery("news", later)
    assert again is not None
    assert (again.id, again.attempts, again.error) == (first.id, 2, None)


def test_what_was_sent_never_becomes_anything_else(posting: Store) -> None:
    add(posting, draft(1))
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    posting.record_delivery(claimed.id, "sent", NOW)
    with pytest.raises(StoreError, match="was not being sent"):
        posting.record_delivery(claimed.id, "queued", NOW)
    with pytest.raises(StoreError, match="was not being sent"):
        posting.record_delivery(99, "sent", NOW)
    assert posting.recover_deliveries(NOW) == 0
    assert posting.claim_delivery("news", NOW) is None


def test_what_was_being_sent_at_a_crash_is_uncertain_except_where_sending_twice_is_harmless(
    archive: Archive, posting: Store
) -> None:
    add(posting, draft(1, language="ru"))
    claimed = [posting.claim_delivery(channel, NOW) for channel in ("новости", "archive")]
    assert all(claimed)
    store = archive.reopen()
    assert store.recover_deliveries(NOW, repeatable={"archive"}) == 1
    assert [(one.channel, one.state) for one in store.deliveries()] == [
        ("новости", "uncertain"),
        ("archive", "queued"),
    ]
    assert store.claim_delivery("новости", NOW) is None
    assert store.claim_delivery("archive", NOW) is not None


def test_a_person_settles_what_is_uncertain(posting: Store) -> None:
    add(posting, draft(1))
    claimed = posting.claim_delivery("news", NOW)
    assert claimed is not None
    posting.recover_deliveries(NOW)
    assert not posting.set_delivery_state(claimed.id, ("failed",), "queued", NOW)
    assert posting.set_delivery_state(claimed.id, ("uncertain",), "queued", NOW)
    assert posting.claim_delivery("news", NOW) is not None
    posting.recover_deliveries(NOW)
    posting.record_delivery(claimed.id, "sent", NOW, receipt="t.me/news/7")
    assert [one.state for one in posting.deliveries(post_id=claimed.post, channel="news")] == ["sent"]


def test_two_processes_never_take_the_same_part(archive: Archive, posting: Store) -> None:
    """Four processes claim until nothing is left; each part is claimed exactly once."""
    add(posting, *(draft(1, slot=DAY + timedelta(days=n)) for n in range(40)))
    code = (
        "import sys; from datetime import UTC, datetime; from digest.store import Store\n"
        "with Store.open(sys.argv[1], busy_timeout=30) as store:\n"
        "    while one := store.claim_delivery('news', datetime(2026, 5, 5, tzinfo=UTC)): print(one.id)\n"
    )
    command = [sys.executable, "-c", code, archive.url]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=CHILD) for _ in range(3)]
    claimed = [line for process in running for line in process.communicate(timeout=60)[0].split()]
    assert sorted(map(int, claimed)) == list(range(1, 41))


# Runs


def test_a_rerun_takes_the_place_of_the_run(archive: Archive) -> None:
    archive.store.put_run("run", REPORT, NOW, exit_code=75)
    archive.store.put_run("run", REPORT, NOW + timedelta(minutes=1), started=NOW)
    archive.store.put_run("crawl", replace(REPORT, as_of=NOW - timedelta(1)), NOW)
    newest, oldest = archive.reopen().runs()
    assert (newest.command, newest.exit_code, newest.report) == ("run", 0, REPORT)
    assert newest.finished == NOW + timedelta(minutes=1)
    assert oldest.command == "crawl"
    assert archive.store.runs(limit=1) == [newest]


def test_the_status_counts_what_there_is(posting: Store) -> None:
    posting.ensure_model(MODEL, 2)
    posting.add_vectors(MODEL, rows(1, 2))
    posting.propose_keys([key()], NOW)
    posting.put_matches("unlearning", [match(1)], "f")
    add(posting, draft(1, 2), draft(1, language="zh"), state="draft")
    posting.put_run("run", REPORT, NOW)
    status = posting.status(MODEL)
    assert status.archive == {
        "papers": 9,
        "withdrawn": 0,
        "newest day": "2026-05-05",
        "vectors": 2,
        "matches": 1,
        "proposed keys": 1,
    }
    assert (status.posts, status.deliveries) == ({"draft": 2}, {"draft": 2})
    assert status.runs == ("2026-05-05 06:00 UTC  run: done",)
    posting.set_post_state(1, ("draft",), "approved", NOW)
    assert posting.status(MODEL).deliveries == {"queued": 2}
