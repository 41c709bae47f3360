"""A Telegram channel or group, through the Bot API (https://core.telegram.org/bots/api).

The Bot API has no idempotency key: a request whose answer was lost looks the same whether the message
was posted or not. So every failure is sorted by what is certain about it: surely not sent (NotSent and
its kinds), may have been sent (Uncertain), never will be (Refused). A connection is made anew for each
request: what goes wrong before it stands has surely not been sent, and no stale one is ever used.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import warnings
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digest.channels import Follow, Seen, messages
from digest.channels.quiet import QuietHours
from digest.errors import (
    ConfigError,
    DeliveryError,
    Gone,
    Moved,
    NotSent,
    Paused,
    Refused,
    Stopped,
    TryAgain,
    Uncertain,
)
from digest.schedule import Rule
from digest.types import Part, Post

if TYPE_CHECKING:
    from ssl import SSLContext

    from telegram import Bot as Client
    from telegram.error import TelegramError

logger = logging.getLogger(__name__)

READ_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
DEADLINE = 60.0
"""Longest that one request may take, in seconds; well below the time after which it is looked for."""

_TOKEN = re.compile(r"[1-9]\d*:[\w-]+", re.ASCII)
_WHERE = "it stands in DIGEST_TELEGRAM_TOKEN, else in telegram.token_file"
_RETRY_AFTER = re.compile(r"retry after (\d+)")
_NO_MESSAGE = "message to forward not found"
_NOT_MODIFIED = "message is not modified"
_GONE = ("message to edit not found", "message to pin not found", "message_id_invalid")

# What an answer 400 or 403 says (Client.cpp of github.com/tdlib/telegram-bot-api) and what to do then. The
# client writes the texts in its own capitals, so they are compared without them.
_MEND = {
    "chat not found": 'check "chat" in digest.toml, and add the bot to it as an administrator',
    "need administrator rights": "make the bot an administrator that may post messages",
    "not enough rights": "make the bot an administrator that may post messages",
    "have no write access": "make the bot an administrator that may post messages",
    "chat_write_forbidden": "make the bot an administrator that may post messages",
    "message thread not found": 'check "thread" in digest.toml: the topic is not there',
    "topic_closed": "open the topic again",
    "kicked": "add the bot again, as an administrator that may post messages",
    "not a member": "add the bot again, as an administrator that may post messages",
    "blocked by the user": "open the bot in Telegram and press Start",
    "initiate conversation": "open the bot in Telegram and press Start",
    "peer_id_invalid": "open the bot in Telegram and press Start",
    "deactivated": "this account is gone: name another chat",
}

# What will never be taken, and what a person can do about the text.
_MEND_TEXT = {
    "caption is too long": "under a picture there is room for 1024 characters: shorten the post's first part",
    "is too long": "a message has room for 4096 characters: shorten the post",
    "entities_too_long": "its links take too much room: shorten the post, or its addresses",
    "must be non-empty": "there is nothing to be seen in it: write something",
    "text is empty": "there is nothing to be seen in it: write something",
    "photo_invalid_dimensions": "the picture is too large or too narrow: make it at most 5000 by 5000",
    "image_process_failed": "the picture is no PNG or JPEG: make it anew",
}


class Token:
    """A bot's token, which no representation shows. Raises ConfigError for what cannot be one."""

    def __init__(self, text: str) -> None:
        if not _TOKEN.fullmatch(text) or len(text) > 80:
            example = "@BotFather gives it, as in 123456789:AbC-dEf_..."
            raise ConfigError(f"the bot token is not one: {example}; {_WHERE}")
        self._text = text

    def __repr__(self) -> str:
        return "Token(...)"

    def reveal(self) -> str:
        """The token itself, for the address of a request and nothing else."""
        return self._text

    def hide(self, text: str) -> str:
        """A text without the token."""
        return text.replace(self._text, "[token]")


