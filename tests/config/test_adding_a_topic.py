"""A topic written into the configuration."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from digest import config
from digest.errors import ConfigError
from digest.types import Topic

LAMPS = Topic(
    name="lamps",
    term='lamps "that forget" \\ <b>',
    seed_keys=("forgetting lamp", "лампа", "a\tb"),
    seed_papers=("2605.00001",),
    titles={"ru": "Лампы", "zh": "灯"},
    languages=("en", "zh"),
    floor=0.5,
)


def add(home: Path, text: str | None) -> Path:
    if text is not None:
        home.mkdir(exist_ok=True)
        (home / "digest.toml").write_text(text, encoding="utf-8")
    return config.add_topic(config.find_config(None, home, {}), home, {}, LAMPS)


def topics(home: Path) -> dict[str, Topic]:
    return dict(config.load(home / "digest.toml", home, {}).topics)


@pytest.mark.parametrize("text", ["", "lookback_days = 3", "[channels.c]\ntype = 'file'\nfolder = 'x'\n"])
def test_where_a_file_leaves_the_topics_to_the_defaults_these_stay(tmp_path: Path, text: str) -> None:
    file = add(tmp_path, text)
    assert [*topics(tmp_path)] == ["xai", "unlearning", "diffusion", "lamps"]
    assert topics(tmp_path)["lamps"] == LAMPS
    assert file.read_text("utf-8").startswith(text)


def test_a_files_own_topics_stay_as_they_are(tmp_path: Path) -> None:
    text = '# mine\n[topics.cats]\nterm = "cat" # meow\nseed_keys = ["cat"]'
    add(tmp_path, text)
    assert [*topics(tmp_path)] == ["cats", "lamps"]
    assert (tmp_path / "digest.toml").read_text("utf-8").startswith(text)


def test_without_a_file_the_default_one_is_written_into_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add(tmp_path / "home", None)
    assert [*topics(tmp_path / "home")] == ["xai", "unlearning", "diffusion", "lamps"]
    assert "# Every setting is described" in (tmp_path / "home" / "digest.toml").read_text("utf-8")


def test_a_file_that_would_not_be_read_any_more_stays_as_it_was(tmp_path: Path) -> None:
    text = '[topics.lamps]\nterm = "x"\nseed_keys = ["x"]\n'
    with pytest.raises(ConfigError):
        add(tmp_path, text)
    assert (tmp_path / "digest.toml").read_text("utf-8") == text
    assert [file.name for file in tmp_path.iterdir()] == ["digest.toml"]


def test_a_link_stays_a_link_and_a_secret_file_secret(tmp_path: Path) -> None:
    real, home = tmp_path / "real.toml", tmp_path / "home"
    home.mkdir()
    real.write_text("lookback_days = 3\n", encoding="utf-8")
    real.chmod(0o600)
    (home / "digest.toml").symlink_to(real)
    add(home, None)
    assert (home / "digest.toml").is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert topics(home)["lamps"] == LAMPS
