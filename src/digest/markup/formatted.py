"""What the other modules of the folder share: limits, formatted text, the error, UTF-16 lengths."""

from __future__ import annotations

from msgspec import Struct

from digest.errors import InputError
from digest.types import TextEntity

TEXT_LIMIT = 4096
"""Longest text of a message after parsing (https://core.telegram.org/bots/api#sendmessage). Telegram
does not say whether it counts code points or UTF-16 units; UTF-16 units are never fewer."""

CAPTION_LIMIT = 1024
"""Longest caption after parsing, in the same unit (https://core.telegram.org/bots/api#sendphoto)."""

ENTITY_LIMIT = 100
"""Most entities of a message; Telegram drops the rest without a word, bold and italic first
(TDLib, MessageEntity.cpp, MAX_USER_ENTITY_COUNT)."""

ENTITY_BYTES = 9000
"""Most bytes of a message's entities. The server answers ENTITIES_TOO_LONG at about 9500
(https://github.com/tdlib/telegram-bot-api/issues/165); this is the safe side of it."""

SOURCE_BYTES = 32768
"""Longest ``text`` argument with its markup, in UTF-8 bytes (telegram-bot-api, Client.cpp,
get_formatted_text)."""


class MarkupError(InputError):
    """Telegram would refuse this text. The message is Telegram's own, or in ``check`` says what
    Telegram would change."""


class Formatted(Struct, frozen=True):
    """Text and its entities, sorted as Telegram sorts them."""

    text: str
    entities: tuple[TextEntity, ...] = ()


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, the unit of entity offsets."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2
