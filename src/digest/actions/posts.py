"""The posts: find them, decide about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from digest.errors import InputError, UsageError
from digest.types import Post, PostState

if TYPE_CHECKING:
    from digest.app import App


def find(app: App, number: int) -> Post:
    """A post by its id; raises InputError where there is none."""
    found = app.store.post(number)
    if found is None:
        raise InputError(f"no post {number}; digest posts list shows what there is")
    return found


def newest(app: App) -> list[Post]:
    """The posts of the newest slot."""
    found = app.store.posts()
    slot = max((post.slot for post in found), default=None)
    return [post for post in found if post.slot == slot]


def decide(app: App, number: int, decision: Literal["approve", "reject"]) -> Post:
    """Approve or reject a draft; saying the same again is harmless."""
    wanted: PostState = "approved" if decision == "approve" else "rejected"
    post = find(app, number)
    drafts: tuple[PostState, ...] = ("draft",)
    if post.state != wanted and not app.store.set_post_state(number, drafts, wanted, app.now):
        raise UsageError(f"post {number} is {post.state}: only a draft can be {wanted}")
    return find(app, number)
