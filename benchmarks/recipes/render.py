"""Render the results of the trials into the marked blocks of docs/own-speech.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

from curves.render import MARK
from recipes.trials import Part, Results, Trials

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from reproduce.markdown import table

SYSTEMS = {"freqcnn": "`fit`", "svm": "SVM", "majority": "most frequent label"}


def render(trials: Trials, folder: Path, page: Path) -> None:
    """Fill the blocks of a page.

    Args:
        trials: The trials.
        folder: The folder of parts.json and tests.json.
        page: The page to write again.

    Raises:
        Faults: The page has other blocks than 'parts' and 'tests'.
    """
    blocks = {
        "parts": _parts(trials, Results(folder / "parts.json")),
        "tests": _tests(trials, Results(folder / "tests.json")),
    }
    text = page.read_text(encoding="utf-8")
    if sorted(match[2] for match in MARK.finditer(text)) != sorted(blocks):
        raise Faults(f"{page}: it needs one block for each of {', '.join(blocks)}")
    with whole(page) as path:
        path.write_text(
            MARK.sub(lambda match: f"{match[1]}{blocks[match[2]]}\n{match[3]}", text), encoding="utf-8"
        )


def _parts(trials: Trials, results: Results) -> str:
    """Return the tasks, and the table of the parts."""
    lines, base = [], next(iter(trials.parts.values()))
    for task in trials.tasks.values():
        done = _of(trials, results, base, task.name)
        clips = (
            f"{_numbers(entry['clips'] for one in done for entry in one['training'])} training clips; "
            if done
            else ""
        )
        evaluated = f", {done[0]['evaluated']} in all" if done else ""
        held_out = " / ".join(_condition(condition) for condition in task.validation)
        lines.append(
            f"- `{task.name}`, {task.text}: {clips}validation clips of {held_out}{evaluated}; test part, not "
            f"used: {_condition(task.unused)}; batch {task.batch_size}, {task.steps} steps."
        )
    rows = []
    for part in trials.parts.values():
        cells = [_cell(_of(trials, results, part, task)) for task in trials.tasks]
        tried = [task in part.tasks for task in trials.tasks]
        rows.append([part.text, *(cell or "not run" * listed for cell, listed in zip(cells, tried))])
        if part is base:
            cells = [_cell(_of(trials, results, part, task), "averaged") for task in trials.tasks]
            rows.append(["weights averaged over the last quarter of the epochs", *cells])
    return "\n".join([*lines, "", *table(["recipe", *(f"`{task}`" for task in trials.tasks)], rows)])


def _of(trials: Trials, results: Results, part: Part, task: str) -> list[dict[str, Any]]:
    """Return the results of a part on a task, one for each seed that is done."""
    identities = (
        {"task": asdict(trials.tasks[task]), "changes": dict(part.changes), "seed": seed}
        for seed in part.seeds
    )
    return [result for identity in identities if (result := results.of(identity)) is not None]


def _cell(done: Sequence[Mapping[str, Any]], kind: str | None = None) -> str:
    """Return the UAR of a part on a task, or of its ``kind`` of weights, as ``_mean`` does."""
    scores = [result if kind is None else result[kind] for result in done]
    return "" if None in scores else _mean(scores)


def _mean(scores: Sequence[Mapping[str, Any]]) -> str:
    """Return the mean UAR over the seeds and that of each; for one seed, with its interval over clips."""
    if not scores:
        return ""
    uar = f"{100 * mean(score['uar'] for score in scores):.1f}"
    if len(scores) > 1:
        each = ", ".join(f"{100 * score['uar']:.1f}" for score in scores)
        return f"{uar} ({each})"
    return f"{uar} ({_interval(scores[0]['interval'])})"


def _interval(limits: Sequence[float]) -> str:
    return "–".join(f"{100 * limit:.1f}" for limit in limits)


def _numbers(values: Any) -> str:
    return ", ".join(dict.fromkeys(f"{value:g}" for value in values))


def _condition(condition: str) -> str:
    column, _, values = condition.partition("=")
    return f"{column} {values.replace(',', ', ')}"


def _tests(trials: Trials, results: Results) -> str:
    """Return the table of `fit` and the baselines on the test parts, and the machines."""
    rows, machines = [], []
    for test in trials.tests.values():
        identity = {name: value for name, value in asdict(test).items() if name != "seeds"}
        each = [results.of({"test": identity, "seed": seed}) for seed in test.seeds]
        done = [result for result in each if result is not None]
        rows.append([test.text, *(_test(done, len(each)) if done else ["not run"] * 8)])
        machines += [_machine(result) for result in done]
    head = [
        "task",
        "seeds",
        "clips: training / test",
        *SYSTEMS.values(),
        "`fit` against the SVM",
        "training accuracy",
        "training, s",
    ]
    return "\n".join([*table(head, rows), "", "; ".join(dict.fromkeys(machines))])


def _test(done: Sequence[Mapping[str, Any]], seeds: int) -> list[str]:
    """Return the cells of a test: the network with each seed, and the baselines, which have none."""
    clips, training = done[0]["clips"], [result["training"] for result in done]
    networks, *baselines = ([result["systems"][name] for result in done] for name in SYSTEMS)
    systems = [networks, *(each[:1] for each in baselines)]
    epochs = _numbers(one["epochs"] for one in training)
    return [
        f"{len(done)}" if len(done) == seeds else f"{len(done)} of {seeds}",
        f"{clips['train']} / {clips['test']}",
        *(_mean([one | {"interval": one["intervals"]["uar"]["clips"]} for one in each]) for each in systems),
        _verdict(networks, baselines[0][0]),
        f"{100 * mean(one['accuracy'] for one in training):.1f}",
        f"{mean(one['seconds'] for one in training):.0f} ({epochs} epochs)",
    ]


def _verdict(networks: Sequence[Mapping[str, Any]], svm: Mapping[str, Any]) -> str:
    """Return whether the networks' mean UAR is above the SVM's interval, within it, or below it."""
    uar, (low, high) = mean(one["uar"] for one in networks), svm["intervals"]["uar"]["clips"]
    return "ahead" if uar > high else "behind" if uar < low else "within its interval"


def _machine(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    return f"{machine['cpu']}, threads: {machine['threads']}, {result['finished'][:10]}"
