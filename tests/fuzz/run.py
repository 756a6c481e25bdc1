"""``make fuzz``: feed each target with inputs that reach new code, for a given time.

For each target the program prints the number of inputs, their bytes, and the number of edges of the project's
code that they reached. An input that breaks the promise becomes a file in OUT; ``--replay`` tries it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
from pathlib import Path

import numpy as np

MEMORY = 6000  # MB
LONGEST = 40_000  # bytes in an input


def _fuzz(name: str, seconds: int, counts: Path, corpus: Path, out: Path, log: Path) -> None:
    """Fuzz one target. This needs its own process, because libFuzzer ends it."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, 2)
    os.dup2(handle, 1)
    import atheris

    with atheris.instrument_imports(
        include=["data_prep", "freqcnn_gluon", "reproduce"], enable_loader_override=False
    ):
        import promise
        import targets
    target = targets.TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number}").write_bytes(seed)
    totals = np.memmap(counts, np.int64, "r+", shape=(2,))

    def one(content: bytes) -> None:
        totals[:] += 1, len(content)
        promise.check(target, content)

    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={promise.SECONDS}",
        f"-rss_limit_mb={MEMORY}",
        f"-artifact_prefix={out}/{name}-",
        "-seed=1",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def fuzzed(name: str, seconds: int, out: Path) -> tuple[str, bool, np.ndarray]:
    """Fuzz one target; return a line about it, whether it kept the promise, and its inputs and bytes (2,)."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as aside:
        counts, corpus, log = Path(aside) / "counts", Path(aside) / "corpus", out / f"{name}.log"
        corpus.mkdir()
        np.zeros(2, np.int64).tofile(counts)
        child = multiprocessing.get_context("spawn").Process(
            target=_fuzz, args=(name, seconds, counts, corpus, out, log)
        )
        child.start()
        child.join()
        totals = np.fromfile(counts, np.int64)
    output = log.read_text(errors="replace")
    edges = max(map(int, re.findall(r"cov: (\d+)", output)), default=0)
    line = f"{_line(name, totals)} {edges:5} edges"
    if child.exitcode:
        inputs = re.findall(r"Test unit written to (\S+)", output)
        line += f"  BROKEN (input: {', '.join(inputs) or 'unknown'}; log: {log})"
    return line, not child.exitcode, totals


def _line(title: str, totals: np.ndarray) -> str:
    return f"{title:12} {totals[0]:9,} inputs {totals[1]:13,} bytes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="make fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="targets to fuzz (default: all)")
    parser.add_argument(
        "--seconds", type=int, default=30, help="seconds for each target (default: %(default)s)"
    )
    parser.add_argument("--out", type=Path, default=Path("results/fuzz"), help="folder for findings and logs")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this input again, on the one TARGET")
    options = parser.parse_args()
    import promise
    import targets

    names = options.targets or list(targets.TARGETS)
    if unknown := sorted(set(names) - set(targets.TARGETS)):
        parser.error(f"there is no target {', '.join(unknown)}; choose one of {', '.join(targets.TARGETS)}")
    if options.replay:
        promise.check(targets.TARGETS[names[0]], options.replay.read_bytes())
        print(f"{options.replay}: returns a value or raises Faults, as promised")
        return 0
    kept, total = True, np.zeros(2, np.int64)
    for name in names:
        line, fine, totals = fuzzed(name, options.seconds, options.out.absolute())
        print(line, flush=True)
        kept, total = kept and fine, total + totals
    print(_line("total", total))
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
