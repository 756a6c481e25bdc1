"""What the runs spent, summed up; what a report must state of it; and the lines above tables."""

import json

import pytest
from made import report as made

from data_prep.base.faults import Faults
from reproduce.page.summaries import claims_of, compute_of
from reproduce.runs.report import read
from reproduce.sources import banner, devices_note

COMPUTE = {
    "cpu": "a processor",
    "cores": 4,
    "threads": 2,
    "memory_gb": 16.0,
    "gpus": [],
    "wall_seconds": 1800.0,
    "cpu_seconds": 3600.0,
    "peak_memory_gb": 1.5,
}


def stating(device="cpu(0)", system="FreqCNN", **compute):
    """Make a report that states its compute; the arguments replace COMPUTE's."""
    report = made(system)
    report.content["device"] = [device]
    report.content["compute"] = COMPUTE | compute
    return report


def test_hours_are_summed_by_table_and_by_device_and_shared_runs_count_once():
    shared = stating()
    gpu = stating("gpu(0)", "CNN", gpus=["Tesla K40"], wall_seconds=7200.0, peak_memory_gb=3.0)
    old, failed = made("FNN"), made("AlexNet", fault="its loss is nan")
    compute = compute_of({3: [shared, gpu, old, failed], 5: [shared]})
    assert compute.by_table.body == [
        ["Table 3", "3", "1", "2.50", "2.00", "3.0"],
        ["Table 5", "1", "0", "0.50", "1.00", "1.5"],
        ["All, each run once", "3", "1", "2.50", "2.00", "3.0"],
    ]
    assert compute.by_device.body == [
        ["Tesla K40", "1", "0", "2.00", "1.00", "3.0"],
        ["a processor, 2 of 4 cores, 16 GB", "1", "0", "0.50", "1.00", "1.5"],
        ["not stated", "1", "1", "not stated", "not stated", "not stated"],
    ]
    assert compute.note == "" and compute_of({3: [shared]}).note.endswith("computed on a GPU.")


def test_the_claims_of_a_source_without_the_runs_name_the_target():
    claims = claims_of({3: [made()]}, "paper")
    assert len({len(line) for line in [claims.grid.head, *claims.grid.body]}) == 1
    assert "not run: `make table8`" in {line[4] for line in claims.grid.body}
    assert "not run" in claims.summary and claims.rule and claims.left_out


def test_the_line_above_a_table_follows_from_the_devices_of_its_reports():
    note = "No report behind this table was computed on a GPU."
    assert banner("paper", ["cpu(0)", "cpu(1)"]) == [f"> {note}", ""]
    assert banner("paper", ["cpu(0)", "gpu(1)"]) == banner("paper") == []
    assert banner("standin", ["cpu(0)"])[0].startswith("> **STAND-IN**: ")
    assert banner("standin", ["cpu(0)"])[0].endswith(note) and note not in banner("standin", ["gpu(0)"])[0]
    assert devices_note([]) == ""


def test_a_report_with_its_compute_is_valid_and_one_from_before_is_too(tmp_path):
    path = tmp_path / "report.json"
    for report in (made(), stating(gpus=["Tesla K40"])):
        path.write_text(json.dumps(report.content))
        assert read(path) == report.content


@pytest.mark.parametrize(
    "name, value",
    [
        ("gpus", "Tesla"),
        ("gpus", [1]),
        ("wall_seconds", "1 h"),
        ("cpu", 3),
        ("peak_memory_gb", -1),
        ("cores", None),
        ("memory_gb", True),
    ],
)
def test_a_wrong_compute_is_refused(name, value, tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps(stating(**{name: value}).content))
    with pytest.raises(Faults, match="is damaged or of another version"):
        read(path)
    content = stating().content
    del content["compute"][name]
    path.write_text(json.dumps(content))
    with pytest.raises(Faults, match="it lacks"):
        read(path)
