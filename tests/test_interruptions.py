"""Every stage, stopped at random moments and started again, ends as if it had never been stopped.

A few times in the ordinary tests; ``make test-kill`` does it 120 times.
"""

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
# Changes of files that a start lives to see at most.
SPANS = {"standin": 40, "training": 60, "table": 50, "report": 3, "fit": 60}
LATER = 300  # milliseconds after a change, at most: in the midst of computing or of a long file
GROWING = "images.f32", "rows.csv", "checkpoint.json"  # the others are there as they end, or not at all


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("corpora") / "Tones")


def begin(stage, out, corpus, *end):
    """The stage's process; ``end`` as in interrupted.py."""
    command = [sys.executable, SCRIPT, stage, out, corpus, out.with_suffix(".log"), *map(str, end)]
    # Several workers, so that MXNet's copies may overtake what they should wait for.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MXNET_CPU_WORKER_NTHREADS": "4"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, env=environment, start_new_session=True)


def ended(process):
    """The exit code and what it said, as a terminal shows it."""
    _, said = process.communicate()
    return process.returncode, "\n".join(line.split("\r")[-1] for line in said.decode().split("\n"))


def without_times(told):
    if isinstance(told, dict):
        return {
            name: without_times(value)
            for name, value in told.items()
            if name not in ("seconds", "training_seconds", "finished")
        }
    return [without_times(value) for value in told] if isinstance(told, list) else told


def contents(out):
    """Path -> content of every file below ``out`` but for the locks, as far as it has no times in it."""
    found = {}
    for path in sorted(out.rglob("*")):
        if not path.is_file() or path.name == ".lock":
            continue
        content = path.read_bytes()
        if path.suffix == ".json":
            content = without_times(json.loads(content))
        elif path.suffix == ".md":
            content = re.sub(r"finished \S+|\d+\.\d +\|$", "", content.decode(), flags=re.M)
        found[path.relative_to(out).as_posix()] = content
    return found


def rests(out):
    """The files that writers who were killed have left."""
    return set(out.rglob(".*.tmp"))


def check_whole(out, expected, how, before):
    """What a stopped stage left: no file that is a part of one, no rest of one where it could clean up,
    but for those that were there ``before``.
    """
    left = contents(out)
    for path, content in left.items():
        if path in expected and Path(path).name not in GROWING:
            assert content == expected[path], f"{path} is not whole"
    if how != "kill":
        assert rests(out) <= before


def noted(out, what):
    """The lines of the log that begin so, without that."""
    log = out.with_suffix(".log")
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.removeprefix(what).strip() for line in lines if line.startswith(what)]


def part(stage, path):
    """Which of a table's stages changes this file."""
    if stage != "table" or path == "beginning":
        return stage
    if path.startswith("data"):
        return "features" if "mfcc" in path else "store"
    return "training" if re.search(r"checkpoint\.json|epoch-|model\.safetensors", path) else "results"


def stopped_and_started(stage, corpus, folder, times, seed, given=None, together=1):
    """Stop the stage so often, at random; compare whenever it comes to its end; tell what was lost.

    ``given``: a folder whose content is there from the beginning. ``together``: how many do at the same time
    what is compared with, each piece of work once.
    """
    draws, ways = random.Random(seed), ["kill", *ENDS]
    out, reference = folder / "out", folder / "reference"
    for each in (out, reference) if given else ():
        shutil.copytree(given, each)
    for process in [begin(stage, reference, corpus) for _ in range(together)]:
        code, said = ended(process)
        assert code == 0, said
    expected, needed = contents(reference), len(noted(reference, "begun"))
    stopped, ends, survived = 0, 0, Counter()
    while stopped < times or not ends:
        how, moment = None, ()
        if stopped < times:
            how = ways[(stopped + seed) % len(ways)]
            more = draws.choice((0, 2000)) if how == "full" else draws.choice((0, draws.randint(1, LATER)))
            moment = how, draws.randint(0, SPANS[stage]), more
        before, killed = len(noted(out, "stopped")), rests(out)
        code, said = ended(begin(stage, out, corpus, *moment))
        told = f"{stage} {moment}: {code} {said}"
        assert code in (0, ENDS.get(how)), told
        assert how == "kill" or not re.search("Traceback|Exception|terminate|Aborted", said), told
        if code:
            if how == "full":
                assert len(re.findall(f"^error: (?:{out}|/dev/shm).*: .+", said, re.M)) == 1, told
            check_whole(out, expected, how, killed)
            stopped += 1
            where = noted(out, "stopped")[before:] or ["beginning"]
            survived[f"{part(stage, where[0])} {how}"] += 1
            continue
        assert contents(out) == expected, told
        ends += 1
        shutil.rmtree(out)
        if given:
            shutil.copytree(given, out)
    begun = len(noted(out, "begun"))
    told = ", ".join(f"{each} {count}" for each, count in sorted(survived.items()))
    print(
        f"{stage}: stopped {stopped} times ({told}), ended {ends} times with the same files; "
        f"{begun - ends * needed} of {begun} pieces of work were begun again"
    )
    assert begun >= ends * needed > 0
    return begun - ends * needed


@pytest.mark.parametrize(
    "stage, times, seed, together",
    [("standin", 2, 1, 1), ("training", 1, 1, 1), ("table", 1, 3, 2), ("fit", 1, 3, 2)],
)
def test_a_stage_that_was_stopped_or_done_by_two_ends_the_same(
    stage, times, seed, together, corpus, tmp_path
):
    assert stopped_and_started(stage, corpus, tmp_path, times, seed, together=together) < 20


@pytest.mark.kill
@pytest.mark.parametrize(
    "stage, times", [("standin", 20), ("training", 24), ("table", 40), ("report", 12), ("fit", 24)]
)
def test_a_stage_that_was_stopped_very_often_ends_the_same(stage, times, corpus, tmp_path, capfd):
    given = tmp_path / "given" if stage == "report" else None
    if given:
        assert ended(begin("table", given, corpus))[0] == 0
    again = stopped_and_started(stage, corpus, tmp_path, times, 0, given)
    with capfd.disabled():
        print(f"\n{capfd.readouterr().out}")
    if stage in ("standin", "training"):  # two clips are under way at a time, one batch
        assert again <= 2 * times
