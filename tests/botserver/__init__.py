"""The parts of the loopback Telegram Bot API (tests/botapi.py): requests, texts, chats, methods, faults."""
