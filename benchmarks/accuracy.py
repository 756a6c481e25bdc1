"""What does bfloat16 do to accuracy? Train the same network from the same seeds in either kind of number.

    python benchmarks/accuracy.py CSV --architecture table7 --test text=digit7,digit8,digit9 --seeds 3

takes what learning.py takes, runs it for each dtype and writes results/accuracy.json, which
``benchmarks/speed --render`` puts into docs/speed.md.
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
    parser.add_argument("csv", type=Path, help="labelled recordings, as learning.py takes them")
    parser.add_argument("--out", default="data/learning", help="where spectrograms go, as for learning.py")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where accuracy.json goes")
    options, words = parser.parse_known_args()
    for dtype in runtime.DTYPES:
        runtime.check_dtype(dtype, "cpu")
    busy, runs = [os.getloadavg()[0]], {}
    for dtype in runtime.DTYPES:  # in a process each, since a dtype cannot be taken back
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "runs"
            asked = [options.csv, *words, "--out", options.out, "--dtype", dtype, "--report", report]
            if subprocess.run([sys.executable, HERE / "learning.py", *asked]).returncode:
                raise Faults(f"the training in {dtype} failed; see above for its words")
            lines = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
        runs[dtype] = [
            {
                "seed": line["seed"],
                "accuracy": line["history"][-1]["accuracy"],
                "uar": line["history"][-1]["test"]["uar"],
            }
            for line in lines
        ]
    told = {
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "load": [*busy, os.getloadavg()[0]],
        "found": {"words": " ".join(words), "runs": runs},
    }
    with whole(options.results / "accuracy.json") as path:
        path.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
