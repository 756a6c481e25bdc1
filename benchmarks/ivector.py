"""How long an EM iteration of the total variability takes, against the products that it cannot do without.

    OMP_NUM_THREADS=2 python benchmarks/ivector.py

at 300 clips, 512 Gaussians, rank 200 and 60 features; medians of five, alternating.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from reproduce.peers.ivector import TotalVariability

CLIPS, GAUSSIANS, RANK, FEATURES, TIMES = 300, 512, 200, 60, 5


def main() -> None:
    random = np.random.default_rng(0)
    zeroth = random.uniform(0, 2, (CLIPS, GAUSSIANS))
    first = random.standard_normal((CLIPS, GAUSSIANS, FEATURES))
    extractor = TotalVariability.random(GAUSSIANS, FEATURES, RANK, seed=0)
    squares = random.standard_normal((GAUSSIANS, RANK**2))

    def products() -> None:
        """N sum_c T_c' T_c, and its transpose in the M-step: 2 x 2 x 300 x 512 x 200 x 200 operations."""
        zeroth.T @ (zeroth @ squares)

    taken = {products: [], lambda: extractor.improve(zeroth, first): []}
    for _ in range(TIMES):
        for each, seconds in taken.items():
            start = time.perf_counter()
            each()
            seconds.append(time.perf_counter() - start)
    least, whole = (statistics.median(seconds) for seconds in taken.values())
    print(
        f"an iteration {whole:.2f} s, its two largest products alone {least:.2f} s: {whole / least:.1f} times"
    )


if __name__ == "__main__":
    main()
