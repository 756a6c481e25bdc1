"""Check a GPU and write one JSON file to send back: ``make check-gpu``.

Each check runs in a process of its own, because a fault of CUDA spoils the rest of its process. With CPU
contexts in the GPUs' place, as in ``make check-gpu DEVICE=cpu:0,1``, the same checks run on small
spectrograms, which checks the checks.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from data_prep.base.commands import with_plain_errors  # noqa: E402
from data_prep.base.faults import Faults  # noqa: E402
from data_prep.base.files import whole  # noqa: E402
from freqcnn_gluon.devices import choose, gpus  # noqa: E402
from freqcnn_gluon.runtime import versions  # noqa: E402

CHECKS = (
    "environment numbers-table2 numbers-table7 numbers-table10 dropout resume two speed-table7 speed-table2"
    " speed-table10"
).split()
LIMIT = 1800  # seconds for a check, also on a slow machine
LINES = 40  # of a failed check's output, which the JSON file keeps


def run(command: list[str | Path]) -> tuple[str, str]:
    """Return a command's stdout, and '' or the end of its output if it fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "", f"it took more than {LIMIT} s"
    output = "\n".join((done.stderr + done.stdout).strip().splitlines()[-LINES:])
    return done.stdout, output or f"exit code {done.returncode}" if done.returncode else ""


def check(name: str, device: str, trial: bool) -> dict[str, Any]:
    """Run a check of ``tools/gpu_checks.py`` and return its finding."""
    program = ROOT / "tools/gpu_checks.py"
    output, failure = run([sys.executable, program, name, device, *(["--trial"] if trial else [])])
    if failure:
        return failed(name, failure)
    return json.loads(output.splitlines()[-1])


def table(device: str, data: Path, results: Path, trial: bool) -> dict[str, Any]:
    """Make the whole of Table 3 in the quick profile, and return a finding with each system's UAR."""
    command = [sys.executable, "-m", "reproduce", "table", "3", "--profile", "quick", "--device", device]
    command += ["--data", str(data), "--results", str(results)]
    shutil.rmtree(results, ignore_errors=True)  # so that nothing is done already
    start = time.monotonic()
    _, failure = run([*command, *(["--assume", "epochs=1"] if trial else [])])
    seconds = time.monotonic() - start
    if failure:
        return failed("table3", failure)
    reports = [
        json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*/table03/*/*/report.json")
    ]
    uar = {report["run"]["row"]: 100 * report["metrics"]["uar"] for report in reports}
    rows = ", ".join(f"{row} {value:.1f}" for row, value in uar.items())
    sentence = f"table3, quick: {len(reports)} systems in {seconds:.0f} s; UAR in %: {rows}."
    return {"verdict": "ok", "sentence": sentence, "values": {"seconds": seconds, "uar": uar}}


def failed(name: str, output: str) -> dict[str, Any]:
    last = output.splitlines()[-1]
    return {"verdict": "WRONG", "sentence": f"{name}: failed ({last})", "values": {"output": output}}


def chosen(device: str) -> str:
    """Return the device to check: for 'auto', up to two usable GPUs.

    Raises:
        Faults: If there is no usable GPU.
    """
    if device != "auto":
        kind, numbers = choose(device)
        return f"{kind}:{','.join(map(str, numbers))}"
    usable = [str(gpu.number) for gpu in gpus() if gpu.usable][:2]
    if not usable:
        raise Faults(
            "there is no GPU that MXNet's last release can use (docs/gpu.md lists them). To try the checks "
            "themselves on the CPU: make check-gpu DEVICE=cpu:0,1."
        )
    kind, numbers = choose(f"gpu:{','.join(usable)}")  # raises Faults for MXNet without CUDA
    return f"{kind}:{','.join(map(str, numbers))}"


@with_plain_errors
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a GPU and write one JSON file to send back.")
    parser.add_argument("--device", default="auto", help="as in gpu:0,1; auto: up to two usable GPUs")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the stand-in's audio")
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the JSON file")
    options = parser.parse_args(arguments)
    device = chosen(options.device)
    trial = device.startswith("cpu")
    folder = options.results.resolve() / "check-gpu"
    begun, findings = time.monotonic(), {}
    for name in (*CHECKS, "table3"):
        if name == "table3":
            findings[name] = table(device.split(",")[0], options.data.resolve(), folder, trial)
        else:
            findings[name] = check(name, device, trial)
        print(f"{findings[name]['verdict']:6} {findings[name]['sentence']}", flush=True)
    minutes = (time.monotonic() - begun) / 60
    report = {
        "device": device,
        "trial": trial,
        "minutes": minutes,
        "versions": versions(),
        "checks": findings,
    }
    path = options.results / "check-gpu.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\n{minutes:.0f} minutes. {path} has all measurements, with the names of your CPU and GPU and")
    print("the versions of driver and packages. It has nothing else about you.")
    if trial:
        print("This was a trial on the CPU. It says nothing about a GPU.")
    else:
        print("Whatever the verdicts are, please attach the file to a new issue of this project: it is the")
        print("first report from a GPU.")
    return int(any(finding["verdict"] == "WRONG" for finding in findings.values()))


if __name__ == "__main__":
    sys.exit(main())
