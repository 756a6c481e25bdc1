"""One progress bar for the whole project: a moving bar on a terminal, a few plain lines in a log."""

from __future__ import annotations

import math
import os
import sys

from tqdm import tqdm

__all__ = ["Bar"]

EVERY = 30.0  # s between two lines in a log, at least
# Read once, as tqdm itself does: a program may set the variable later, for its child processes alone.
SILENCED = os.environ.get("TQDM_DISABLE", "0") not in ("", "0")


class Bar(tqdm):
    """tqdm's bar, with the same arguments and methods.

    If its file is not a terminal, the bar prints one line at its start, at most one every 30 s, and one at
    its end, without carriage returns. The environment variable TQDM_DISABLE silences it in both cases, even
    if ``disable=False`` is passed. A silenced bar still counts in ``n``.
    """

    def __init__(self, *args, file=None, disable: bool = False, **options):
        file = sys.stderr if file is None else file
        self._in_log = not file.isatty()
        self._printed = -math.inf  # when the last line was printed in a log, in s
        super().__init__(*args, file=file, disable=disable or SILENCED, **options)

    def update(self, n: float = 1) -> bool | None:
        if self.disable:
            self.n += n
            return None
        return super().update(n)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        if not self._in_log:
            return super().display(msg, pos)
        if due := self._time() >= self._printed + EVERY:
            self._print_line()
        return due

    def clear(self, nolock: bool = False) -> None:
        if not self._in_log:
            super().clear(nolock)

    def close(self) -> None:
        if not self._in_log or getattr(self, "disable", True):
            super().close()
            return
        self.disable = True
        self._decr_instances(self)
        self._ema_dt = lambda: None  # so that the last line shows the mean rate, as tqdm's own does
        self._print_line()

    def _print_line(self) -> None:
        self._printed = self._time()
        self.fp.write(f"{self}\n")
        self.fp.flush()
