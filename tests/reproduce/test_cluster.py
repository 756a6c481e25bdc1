"""A wrong address of a Dask scheduler ends in time, with one sentence and before anything is prepared."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from distributed import LocalCluster

from data_prep.base.faults import Faults
from reproduce.__main__ import main
from reproduce.runs import cluster

ROOT = Path(__file__).parents[2]


class Silent(http.server.SimpleHTTPRequestHandler):
    """A handler of web requests that logs nothing."""

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def ports():
    """Return the ports of a web server, a silent server, servers with other protocols, and a closed one."""
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    listening, held = {}, []
    for name, greeting in (("silent", b""), ("ssh", b"SSH-2.0-OpenSSH_9.2p1\r\n"), ("zeros", bytes(4096))):
        server = listening[name] = socket.create_server(("127.0.0.1", 0))

        def greet(server=server, greeting=greeting):
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:  # the test is over
                    return
                held.append(connection)
                connection.sendall(greeting)

        threading.Thread(target=greet, daemon=True).start()
    closed = socket.create_server(("127.0.0.1", 0))
    free = closed.getsockname()[1]
    closed.close()
    found = {name: server.getsockname()[1] for name, server in listening.items()}
    yield found | {"web": web.server_port, "closed": free}
    web.shutdown()
    web.server_close()
    for item in (*listening.values(), *held):
        item.close()


@pytest.fixture(scope="module")
def dask_cluster():
    settings = {"n_workers": 1, "processes": False, "dashboard_address": ":0", "protocol": "tcp"}
    with LocalCluster(**settings) as made:
        yield made


WRONG = {
    "tcp://127.0.0.1:{web}": "no Dask server answered there within",
    "127.0.0.1:{web}": "no Dask server answered there within",
    "tcp://127.0.0.1:{silent}": "no Dask server answered there within",
    "tcp://127.0.0.1:{ssh}": "not Dask",
    "tcp://127.0.0.1:{zeros}": "",
    "tcp://127.0.0.1:{closed}": "",
    "tcp://no-such-host.invalid:8786": "",
    "tcp://127.0.0.1": "missing port",
    "http://127.0.0.1:{web}": "unknown address scheme 'http'",
    "tls://127.0.0.1:{web}": "TLS",
    "ws://127.0.0.1:{web}": "",
    "inproc://x": "",
    "tcp://127.0.0.1:abc": "",
    "tcp://127.0.0.1:99999": "",
    "foo bar": "missing port",
    "": "",
}


@pytest.mark.parametrize("address", WRONG)
def test_a_wrong_address_is_one_sentence_in_time(address, ports, monkeypatch, capfd):
    monkeypatch.setattr(cluster, "SECONDS", 3)
    address, reason, began = address.format(**ports), WRONG[address], time.monotonic()
    with pytest.raises(Faults) as raised:
        cluster.check(address)
    assert time.monotonic() - began < 15  # 3 s, on a busy machine too
    (sentence,) = raised.value.faults
    assert sentence.startswith(f"no Dask scheduler answers at {address} (") and "\n" not in sentence
    assert reason in sentence and "EiB" not in sentence and " (): " not in sentence
    assert "`.venv/bin/python -m dask scheduler`" in sentence
    assert capfd.readouterr() == ("", "")


def test_the_dashboards_port_and_a_workers_are_recognised(dask_cluster, monkeypatch, capfd):
    monkeypatch.setattr(cluster, "SECONDS", 3)
    scheduler = dask_cluster.scheduler_address
    cluster.check(scheduler)
    (worker,) = (worker.address for worker in dask_cluster.workers.values())
    with pytest.raises(Faults, match=f"^{worker} is the address of a Dask Worker.*: give {scheduler}"):
        cluster.check(worker)
    dashboard = dask_cluster.dashboard_link.rpartition("/")[0].rpartition(":")[2]
    with pytest.raises(
        Faults, match="no Dask server answered there within 3 s; the scheduler's port is usually 8786"
    ):
        cluster.check(f"tcp://127.0.0.1:{dashboard}")
    assert capfd.readouterr() == ("", "")


COMMAND = "table 3 --profile quick --device cpu --scheduler"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:{silent}", "tcp://127.0.0.1"])
def test_a_command_with_a_wrong_address_prepares_nothing(address, ports, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(cluster, "SECONDS", 3)
    folders = ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "results")]
    assert main([*COMMAND.split(), address.format(**ports), *folders]) == 1
    output, errors = capfd.readouterr()
    assert output == "" and errors.count("\n") == 1
    assert errors.startswith("error: no Dask scheduler answers")
    assert list(tmp_path.iterdir()) == []


def test_a_process_with_a_wrong_address_ends_with_one_sentence(ports, tmp_path):
    """Threads of the client could print until the process has ended."""
    words, address = ["-m", "reproduce", *COMMAND.split()], "tcp://127.0.0.1:{ssh}".format(**ports)
    folders = ["--data", tmp_path / "data", "--results", tmp_path / "results"]
    done = subprocess.run(
        [sys.executable, *words, address, *folders],
        cwd=ROOT,
        text=True,
        capture_output=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("error: no Dask scheduler answers") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
