"""How many processors there are for us, on a made-up /sys."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data_prep.base import cores


def machine(sys_folder: Path, layout: list[tuple[int, int]], quota: str = "max 100000") -> None:
    """A /sys with one CPU for each (package, core), in a control group of that quota."""
    for cpu, (package, core) in enumerate(layout):
        topology = sys_folder / f"devices/system/cpu/cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "physical_package_id").write_text(f"{package}\n")
        (topology / "core_id").write_text(f"{core}\n")
    (sys_folder / "fs/cgroup").mkdir(parents=True)
    (sys_folder / "fs/cgroup/cpu.max").write_text(f"{quota}\n")


@pytest.mark.parametrize(
    "allowed, quota, expected",
    [
        (range(8), "max 100000", 4),  # two packages of two cores, two threads a core
        ([0, 4], "max 100000", 1),  # both threads of one core
        ([0, 1, 2], "max 100000", 3),  # core 0 of either package is not the same core
        (range(8), "250000 100000", 2),
        (range(8), "50000 100000", 1),
        ([0], "800000 100000", 1),
    ],
)
def test_cores_are_physical_allowed_and_within_the_quota(tmp_path, monkeypatch, allowed, quota, expected):
    machine(tmp_path, [(0, 0), (0, 1), (1, 0), (1, 1)] * 2, quota)
    monkeypatch.setattr(cores, "SYS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(allowed))
    assert cores.cores() == expected


def test_an_older_control_group_counts_too_and_missing_files_do_not_matter(tmp_path, monkeypatch):
    monkeypatch.setattr(cores, "SYS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    assert cores.cores() == 4
    (tmp_path / "fs/cgroup/cpu").mkdir(parents=True)
    (tmp_path / "fs/cgroup/cpu/cpu.cfs_period_us").write_text("100000\n")
    (tmp_path / "fs/cgroup/cpu/cpu.cfs_quota_us").write_text("300000\n")
    assert cores.cores() == 3
    (tmp_path / "fs/cgroup/cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert cores.cores() == 4
