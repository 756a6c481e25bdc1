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
        "Starts COMMAND as a worker on\nevery host, and on the first host also the scheduler and the server "
        "that connect the workers.\nEach worker trains on its share of every batch. 'localhost' is a process "
        "on this machine. ssh must\nreach every other host without a password, and the host needs this "
        "folder, the environment, the\ndata and the results at the same paths, on shared storage. If one "
        "process dies, all are ended, and\nthe same command resumes from the last checkpoint. A cluster "
        "manager may start the roles instead:\nit sets DMLC_ROLE, "
        + ", ".join(NEEDED)
        + ";\nthe scheduler and the server run `python -c 'import freqcnn_gluon, mxnet'`.",
        "--hosts localhost,gpu2 -- .venv/bin/python -m reproduce table 3 --device gpu",
    )
    command.add_argument(
        "--hosts", required=True, help="hosts of the workers, separated by commas; localhost may recur"
    )
    command.add_argument("--port", type=positive, help="the scheduler's port (default: a free one)")
    command.add_argument(
        "command", nargs="+", metavar="COMMAND", help="`… -m reproduce table` or `sensitivity`, after --"
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.training.launch import launch

    hosts = [host.strip() for host in options.hosts.split(",") if host.strip()]
    with resumable():
        launch(hosts, options.command, options.port)
