"""Where a result comes from and what it cost: the commit of the code, the time, the hardware and its use."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from data_prep.base.cores import processors

__all__ = ["Meter", "commit", "now"]

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


class Meter:
    """Measure what a run spends on this machine, from the meter's creation on.

    If a run was interrupted and resumed, this is what the process that finished it spent. Processes that
    still run at the end of the run, such as those that compute features, do not count.
    """

    def __init__(self) -> None:
        with contextlib.suppress(OSError):  # Linux: forget the peak of what this process did before
            Path("/proc/self/clear_refs").write_text("5")
        self._started, self._processor_time = time.time(), _processor_time()

    def spent(self, kind: str, numbers: Sequence[int], versions: Mapping[str, Any]) -> dict[str, Any]:
        """Return the hardware and what was spent, as report.json states them under 'compute'.

        Args:
            kind: 'cpu' or 'gpu', the kind of device that the run used.
            numbers: The numbers of its devices.
            versions: The report's versions, which have the processor and the number of threads.

        Returns:
            cpu (the processor's model), cores (logical processors that the process may use), threads,
            memory_gb (the machine's), gpus (names of the GPUs that the run used), wall_seconds, cpu_seconds
            (of all threads, and of child processes that have ended) and peak_memory_gb (of this process).
        """
        from freqcnn_gluon.devices import gpus

        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "cpu": versions["cpu"],
            "cores": processors(),
            "threads": versions["threads"],
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
            "gpus": [gpu.name for gpu in gpus() if gpu.number in numbers] if kind == "gpu" else [],
            "wall_seconds": round(time.time() - self._started, 1),
            "cpu_seconds": round(_processor_time() - self._processor_time, 1),
            "peak_memory_gb": round(kilobytes * 1024 / 1e9, 3),
        }


def _processor_time() -> float:
    """Return the seconds of processor time of this process and of its children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
