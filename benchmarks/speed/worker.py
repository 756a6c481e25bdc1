"""Run one candidate in a process that its parent controls through pipes (see ``alternate``).

    python benchmarks/speed/worker.py candidates.gluon:Step '{"table": "table7", "size": 224, "batch": 8}'

The process creates ``Step(table=..., ...)``. It then answers each line of JSON on stdin,
``["run", {}]`` or ``["method", {arguments}]``, with a line of JSON on stdout.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from data_prep.base.faults import Faults


def peak_bytes() -> int:
    """Return the largest memory of this process so far, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    """Reset ``peak_bytes`` to the memory that the process has now."""
    Path("/proc/self/clear_refs").write_text("5")


def created(name: str, arguments: dict) -> tuple[Any, dict]:
    """Create the candidate 'module:class'; return it, and its versions or why it cannot run here."""
    module, _, kind = name.partition(":")
    try:
        candidate = getattr(importlib.import_module(module), kind)(**arguments)
    except (ImportError, Faults) as error:  # a package or, for bfloat16, the processor
        return None, {"missing": str(error)}
    return candidate, {"versions": candidate.versions}


def answered(candidate: Any, what: str, arguments: dict) -> Any:
    """Return the candidate's answer; ``alternate.Worker.ask`` lists what can be asked."""
    if what == "run":
        started = time.perf_counter()
        candidate.run()
        return time.perf_counter() - started
    if what == "peak":
        return peak_bytes()
    if what == "forget":
        return forget_peak()
    return getattr(candidate, what)(**arguments)


def main() -> None:
    # Send everything that libraries print to stderr, so that only answers go to stdout.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    candidate, answer = created(sys.argv[1], json.loads(sys.argv[2]))
    print(json.dumps(answer), file=answers)
    for line in sys.stdin:
        print(json.dumps(answered(candidate, *json.loads(line))), file=answers)


if __name__ == "__main__":
    main()
