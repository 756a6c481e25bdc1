"""Several workers that train one network: what each of them does, over MXNet's parameter server.

The DMLC_* variables say who is there; ``launch`` sets them, or a cluster's own manager does. The server only
adds up: every worker takes the same step itself, since MXNet keeps a server's momentum out of reach of a
checkpoint and a server's learning rate out of reach of a schedule.
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

if TYPE_CHECKING:
    import mxnet as mx

__all__ = ["NUMBER", "NEEDED", "Workers", "join", "leave_on_error"]

NEEDED = ("DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NUM_WORKER", "DMLC_NUM_SERVER")
NUMBER = "FREQCNN_WORKER"  # the launcher's number of a worker: the ranks that MXNet gives are in no order
PART = 2**20  # numbers under one key: so the server keeps little however many networks it has seen


class Workers:
    """All workers of a training, as one of them sees them: ``count`` of them, this one is number ``rank``.

    Every method but ``leave`` must be called by all workers, in the same order. Without a ``store`` there is
    this one alone, and nothing is waited for or changed.
    """

    def __init__(self, store: mx.kv.KVStore | None = None):
        self._store, self._keys = store, {}
        self.count = store.num_workers if store else 1
        self.rank = int(os.environ.get(NUMBER, store.rank)) if store else 0

    def total(self, arrays: Sequence[mx.nd.NDArray]) -> list[mx.nd.NDArray]:
        """The sums over all workers of float32 ``arrays``, which have the same shapes everywhere, on the CPU.

        Equal on all workers to the last bit; with more than two the order of addition may be another in
        the next run.
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
        """Replace the gradients, which the devices share, by their sums over all workers.

        Returns the sums of ``numbers``.
        """
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
        """What the first worker says; the others' ``number`` is not heard."""
        if not self._store:
            return number
        import mxnet as mx

        return float(self.total([mx.nd.array([0 if self.rank else number])])[0].asscalar())

    def require_same(self, what: str) -> None:
        """Raise Faults on all workers if ``what`` they do is not the same."""
        if not self._store:
            return
        import mxnet as mx

        digest = mx.nd.array(list(hashlib.sha256(what.encode()).digest()))
        sums, squares = self.total([digest, digest * digest])
        # Only equal numbers have the mean of their squares equal to the square of their mean.
        if (sums * sums != squares * self.count).asnumpy().any():
            raise Faults(
                "the workers are not about the same training: give all of them the same command, and data "
                "and results folders on storage that they share"
            )

    def barrier(self) -> None:
        """Wait until every worker is here."""
        if self._store:
            self._store._barrier()

    @contextlib.contextmanager
    def in_turn(self) -> Iterator[None]:
        """The first worker goes through the block before the others, which find what it left on the disk."""
        if self.rank:
            self.barrier()
        yield
        if not self.rank:
            self.barrier()

    def leave(self) -> None:
        """End without waiting for the others, which MXNet does otherwise: for a worker that failed."""
        if self._store:
            from mxnet.base import _LIB, check_call

            check_call(_LIB.MXKVStoreSetBarrierBeforeExit(self._store.handle, ctypes.c_int(0)))


@functools.cache
def join() -> Workers:
    """The workers that this process is one of, by the DMLC_* variables, once all have come.

    Raises Faults where some of the variables are missing.
    """
    if os.environ.get("DMLC_ROLE") != "worker":
        return Workers()
    if missing := [name for name in NEEDED if not os.environ.get(name)]:
        raise Faults(
            f"DMLC_ROLE=worker is set, but {', '.join(missing)} not: set them too, unset DMLC_ROLE, or start "
            "all roles with `python -m freqcnn_gluon launch`"
        )
    import mxnet as mx

    runtime.start()
    return Workers(mx.kv.create("dist_sync"))


def leave_on_error(function: Callable) -> Callable:
    """Wrap what workers do together: where it fails on one of them, that process ends, and is noticed."""

    @functools.wraps(function)
    def wrapped(*arguments, **keywords):
        try:
            return function(*arguments, **keywords)
        except BaseException:
            if join.cache_info().currsize:
                join().leave()
            raise

    return wrapped
