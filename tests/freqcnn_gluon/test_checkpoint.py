"""Checkpoints that are damaged, edited, of another training or incomplete."""

import json
import math
from pathlib import Path

import mxnet as mx
import pytest
from test_training import CPU, examples, linear, settings, with_batchnorm

from data_prep.base.faults import Faults
from data_prep.base.files import checksum
from freqcnn_gluon.training import checkpoint
from freqcnn_gluon.training import loop as training
from freqcnn_gluon.training.loop import train


@pytest.mark.parametrize("damage", ["{", '{"files": {"model.safetensors": ""}, "more": 1}', None])
def test_a_damaged_checkpoint_is_a_fault(tmp_path, damage):
    train(linear(), settings(), examples(), {}, 3, CPU, tmp_path)
    if damage:
        (tmp_path / "checkpoint.json").write_text(damage)
    else:
        content = (tmp_path / "model.safetensors").read_bytes()
        (tmp_path / "model.safetensors").write_bytes(content[:-100])
    with pytest.raises(Faults, match="checkpoint.json: the checkpoint is damaged .* Delete"):
        train(linear(), settings(), examples(), {}, 3, CPU, tmp_path)


def stopped(folder, monkeypatch, net):
    """Interrupt a training of ``net`` in its first epoch and return the content of checkpoint.json."""
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    monkeypatch.setattr(training, "PLACE", 1)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "predict", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        train(net, settings(batch_size=6), examples(), {"test": examples()}, 3, CPU, folder)
    return json.loads((folder / "checkpoint.json").read_text())


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"left_over": [16]}, "not among the 16 examples"),
        ({"left_over": [-1]}, "not all whole numbers from 0"),
        ({"left_over": ["a"]}, "not all whole numbers from 0"),
        ({"batches": 1.5}, "not all whole numbers from 0"),
        ({"correct": None}, "not all whole numbers from 0"),
        ({"loss": math.nan}, "not finite"),
        ({"history": [{"epoch": 1}]}, "of another training"),
        ({"history": 3}, "damaged"),
        ({"files": {}}, "names the files"),
        ({"files": {"../model.safetensors": ""}}, "names the files"),
        ({"files": {"/etc/passwd": ""}}, "names the files"),
        ({"files": {"model.safetensors": ""}}, "No such file"),
        ({"files": None}, "damaged"),
        ({"weights": "epoch-0001.params", "momentum": "epoch-0001.states"}, "damaged"),
    ],
)
def test_an_older_or_edited_checkpoint_is_a_fault(tmp_path, monkeypatch, changed, message):
    state = stopped(tmp_path, monkeypatch, linear())
    (tmp_path / "checkpoint.json").write_text(json.dumps(state | changed))
    with pytest.raises(Faults, match=f"checkpoint.json: the checkpoint is .*{message}"):
        train(linear(), settings(batch_size=6), examples(), {"test": examples()}, 3, CPU, tmp_path)


def test_files_of_another_training_are_a_fault_even_with_their_checksums(tmp_path, monkeypatch):
    state = stopped(tmp_path / "a", monkeypatch, linear())
    stopped(tmp_path / "b", monkeypatch, with_batchnorm())
    weights, momentum = state["files"]
    for name in (weights, momentum):
        own = (tmp_path / "a" / name).read_bytes()
        (tmp_path / "a" / name).write_bytes((tmp_path / "b" / name).read_bytes())
        with pytest.raises(Faults, match=f"{name} does not match its recorded SHA-256"):
            train(linear(), settings(batch_size=6), examples(), {"test": examples()}, 3, CPU, tmp_path / "a")
        files = state["files"] | {name: checksum(tmp_path / "a" / name)}
        (tmp_path / "a" / "checkpoint.json").write_text(json.dumps(state | {"files": files}))
        with pytest.raises(Faults, match="of another network"):
            train(linear(), settings(batch_size=6), examples(), {"test": examples()}, 3, CPU, tmp_path / "a")
        (tmp_path / "a" / name).write_bytes(own)
        (tmp_path / "a" / "checkpoint.json").write_text(json.dumps(state))


def test_a_checkpoint_runs_no_code(tmp_path, monkeypatch):
    """A pickled momentum would run code."""
    state = stopped(tmp_path, monkeypatch, linear())
    path = tmp_path / [*state["files"]][1]
    path.write_bytes(b"cos\nmkdir\n(V" + str(tmp_path / "run").encode() + b"\ntR.")
    state["files"][path.name] = checksum(path)
    (tmp_path / "checkpoint.json").write_text(json.dumps(state))
    with pytest.raises(Faults, match="the checkpoint is damaged"):
        train(linear(), settings(batch_size=6), examples(), {"test": examples()}, 3, CPU, tmp_path)
    assert not (tmp_path / "run").exists()


def test_ctrl_c_names_what_is_kept(tmp_path, monkeypatch):
    """Each epoch has one step, and a first checkpoint is due at once."""
    gradients, step = training._gradients, iter(range(10))
    for folder, last_step, kept in (
        (tmp_path, 0, ("no checkpoint has been written yet, so this training starts again",)),
        (tmp_path, 2, (f"the last checkpoint, after epoch 1, batch 1, is in {tmp_path}",)),
        (None, 3, ()),
    ):

        def stopping(*arguments):
            if next(step) == last_step:
                raise KeyboardInterrupt
            return gradients(*arguments)

        monkeypatch.setattr(training, "_gradients", stopping)
        with pytest.raises(KeyboardInterrupt) as stop:
            train(linear(), settings(), examples(), {}, 3, CPU, folder)
        assert stop.value.args == kept


def test_checkpoints_take_little_of_the_time(tmp_path, monkeypatch):
    """With steps of 1 s: each epoch if a save takes 10 ms, every 13 s if 250 ms, and every 60 s if 5 s."""
    for cost, between in ((0.01, 1), (0.25, 13), (5.0, 60)):
        clock, saves = [0.0], []
        monkeypatch.setattr(checkpoint.time, "monotonic", lambda: clock[0])

        def save(net, path):
            saves.append(clock[0])
            clock[0] += cost
            Path(path).write_bytes(b"")

        monkeypatch.setattr(checkpoint, "save_parameters", save)
        net = linear()
        net.initialize()
        trainer = mx.gluon.Trainer(net.collect_params(), "sgd")
        kept = checkpoint.Checkpoint(tmp_path, net, trainer, CPU)
        for epoch in range(200):
            clock[0] += 1
            kept.save(checkpoint.Place([{}] * epoch))
        gaps = {round(later - former - cost) for former, later in zip(saves, saves[1:])}
        assert saves[0] == 1 and gaps == {between}, (cost, gaps)
