"""What the pages of the site say besides the posts."""

from __future__ import annotations

from collections.abc import Mapping

from digest.types import Language

NAMES: Mapping[Language, str] = {"en": "English", "ru": "Русский", "zh": "中文"}

WORDS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "site": "arXiv digest",
        "about": "New papers on arXiv, with the reason each of them is here.",
        "newest": "Newest posts",
        "months": "By month",
        "topics": "Topics",
        "languages": "Languages",
        "search": "Search titles",
        "searching": "Search in titles of posts and papers",
        "nothing_found": "No title has all of these words.",
        "found": "Found: {n}",
        "all_posts": "All posts",
        "feed": "Atom feed",
        "feeds": "Feeds",
        "all_topics": "all topics",
        "telegram": "in Telegram",
        "newer": "Newer",
        "older": "Older",
        "posts_about": "Posts about this topic",
        "more": "and {n}\u00a0more",
        "empty": "Nothing has been published yet.",
        "skip": "To the text",
        "thanks": "Thank you to arXiv for use of its open access interoperability.",
        "comma": ", ",
        "semicolon": "; ",
        "roundup": "{topic}",
        "review": "{topic}: review",
        "links": "{topic}: links",
        "essay": "{topic}: essay",
        "listing": "{topic}: list of papers",
    },
    "ru": {
        "site": "Дайджест arXiv",
        "about": "Новые статьи с arXiv — и почему каждая из них здесь.",
        "newest": "Свежие посты",
        "months": "По месяцам",
        "topics": "Темы",
        "languages": "Языки",
        "search": "Поиск по заголовкам",
        "searching": "Поиск по заголовкам постов и статей",
        "nothing_found": "Заголовка со всеми этими словами нет.",
        "found": "Найдено: {n}",
        "all_posts": "Все посты",
        "feed": "Лента Atom",
        "feeds": "Ленты",
        "all_topics": "все темы",
        "telegram": "в Telegram",
        "newer": "Новее",
        "older": "Раньше",
        "posts_about": "Посты по этой теме",
        "more": "и ещё\u00a0{n}",
        "empty": "Пока ничего не опубликовано.",
        "skip": "К тексту",
        "thanks": "Спасибо arXiv за открытый доступ к метаданным.",
        "comma": ", ",
        "semicolon": "; ",
        "roundup": "{topic}",
        "review": "{topic}: обзор",
        "links": "{topic}: ссылки",
        "essay": "{topic}: эссе",
        "listing": "{topic}: список статей",
    },
    "zh": {
        "site": "arXiv 论文速递",
        "about": "arXiv 新论文，每篇都注明入选理由。",
        "newest": "最新文章",
        "months": "按月浏览",
        "topics": "主题",
        "languages": "语言",
        "search": "搜索标题",
        "searching": "搜索文章和论文的标题",
        "nothing_found": "没有同时包含这些词的标题。",
        "found": "共 {n} 条",
        "all_posts": "全部文章",
        "feed": "Atom 订阅",
        "feeds": "订阅",
        "all_topics": "全部主题",
        "telegram": "在 Telegram 中查看",
        "newer": "较新",
        "older": "较早",
        "posts_about": "本主题的文章",
        "more": "另有 {n} 篇",
        "empty": "尚未发布任何内容。",
        "skip": "跳到正文",
        "thanks": "感谢 arXiv 开放其元数据接口。",
        "comma": "，",
        "semicolon": "；",
        "roundup": "{topic}",
        "review": "{topic}：综述",
        "links": "{topic}：链接汇总",
        "essay": "{topic}：专题随笔",
        "listing": "{topic}：论文列表",
    },
}

_PAPERS: Mapping[Language, Mapping[str, str]] = {
    "en": {"one": "{n} paper", "other": "{n} papers"},
    "ru": {"one": "{n} работа", "few": "{n} работы", "many": "{n} работ", "other": "{n} работы"},
    "zh": {"other": "{n} 篇论文"},
}


def papers(count: int, language: Language) -> str:
    """So many papers, in words."""
    from babel import Locale

    form = Locale.parse(language).plural_form(count)
    forms = _PAPERS[language]
    return forms.get(form, forms["other"]).format(n=count)


def month(year_month: str, language: Language) -> str:
    """``2026-05`` in words, as a heading."""
    from datetime import date

    from babel.dates import format_skeleton

    day = date.fromisoformat(f"{year_month}-01")
    said = str(format_skeleton("yMMMM", day, locale=language)).removesuffix("\u202fг.").removesuffix(" г.")
    return said[0].upper() + said[1:]