class Bot:
    """One bot: a client of its own, opened at the first call, and asked from one thread.

    ``token`` is read when the bot is opened, and may raise ConfigError.
    """

    name = "telegram"

    def __init__(self, token: Callable[[], Token], url: str, editor_chat: str | None = None) -> None:
        self.editor_chat = editor_chat
        self._read_token = token
        self._url = url.rstrip("/")
        self._runner: asyncio.Runner | None = None
        self._client: Client | None = None
        self._token: Token | None = None

    def open(self) -> None:
        """Ask Telegram who the bot is, once. Raises Stopped for a token that is not accepted, NotSent
        where Telegram cannot be reached."""
        if self._client is not None:
            return
        try:
            self._token = self._read_token()
        except ConfigError as error:
            raise Stopped(str(error)) from None
        _leave_no_core()
        client = _client(self._token, self._url)
        self._runner = self._runner or asyncio.Runner()
        try:
            self._run(client.initialize)
        except Uncertain as error:  # nothing was to be sent
            self._run(client.shutdown)
            raise NotSent(str(error)) from None
        except DeliveryError:
            self._run(client.shutdown)
            raise
        self._client = client

    def close(self) -> None:
        """End all connections."""
        if self._runner is not None:
            for task in asyncio.all_tasks(self._runner.get_loop()):
                task.cancel()  # what a signal has cut off
            if self._client is not None:
                self._run(self._client.shutdown)
            self._runner.close()
        self._runner = self._client = None

    @property
    def username(self) -> str:
        """The bot's own name, as in @name."""
        self.open()
        assert self._client is not None
        return str(self._client.username)

    @property
    def id(self) -> int:
        """The bot's own number."""
        self.open()
        assert self._client is not None
        return int(self._client.id)

    def call(self, method: str, **arguments: Any) -> Any:
        """The result of a method of python-telegram-bot's Bot. Raises DeliveryError, or TryAgain where
        another program reads this bot's updates."""
        self.open()
        about = "" if "from_chat_id" in arguments else str(arguments.get("chat_id", ""))
        return self._run(lambda: getattr(self._client, method)(**arguments), about)

    def request(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """The message that a method results in which python-telegram-bot does not know, or not with these
        arguments. Raises as `call`, and Refused where Telegram does not know it either."""
        from telegram import Message

        self.open()
        assert self._client is not None
        ask = partial(self._client.do_api_request, method, dict(arguments), Message)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is a method for it
            return self._run(ask, str(arguments.get("chat_id", "")))

    def tell(self, text: str) -> None:
        """A plain message to the editor, where there is one."""
        if self.editor_chat is not None:
            self.call(
                "send_message",
                chat_id=self.editor_chat,
                text=text[:4000],
                link_preview_options=messages.no_preview(),
            )

    def _run(self, ask: Callable[[], Awaitable[Any]], about: str = "") -> Any:
        from telegram.error import TelegramError

        assert self._runner is not None
        assert self._token is not None
        try:
            return self._runner.run(_within_deadline(ask))
        except TelegramError as error:
            told = meaning(error, about)
            told.args = (self._token.hide(str(told)),)
        except TimeoutError:
            told = Uncertain(f"Telegram did not answer within {DEADLINE:g} seconds")
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            logger.debug("unread answer", extra={"error": self._token.hide(repr(error))})
            told = Uncertain("Telegram's answer cannot be read: is there a newer python-telegram-bot?")
        raise told from None  # the client's own error may hold the token


class TelegramChannel:
    """A channel, a group, or a topic of a forum. Pictures are in ``home``."""

    repeatable = False

    def __init__(
        self,
        name: str,
        sender: Bot,
        address: str,
        *,
        thread: int | None = None,
        quiet: QuietHours | None = None,
        times: Rule | None = None,
        probe: bool = True,
        rich: bool = False,
        home: Path = Path(),
        follow: Follow | None = None,
    ) -> None:
        self.name = name
        self.sender = sender
        self.address = self.chat = address
        self.thread = thread
        self.quiet = quiet
        self.times = times
        self.can_look = probe and sender.editor_chat is not None
        self.rich = rich
        self.home = home
        self.follow = follow or Follow()

    def send(self, post: Post, part: int) -> str:
        """Send a part's frozen text and entities, with its picture where it has one; returns a link to the
        message. Raises NotSent, Moved, Paused, Stopped, Uncertain or Refused."""
        one = post.parts[part]
        where = {"message_thread_id": self.thread, "disable_notification": part > 0}
        if one.picture:
            photo = messages.picture(one, self.home)
            sent = self._ask("send_photo", **where, photo=photo, **messages.caption(one))
        else:
            sent = self._rich("sendRichMessage", one, **where)
            if sent is None:
                preview = messages.preview(post, part)
                sent = self._ask("send_message", **where, link_preview_options=preview, **messages.text(one))
        return self.receipt(sent.message_id)

    def edit(self, message: int, post: Post, number: int, part: Part) -> None:
        """Make a message say this (https://core.telegram.org/bots/api#editmessagetext); a bot may at any
        time edit what it posted. Raises DeliveryError, Gone where there is no such message."""
        try:
            if part.picture:
                self._ask("edit_message_caption", message_id=message, **messages.caption(part))
            elif self._rich("editMessageText", part, message_id=message) is None:
                preview = messages.preview(post, number)  # what is not given again is reset
                given = {"message_id": message, "link_preview_options": preview}
                self._ask("edit_message_text", **given, **messages.text(part))
        except Refused as error:
            if _NOT_MODIFIED not in str(error).lower():
                raise _gone(error) from None

    def ask(self, post: Post) -> int:
        """Post the poll of the post's language, without a sound
        (https://core.telegram.org/bots/api#sendpoll)."""
        question, *answers = self.follow.questions[post.language]
        poll = {"question": question, "options": answers, "disable_notification": True}
        return int(self._ask("send_poll", message_thread_id=self.thread, **poll).message_id)

    def pin(self, message: int) -> None:
        """Pin a message without a sound (https://core.telegram.org/bots/api#pinchatmessage)."""
        try:
            self._ask("pin_chat_message", message_id=message, disable_notification=True)
        except Refused as error:
            raise _gone(error) from None

    def _ask(self, method: str, **arguments: Any) -> Any:
        return self.sender.call(method, chat_id=self.chat, **arguments)

    def _rich(self, method: str, part: Part, **arguments: Any) -> Any:
        """The result of a method with the part as a rich message; None where none is wanted, or where
        Telegram surely has not taken it: then the classic message may follow."""
        if not self.rich:
            return None
        given = {name: value for name, value in arguments.items() if value is not None}
        given |= {"chat_id": self.chat, "rich_message": messages.rich(part)}
        try:
            return self.sender.request(method, given)
        except Refused as error:
            if _NOT_MODIFIED in str(error).lower() or _is_gone(error):
                raise
            return None

    def receipt(self, message: int) -> str:
        """A link to a message, for those who can read the chat (https://core.telegram.org/api/links)."""
        return f"https://t.me/{_path(self.chat)}/{message}"

    def message(self, receipt: str) -> int:
        """The number in a link."""
        return int(receipt.rpartition("/")[2])

    def look(self, message: int) -> Seen | None:
        """Forward a message to the editor's chat, read it there and delete the copy: bots have no other
        way to read what stands in a channel. None only for Telegram's "message to forward not found"."""
        chat = self.sender.editor_chat
        try:
            copy = self.sender.call(
                "forward_message",
                chat_id=chat,
                from_chat_id=self.chat,
                message_id=message,
                disable_notification=True,
            )
        except Refused as error:
            if _NO_MESSAGE in str(error).lower():
                return None
            raise
        with suppress(Uncertain, Refused):  # a copy that stays does no harm; a rest is to be kept
            self.sender.call("delete_message", chat_id=chat, message_id=copy.message_id)
        origin = copy.forward_origin
        if origin is None:
            raise Uncertain(f"{self.name}: message {message} does not say where it comes from")
        known = copy.text or copy.caption or ("" if copy.effective_attachment else None)
        return Seen(known, origin.date)


def _is_gone(error: Refused) -> bool:
    return any(text in str(error).lower() for text in _GONE)


def _gone(error: Refused) -> Refused:
    return Gone(f"the message is not there any more ({error})") if _is_gone(error) else error


def meaning(error: TelegramError, chat: str = "") -> DeliveryError | TryAgain:
    """What an error of the client means for the message that was being sent to a chat."""
    from telegram import error as errors

    match error:
        case errors.RetryAfter() | errors.ChatMigrated():
            return _not_yet(error)
        case errors.EndPointNotFound():
            return Refused("Telegram does not know this method")
        case errors.InvalidToken():
            mend = f"get the current one from @BotFather (/mybots, API Token); {_WHERE}"
            return Stopped(f"Telegram does not accept the bot token: {mend}")
        case errors.Conflict():
            return _other_reader(error)
        case errors.BadRequest() | errors.Forbidden():
            return _refusal(error, chat)
        case _:
            return _unclear(error)


def _not_yet(error: Any) -> DeliveryError:
    new: int | None = getattr(error, "new_chat_id", None)
    if new is not None:
        return Moved(f"the group is a supergroup now: {new}", str(new))
    seconds: timedelta = error.retry_after
    return _flood(int(seconds.total_seconds()))


def _flood(seconds: int) -> NotSent:
    return NotSent(f"Telegram asks for a rest of {seconds} s", timedelta(seconds=seconds + 1))


def _other_reader(error: TelegramError) -> TryAgain:
    mend = "stop it, or make a bot of its own for digest"
    if "webhook" in error.message.lower():
        mend += "; a program that is gone has left a webhook, which the method deleteWebhook removes"
    return TryAgain(f'another program reads what this bot is told (Telegram says "{error.message}"): {mend}')


def _refusal(error: TelegramError, chat: str) -> DeliveryError:
    from telegram.error import Forbidden

    text = error.message.removeprefix("Forbidden: ")
    said = text.lower()
    mend = next((what for text, what in _MEND.items() if text in said), None)
    if mend is None and isinstance(error, Forbidden):
        mend = "the bot may not do this here: see its rights in the chat"
    told = f'Telegram says "{text}"'
    if mend is not None:
        return Paused(f'Telegram says of {chat} "{text}": {mend}' if chat else f"{told}: {mend}")
    help_ = next((what for text, what in _MEND_TEXT.items() if text in said), None)
    return Refused(f"{told}: {help_}" if help_ else told)


def _unclear(error: TelegramError) -> DeliveryError:
    """No answer, or none of the Bot API: only a connection that never stood is certain."""
    import httpx

    if isinstance(error.__cause__, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)):
        return NotSent("Telegram cannot be reached (is the network up?)")
    if found := _RETRY_AFTER.search(error.message.lower()):
        return _flood(int(found[1]))
    return Uncertain(f"Telegram gave no clear answer ({_what_came(error)})")


