"""Read and validate report.json, failed.json and tableNN.json or compare.json, which list a table's reports.

A table's number comes from a report's counts, and the counts come from its predictions. A file that was
truncated, edited, exchanged or written by an older version raises Faults; its numbers are never shown.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from data_prep.base.faults import Faults, of_each
from reproduce.options import COMPARE
from reproduce.runs.run import Run
from reproduce.sources import PAPER
from reproduce.tables import TRAINED, System, Table, stem, trained
from reproduce.tables.compare import comparison

__all__ = [
    "Report",
    "as_json",
    "devices_of",
    "done",
    "links",
    "read",
    "recorded",
    "reports_by_table",
    "reports_in",
    "reports_of",
    "table_of",
]

SETTINGS = "learning_rate schedule momentum weight_decay micro_batch".split()
COMPUTE = "cores threads memory_gb wall_seconds cpu_seconds peak_memory_gb".split()
CLOSE = 1e-9  # how far a stated share may be from the recomputed one


@dataclass(frozen=True)
class Report:
    """A report.json, or the failed.json of a run that diverged.

    Attributes:
        link: The file's path below the source's folder of results.
        content: The file's content.
    """

    link: str
    content: dict[str, Any]

    @property
    def fault(self) -> str:
        """Why the run failed; empty if it did not."""
        return self.content.get("fault", "")


def reports_of(system: System, reports: Sequence[Report]) -> list[Report]:
    """Select the reports of one system, in the order given."""
    home = (system.home, system.name)
    return [
        report for report in reports if (report.content["run"]["table"], report.content["run"]["row"]) == home
    ]


def devices_of(reports: Sequence[Report]) -> list[str]:
    """List the devices, such as 'cpu(0)', that some of the reports state, each once."""
    return sorted({device for report in reports for device in report.content["device"]})


def read(path: Path) -> dict[str, Any]:
    """Return the content of a report.json or failed.json.

    Raises:
        Faults: The file is missing, cannot be read, or is not valid.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        _check_run(content["run"])
        if path.name == "failed.json":
            _check_failed(content)
        else:
            _check(content)
    except FileNotFoundError:
        raise Faults(f"{path}: is missing") from None
    except OSError as error:
        raise Faults(f"{path}: cannot be read ({error.strerror})") from None
    except KeyError as error:
        raise _refused(path, f"it lacks {error}") from None
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError, OverflowError) as error:
        raise _refused(path, str(error) or type(error).__name__) from None
    return content


def _refused(path: Path, reason: str) -> Faults:
    return Faults(
        f"{path}: is damaged or of another version ({reason.splitlines()[0]}); delete it, and run the "
        "command that wrote it again"
    )


