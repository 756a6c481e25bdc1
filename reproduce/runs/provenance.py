"""Where a result comes from: the commit of the code, and the time."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from pathlib import Path

__all__ = ["commit", "now"]

ROOT = Path(__file__).resolve().parents[2]


def now() -> str:
    """Return the time in UTC, to the second, in ISO format."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def commit(root: Path = ROOT) -> str | None:
    """Return the commit of the code in ``root``, with '-dirty' if tracked files differ from it.

    None if ``root`` is not the top of a git checkout or git is not installed.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], text=True, capture_output=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None  # the code was unpacked inside another repository, whose commits are not its own
        dirty = "-dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + dirty
    except (OSError, subprocess.CalledProcessError):
        return None
