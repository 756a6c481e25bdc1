"""Each stage that is stopped at random moments and restarted ends with the same files as without a stop.

The ordinary tests stop each stage once, and ``make test-kill`` 120 times.
"""

import functools
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tones import write_tones

SCRIPT = Path(__file__).with_name("interrupted.py")
ENDS = {"kill": -9, "interrupt": 130, "full": 1}
# The largest number of file changes after which a process is stopped.
SPANS = {"standin": 40, "training": 60, "table": 50, "report": 3, "fit": 60}
LATER = 300  # most milliseconds after a change, to stop within computations and long writes too
GROWING = (
    "images.f32",
    "rows.csv",
    "checkpoint.json",
)  # other files either have their final content or do not exist


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("corpora") / "Tones")


@functools.cache
def server():
    """Return the process that starts the stages; it ends with its stdin."""
    # Several engine threads, so that a copy that does not wait for its source shows up as an error. Forked
    # processes take the second variable.
    threads = {"MXNET_CPU_WORKER_NTHREADS": "4", "MXNET_MP_WORKER_NTHREADS": "4"}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | threads
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, SCRIPT, "serve"], **pipes, env=environment)


@pytest.fixture(scope="module", autouse=True)
def server_ends():
    yield
    if server.cache_info().currsize:
        server().communicate(timeout=60)


def answer(request):
    server().stdin.write(json.dumps(request) + "\n")
    server().stdin.flush()
    return int(server().stdout.readline())


def begin(stage, out, corpus, *end):
    """Start the stage in a process; ``end`` is HOW, N and MORE of interrupted.py.

    Returns:
        The number of the process, and the end of a pipe from its stderr.
    """
    source, target = os.pipe()
    words = [stage, out, corpus, out.with_suffix(".log"), *end]
    number = answer([f"/proc/{os.getpid()}/fd/{target}", [str(word) for word in words]])
    os.close(target)
    return number, source


def ended(process):
    """Return the exit code and stderr as a terminal shows it."""
    number, source = process
    with open(source, "rb") as errors:
        output = errors.read().decode()
    return answer(number), "\n".join(line.split("\r")[-1] for line in output.split("\n"))


def without_times(content):
    """Return JSON content without the times in it."""
    if isinstance(content, dict):
        return {
            name: without_times(value)
            for name, value in content.items()
            if name not in ("seconds", "training_seconds", "finished", "compute")
        }
    return [without_times(value) for value in content] if isinstance(content, list) else content


def contents(out):
    """Return path -> content without times, for every file below ``out`` except locks."""
    files = {}
    for path in sorted(out.rglob("*")):
        if not path.is_file() or path.name == ".lock":
            continue
        content = path.read_bytes()
        if path.suffix == ".json":
            content = without_times(json.loads(content))
        elif path.suffix == ".md":
            content = re.sub(r"finished:? \S+|\d+\.\d +\|$", "", content.decode(), flags=re.M)
        elif path.suffix == ".html":
            content = re.sub(r"\d{4}-\d\d-\d\dT[\d:+]+|(?<=training seconds)\D+[\d.]+", "", content.decode())
        files[path.relative_to(out).as_posix()] = content
    return files


def leftovers(out):
    """Return the temporary files that killed writers have left."""
    return set(out.rglob(".*.tmp"))


def check_whole(out, expected, how, before):
    """Check that a stopped stage left no incomplete file.

    If it could clean up, it left no temporary file either, except those that existed ``before``.
    """
    left = contents(out)
    for path, content in left.items():
        if path in expected and Path(path).name not in GROWING:
            assert content == expected[path], f"{path} is incomplete"
    if how != "kill":
        assert leftovers(out) <= before


