import dataclasses
import inspect

import numpy as np
import pytest

from data_prep.base.faults import Faults
from data_prep.corpora import chains, enterface, ut_podcast
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES, architecture
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.network.freqcnn import FreqCNN
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import train
from freqcnn_gluon.training.settings import Settings
from reproduce.__main__ import main
from reproduce.assumptions import assumptions, choices, markdown, not_accepted, shared
from reproduce.peers import PEERS, peer
from reproduce.tables import TABLES, TRAINED


def test_every_choice_is_the_default_of_an_argument():
    """The list and a direct call of the code use the same default."""
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
    for table in TRAINED:
        for where, chosen in choices(table).items():
            for id, value in chosen.items():
                if id == "epochs":  # has no default, so a direct call must state it
                    assert "epochs" in defaults["training"]
                elif id == "normalise":  # a network that does not begin with Inputs can only have none
                    assert (value, defaults[where][id]) == ("frequency", "none")
                else:
                    assert defaults[where][id] == value, id


def test_a_table_has_the_choices_that_affect_it():
    assert {table: sorted(choices(table)["data"]) for table in TABLES} == {
        **dict.fromkeys((2, 7, 10), []),
        **dict.fromkeys((1, 3, 4, 5), ["over_sampling"]),
        **dict.fromkeys((6, 8, 9), ["rest", "sentences", "window"]),
        **dict.fromkeys((11, 12), ["folds_seed"]),
    }
    for first, second in ((3, 4), (4, 5), (8, 9), (11, 12)):  # these share runs of networks
        shared = [
            {where: item for where, item in choices(table).items() if where not in PEERS}
            for table in (first, second)
        ]
        assert shared[0] == shared[1]
    systems = {table: {system.system for system in TABLES[table].systems()} & set(PEERS) for table in TRAINED}
    assert all(set(choices(table)) & set(PEERS) == systems[table] for table in TRAINED)


def test_every_alternative_is_accepted_by_the_code():
    for entry in assumptions().values():
        assert entry.where in ("network", "training", "image", "data", "fixed", *PEERS)
        assert entry.tables and entry.question.endswith("?") and entry.why and entry.paper
        assert (entry.where == "fixed") == (entry.alternatives == [])
        assert set(entry.tables) <= set(TABLES) and entry.choice not in entry.values_to_try()
        assert not entry.tried or entry.alternatives == "any"
        for value in [] if entry.alternatives == "any" else entry.alternatives:
            chosen = choices(entry.tables[-1], [f"{entry.id}={value}"])[entry.where]
            assert chosen[entry.id] == value
            if entry.where == "network":
                FreqCNN(ARCHITECTURES["table2"], **chosen)
            elif entry.where == "training":
                Settings(batch_size=1, micro_batch=1, **{"epochs": 1} | chosen)


