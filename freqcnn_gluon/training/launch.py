"""Start a command as workers on several machines, with their scheduler and server."""

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
from freqcnn_gluon.training.workers import RANK

__all__ = ["launch"]

HERE = "localhost"
HIGHEST = 65535  # port
PATIENCE = 5  # seconds in which a process can end by itself before it is killed
ROLE = "import freqcnn_gluon, mxnet"  # with DMLC_ROLE, this import runs the scheduler or server until it ends


@dataclass
class Child:
    """The process of one role.

    Attributes:
        name: Its name in messages.
        role: 'scheduler', 'server' or 'worker'.
        process: The process, which is ssh if the role runs on another host.
        output: Its captured output; None if it goes to the terminal.
        remote: Whether the process is ssh.
    """

    name: str
    role: str
    process: subprocess.Popen
    output: IO[bytes] | None
    remote: bool = False

    def last_line(self) -> str:
        """Return the last line of its output, in parentheses, or ''."""
        if not self.output:
            return ""
        self.output.seek(0)
        lines = self.output.read()[-4000:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f" ({last.removeprefix('error: ')})" if last else ""

    def rejected_input(self) -> bool:
        """Return whether it is a worker that reported a fault; a shell uses codes from 128 for signals."""
        return self.role == "worker" and 0 < self.process.returncode < 128

    def ending(self) -> str:
        """Return in words how it ended."""
        code = self.process.returncode
        if code < 0:
            return f"was killed by signal {-code} ({signal.Signals(-code).name})"
        if code == 255 and self.remote:
            return "could not be reached by ssh, or was lost or killed there"
        return f"ended with exit code {code}"


def launch(hosts: Sequence[str], command: Sequence[str], port: int | None = None) -> None:
    """Run ``command`` as a worker on each host, scheduler and server on the first host, and wait for all.

    The first worker's output is shown as it runs. When a process fails, all others are ended.

    Args:
        hosts: 'localhost' is a process on this machine and may occur several times. Any other host must
            accept ssh without a password and have this folder at the same path.
        command: The command and its arguments.
        port: The scheduler's port; a free one by default.

    Raises:
        Faults: If a process fails or cannot be started. It names the process and the last line of its output.
    """
    if not hosts:
        raise Faults("the list of hosts names no host: give one or more, as in localhost,gpu2")
    children: list[Child] = []
    for terminating in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(terminating, lambda number, _: sys.exit(128 + number))
    try:
        variables = _variables(hosts, port)
        for role in ("scheduler", "server"):
            python = [sys.executable, "-c", ROLE]
            children.append(_start(f"the {role}", role, hosts[0], python, variables, shown=False))
        for number, host in enumerate(hosts):
            own = variables | {RANK: str(number)} | _threads(hosts, host)
            name = f"worker {number + 1} of {len(hosts)}"
            children.append(_start(name, "worker", host, command, own, shown=number == 0))
        _watch(children)
        _wait(children)  # scheduler and server end by themselves after the workers
    finally:
        _end(children)


def _variables(hosts: Sequence[str], port: int | None) -> dict[str, str]:
    """Return the DMLC_* variables that all roles share."""
    port = _port(hosts, port)
    elsewhere = [host.rpartition("@")[2] for host in hosts if host != HERE]
    if twice := sorted({host for host in elsewhere if elsewhere.count(host) > 1}):
        raise Faults(
            f"{', '.join(twice)} is named more than once, and each of its workers would use all its cores. "
            f"Only {HERE} divides its cores. One worker can use several GPUs, as with DEVICE=gpu:0,1."
        )
    try:
        if hosts[0] != HERE:
            root = socket.gethostbyname(elsewhere[0])
        elif elsewhere:  # the address of this machine in the network of the others
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as toward:
                toward.connect((elsewhere[0], 9))
                root = toward.getsockname()[0]
        else:
            root = "127.0.0.1"
    except OSError as error:
        raise Faults(f"host {elsewhere[0]} has no address ({error.strerror}): check its name") from None
    return {
        "DMLC_PS_ROOT_URI": root,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_WORKER": str(len(hosts)),
        "DMLC_NUM_SERVER": "1",
        **({} if elsewhere else {"DMLC_NODE_HOST": root}),
    }


def _port(hosts: Sequence[str], port: int | None) -> int:
    """Return the port of the scheduler, which runs on the first host: ``port``, or a free one."""
    if port and port <= HIGHEST and hosts[0] != HERE:
        return port  # whether it is free on another machine is not known
    with socket.socket() as free:
        try:
            free.bind(("", port or 0))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", f"there is none above {HIGHEST}")
            raise Faults(
                f"port {port} cannot be used ({reason}): give another one, or none to use a free one"
            ) from None
        return free.getsockname()[1]


def _threads(hosts: Sequence[str], host: str) -> dict[str, str]:
    """Return the variables that divide this machine's cores among several workers on it."""
    count = hosts.count(HERE)
    if host != HERE or count == 1:
        return {}
    # The import of freqcnn_gluon has given this process all cores.
    return {"OMP_NUM_THREADS": str(max(1, runtime.threads() // count))}


def _start(
    name: str, role: str, host: str, command: Sequence[str], variables: dict[str, str], shown: bool
) -> Child:
    variables = {"DMLC_ROLE": role, **variables}
    if not shown:
        variables["TQDM_DISABLE"] = "1"
    if host != HERE:
        words = [f"{name}={value}" for name, value in variables.items()]
        line = f"cd {shlex.quote(os.getcwd())} && exec env {shlex.join([*words, *command])}"
        # With a terminal (-tt), the remote process ends when the connection ends. A machine that no longer
        # answers is given up after 45 s.
        options = ["-oBatchMode=yes", "-oServerAliveInterval=15", "-oServerAliveCountMax=3"]
        command, variables = ["ssh", "-n", "-tt", *options, host, line], {}
    output = None if shown else tempfile.TemporaryFile()
    try:
        process = subprocess.Popen(
            command,
            env={name: value for name, value in os.environ.items() if name not in runtime.set_here}
            | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C then reaches the launcher only
        )
    except OSError as error:
        raise Faults(f"{command[0]} cannot be run ({error.strerror})") from None
    return Child(f"{name} on {host}", role, process, output, remote=host != HERE)


def _watch(children: Sequence[Child]) -> None:
    """Wait until all workers are done; raise Faults as soon as any process fails."""
    running = True
    while running:
        # This precedes the look at exit codes, so that a process that fails in between is noticed.
        running = any(child.process.poll() is None for child in children if child.role == "worker")
        if failed := [child for child in children if child.process.poll()]:
            print(file=sys.stderr)  # the first worker's progress bar has not ended its line
            first = failed[0]
            message = f"{first.name} {first.ending()}{first.last_line()}: the others were ended too"
            if not all(child.rejected_input() for child in failed):  # wrong input would fail again
                message += ". The same command resumes from the last checkpoint."
            raise Faults(message)
        time.sleep(0.1)


def _end(children: Sequence[Child]) -> None:
    """End the processes that still run; kill those that do not end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            if child.process.poll() is None:
                os.killpg(child.process.pid, number)
        _wait(children)


def _wait(children: Sequence[Child]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and any(child.process.poll() is None for child in children):
        time.sleep(0.05)
