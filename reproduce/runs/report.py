"""report.json and failed.json read again: whole, of this version, and not at odds with themselves.

A number of a table comes from a report's counts, and the counts from its predictions: a file that was cut,
edited, put in another's place or written by an older version is told, and never shown.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

import numpy as np

from data_prep.base.faults import Faults
from reproduce.runs.run import Run
from reproduce.sources import PAPER
from reproduce.tables import TABLES, System, Table

__all__ = ["Report", "as_json", "done", "links", "read", "recorded", "reports_in", "reports_of"]

SETTINGS = "learning_rate schedule momentum weight_decay micro_batch".split()
CLOSE = 1e-9  # of a share that is counted again


@dataclass(frozen=True)
class Report:
    """A report.json, or the failed.json of a run that diverged: its ``content``, and its path below the
    source's folder of results.
    """

    link: str
    content: dict

    @property
    def fault(self) -> str:
        """Why the run failed; empty if it did not."""
        return self.content.get("fault", "")


def reports_of(system: System, reports: Sequence[Report]) -> list[Report]:
    """The reports of one system, in the order given."""
    home = (system.home, system.name)
    return [
        report for report in reports if (report.content["run"]["table"], report.content["run"]["row"]) == home
    ]


def read(path: Path) -> dict:
    """The content of a report.json or failed.json. Raises Faults, which name it, for what is neither."""
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


def _refused(path: Path, why: str) -> Faults:
    return Faults(
        f"{path}: is damaged or of another version ({why.splitlines()[0]}); delete it, and the command that "
        "made it makes it again"
    )


def links(listed: Path) -> list[str]:
    """The reports that a tableNN.json names, as paths below its folder. Raises Faults, which name it."""
    try:
        found = json.loads(listed.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Faults(f"{listed}: is missing, so there are no reports of its table") from None
    except OSError as error:
        raise Faults(f"{listed}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise _refused(listed, str(error)) from None
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise _refused(listed, "it is no list of reports")
    for link in found:
        path = PurePosixPath(link)
        if path.is_absolute() or ".." in path.parts or path.name not in ("report.json", "failed.json"):
            raise _refused(listed, f"{link!r} is no report below its folder")
    return found


def _check_run(run: Mapping) -> None:
    names = [field.name for field in fields(Run)]
    if missing := [name for name in names if name not in run]:
        raise ValueError(f"its run lacks {', '.join(missing)}")
    if more := sorted(set(run) - set(names)):
        raise ValueError(f"no run of this version has {', '.join(more)}")
    _typed(run, str, "source", "row", "system", "fold", "profile", "data")
    _typed(run, int, "table", "seed")
    for name in ("size", "batch_size"):
        if run[name] is not None:
            _typed(run, int, name)
    if not all(isinstance(each, dict) for each in [run["choices"], *run["choices"].values()]):
        raise ValueError("its choices are none")
    if (run["source"], run["profile"]) == (PAPER, "quick"):
        raise ValueError("it is quick and among those of the paper's sizes")


def _typed(content: Mapping, kind: type, *names: str) -> None:
    for name in names:
        if type(content[name]) is not kind:
            raise ValueError(f"its {name} is {str(content[name]):.40}")


def _check_failed(content: Mapping) -> None:
    _typed(content, str, "fault", "finished")
    _typed(content, list, "labels", "device")
    _typed(content, dict, "versions")


def _check(content: Mapping) -> None:
    """Raise ValueError, KeyError or TypeError for what no run leaves."""
    if "fault" in content:
        raise ValueError("it is of a run that failed")
    labels = content["labels"]
    if len(set(labels)) < len(labels) or not labels or not all(isinstance(each, str) for each in labels):
        raise ValueError("its labels are no different names")
    _typed(content, list, "remarks", "device", "history")
    _typed(content, dict, "versions", "settings", "clips", "predictions")
    _typed(content, str, "finished")
    _typed(content["clips"], int, "train", "test")
    if not content["device"] or not all(re.fullmatch(r"\w+\(\d+\)", each) for each in content["device"]):
        raise ValueError("its device is none")
    _number(content, "training_seconds")
    counts = _counted(labels, content["predictions"])
    if counts.sum() != content["clips"]["test"]:
        raise ValueError(f"it has {counts.sum()} predictions of {content['clips']['test']} clips")
    if content["metrics"]["confusion"] != counts.tolist():
        raise ValueError("its counts are not its predictions'")
    _check_shares(content["metrics"], counts)
    if content["history"]:
        _check_history(content)
    elif "1-EER" in content.get("measures", {}):
        _number(content["measures"], "1-EER", "threshold", "targets")


def _counted(labels: list[str], predictions: Mapping) -> np.ndarray:
    """Counts (true, predicted) of the predictions."""
    number = {label: at for at, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), int)
    for clip, told in predictions.items():
        counts[number[told["true"]], number[told["predicted"]]] += 1
        shares = told["probability"]
        if len(shares) != len(labels) or not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"the probabilities of clip {clip!r} are none")
        if shares[number[told["predicted"]]] < max(shares):
            raise ValueError(f"clip {clip!r} is taken for another class than its likeliest")
    return counts


def _check_shares(metrics: Mapping, counts: np.ndarray) -> None:
    present = counts.sum(axis=1) > 0
    recalls = counts.diagonal()[present] / counts[present].sum(axis=1)
    for name, share in (("accuracy", counts.trace() / counts.sum()), ("uar", recalls.mean())):
        _number(metrics, name)
        if abs(metrics[name] - share) > CLOSE:
            raise ValueError(f"its {name} is not its counts'")


def _check_history(content: Mapping) -> None:
    history = content["history"]
    _typed(content, int, "parameters", "best_epoch_on_test")
    _typed(content["run"]["choices"], dict, "image", "network", "training")
    _number(content["settings"], *(name for name in SETTINGS if name != "schedule"))
    for number, entry in enumerate(history, 1):
        _number(entry, "loss", "accuracy", "seconds")
        _number(entry["test"], "uar", "accuracy")
        if entry["epoch"] != number:
            raise ValueError("its epochs do not follow one another")
    if history[-1]["test"] != content["metrics"]:
        raise ValueError("its last epoch has other metrics than itself")
    best = max(history, key=lambda entry: entry["test"]["uar"])["epoch"]
    if content["best_epoch_on_test"] != best:
        raise ValueError("its best epoch is another")
    content["settings"]["schedule"]


def _number(content: Mapping, *names: str) -> None:
    for name in names:
        value = content[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ValueError(f"its {name} is {str(value):.40}")


def done(run: Run, results: Path) -> dict | None:
    """The report of a run that is done, else None. Raises Faults for one that is damaged or another run's."""
    return recorded(run, run.folder(results) / "report.json")


