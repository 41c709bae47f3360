"""What `digest COMMAND --help` says below the summary: what the command does where that is not plain from its
summary, examples, and the exit codes that mean more there than everywhere (docs/errors.md)."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """The rest of a command's help."""

    examples: tuple[str, ...]
    about: str = ""
    exits: str = ""


_ONE_PAPER = "ID is arXiv's, such as 2107.05580 or cs/0301001, with or without a version."
_LATER = "75 where arXiv is not to be asked any more: what was read is stored, the next crawl goes on there"
_LISTS = "FILE has a list of experts; docs/quality.md says how such figures are read."

MANUAL: dict[str, Entry] = {
    "backfill": Entry(
        ("digest backfill unlearning --since 2018", "digest backfill xai --since 2015 --until 2017"),
        exits=_LATER,
    ),
    "backtest": Entry(
        (
            "digest backtest --topic unlearning --days 60",
            "digest backtest --topic unlearning --show 2026-05-15",
            'digest backtest --term "model merging" --key "task arithmetic" --paper 2212.04089',
        ),
        exits="65 where the archive holds no announcements",
    ),
    "backup": Entry(("digest backup digest.zip", "digest backup --force /mnt/backup/digest.zip")),
    "channel check": Entry(
        ("digest channel check", "digest channel check news"),
        "Asks Telegram about the bot, the chat and what the bot may do there. A channel that was paused "
        "and is "
        "well again takes posts from now on.",
        "1 where something is missing",
    ),
    "completion": Entry(
        (
            "digest completion bash > ~/.local/share/bash-completion/completions/digest",
            'eval "$(digest completion zsh)"',
            "digest completion fish > ~/.config/fish/completions/digest.fish",
        ),
    ),
    "crawl": Entry(
        (
            "digest crawl",
            "digest crawl --source rss",
            "digest crawl --since 2026-01-01",
            "digest crawl --check",
        ),
        "Goes on where the last crawl ended. All requests to arXiv go through one gate, 3.5 seconds apart.",
        _LATER,
    ),
    "daemon": Entry(("digest daemon", "digest daemon --home /var/lib/digest --json")),
    "deliver": Entry(
        ("digest deliver",),
        "Parts of approved posts go out in their order, each once; edits of what was sent, pins and polls "
        "follow. What may have been sent is looked for in the channel and never sent again by itself.",
        "75 where something is to be sent again later, 1 where a person must look (digest outbox list)",
    ),
    "doctor": Entry(
        ("digest doctor", "digest doctor --online", "digest doctor --repair"),
        exits="1 where something is WRONG; a note can wait",
    ),
    "embed": Entry(
        ("digest embed", "digest embed --ray local", "digest embed --ray 10.0.0.5:6379"),
        exits="75 where the cluster does not answer or is lost: what came back is stored",
    ),
    "evaluate keys": Entry(
        (
            'digest evaluate keys --labels lists.jsonl --topic unlearning --seed "machine unlearning"',
            'digest evaluate keys --labels lists.jsonl --topic xai --seed SHAP --off "program synthesis"',
        ),
        _LISTS,
    ),
    "evaluate ranking": Entry(
        ('digest evaluate ranking --labels lists.jsonl --topic unlearning --seed "machine unlearning"',),
        _LISTS,
    ),
    "evaluate recall": Entry(
        ('digest evaluate recall --labels lists.jsonl --topic unlearning --seed "machine unlearning"',)
    ),
    "evaluate search": Entry(("digest evaluate search --queries queries.jsonl",)),
    "export posts": Entry(
        (
            "digest export posts 12 13 --format markdown",
            "digest export posts --topic xai --language ru --since 2026-05-01 -o may.md",
        ),
        "Without ID all posts that fit. BibTeX, JSON and CSV hold each paper once.",
    ),
    "export search": Entry(
        (
            'digest export search "concept bottleneck" --format bibtex -o concepts.bib',
            "digest export search LIME",
        ),
        "A search as digest search makes it, its hits as a file for other programs.",
    ),
    "export topic": Entry(
        ("digest export topic unlearning --format bibtex -o unlearning.bib", "digest export topic xai"),
        "All papers over the topic's floor, those that were posted and those that were not.",
    ),
    "feedback dislike": Entry(
        ("digest feedback dislike 2605.01234 --topic unlearning",),
        "The paper is never posted there, and counts as an example of what the topic is not. " + _ONE_PAPER,
    ),
    "feedback like": Entry(
        ("digest feedback like 2605.01234 --topic unlearning",),
        "The paper counts as one of the topic's own, whatever its words. " + _ONE_PAPER,
    ),
    "feedback list": Entry(
        ("digest feedback list unlearning",),
        "Nothing that was said is lost: who changed their mind, and when, explains a post.",
    ),
    "feedback undo": Entry(
        ("digest feedback undo 2605.01234 --topic unlearning",),
        "The paper counts again as the program itself thinks of it; what was said stays in the list.",
    ),
    "import": Entry(
        ("digest import arxiv-metadata-oai-snapshot.json", "digest import --announced 2026-05-12 day.jsonl"),
        "The snapshot is the one arXiv publishes on Kaggle. The same file again changes nothing, and an "
        "import "
        "that was cut off goes on where it was. Without --announced the day is estimated from the "
        "submission.",
        "65 where a file cannot be read or is cut; what stands before the cut is stored",
    ),
    "init": Entry(
        ("digest init", "digest init ~/digest/digest.toml", "digest init --force"),
        "The file has every setting with its default, so that nothing has to be looked up to begin.",
    ),
    "keys accept": Entry(
        ('digest keys accept unlearning "concept erasure" --reason "asked for by readers"',),
        "A key that was proposed, rejected, retired or is new. Papers that hold it match from the next "
        "run on.",
    ),
    "keys list": Entry(
        ("digest keys list unlearning", "digest keys list unlearning --all"),
        "Active and proposed ones: how many papers each adds, and how many of these are surely on topic.",
    ),
    "keys propose": Entry(
        ("digest keys propose unlearning",),
        "A run does it once a week. Each phrase comes with its evidence: it is tried with its own words left "
        "out. What is proposed waits for a person, unless the evidence is strong (docs/keys.md).",
    ),
    "keys reject": Entry(
        ('digest keys reject unlearning "continual learning" --reason "another field"',),
        "The decision and its reason are kept; digest keys accept takes it back.",
    ),
    "keys retire": Entry(
        ('digest keys retire unlearning "data deletion"',),
        "For a key that was right and leads nowhere any more. Keys of the configuration are taken out there.",
    ),
    "keys show": Entry(
        ("digest keys show unlearning concept erasure",),
        "By month what it brings, whether it rises, which other keys find the same papers, who decided what.",
        "65 where the topic never had such a key",
    ),
    "map": Entry(
        (
            "digest map unlearning --since 2026-01-01 --png map.png",
            "digest map xai --since 2026 --png x.png --dark",
        ),
        "Needs matplotlib (pip install 'digest[pictures]').",
    ),
    "match": Entry(("digest match", "digest match --since 2026-01-01")),
    "migrate-store": Entry(
        (
            "digest migrate-store digest.sqlite3 postgresql+psycopg://digest@db/digest",
            "digest migrate-store postgresql+psycopg://digest@db/digest back.sqlite3",
        )
    ),
    "outbox correct": Entry(("digest outbox correct 12", "digest outbox correct 12 fixed.html --part 2")),
    "outbox list": Entry(
        ("digest outbox list", "digest outbox list --all"),
        "A part is held where it may have been sent and only a person can tell, or where Telegram refused "
        "it.",
    ),
    "outbox resolve": Entry(
        (
            "digest outbox resolve 41 --sent 1207",
            "digest outbox resolve 41 --retry",
            "digest outbox resolve 41 --drop",
        ),
        "Look into the channel first: a gap can be closed, a public duplicate cannot.",
    ),
    "papers fetch": Entry(
        ("digest papers fetch 2107.05580 cs/0301001",), exits="65 where one of them is not to be had"
    ),
    "papers list": Entry(
        ("digest papers list --announced 2026-05-12", "digest papers list --since 2026-05-01 --json"),
        "A line for each paper, withdrawn ones too; a day with a question mark is an estimate.",
    ),
    "posts approve": Entry(
        ("digest posts approve 12 13", "digest posts approve 12 --at 2026-05-12T18:00+03:00"),
        "What is approved goes out with the next delivery its channel allows. A post that is edited later "
        "is a "
        "draft again.",
        "65 where a post is not any more what --version says",
    ),
    "posts card": Entry(
        ("digest posts card 12 --png card.png", "digest posts card 12 --png card.png --dark"),
        "Needs matplotlib (pip install 'digest[pictures]').",
    ),
    "posts diff": Entry(
        ("digest posts diff 12", "digest posts diff 12 --from 1 --to 3"),
        "A version is what stood after an edit; the first is what the template wrote.",
    ),
    "posts edit": Entry(
        (
            "digest posts edit 12",
            "digest posts edit 12 --drop 2605.01234 --all-languages",
            "digest posts edit 12 --source",
        ),
        exits="65 where an edit is not well: the text is kept in a file and the next edit goes on with it",
    ),
    "posts history": Entry(
        ("digest posts history 12",), "Written, edited, approved, rejected: each with the name of who did it."
    ),
    "posts list": Entry(
        ("digest posts list", "digest posts list --topic xai --language ru --since 2026-05-01"),
        "With state, papers and parts; digest posts show ID shows one in full.",
    ),
    "posts picture": Entry(
        ("digest posts picture 12 card.png", 'digest posts picture 12 card.png --caption "<b>May</b>"')
    ),
    "posts reject": Entry(
        ("digest posts reject 12",),
        "Nothing of it goes out; digest write writes another one, a run does not before the next day.",
        "65 where a post is not any more what --version says",
    ),
    "posts show": Entry(
        ("digest posts show", "digest posts show 12", "digest posts show 12 --version 1"),
        "Part by part, each a message, with the text that Telegram shows.",
    ),
    "restore": Entry(
        ("digest restore digest.zip", "digest restore --force digest.zip --home /var/lib/digest"),
        exits="65 where the backup is damaged: nothing is touched",
    ),
    "review poll": Entry(("digest review poll", "digest review poll --live", "digest review poll --wait 50")),
    "run": Entry(
        ("digest run", "digest run --source sample --as-of 2026-07-03T12:00Z", "digest run -v"),
        "Each stage goes on with what the one before stored, so a run that was cut off is simply run "
        "again. A "
        "source that cannot be read now stops none of the others.",
        "75 where today's batch is still to come or something is to be sent again; 1 where a person must "
        "look",
    ),
    "search": Entry(
        (
            'digest search "concept bottleneck" year:2024..2026',
            "digest search --topic unlearning --expand diffusion",
            "digest search -k 50 --queries queries.jsonl --json",
        )
    ),
    "serve": Entry(("digest serve", "digest serve --schedule", "digest serve --address 0.0.0.0 --port 8000")),
    "similar": Entry(
        ("digest similar 2107.05580", "digest similar 2107.05580 -k 30 --since 2025"),
        "Nearest by the vectors of title and abstract; the paper itself is left out. " + _ONE_PAPER,
    ),
    "site build": Entry(("digest site build public",)),
    "status": Entry(("digest status", "digest status --json"), "One screen; nothing outside is asked."),
    "template check": Entry(
        ("digest template check",),
        "Each is rendered with papers of every kind, and what it writes is read as Telegram reads it.",
        "1 where a template is wrong",
    ),
    "template copy": Entry(
        ("digest template copy ru/roundup", "digest template copy en/roundup zh/roundup --force"),
        "Yours stand before the built-in ones from then on; what you delete comes back as it was.",
    ),
    "template list": Entry(
        ("digest template list",), "A file for each language and genre, and what they share (docs/posts.md)."
    ),
    "topic show": Entry(
        ("digest topic show unlearning",),
        "A key that brings nothing can be retired; one that rises is news. How many papers were missed is "
        "estimated from two ways of finding them.",
    ),
    "trend": Entry(
        (
            'digest trend "machine unlearning" --near',
            "digest trend SHAP --since 2016 --png shap.png --language ru",
        ),
        "A share of all papers, compared within categories, since the archive holds another mix of fields "
        "each "
        "year (docs/trends.md).",
    ),
    "vectors export": Entry(
        ("digest vectors export vectors.safetensors",),
        "For a machine that embeds and another one that serves: carry the file there (docs/gpu.md).",
    ),
    "vectors import": Entry(
        ("digest vectors import vectors.safetensors",),
        exits="65 where the file is damaged, of another model or of another dimension",
    ),
    "watch": Entry(("digest watch",)),
    "why": Entry(
        ("digest why 2605.01234", "digest why 2605.01234 --json"),
        "Keys that stand in it, papers it is near, scores, opinions, and what came before it. " + _ONE_PAPER,
        "65 where the archive does not hold it",
    ),
    "write": Entry(
        ("digest write", "digest write --genre review --topic unlearning --since 2026-05-01 --lang ru")
    ),
}


def entry(path: str) -> Entry | None:
    """The entry of a command by its path, such as "digest keys list"."""
    return MANUAL.get(path.partition(" ")[2])


def below(path: str) -> list[str]:
    """The paragraphs below a command's options: examples, exit codes."""
    found = entry(path)
    if found is None:
        return []
    shown = "\n".join(["\b", "Examples:", *(f"  {one}" for one in found.examples)])
    return [shown, f"Exit codes: {found.exits}."] if found.exits else [shown]
