import dataclasses
import inspect

import numpy as np
import pytest

from data_prep.base.faults import Faults
from data_prep.corpora import chains, enterface, ut_podcast
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.freqcnn import FreqCNN
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import train
from freqcnn_gluon.training.settings import Settings
from reproduce.__main__ import main
from reproduce.assumptions import assumptions, choices, markdown, shared
from reproduce.peers import PEERS, peer
from reproduce.tables import NUMBERS, TABLES


def test_every_choice_is_the_codes_own_argument_with_the_same_default():
    """So that the list cannot say one thing and a direct call do another."""
    defaults = {
        "network": {name: p.default for name, p in inspect.signature(FreqCNN).parameters.items()},
        "training": {field.name: field.default for field in dataclasses.fields(Settings)},
        "image": {field.name: field.default for field in dataclasses.fields(ImageSettings)},
    }
    for function in (chains.scan, ut_podcast.protocol, enterface.protocol):
        arguments = inspect.signature(function).parameters
        defaults.setdefault("data", {}).update({name: p.default for name, p in arguments.items()})
    for name in PEERS:
        arguments = inspect.signature(peer(name).recognise).parameters
        defaults[name] = {id: p.default for id, p in arguments.items()}
    for table in TABLES:
        for where, chosen in choices(table).items():
            for id, value in chosen.items():
                if id == "epochs":  # has no default: a direct call must say it
                    assert "epochs" in defaults["training"]
                else:
                    assert defaults[where][id] == value, id


def test_a_table_has_the_choices_that_touch_it():
    assert {table: sorted(choices(table)["data"]) for table in NUMBERS} == {
        **dict.fromkeys((2, 7, 10), []),
        **dict.fromkeys((1, 3, 4, 5), ["over_sampling"]),
        **dict.fromkeys((6, 8, 9), ["rest", "sentences", "window"]),
        **dict.fromkeys((11, 12), ["folds_seed"]),
    }
    for first, second in ((3, 4), (4, 5), (8, 9), (11, 12)):  # these share runs of networks
        shared = [
            {where: each for where, each in choices(table).items() if where not in PEERS}
            for table in (first, second)
        ]
        assert shared[0] == shared[1]
    systems = {table: {system.system for system in TABLES[table].systems()} & set(PEERS) for table in TABLES}
    assert all(set(choices(table)) & set(PEERS) == systems[table] for table in TABLES)


def test_every_alternative_is_accepted_by_the_code():
    for entry in assumptions().values():
        assert entry.where in ("network", "training", "image", "data", "fixed", *PEERS)
        assert entry.tables and entry.question.endswith("?") and entry.why and entry.paper
        assert (entry.where == "fixed") == (entry.alternatives == [])
        assert set(entry.tables) <= set(NUMBERS) and entry.choice not in entry.others()
        assert not entry.tried or entry.alternatives == "any"
        for value in [] if entry.alternatives == "any" else entry.alternatives:
            chosen = choices(entry.tables[-1], [f"{entry.id}={value}"])[entry.where]
            assert chosen[entry.id] == value
            if entry.where == "network":
                FreqCNN(ARCHITECTURES["table2"], **chosen)
            elif entry.where == "training":
                Settings(batch_size=1, micro_batch=1, **{"epochs": 1} | chosen)


def test_overrides_keep_the_type():
    assert choices(3, ["floor_db=60"])["image"]["floor_db"] == 60.0
    assert choices(3, ["epochs=3"])["training"]["epochs"] == 3
    assert choices(3, ["version=1.7"])["image"]["version"] == "1.7"
    assert choices(8, ["window=1.5"])["data"]["window"] == 1.5


def test_all_faults_at_once():
    with pytest.raises(Faults) as caught:
        choices(3, ["colour=red", "schedule=warm", "epochs=many", "head=one", "window=1"])
    said = caught.value.faults
    assert len(said) == 5 and "'window' does not touch table 3" in said[4]
    assert "no assumption 'colour'" in said[0] and "cosine or constant or step" in said[1]
    assert "takes a whole number above 0 such as 60, not 'many'" in said[2] and "no alternative" in said[3]
    listed = said[0].partition("choose among ")[2].split(", ")  # without the fixed ones
    assert sorted(listed) == sorted(id for chosen in choices(3).values() for id in chosen)