def recorded(run: Run, path: Path) -> dict | None:
    if not path.exists():
        return None
    content = read(path)
    if content["run"] != json.loads(json.dumps(asdict(run))):
        raise Faults(f"{path}: is of another run than its folder is named for; put it back, or delete it")
    return content


def reports_in(folder: Path, number: int) -> list[Report]:
    """The reports that ``folder``/tableNN.json names, in its order.

    Raises Faults with everything that is wrong: the list or a report is missing or damaged, a report is in
    another run's folder, or they are not those of one table.
    """
    listed = folder / f"table{number:02}.json"
    found, faults = [], []
    for link in dict.fromkeys(links(listed)):
        path = folder / link
        try:
            content = read(path)
        except Faults as fault:
            faults += fault.faults
            continue
        if Run(**content["run"]).folder(folder.parent) != path.parent:
            faults.append(f"{path}: is the report of another run than its folder is named for; put it back")
        found.append(Report(link, content))
    if not faults:
        remedy = f"`make table{number}` writes the list of the table's reports again"
        faults = [f"{listed}: {each}; {remedy}" for each in _not_together(TABLES[number], found)]
    if faults:
        raise Faults(faults)
    return found


def _not_together(table: Table, found: Sequence[Report]) -> list[str]:
    """Why these are not the reports of one table."""
    faults = []
    for name in ("data", "profile"):
        if len({each.content["run"][name] for each in found}) > 1:
            faults.append(f"its reports are of more than one {name}")
    if len({tuple(each.content["labels"]) for each in found}) > 1:
        faults.append("its reports have not all the same labels")
    rows: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for each in found:
        run = each.content["run"]
        rows.setdefault((run["table"], run["row"]), []).append((run["seed"], run["fold"]))
    known = {(system.home, system.name) for system in table.systems()}
    for (home, row), runs in rows.items():
        if (home, row) not in known:
            faults.append(f"{row} is no row of table {table.number}")
            continue
        seeds = {seed for seed, _ in runs}
        if sorted(runs) != sorted((seed, fold) for seed in seeds for fold in table.folds):
            faults.append(f"{row} has not one report for each fold and seed")
    return faults


def as_json(report: dict) -> str:
    """Indented, but a list of numbers or names stays on one line."""
    text = json.dumps(report, indent=1)
    return re.sub(r"\[[^\[\]{}]*\]", lambda leaf: f"[{' '.join(leaf[0][1:-1].split())}]", text)