def logged(out, event):
    """Return the rest of each line of the log that begins with ``event``."""
    log = out.with_suffix(".log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.removeprefix(event).strip() for line in lines if line.startswith(event)]


def part(stage, path):
    """Return which part of the stage changes this file."""
    if stage != "table" or path == "beginning":
        return stage
    if path.startswith("data"):
        return "features" if "mfcc" in path else "store"
    return "training" if re.search(r"checkpoint\.json|epoch-|model\.safetensors", path) else "results"


def stopped_and_started(stage, corpus, folder, times, seed, initial=None, together=1):
    """Stop a stage at random, restart it until it ends, and compare; return how much work was repeated.

    Args:
        stage: Name of the stage.
        corpus: Folder of its recordings.
        folder: Folder to work in.
        times: Number of stops.
        seed: Seed of the moments.
        initial: Folder whose content exists at the beginning, or None.
        together: Number of processes that make the reference at the same time, sharing the work.
    """
    draws, ways = random.Random(seed), ["kill", *ENDS]
    out, reference = folder / "out", folder / "reference"
    for copy in (out, reference) if initial else ():
        shutil.copytree(initial, copy)
    for process in [begin(stage, reference, corpus) for _ in range(together)]:
        code, output = ended(process)
        assert code == 0, output
    expected, needed = contents(reference), len(logged(reference, "begun"))
    stopped, ends, survived = 0, 0, Counter()
    while stopped < times or not ends:
        how, moment = None, ()
        if stopped < times:
            how = ways[(stopped + seed) % len(ways)]
            more = draws.choice((0, 2000)) if how == "full" else draws.choice((0, draws.randint(1, LATER)))
            moment = how, draws.randint(0, SPANS[stage]), more
        before, killed = len(logged(out, "stopped")), leftovers(out)
        code, output = ended(begin(stage, out, corpus, *moment))
        message = f"{stage} {moment}: {code} {output}"
        assert code in (0, ENDS.get(how)), message
        assert how == "kill" or not re.search("Traceback|Exception|terminate|Aborted", output), message
        if code:
            if how == "full":
                assert len(re.findall(f"^error: (?:{out}|/dev/shm).*: .+", output, re.M)) == 1, message
            check_whole(out, expected, how, killed)
            stopped += 1
            where = logged(out, "stopped")[before:] or ["beginning"]
            survived[f"{part(stage, where[0])} {how}"] += 1
            continue
        assert contents(out) == expected, message
        ends += 1
        shutil.rmtree(out)
        if initial:
            shutil.copytree(initial, out)
    begun = len(logged(out, "begun"))
    counts = ", ".join(f"{stop} {count}" for stop, count in sorted(survived.items()))
    print(
        f"{stage}: stopped {stopped} times ({counts}), ended {ends} times with the same files; "
        f"{begun - ends * needed} of {begun} pieces of work were repeated"
    )
    assert begun >= ends * needed > 0
    return begun - ends * needed


@pytest.mark.parametrize(
    "stage, times, seed, together",
    [("standin", 1, 2, 1), ("training", 1, 1, 1), ("table", 1, 3, 2), ("fit", 1, 3, 2)],
)
def test_a_stage_that_is_stopped_or_shared_by_two_processes_ends_the_same(
    stage, times, seed, together, corpus, tmp_path
):
    assert stopped_and_started(stage, corpus, tmp_path, times, seed, together=together) < 20


@pytest.mark.kill
@pytest.mark.parametrize(
    "stage, times", [("standin", 20), ("training", 24), ("table", 40), ("report", 12), ("fit", 24)]
)
def test_a_stage_that_is_stopped_very_often_ends_the_same(stage, times, corpus, tmp_path, capfd):
    initial = tmp_path / "initial" if stage == "report" else None
    if initial:
        assert ended(begin("table", initial, corpus))[0] == 0
    repeated = stopped_and_started(stage, corpus, tmp_path, times, 0, initial)
    with capfd.disabled():
        print(f"\n{capfd.readouterr().out}")
    if stage in ("standin", "training"):  # at most two clips, or one batch, are unfinished at any time
        assert repeated <= 2 * times
