"""Completion in a real shell."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="bash is not here")


@pytest.fixture
def offered(tmp_path: Path) -> Callable[..., list[str]]:
    """What bash offers after a line, by the script that `digest completion bash` prints."""
    program = tmp_path / "digest"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m digest "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "digest.toml").write_text(
        '[topics.forgetting]\nterm = "unlearning"\nseed_keys = ["machine unlearning"]\n'
        '[topics.merging]\nterm = "model merging"\nseed_keys = ["model merging"]\n'
    )
    environ = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "DIGEST_HOME": str(tmp_path / "home"),
    }

    def ask(*words: str) -> list[str]:
        assert BASH is not None
        line = " ".join(f"'{word}'" for word in words)
        script = (
            f'eval "$(digest completion bash)"; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; '
            '_digest_completion digest; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            [BASH, "--norc", "-c", script],
            capture_output=True,
            text=True,
            env=environ,
            cwd=tmp_path,
            check=True,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return ask


def test_commands_options_choices_and_topics_are_completed(
    offered: Callable[..., list[str]],
) -> None:
    assert offered("digest", "ke") == ["keys"]
    assert offered("digest", "keys", "pro") == ["propose"]
    assert offered("digest", "embed", "--r") == ["--ray"]
    assert offered("digest", "search", "--mode", "v") == ["vectors"]
    assert offered("digest", "keys", "list", "") == ["forgetting", "merging"]
    assert offered("digest", "backtest", "--topic", "m") == ["merging"]


def test_a_configuration_with_mistakes_offers_no_topics_and_says_nothing(
    offered: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "digest.toml").write_text("topics = 3\n")
    assert offered("digest", "keys", "list", "") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell: str) -> None:
    words = [sys.executable, "-m", "digest", "completion", shell]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "_DIGEST_COMPLETE" in done.stdout
