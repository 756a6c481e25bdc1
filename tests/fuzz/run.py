"""``make fuzz``: feed the targets what coverage leads to, until each has had its time and its bytes.

Of each target it is told how many inputs it had, of how many bytes, how many edges of the project's code
they reached, and the input that broke the promise, if one did: that is kept in OUT, one file each, and tried
again with ``--replay``.
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
LONGEST = 40_000  # bytes of an input


def _fuzz(name: str, seconds: int, counts: Path, corpus: Path, out: Path, log: Path) -> None:
    """Runs in a process of its own, which libFuzzer ends."""
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
    had = np.memmap(counts, np.int64, "r+", shape=(2,))

    def one(content: bytes) -> None:
        had[:] += 1, len(content)
        promise.tried(target, content)

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
    """A line on the target, whether the promise was kept, and how many inputs and bytes it had."""
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
        had = np.fromfile(counts, np.int64)
    said = log.read_text(errors="replace")
    edges = max(map(int, re.findall(r"cov: (\d+)", said)), default=0)
    line = f"{_told(name, had)} {edges:5} edges"
    if child.exitcode:
        kept = re.findall(r"Test unit written to (\S+)", said)
        line += f"  FOUND ({', '.join(kept) or 'see'} {log})"
    return line, not child.exitcode, had


def _told(what: str, had: np.ndarray) -> str:
    return f"{what:12} {had[0]:9,} inputs {had[1]:13,} bytes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="make fuzz")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="which (default: all)")
    parser.add_argument("--seconds", type=int, default=30, help="for each target (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/fuzz"), help="where findings and logs go")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try this input on the one TARGET again")
    options = parser.parse_args()
    import promise
    import targets

    names = options.targets or list(targets.TARGETS)
    if strange := sorted(set(names) - set(targets.TARGETS)):
        parser.error(f"there is no target {', '.join(strange)}; there are {', '.join(targets.TARGETS)}")
    if options.replay:
        promise.tried(targets.TARGETS[names[0]], options.replay.read_bytes())
        print(f"{options.replay}: a value or Faults, as promised")
        return 0
    kept, total = True, np.zeros(2, np.int64)
    for name in names:
        line, fine, had = fuzzed(name, options.seconds, options.out.absolute())
        print(line, flush=True)
        kept, total = kept and fine, total + had
    print(_told("in all", total))
    return 0 if kept else 1


if __name__ == "__main__":
    raise SystemExit(main())
