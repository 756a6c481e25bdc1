"""Connect to a Dask cluster, after checking that a scheduler answers at its address."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pkgutil
import sys
import threading
from collections.abc import Iterator
from typing import Any

from distributed import Client
from distributed.comm import connect

from data_prep.base.faults import Faults

__all__ = ["check", "remote"]

WORKER = "OMP_NUM_THREADS=8 .venv/bin/python -m dask worker {} --nthreads 1 --memory-limit 0"
SECONDS = 15  # time limit for an answer


def check(address: str) -> None:
    """Raise Faults unless a Dask scheduler answers at ``address``, after SECONDS at the latest.

    A ``Client`` alone handles wrong addresses badly. It waits for minutes for a silent server. For a server
    with another protocol it raises any exception, and one of its threads prints a traceback later.
    """
    answers: list[dict[str, Any] | Exception] = []
    # Ask in another thread, because an event loop may run in this one, as in a notebook.
    thread = threading.Thread(target=_ask, args=(address, answers), daemon=True)
    with _silent("distributed"), _silent("asyncio"):
        thread.start()
        thread.join(SECONDS + 2)  # two more seconds for a name server that does not answer
    answer = answers[0] if answers else TimeoutError()
    if isinstance(answer, Exception):
        raise Faults(
            f"no Dask scheduler answers at {address} ({_reason(answer)}): start one with `.venv/bin/python -m"
            f" dask scheduler`, and workers in this folder with `{WORKER.format('tcp://…')}`"
        )
    if answer.get("type") != "Scheduler":
        other = f": give {answer['scheduler']}" if "scheduler" in answer else ""
        raise Faults(f"{address} is the address of a Dask {answer.get('type')}, not of the scheduler{other}")


@contextlib.contextmanager
def remote(address: str, function: str) -> Iterator[Client]:
    """Yield a client of the Dask cluster at an address, once it has a worker that can execute runs.

    Args:
        address: The scheduler's address.
        function: A function that the workers must be able to import, as in 'package.module:name'.

    Raises:
        Faults: The scheduler does not answer, or a worker lacks the program.
    """
    check(address)
    try:
        client = Client(address, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Faults(f"the scheduler at {address} answered and is gone ({error})") from None
    with client:
        if not client.nthreads():
            print(
                f"{address} has no workers yet; waiting for them: start them in this folder with "
                f"`{WORKER.format(address)}`",
                file=sys.stderr,
            )
            client.wait_for_workers(1)
        try:
            client.run(pkgutil.resolve_name, function)
        except ImportError as error:  # the worker would fail silently when it gets a run
            raise Faults(
                f"a worker of {address} lacks the program ({error}): start workers in this folder, with "
                f"`{WORKER.format(address)}`"
            ) from None
        yield client


def _ask(address: str, answers: list[dict[str, Any] | Exception]) -> None:
    """Append the server's description of itself, or the exception that ended the attempt."""

    async def identity() -> dict[str, Any]:
        comm = await connect(address, timeout=SECONDS)
        try:
            await comm.write({"op": "identity", "reply": True})
            return await comm.read()
        finally:
            comm.abort()

    async def bounded() -> dict[str, Any]:
        return await asyncio.wait_for(identity(), SECONDS)

    try:
        answers.append(asyncio.run(bounded()))
    except Exception as error:  # Dask raises any exception for bytes of another protocol
        answers.append(error)


def _reason(error: Exception) -> str:
    """Return a clause that gives the reason why no scheduler answered."""
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)):
        return (
            f"no Dask server answered there within {SECONDS} s; the scheduler's port is usually"
            " 8786 and its dashboard's 8787"
        )
    if isinstance(error, (OSError, ValueError, TypeError)) and str(error):
        return str(error).splitlines()[0]
    return "the server there is not Dask"


@contextlib.contextmanager
def _silent(logger: str) -> Iterator[None]:
    """Suppress a library's log lines, because the fault gives the reason in one sentence."""
    level = logging.getLogger(logger).level
    logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logging.getLogger(logger).setLevel(level)
