"""The number of processors that this process may use."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

__all__ = ["cores", "processors"]

SYS = Path("/sys")


def processors() -> int:
    """Count the logical processors that this process may use, within its container's quota."""
    return max(1, min(len(_allowed()), *_quotas()))


def cores() -> int:
    """Count the physical cores that this process may use, within its container's quota."""

    def core(cpu: int) -> tuple[str, ...]:
        topology = SYS / f"devices/system/cpu/cpu{cpu}/topology"
        try:
            return tuple((topology / name).read_text() for name in ("physical_package_id", "core_id"))
        except OSError:
            return (str(cpu),)

    return max(1, min(len({core(cpu) for cpu in _allowed()}), *_quotas()))


def _allowed() -> Collection[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def _quotas() -> list[int]:
    """List the numbers of whole CPUs that the control groups around this process grant."""
    top = SYS / "fs/cgroup"
    quotas = [len(_allowed())]  # never empty, also without control groups
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = top / next((line[4:] for line in lines if line.startswith("0::/")), "")
        for file in (folder / "cpu.max" for folder in (own, *own.parents) if folder.is_relative_to(top)):
            if file.exists():  # version 2: '200000 100000' or 'max 100000'
                limit, period = file.read_text().split()
                quotas += [] if limit == "max" else [int(limit) // int(period)]
        quota, span = (int((top / f"cpu/cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        quotas += [quota // span] if quota > 0 else []
    except (OSError, ValueError):
        pass  # there are no control groups, or only one version of them
    return quotas
