"""From what was chosen to a post: a template of the topic's language, Telegram's HTML.

    environment   the templates, the user's before the packaged ones
    item          a paper as a template shows it
    writer        what all posts are written with
    post          a roundup: one message if it fits
    window        links, review, essay, listing: what a topic's papers of some days hold

Pure: no network, no clock; templates are the only files read.
"""

from digest.render.environment import long_day, templates
from digest.render.item import short_title
from digest.render.post import GENRE, write_post
from digest.render.window import quotations, write_window
from digest.render.writer import PostSettings, Writer, hashtags

__all__ = [
    "GENRE",
    "PostSettings",
    "Writer",
    "hashtags",
    "long_day",
    "quotations",
    "short_title",
    "templates",
    "write_post",
    "write_window",
]
