"""The channels that posts go to, and their bot, as the settings say."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest.channels import Channel, Follow
    from digest.channels.telegram import Bot, TelegramChannel
    from digest.config import Channel as ChannelSettings
    from digest.config import Settings


class Posting:
    """The configured channels; nobody is asked before something is sent."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def close(self) -> None:
        """Let go of the bot's connection, if there is one."""
        if "bot" in self.__dict__:
            self.bot.close()

    def channels(self) -> list[Channel]:
        """The configured channels."""
        return [self._channel(name, chosen) for name, chosen in self._settings.channels.items()]

    def _channel(self, name: str, chosen: ChannelSettings) -> Channel:
        if chosen.type == "telegram":
            return self._telegram_channel(name, chosen)
        from digest.channels.feed import FeedChannel
        from digest.channels.files import FileChannel

        assert chosen.folder is not None
        made = FeedChannel if chosen.type == "feed" else FileChannel
        return made(name, chosen.folder)

    def _telegram_channel(self, name: str, chosen: ChannelSettings) -> TelegramChannel:
        from digest.channels.quiet import QuietHours
        from digest.channels.telegram import TelegramChannel
        from digest.schedule import Rule, times

        assert chosen.chat is not None
        hours, zone, at = chosen.quiet_hours, chosen.time_zone, chosen.post_at
        return TelegramChannel(
            name,
            self.bot,
            chosen.chat,
            thread=chosen.thread,
            quiet=QuietHours.parse(hours, zone) if hours and zone else None,
            times=Rule(times(at), zone) if at and zone else None,
            probe=self._settings.telegram.on_uncertain == "probe",
            rich=chosen.format == "rich",
            home=self._settings.home,
            follow=self._follow(chosen),
        )

    def _follow(self, chosen: ChannelSettings) -> Follow:
        from digest.channels import Follow

        telegram = self._settings.telegram
        return Follow(
            marks=telegram.marks,
            days=telegram.marks_days,
            polls=chosen.poll_after or (),
            pins=chosen.pin or (),
            questions=telegram.polls,
        )

    @cached_property
    def bot(self) -> Bot:
        """The bot of all Telegram channels; it is asked nothing before it is needed."""
        from digest.channels.telegram import Bot, Token
        from digest.config import bot_token

        chosen = self._settings.telegram
        return Bot(lambda: Token(bot_token(chosen, os.environ)), chosen.url, chosen.speaks_to)
