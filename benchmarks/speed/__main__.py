"""Compare this project's speed and memory with other programs', and write the results and docs/speed.md.

    python benchmarks/speed                      # everything, about an hour
    python benchmarks/speed step spectrograms    # some groups, or single pieces such as step-table7
    python benchmarks/speed --render             # only write docs/speed.md and its pictures again

Each candidate runs in its own process with the same number of threads. They take turns (see alternate.py).
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
    parser.add_argument(
        "what", nargs="*", help=f"groups ({', '.join(GROUPS)}) or single pieces (default: all)"
    )
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks" / "results", help="folder for the JSON files"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of speed.md")
    parser.add_argument("--tiny", action="store_true", help="use sizes that only show that everything runs")
    parser.add_argument("--render", action="store_true", help="measure nothing, only write the page again")
    options = parser.parse_args(arguments)
    chosen = pieces(options.what)
    for name, measure in {} if options.render else chosen.items():
        print(name, file=sys.stderr)
        load_before = os.getloadavg()[0]
        values = measure(options.tiny)
        result = {
            "machine": runtime.versions(),
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            # Before and after. A load above the number of threads means that other programs computed too.
            "load": [load_before, os.getloadavg()[0]],
            "values": values,
        }
        with whole(options.results / f"{name}.json") as path:
            path.write_text(json.dumps(result, indent=1), encoding="utf-8")
    for path in render(options.results, options.docs):
        print(path)


if __name__ == "__main__":
    raise SystemExit(main())