def test_flattening_takes_most_parameters_and_cannot_be_written_out():
    """The figures that the entry of ``attention_input`` in assumptions.toml states."""
    net = FreqCNN(architecture("table2"))
    joined = sum(parameter_count(s.attention.of_local) for s in net.stages if isinstance(s, AttentionBlock))
    entry = assumptions()["attention_input"]
    assert f"{100 * joined / parameter_count(net):.0f} % of Table 2's parameters" in entry.why
    # [p_i; a_k] for every location i and both k in Table 5's third attention block: its rows are block 3's
    side, channels = 256 // 4, 96
    vectors = 2 * side**2 * (channels + channels * side**2 // 2)
    assert f"{4 * vectors / 1e9:.1f} GB a sample" in " ".join(entry.why.split())
    assert 2 * 4 * vectors > 12 * 2**30  # with its gradient more than a K40 has


def test_overrides_keep_the_type():
    assert choices(3, ["floor_db=60"])["image"]["floor_db"] == 60.0
    assert choices(3, ["epochs=3"])["training"]["epochs"] == 3
    assert choices(3, ["version=1.7"])["image"]["version"] == "1.7"
    assert choices(8, ["window=1.5"])["data"]["window"] == 1.5


def test_all_faults_at_once():
    with pytest.raises(Faults) as caught:
        choices(3, ["colour=red", "schedule=warm", "epochs=many", "head=one", "window=1"])
    messages = caught.value.faults
    assert len(messages) == 5 and "'window' does not affect table 3" in messages[4]
    assert "no assumption 'colour'" in messages[0] and "cosine or constant or factor or step" in messages[1]
    assert (
        "takes a whole number above 0 such as 60, not 'many'" in messages[2]
        and "no alternative" in messages[3]
    )
    listed = messages[0].partition("choose among ")[2].split(", ")  # without the fixed ones
    assert sorted(listed) == sorted(id for chosen in choices(3).values() for id in chosen)


@pytest.mark.parametrize(
    "entry", [item for item in assumptions().values() if item.alternatives == "any"], ids=lambda item: item.id
)
def test_an_impossible_number_is_refused(entry):
    """Otherwise the number would lead to a traceback or to the results of an untrained network."""
    least = {"folds_seed": 0, "window": audio.SHORTEST}.get(entry.id)
    assert entry.least == least
    low = "-1" if least == 0 else "0"
    for text in (low, "-3", "-0.5", "nan", "inf", "-inf", "1e999", "9" * 400, "", "many"):
        with pytest.raises(Faults) as caught:
            choices(entry.tables[0], [f"{entry.id}={text}"])
        (message,) = caught.value.faults
        assert f"'{entry.id}' takes a {'whole ' * isinstance(entry.choice, int)}number " in message
        assert message.endswith(f"such as {entry.choice}, not '{text}'")
    for value in (entry.choice, *entry.tried, *([least] if least is not None else [])):
        assert choices(entry.tables[0], [f"{entry.id}={value}"])[entry.where][entry.id] == value
    if isinstance(entry.choice, float):
        with pytest.raises(Faults, match="takes a number"):
            choices(entry.tables[0], [f"{entry.id}={(least or 0) - 0.001}"])


def test_choices_of_earlier_versions_are_named():
    assert not not_accepted(choices(3)) and not not_accepted(choices(8, ["memory=12", "schedule=cosine"]))
    chosen = choices(8, ["gamma=0.7", "fc_batchnorm=true"])
    chosen["network"] |= {"batchnorm": "section", "segments": 4, "local_only": True}
    chosen["training"] |= {"schedule": "warm", "dtype": "bfloat16"}
    chosen["data"]["window"] = 0.01
    assert sorted(not_accepted(chosen)) == ["batchnorm=section", "schedule=warm", "window=0.01"]


def test_one_assumption_has_one_value():
    with pytest.raises(Faults, match="'epochs' is given as 3 and as 5: give it once"):
        choices(3, ["epochs=3", "schedule=cosine", "epochs=5"])
    assert choices(3, ["epochs=3", "epochs=03"]) == choices(3, ["epochs=3"])
    with pytest.raises(Faults, match="as cosine and as step"):  # the default counts as a value too
        choices(3, ["schedule=cosine", "schedule=step"])


@pytest.mark.parametrize(
    "command", [["table"], ["table", "3", "8"], ["plan", "3", "8"], ["sensitivity", "8"]]
)
def test_an_impossible_choice_is_refused_before_anything_starts(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--device", "cpu", "--assume", "window=-1", "--assume", "gmm_components=0"]) == 1
    printed = capsys.readouterr()
    assert "the assumption 'window' takes a number from 0.05 up" in printed.err and not printed.out
    assert "Traceback" not in printed.err and not list(tmp_path.iterdir())


def test_the_list_is_printed_with_the_tables_that_it_affects():
    text = markdown()
    assert all(f"`{entry.id}` (tables {entry.tables[0]}" in text for entry in assumptions().values())
    assert (
        "Alternatives: relu, sigmoid, identity." in text
        and "Alternatives: any other number above 0." in text
        and "Alternatives: any other whole number from 0 up." in text
    )


def test_each_of_several_tables_takes_the_choices_that_apply_to_it():
    assume = ["schedule=step", "window=1.5", "colour=red"]
    assert shared(assume, 3, (3, 8)) == ["schedule=step", "colour=red"]
    assert shared(assume, 8, (3, 8)) == assume
    assert shared(assume, 3, (3,)) == assume  # an unused choice stays, so that it is refused


@pytest.mark.parametrize(
    "id, value",
    [
        (item.id, value)
        for item in assumptions().values()
        if item.where in ("network", "training") and item.alternatives != "any"
        for value in item.alternatives
    ],
)
def test_every_alternative_trains_and_predicts(id, value, tmp_path):
    """Training and test batches differ in size, as in a real run, where one alternative once crashed."""
    chosen = choices(3, [f"{id}={value}"])
    net = build("table2", 3, 32, **chosen["network"])
    settings = Settings(**chosen["training"] | {"epochs": 2}, batch_size=4, micro_batch=4)
    images, labels = np.random.default_rng(0).random((8, 32, 32), np.float32), np.arange(8) % 3
    parts = Examples(images, np.arange(8), labels), Examples(images, np.arange(6), labels[:6])
    outcome = train(net, settings, parts[0], {"test": parts[1]}, 3, runtime.contexts("cpu"), tmp_path, id)
    assert np.isfinite(outcome.probabilities["test"]).all() and len(outcome.history) == 2
