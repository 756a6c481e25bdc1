"""Measure the effect of bfloat16 on accuracy: train the same network with the same seeds in each dtype.

    python benchmarks/accuracy.py CSV --architecture table7 --test text=digit7,digit8,digit9 --seeds 3

This program passes its other options to `learning.py own`, which it runs once for each dtype. It writes
results/accuracy.json, and ``benchmarks/speed --render`` copies the values into docs/speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon import runtime

HERE = Path(__file__).resolve().parent


@with_plain_errors
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("csv", type=Path, help="labelled recordings, as for `learning.py own`")
    parser.add_argument(
        "--out", default="data/learning", help="folder for spectrograms, as for `learning.py own`"
    )
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for accuracy.json")
    options, words = parser.parse_known_args()
    for dtype in runtime.DTYPES:
        runtime.check_dtype(dtype, "cpu")
    load_before, runs = os.getloadavg()[0], {}
    for dtype in runtime.DTYPES:  # one process for each, because a process cannot change its dtype
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "runs"
            command = [sys.executable, HERE / "learning.py", "own", options.csv, *words]
            command += ["--out", options.out, "--dtype", dtype, "--report", report]
            if subprocess.run(command).returncode:
                raise Faults(f"the training in {dtype} failed; see its output above")
            lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
        runs[dtype] = [
            {
                "seed": line["seed"],
                "accuracy": line["curve"][-1]["accuracy"],
                "uar": line["curve"][-1]["test"]["uar"],
            }
            for line in lines
        ]
    measured = {
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load": [load_before, os.getloadavg()[0]],
        "values": {"words": " ".join(words), "runs": runs},
    }
    with whole(options.results / "accuracy.json") as path:
        path.write_text(json.dumps(measured, indent=1), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