@pytest.mark.parametrize(
    "entry", [each for each in assumptions().values() if each.alternatives == "any"], ids=lambda each: each.id
)
def test_a_number_that_nothing_can_be_made_with_is_refused(entry):
    """... which would end in a traceback, or in the result of a network that is not trained."""
    least = {"folds_seed": 0, "window": audio.SHORTEST}.get(entry.id)
    assert entry.least == least
    low = "-1" if least == 0 else "0"
    for text in (low, "-3", "-0.5", "nan", "inf", "-inf", "1e999", "9" * 400, "", "many"):
        with pytest.raises(Faults) as caught:
            choices(entry.tables[0], [f"{entry.id}={text}"])
        (said,) = caught.value.faults
        assert f"'{entry.id}' takes a {'whole ' * isinstance(entry.choice, int)}number " in said
        assert said.endswith(f"such as {entry.choice}, not '{text}'")
    for value in (entry.choice, *entry.tried, *([least] if least is not None else [])):
        assert choices(entry.tables[0], [f"{entry.id}={value}"])[entry.where][entry.id] == value
    if isinstance(entry.choice, float):
        with pytest.raises(Faults, match="takes a number"):
            choices(entry.tables[0], [f"{entry.id}={(least or 0) - 0.001}"])


def test_one_assumption_has_one_value():
    with pytest.raises(Faults, match="'epochs' is given as 3 and as 5: give it once"):
        choices(3, ["epochs=3", "schedule=step", "epochs=5"])
    assert choices(3, ["epochs=3", "epochs=03"]) == choices(3, ["epochs=3"])
    with pytest.raises(Faults, match="as step and as cosine"):  # the default is a value as any other
        choices(3, ["schedule=step", "schedule=cosine"])


@pytest.mark.parametrize(
    "command", [["table"], ["table", "3", "8"], ["plan", "3", "8"], ["sensitivity", "8"]]
)
def test_what_cannot_be_assumed_is_told_before_anything_starts(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--device", "cpu", "--assume", "window=-1", "--assume", "gmm_components=0"]) == 1
    said = capsys.readouterr()
    assert "the assumption 'window' takes a number from 0.05 up" in said.err and not said.out
    assert "Traceback" not in said.err and not list(tmp_path.iterdir())


def test_the_list_is_printed_with_the_tables_it_touches():
    text = markdown()
    assert all(f"`{entry.id}` (tables {entry.tables[0]}" in text for entry in assumptions().values())
    assert (
        "Or: relu, sigmoid." in text
        and "Or: any other number above 0." in text
        and "Or: any other whole number from 0 up." in text
    )


def test_several_tables_take_what_concerns_them():
    said = ["schedule=step", "window=1.5", "colour=red"]
    assert shared(said, 3, (3, 8)) == ["schedule=step", "colour=red"]
    assert shared(said, 8, (3, 8)) == said
    assert shared(said, 3, (3,)) == said  # to be refused: it touches none of the tables asked for


@pytest.mark.parametrize(
    "id, value",
    [
        (each.id, value)
        for each in assumptions().values()
        if each.where in ("network", "training") and each.alternatives != "any"
        for value in each.alternatives
    ],
)
def test_every_alternative_trains_and_predicts(id, value, tmp_path):
    """The batch is not the test's, as in a real run: one alternative once ended the process there."""
    chosen = choices(3, [f"{id}={value}"])
    net = build("table2", 3, 32, **chosen["network"])
    settings = Settings(**chosen["training"] | {"epochs": 2}, batch_size=8, micro_batch=8)
    images, labels = np.random.default_rng(0).random((16, 32, 32), np.float32), np.arange(16) % 3
    parts = Examples(images, np.arange(16), labels), Examples(images, np.arange(12), labels[:12])
    outcome = train(net, settings, parts[0], {"test": parts[1]}, 3, runtime.contexts("cpu"), tmp_path, id)
    assert np.isfinite(outcome.probabilities["test"]).all() and len(outcome.history) == 2
