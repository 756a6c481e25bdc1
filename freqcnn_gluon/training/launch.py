"""Start a command as worker on several machines, with the scheduler and the server that it needs."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.training.workers import NUMBER

__all__ = ["launch"]

HERE = "localhost"
PATIENCE = 5  # seconds that a process has to end by itself before it is killed
ROLE = "import freqcnn_gluon, mxnet"  # with DMLC_ROLE, MXNet is scheduler or server at its import, to the end


@dataclass
class Child:
    """One role's process. ``said``: where its words go, unless it is shown as it runs."""

    name: str
    role: str
    process: subprocess.Popen
    said: IO[bytes] | None

    def last_words(self) -> str:
        if not self.said:
            return ""
        self.said.seek(0)
        lines = self.said.read()[-4000:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({last.removeprefix('error: ')})" if last else ""

    def gave_up(self) -> bool:
        """Whether it is a worker that ended by itself and said why: a shell's codes from 128 are signals."""
        return self.role == "worker" and 0 < self.process.returncode < 128

    def end(self) -> str:
        """How it ended, in words."""
        code = self.process.returncode
        if code < 0:
            return f"was killed by signal {-code} ({signal.Signals(-code).name})"
        if code == 255 and self.process.args[0] == "ssh":
            return "could not be reached by ssh, or was lost or killed there"
        return f"ended with exit code {code}"


def launch(hosts: Sequence[str], command: Sequence[str], port: int | None = None) -> None:
    """Run ``command`` as a worker on each of ``hosts``, and scheduler and server on the first; wait for all.

    'localhost' is a process here and may recur, any other host is reached by ssh without a password and has
    this folder at the same place. The first worker is shown as it runs. ``port``: the scheduler's, a free one
    by default.
    When a process fails the others are ended, and Faults says which it was, with its last words.
    """
    if not hosts:
        raise Faults("the list of hosts names no host: give one or more, as in localhost,gpu2")
    children: list[Child] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        variables = _variables(hosts, port)
        for role in ("scheduler", "server"):
            python = [sys.executable, "-c", ROLE]
            children.append(_start(f"the {role}", role, hosts[0], python, variables, shown=False))
        for number, host in enumerate(hosts):
            own = variables | {NUMBER: str(number)} | _threads(hosts, host)
            name = f"worker {number + 1} of {len(hosts)}"
            children.append(_start(name, "worker", host, command, own, shown=number == 0))
        _watch(children)
        _wait(children)  # scheduler and server end by themselves when the workers have
    finally:
        _end(children)


def _variables(hosts: Sequence[str], port: int | None) -> dict[str, str]:
    """The DMLC_* variables that all roles have in common."""
    with socket.socket() as free:
        try:
            free.bind(("", port or 0))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", "there is none above 65535")
            raise Faults(
                f"port {port} cannot be used ({reason}): name another, or none for a free one"
            ) from None
        port = free.getsockname()[1]
    elsewhere = [host.rpartition("@")[2] for host in hosts if host != HERE]
    if twice := sorted({host for host in elsewhere if elsewhere.count(host) > 1}):
        raise Faults(
            f"{', '.join(twice)} is named more than once, and each of its workers would take all its cores: "
            f"only {HERE}'s are shared out. Several GPUs are for one worker, as with DEVICE=gpu:0,1"
        )
    try:
        if hosts[0] != HERE:
            root = socket.gethostbyname(elsewhere[0])
        elif elsewhere:  # the address of this machine that the others see
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as toward:
                toward.connect((elsewhere[0], 9))
                root = toward.getsockname()[0]
        else:
            root = "127.0.0.1"
    except OSError as error:
        raise Faults(f"the host {elsewhere[0]} has no address ({error.strerror}): check its name") from None
    return {
        "DMLC_PS_ROOT_URI": root,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_WORKER": str(len(hosts)),
        "DMLC_NUM_SERVER": "1",
        **({} if elsewhere else {"DMLC_NODE_HOST": root}),
    }


def _threads(hosts: Sequence[str], host: str) -> dict[str, str]:
    """Several workers on this machine share out its cores."""
    beside = hosts.count(HERE)
    # This process was given all cores when freqcnn_gluon was imported.
    share = max(1, runtime.threads() // beside) if host == HERE and beside > 1 else None
    return {"OMP_NUM_THREADS": str(share)} if share else {}


def _start(
    name: str, role: str, host: str, command: Sequence[str], variables: dict[str, str], shown: bool
) -> Child:
    variables = {"DMLC_ROLE": role, **variables}
    if not shown:
        variables["TQDM_DISABLE"] = "1"
    if host != HERE:
        words = [f"{name}={value}" for name, value in variables.items()]
        line = f"cd {shlex.quote(os.getcwd())} && exec env {shlex.join([*words, *command])}"
        # With a terminal of its own (-tt) what runs there ends when this end of the line does.
        # Nor is a machine that no longer answers waited for longer than 45 s.
        options = ["-oBatchMode=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=3"]
        command, variables = ["ssh", "-n", "-tt", *options, host, line], {}
    said = None if shown else tempfile.TemporaryFile()
    try:
        process = subprocess.Popen(
            command,
            env={name: value for name, value in os.environ.items() if name not in runtime.SET} | variables,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said and subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the launcher alone
        )
    except OSError as error:
        raise Faults(f"{command[0]} cannot be run ({error.strerror})") from None
    return Child(f"{name} on {host}", role, process, said)


def _watch(children: Sequence[Child]) -> None:
    """Wait until all workers are done; Faults as soon as any process fails."""
    running = True
    while running:
        # Asked before the exit codes are: so none that ends in between is missed.
        running = any(child.process.poll() is None for child in children if child.role == "worker")
        if failed := [child for child in children if child.process.poll()]:
            print(file=sys.stderr)  # the line that the first worker's progress bar left open
            first = failed[0]
            said = f"{first.name} {first.end()}{first.last_words()}: the others were ended too"
            if not all(child.gave_up() for child in failed):  # of wrong input the same command helps nobody
                said += "; the same command goes on from the last checkpoint"
            raise Faults(said)
        time.sleep(0.1)


def _end(children: Sequence[Child]) -> None:
    """End what still runs, kindly first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            if child.process.poll() is None:
                os.killpg(child.process.pid, number)
        _wait(children)


def _wait(children: Sequence[Child]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(child.process.poll() is None for child in children):
        time.sleep(0.05)
