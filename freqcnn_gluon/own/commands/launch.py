"""`freqcnn launch`: train the paper's tables on several machines."""

from __future__ import annotations

import argparse

from data_prep.base.commands import positive, resumable
from freqcnn_gluon.own.commands.parser import Commands, add_command
from freqcnn_gluon.training.workers import NEEDED


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "launch",
        run,
        "train the paper's tables on several machines",
        "Start COMMAND as a worker on every host, and on the first host also the scheduler and the server "
        "that connect the workers. Each worker trains on its share of every batch. If a process dies, all "
        "others are stopped, and the same command resumes from the last checkpoint.\n\n"
        "'localhost' is a process on this machine. ssh must reach every other host without a password. Every "
        "host needs this folder, the environment, the data and the results at the same paths, on shared "
        "storage.\n\n"
        f"A cluster manager can start the processes instead. It must set DMLC_ROLE, {', '.join(NEEDED)}. The "
        "scheduler and the server then run this command:\n\npython -c 'import freqcnn_gluon, mxnet'",
        "--hosts localhost,gpu2 -- .venv/bin/python -m reproduce table 3 --device gpu",
    )
    command.add_argument(
        "--hosts", required=True, help="hosts of the workers, separated by commas; localhost may be repeated"
    )
    command.add_argument("--port", type=positive, help="the scheduler's port (default: a free one)")
    command.add_argument(
        "command",
        nargs="+",
        metavar="COMMAND",
        help="command to run, such as `… -m reproduce table 3`; write it after --",
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.training.launch import launch

    hosts = [host.strip() for host in options.hosts.split(",") if host.strip()]
    with resumable():
        launch(hosts, options.command, options.port)
