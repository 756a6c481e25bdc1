"""The pool does short work in its own process and long work in processes that end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from joblib.externals import loky

from data_prep.base import cores, processes
from data_prep.base.faults import Faults
from data_prep.base.processes import apart, pool

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def at_once(monkeypatch):
    """Start the processes with the first item."""
    monkeypatch.setattr(processes, "PATIENCE", 0.0)


def _where(number: int) -> tuple[int, int]:
    time.sleep(0.01)
    return number, os.getpid()


def _no_semaphores(*_, **__):
    raise OSError(30, "Read-only file system")


def _daemon(number: int) -> list[int]:
    with pool(2) as stream:
        return [process for _, process in stream(_where, range(3))]


def _end(signal_number: int) -> None:
    os.kill(os.getpid(), signal_number)


def _refuse(number: int) -> int:
    time.sleep(0.1 / (1 + number))  # so that later items end earlier
    if number % 2:
        raise Faults([f"{number} is odd", "one is odd"])
    return number


def _lack(number: int) -> None:
    raise MemoryError


def test_results_come_in_order_from_several_processes(at_once):
    with pool(2) as stream:
        results = list(stream(_where, range(200)))
    assert [number for number, _ in results] == list(range(200))
    assert len({process for _, process in results}) == 2 and (199, os.getpid()) not in results


def test_short_work_and_a_single_job_stay_in_this_process(monkeypatch):
    monkeypatch.setattr(loky, "ProcessPoolExecutor", None)
    with pool(2) as stream:
        assert {process for _, process in stream(_where, range(5))} == {os.getpid()}
    monkeypatch.setattr(processes, "PATIENCE", 0.0)
    for jobs, items in ((1, None), (4, 1)):
        with pool(jobs, items) as stream:
            assert {process for _, process in stream(_where, range(5))} == {os.getpid()}


def test_processes_start_after_a_second_of_work(monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.05)
    with pool(2) as stream:
        results = [process for _, process in stream(_where, range(60))]
    first = results.count(os.getpid())
    assert 1 <= first <= 5 and results[:first] == [os.getpid()] * first


def test_a_daemon_and_a_system_without_semaphores_do_without_processes(at_once, monkeypatch):
    with multiprocessing.get_context("spawn").Pool(1) as daemons:
        (inside,) = daemons.map(_daemon, [0])
    assert len(set(inside)) == 1

    monkeypatch.setattr(loky, "ProcessPoolExecutor", _no_semaphores)
    with pool(2) as stream:
        assert {process for _, process in stream(_where, range(5))} == {os.getpid()}


@pytest.mark.parametrize("given", ["file", "stdin"])
def test_a_script_needs_no_guard(given, tmp_path):
    script = (
        "import multiprocessing, sys; multiprocessing.set_start_method('spawn'); print('started')\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from data_prep.base import processes; processes.PATIENCE = 0\n"
        "with processes.pool(2) as stream: print(list(stream(abs, range(-3, 0))))\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script)
    words, text = ([path], None) if given == "file" else (["-"], script)
    done = subprocess.run([sys.executable, *map(str, words)], input=text, text=True, capture_output=True)
    assert (done.stdout, done.stderr) == ("started\n[3, 2, 1]\n", "")


def test_threads_may_use_pools_at_the_same_time(at_once):
    results = {}

    def work(name: int) -> None:
        with pool(2) as stream:
            results[name] = [number for number, _ in stream(_where, range(20))]

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert results == dict.fromkeys(range(3), list(range(20)))


@pytest.mark.parametrize(
    ("function", "item", "sentence"),
    [
        (
            _end,
            signal.SIGKILL,
            "a process was killed, most likely for lack of memory; run again with fewer jobs",
        ),
        (_end, signal.SIGTERM, "a process ended early (SIGTERM); run again with one job"),
        (_lack, 0, "there is not enough memory for 2 jobs; run again with fewer jobs"),
    ],
)
def test_only_a_killed_process_is_reported_as_killed(at_once, function, item, sentence):
    with pytest.raises(Faults) as faults, pool(2) as stream:
        list(stream(function, [item, item]))
    assert str(faults.value).startswith(sentence)


def test_long_tasks_are_done_in_other_processes_in_the_environment_of_the_call(monkeypatch):
    monkeypatch.setenv("FREQCNN_TEST", "set later")
    done: list[None] = []
    results = apart(os.getenv, ["FREQCNN_TEST"] * 3, 2, lambda: done.append(None))
    assert results == ["set later"] * 3 and len(done) == 3
    numbers, places = zip(*apart(_where, range(6), 3))
    assert numbers == tuple(range(6)) and os.getpid() not in places and 1 <= len(set(places)) <= 3
    monkeypatch.setattr(loky, "ProcessPoolExecutor", _no_semaphores)
    assert {place for _, place in apart(_where, range(3), 2)} == {os.getpid()}


def test_all_faults_of_long_tasks_are_reported():
    done: list[None] = []
    with pytest.raises(Faults) as faults:
        apart(_refuse, range(4), 4, lambda: done.append(None))
    assert faults.value.faults == ["1 is odd", "one is odd", "3 is odd"] and len(done) == 2
    with pytest.raises(Faults, match="^a process was killed, most likely for lack of memory"):
        apart(_end, [signal.SIGKILL], 2)
    with pytest.raises(Faults, match="^there is not enough memory for 2 jobs"):
        apart(_lack, [0, 0], 2)


def test_a_memory_error_of_the_caller_is_left_alone(at_once):
    with pytest.raises(MemoryError), pool(2) as stream:
        assert list(stream(abs, [-1, 2])) == [1, 2]
        raise MemoryError
    with pytest.raises(Faults, match="^there is not enough memory for 1 job; close"), pool(1) as stream:
        list(stream(_lack, [0]))


def _runs(process: int) -> bool:
    """Whether a process exists and is not a zombie, for whom only its init has to ask."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