def _what_came(error: TelegramError) -> str:
    import httpx

    match error.__cause__:
        case None:
            return error.message.partition("\n")[0][:80]
        case httpx.TimeoutException():
            return f"none in {READ_TIMEOUT:g} seconds"
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return "the connection broke"
        case cause:
            return type(cause).__name__


async def _within_deadline(ask: Callable[[], Awaitable[Any]]) -> Any:
    return await asyncio.wait_for(ask(), DEADLINE)


def _client(token: Token, url: str) -> Client:
    """A client that makes a connection for each request."""
    os.environ.setdefault("PTB_TIMEDELTA", "1")  # spans of time as such; whole seconds warn
    logging.getLogger("telegram").setLevel(logging.CRITICAL)  # what it has to say, it raises
    import httpx
    from telegram import Bot as Client
    from telegram.request import HTTPXRequest

    def request() -> HTTPXRequest:
        return HTTPXRequest(
            read_timeout=READ_TIMEOUT,
            write_timeout=READ_TIMEOUT,
            media_write_timeout=READ_TIMEOUT,
            connect_timeout=CONNECT_TIMEOUT,
            pool_timeout=CONNECT_TIMEOUT,
            httpx_kwargs={"limits": httpx.Limits(max_keepalive_connections=0), "verify": _tls()},
        )

    return Client(
        token.reveal(),
        base_url=f"{url}/bot",
        base_file_url=f"{url}/file/bot",
        request=request(),
        get_updates_request=request(),
    )


def _leave_no_core() -> None:
    """Let the system write no image of this process where it crashes: the token stands in its memory."""
    with suppress(ImportError, OSError, ValueError):  # there is no such thing on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


@cache
def _tls() -> SSLContext:
    """The certificates to trust, read once: that takes longer than all else that a run costs."""
    import httpx

    return httpx.create_ssl_context()


def _path(chat: str) -> str:
    if chat.startswith("@"):
        return chat[1:]
    return f"c/{chat.removeprefix('-100').removeprefix('-')}"
