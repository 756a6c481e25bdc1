"""Compare the time of an EM iteration of the total variability with that of its two largest products.

    OMP_NUM_THREADS=2 python benchmarks/ivector.py

The defaults are 300 clips, 512 Gaussians and rank 200, with 60 features. The two take turns, and each time is
the median of five.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from data_prep.base.commands import positive, with_plain_errors
from reproduce.peers.ivector import TotalVariability

FEATURES, TIMES = 60, 5


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=positive, default=300)
    parser.add_argument("--gaussians", type=positive, default=512)
    parser.add_argument("--rank", type=positive, default=200)
    options = parser.parse_args(arguments)
    random = np.random.default_rng(0)
    zeroth = random.uniform(0, 2, (options.clips, options.gaussians))
    first = random.standard_normal((options.clips, options.gaussians, FEATURES))
    extractor = TotalVariability.random(options.gaussians, FEATURES, options.rank, seed=0)
    squares = random.standard_normal((options.gaussians, options.rank**2))

    def products() -> None:
        """Compute N sum_c T_c' T_c and the M-step's transpose: 4 x clips x Gaussians x rank² operations."""
        zeroth.T @ (zeroth @ squares)

    times = {products: [], lambda: extractor.improve(zeroth, first): []}
    for _ in range(TIMES):
        for function, seconds in times.items():
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    least, whole = (statistics.median(seconds) for seconds in times.values())
    print(
        f"an iteration takes {whole:.2f} s, its two largest products alone {least:.2f} s: "
        f"a factor of {whole / least:.1f}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