@pytest.mark.parametrize("kind", ["pool", "apart"])
def test_a_stopped_parent_leaves_nobody_behind(kind, how, code):
    """``kill -9`` of the parent alone, and Ctrl-C, which the whole group gets."""
    script = (
        "import os, sys, time\n"
        "from data_prep.base import processes; from data_prep.base.commands import with_plain_errors\n"
        "processes.PATIENCE = 0\n"
        "def work(number): time.sleep(0.2); return os.getpid()\n"
        "def long(number): os.write(1, b'%d\\n' % os.getpid()); time.sleep(600)\n"
        "@with_plain_errors\n"
        "def main():\n"
        f"    if {kind == 'apart'}: processes.apart(long, range(6), 2)\n"
        "    with processes.pool(2) as stream:\n"
        "        for process in stream(work, range(10_000)): print(process, flush=True)\n"
        "raise SystemExit(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
        start_new_session=True,
    )
    workers: set[int] = set()
    while len(workers) < 2:  # on a busy machine, the second process of the pool starts late
        workers.add(int(process.stdout.readline()))
    (os.kill if how == signal.SIGKILL else os.killpg)(process.pid, how)
    _, output = process.communicate(timeout=60)  # ends when nobody holds the pipes any more
    assert process.returncode == code
    assert output == ("" if how == signal.SIGKILL else "stopped\n")
    until = time.monotonic() + 20
    while any(map(_runs, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(map(_runs, workers))


def test_processes_are_within_the_quota_and_no_more_than_there_are_items(monkeypatch, at_once):
    monkeypatch.setattr(cores, "_quotas", lambda: [3])
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    assert cores.processors() == 3
    started = []

    class Executor(loky.ProcessPoolExecutor):
        def __init__(self, jobs, **options):
            started.append(jobs)
            super().__init__(jobs, **options)

    monkeypatch.setattr(loky, "ProcessPoolExecutor", Executor)
    for jobs, items in ((None, None), (None, 2), (3, 1), (2, 9), (2, 0)):
        with pool(jobs, items) as stream:
            assert list(stream(abs, range(8))) == list(range(8))
    assert started == [3, 2, 2]
    with pytest.raises(Faults, match="the number of jobs is 0"), pool(0):
        pass
