"""What made a result: the commit of the code, and when."""

from __future__ import annotations

import subprocess
from datetime import datetime, timezone
from pathlib import Path

__all__ = ["commit"]

ROOT = Path(__file__).resolve().parents[2]


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def commit(root: Path = ROOT) -> str | None:
    """The commit of the code in ``root``, with '-dirty' where tracked files differ from it.

    None where ``root`` is not the top of a git checkout, or there is no git.
    """

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *words], text=True, capture_output=True, check=True
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root.resolve():
            return None  # unpacked inside somebody else's repository, whose commits say nothing of it
        dirty = "-dirty" if git("status", "--porcelain", "--untracked-files=no") else ""
        return git("rev-parse", "HEAD") + dirty
    except (OSError, subprocess.CalledProcessError):
        return None
