"""What people think of papers as papers of a topic. Rows are only ever added: the last one counts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select

from digest.store.base import StoreBase, insert_rows, known_numbers
from digest.store.tables import feedback, key_decision, paper
from digest.store.topics import CONFIGURATION, PROGRAM, ensure_topic
from digest.types import Feedback, Opinion


class FeedbackStore(StoreBase):
    """Likes and dislikes."""

    def add_feedback(
        self, topic: str, paper_id: str, opinion: Opinion | None, by: str, now: datetime
    ) -> bool:
        """Note what a person thinks of a paper in a topic, None for nothing any more; False where that
        is what was thought before. StoreError for a paper that is not stored."""
        with self._writing() as connection:
            ensure_topic(connection, topic)
            number = known_numbers(connection, [paper_id])[paper_id]
            last = select(feedback.c.opinion).where(feedback.c.topic == topic, feedback.c.paper == number)
            if connection.scalar(last.order_by(feedback.c.id.desc()).limit(1)) == opinion:
                return False
            given = {"opinion": opinion, "given_by": by, "given_at": now}
            insert_rows(connection, feedback, [{"topic": topic, "paper": number, **given}])
        return True

    def feedback(self, topic: str) -> list[Feedback]:
        """All that was ever said of a topic's papers, oldest first."""
        return self._all_feedback(_FEEDBACK.where(feedback.c.topic == topic))

    def feedback_of(self, paper_id: str) -> list[Feedback]:
        """All that was ever said of a paper, oldest first."""
        return self._all_feedback(_FEEDBACK.where(paper.c.id == paper_id))

    def opinions(self, topic: str) -> dict[str, Opinion]:
        """What is thought of a topic's papers now, by id."""
        last = {each.paper: each.opinion for each in self.feedback(topic)}
        return {paper_id: opinion for paper_id, opinion in last.items() if opinion is not None}

    def count_feedback(self, topic: str, since: datetime | None = None) -> int:
        """How much people have said of a topic after a moment: opinions of papers, and decisions about
        keys that are neither the program's nor the configuration's."""
        opinions = select(func.count()).where(feedback.c.topic == topic)
        decisions = select(func.count()).where(
            key_decision.c.topic == topic, key_decision.c.decided_by.not_in((CONFIGURATION, PROGRAM))
        )
        if since is not None:
            opinions = opinions.where(feedback.c.given_at > since)
            decisions = decisions.where(key_decision.c.decided_at > since)
        with self._reading() as connection:
            return (connection.scalar(opinions) or 0) + (connection.scalar(decisions) or 0)

    def _all_feedback(self, query: Select[tuple[object, ...]]) -> list[Feedback]:
        with self._reading() as connection:
            return [Feedback(**row) for row in connection.execute(query).mappings()]


_FEEDBACK: Select[tuple[object, ...]] = (
    select(
        feedback.c.topic,
        paper.c.id.label("paper"),
        feedback.c.opinion,
        feedback.c.given_by,
        feedback.c.given_at,
    )
    .join(paper, paper.c.number == feedback.c.paper)
    .order_by(feedback.c.id)
)