def links(listed: Path) -> list[str]:
    """Return the reports that a tableNN.json lists, as paths below its folder.

    Raises:
        Faults: The file is missing, cannot be read, or is not such a list.
    """
    try:
        paths = json.loads(listed.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Faults(f"{listed}: is missing, so there are no reports of its table") from None
    except OSError as error:
        raise Faults(f"{listed}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise _refused(listed, str(error)) from None
    if not isinstance(paths, list) or not paths or not all(isinstance(link, str) for link in paths):
        raise _refused(listed, "it is not a list of reports")
    for link in paths:
        path = PurePosixPath(link)
        if path.is_absolute() or ".." in path.parts or path.name not in ("report.json", "failed.json"):
            raise _refused(listed, f"{link!r} is not a report below its folder")
    return paths


def _check_run(run: Mapping[str, Any]) -> None:
    names = [field.name for field in fields(Run)]
    if missing := [name for name in names if name not in run]:
        raise ValueError(f"its run lacks {', '.join(missing)}")
    if unknown := sorted(set(run) - set(names)):
        raise ValueError(f"its run has the unknown fields {', '.join(unknown)}")
    _check_types(run, str, "source", "row", "system", "fold", "profile", "data")
    _check_types(run, int, "table", "seed")
    for name in ("size", "batch_size"):
        if run[name] is not None:
            _check_types(run, int, name)
    if not all(isinstance(group, dict) for group in [run["choices"], *run["choices"].values()]):
        raise ValueError("its choices are not objects")
    if (run["source"], run["profile"]) == (PAPER, "quick"):
        raise ValueError("its profile is 'quick', but it is among the reports with the paper's sizes")


def _check_types(content: Mapping[str, Any], kind: type, *names: str) -> None:
    for name in names:
        if type(content[name]) is not kind:
            raise ValueError(f"its {name} is {str(content[name]):.40}")


def _check_numbers(content: Mapping[str, Any], *names: str) -> None:
    for name in names:
        value = content[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"its {name} is {str(value):.40}")


def _check_failed(content: Mapping[str, Any]) -> None:
    _check_types(content, str, "fault", "finished")
    _check_types(content, list, "labels", "device")
    _check_types(content, dict, "versions")


def _check(content: Mapping[str, Any]) -> None:
    """Raise ValueError, KeyError or TypeError if no run writes such a report."""
    if "fault" in content:
        raise ValueError("it belongs to a run that failed")
    labels = content["labels"]
    if len(set(labels)) < len(labels) or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError("its labels are not distinct names")
    _check_types(content, list, "remarks", "device", "history")
    _check_types(content, dict, "versions", "settings", "clips", "predictions")
    _check_types(content, str, "finished")
    _check_types(content["clips"], int, "train", "test")
    if not content["device"] or not all(re.fullmatch(r"\w+\(\d+\)", name) for name in content["device"]):
        raise ValueError("its device is not a list such as cpu(0)")
    _check_numbers(content, "training_seconds")
    if "compute" in content:  # older reports do not state it
        _check_compute(content["compute"])
    counts = _confusion(labels, content["predictions"])
    if counts.sum() != content["clips"]["test"]:
        raise ValueError(f"it has {counts.sum()} predictions of {content['clips']['test']} clips")
    if content["metrics"]["confusion"] != counts.tolist():
        raise ValueError("its counts do not match its predictions")
    _check_shares(content["metrics"], counts)
    if "speakers" in content:  # Older reports do not state them.
        _check_types(content, dict, "speakers")
        if sorted(chain(*content["speakers"].values())) != sorted(content["predictions"]):
            raise ValueError("its speakers do not have each clip once")
    if content["history"]:
        _check_history(content)
    elif "1-EER" in content.get("measures", {}):
        _check_numbers(content["measures"], "1-EER", "threshold", "targets")


def _check_compute(compute: Mapping[str, Any]) -> None:
    _check_types(compute, str, "cpu")
    _check_numbers(compute, *COMPUTE)
    if not isinstance(compute["gpus"], list) or not all(isinstance(name, str) for name in compute["gpus"]):
        raise ValueError("its gpus are not a list of names")
    if min(compute[name] for name in COMPUTE) < 0:
        raise ValueError("its compute has a negative number")


def _confusion(labels: list[str], predictions: Mapping[str, Any]) -> np.ndarray:
    """Count the predictions (true, predicted), and check their probabilities."""
    number = {label: index for index, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    for clip, prediction in predictions.items():
        counts[number[prediction["true"]], number[prediction["predicted"]]] += 1
        shares = prediction["probability"]
        if len(shares) != len(labels) or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"clip {clip!r} does not have one probability in 0..1 for each label")
        if shares[number[prediction["predicted"]]] < max(shares):
            raise ValueError(f"the prediction of clip {clip!r} is not its most probable class")
    return counts


def _check_shares(metrics: Mapping[str, Any], counts: np.ndarray) -> None:
    present = counts.sum(axis=1) > 0
    recalls = counts.diagonal()[present] / counts[present].sum(axis=1)
    for name, share in (("accuracy", counts.trace() / counts.sum()), ("uar", recalls.mean())):
        _check_numbers(metrics, name)
        if abs(metrics[name] - share) > CLOSE:
            raise ValueError(f"its {name} does not match its counts")


def _check_history(content: Mapping[str, Any]) -> None:
    history = content["history"]
    _check_types(content, int, "parameters", "best_epoch_on_test")
    _check_types(content["run"]["choices"], dict, "image", "network", "training")
    _check_numbers(content["settings"], *(name for name in SETTINGS if name != "schedule"))
    for number, entry in enumerate(history, 1):
        _check_numbers(entry, "loss", "accuracy", "seconds")
        _check_numbers(entry["test"], "uar", "accuracy")
        if entry["epoch"] != number:
            raise ValueError("its epochs are not numbered 1, 2, ...")
    if history[-1]["test"] != content["metrics"]:
        raise ValueError("its metrics do not match its last epoch")
    best = max(history, key=lambda entry: entry["test"]["uar"])["epoch"]
    if content["best_epoch_on_test"] != best:
        raise ValueError("its best epoch is not the one with the highest UAR")
    content["settings"]["schedule"]  # raises KeyError if it is missing


def done(run: Run, results: Path) -> dict[str, Any] | None:
    """Return the report of a run, or None if it is not done.

    Raises:
        Faults: The report is damaged, or it is another run's.
    """
    return recorded(run, run.folder(results) / "report.json")


def recorded(run: Run, path: Path) -> dict[str, Any] | None:
    """Return the content of a report.json or failed.json of ``run``, or None if there is no such file.

    Raises:
        Faults: The file is damaged, or it is another run's.
    """
    if not path.exists():
        return None
    content = read(path)
    if content["run"] != json.loads(json.dumps(asdict(run))):
        raise Faults(f"{path}: does not belong to the run in its folder's name; move it back, or delete it")
    return content


def reports_in(folder: Path, number: int) -> list[Report]:
    """Return the reports that ``folder``/tableNN.json or compare.json lists, in its order and each once.

    Raises:
        Faults: Everything that is wrong: the list or a report is missing or damaged, a report is in another
            run's folder, or the reports do not belong to one table.
    """
    listed = folder / f"{stem(number)}.json"
    reports, faults = [], []
    for link in dict.fromkeys(links(listed)):
        path = folder / link
        try:
            content = read(path)
        except Faults as fault:
            faults += fault.faults
            continue
        if Run(**content["run"]).folder(folder.parent) != path.parent:
            faults.append(f"{path}: does not belong to the run in its folder's name; move it back")
        reports.append(Report(link, content))
    if not faults:
        command = "compare" if number == COMPARE else f"table{number}"
        remedy = f"`make {command}` writes the list of the table's reports again"
        faults = [f"{listed}: {fault}; {remedy}" for fault in _mismatches(table_of(number, reports), reports)]
    if faults:
        raise Faults(faults)
    return reports


def reports_by_table(folder: Path) -> dict[int, list[Report]]:
    """Return the reports of every table of results that a source's folder has.

    Raises:
        Faults: Everything that is wrong in any of the tables, as in ``reports_in``.
    """
    numbers = [number for number in (*TRAINED, COMPARE) if (folder / f"{stem(number)}.json").exists()]
    return dict(zip(numbers, of_each(partial(reports_in, folder), numbers)))


def table_of(number: int, reports: Sequence[Report]) -> Table:
    """Return the table with this number. A comparison has the systems and the folds of its reports."""
    if number != COMPARE:
        return trained(number)
    runs = [report.content["run"] for report in reports]
    systems = dict.fromkeys((run["row"], run["system"]) for run in runs)
    folds = sorted({run["fold"] for run in runs}, key=lambda fold: (len(fold), fold))
    data = {"hold_out": "fold"} | runs[0]["choices"].get("data", {})
    return comparison([System(COMPARE, *names) for names in systems], folds, data)


def _mismatches(table: Table, reports: Sequence[Report]) -> list[str]:
    """List the reasons why the reports cannot belong to one table."""
    faults = []
    for name in ("data", "profile"):
        if len({report.content["run"][name] for report in reports}) > 1:
            faults.append(f"its reports have more than one {name}")
    if len({tuple(report.content["labels"]) for report in reports}) > 1:
        faults.append("its reports have different labels")
    rows: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for report in reports:
        run = report.content["run"]
        rows.setdefault((run["table"], run["row"]), []).append((run["seed"], run["fold"]))
    homes = {(system.home, system.name) for system in table.systems()}
    for (home, row), runs in rows.items():
        if (home, row) not in homes:
            faults.append(f"{row} is not a row of table {table.number}")
            continue
        seeds = {seed for seed, _ in runs}
        if sorted(runs) != sorted((seed, fold) for seed in seeds for fold in table.folds):
            faults.append(f"{row} does not have one report for each fold and seed")
    return faults


def as_json(report: dict[str, Any]) -> str:
    """Return indented JSON in which a list of numbers or names stays on one line."""

    def joined(leaf: re.Match) -> str:  # without the breaks of the indentation; names may have spaces
        return re.sub(r"\n *", " ", re.sub(r"(?<=\[)\n *|\n *(?=\])", "", leaf[0]))

    return re.sub(r"\[[^\[\]{}]*\]", joined, json.dumps(report, indent=1))
