"""Measure this project side by side with others, and write what was found into results and docs/speed.md.

    python benchmarks/speed                      # everything: about an hour
    python benchmarks/speed step spectrograms    # some groups, or single pieces such as step-table7
    python benchmarks/speed --render             # docs/speed.md and its pictures again, from the results

Every candidate runs in a process of its own with the same number of threads, in turns (see alternate.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groups import GROUPS, pieces
from render import render

from data_prep.base.commands import with_plain_errors
from data_prep.base.files import whole
from freqcnn_gluon import runtime

ROOT = Path(__file__).resolve().parents[2]


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python benchmarks/speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", help=f"of {', '.join(GROUPS)}, or pieces of them; none: all")
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks" / "results", help="where the JSON files go"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where speed.md is")
    parser.add_argument("--tiny", action="store_true", help="sizes that show only that everything runs")
    parser.add_argument("--render", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    chosen = pieces(options.what)
    for name, measure in {} if options.render else chosen.items():
        print(name, file=sys.stderr)
        busy = [os.getloadavg()[0]]
        found = measure(options.tiny)
        busy.append(os.getloadavg()[0])
        told = {
            "machine": runtime.versions(),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "load": busy,  # before and after: above the number of threads, others computed too
            "found": found,
        }
        with whole(options.results / f"{name}.json") as path:
            path.write_text(json.dumps(told, indent=1), encoding="utf-8")
    for path in render(options.results, options.docs):
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
