"""From what was chosen to a post: a template of the topic's language, Telegram's HTML.

    environment   the templates, the user's before the packaged ones
    item          a paper as a template shows it
    post          a roundup: one message if it fits

Pure: no network, no clock; templates are the only files read.
"""

from digest.render.environment import templates
from digest.render.item import short_title
from digest.render.post import GENRE, PostSettings, Writer, hashtags, write_post

__all__ = ["GENRE", "PostSettings", "Writer", "hashtags", "short_title", "templates", "write_post"]
