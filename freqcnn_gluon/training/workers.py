"""Several workers that train one network together, through MXNet's parameter server.

The DMLC_* variables tell each process who takes part; ``launch`` sets them, or a cluster's own manager does.
The server only adds up gradients, and every worker takes the same step. If the server took the steps, a
checkpoint could not hold its momentum and a schedule could not set its learning rate.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.environment import NEEDED

if TYPE_CHECKING:
    import mxnet as mx

__all__ = ["NEEDED", "RANK", "Workers", "join", "leave_on_error"]

RANK = "FREQCNN_WORKER"  # the launcher sets this variable, because MXNet numbers the workers in any order
PART = 2**20  # values under one key; networks share the keys, so that the server's memory stays small


class Workers:
    """All workers of a training, from the view of one of them.

    All workers must call every method except ``leave``, in the same order. Without a ``store`` this process
    is the only worker, and all methods return at once.

    Args:
        store: MXNet's distributed store, or None for a single worker.

    Attributes:
        count: Number of workers.
        rank: Number of this worker, from 0.
    """

    def __init__(self, store: mx.kv.KVStore | None = None):
        self._store = store
        self._keys: dict[tuple[int, int], int] = {}  # (number of the part, its length) -> the server's key
        self.count = store.num_workers if store else 1
        self.rank = int(os.environ.get(RANK, store.rank)) if store else 0

    def total(self, arrays: Sequence[mx.nd.NDArray]) -> list[mx.nd.NDArray]:
        """Return the sums of float32 ``arrays`` over all workers, on the CPU.

        Shapes must be the same on all workers. All workers receive the same bits. With more than two workers,
        the order of addition, and so the rounding, may differ between runs.
        """
        if not self._store:
            return list(arrays)
        import mxnet as mx

        flat = mx.nd.concat(*(array.reshape(-1).as_in_context(mx.cpu()) for array in arrays), dim=0)
        parts = [flat[start : start + PART].copy() for start in range(0, flat.size, PART)]
        for number, part in enumerate(parts):
            if (number, part.size) not in self._keys:
                self._keys[number, part.size] = len(self._keys)
                self._store.init(self._keys[number, part.size], mx.nd.zeros_like(part))
            self._store.pushpull(self._keys[number, part.size], part, priority=-number)
        flat, sums, start = mx.nd.concat(*parts, dim=0), [], 0
        for array in arrays:
            sums.append(flat[start : start + array.size].reshape(array.shape))
            start += array.size
        return sums

    def add_gradients(self, parameters: mx.gluon.ParameterDict, *numbers: float) -> tuple[float, ...]:
        """Replace gradients on all devices by their sums over all workers; return the sums of ``numbers``."""
        if not self._store:
            return numbers
        import mxnet as mx

        trained = [parameter for parameter in parameters.values() if parameter.grad_req != "null"]
        sums = self.total([parameter.list_grad()[0] for parameter in trained] + [mx.nd.array(numbers)])
        for parameter, gradient in zip(trained, sums):
            for copy in parameter.list_grad():
                gradient.copyto(copy)
        return tuple(map(float, sums[-1].asnumpy()))

    def broadcast(self, number: float) -> float:
        """Return the first worker's ``number`` on all workers."""
        if not self._store:
            return number
        import mxnet as mx

        return float(self.total([mx.nd.array([0 if self.rank else number])])[0].asscalar())

    def gather(self, number: float) -> list[float]:
        """Return the ``number`` of every worker, by rank, on all workers."""
        if not self._store:
            return [number]
        import mxnet as mx

        places = mx.nd.zeros(self.count)
        places[self.rank] = number
        return self.total([places])[0].asnumpy().tolist()

    def require_same(self, description: str) -> None:
        """Raise Faults on all workers unless all give the same ``description``."""
        if not self._store:
            return
        import mxnet as mx

        digest = mx.nd.array(list(hashlib.sha256(description.encode()).digest()))
        sums, squares = self.total([digest, digest * digest])
        # The mean of squares equals the square of the mean only if all numbers are equal.
        if (sums * sums != squares * self.count).asnumpy().any():
            raise Faults(
                "the workers do not train the same network. Give all of them the same command, data and "
                "results folders on shared storage, and as many devices of the same kind."
            )

    def barrier(self) -> None:
        """Wait until all workers have called this."""
        if self._store:
            self._store._barrier()

    @contextlib.contextmanager
    def in_turn(self) -> Iterator[None]:
        """Run the block on the first worker before the others, which can read the files that it wrote."""
        if self.rank:
            self.barrier()
        yield
        if not self.rank:
            self.barrier()

    def leave(self) -> None:
        """Let this process end without waiting for the other workers, because it has failed."""
        if self._store:
            from mxnet.base import _LIB, check_call

            check_call(_LIB.MXKVStoreSetBarrierBeforeExit(self._store.handle, ctypes.c_int(0)))


@functools.cache
def join() -> Workers:
    """Return the workers that this process belongs to by its DMLC_* variables, after all have started.

    Raises:
        Faults: If some of the variables are missing.
    """
    if os.environ.get("DMLC_ROLE") != "worker":
        return Workers()
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise Faults(
            f"DMLC_ROLE=worker is set, but {', '.join(missing)} not. Set them too, unset DMLC_ROLE, or start "
            "all roles with `python -m freqcnn_gluon launch`."
        )
    import mxnet as mx

    runtime.start()
    return Workers(mx.kv.create("dist_sync"))


def leave_on_error(function: Callable) -> Callable:
    """Wrap a function that all workers call: a worker in which it fails ends without waiting for the rest."""

    @functools.wraps(function)
    def wrapped(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except BaseException:
            if join.cache_info().currsize:
                join().leave()
            raise

    return wrapped
