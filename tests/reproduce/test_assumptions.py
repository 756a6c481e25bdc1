import dataclasses
import inspect

import pytest

from data_prep import splits
from data_prep.faults import Faults
from data_prep.spectrogram import ImageSettings
from freqcnn_gluon.architectures import ARCHITECTURES
from freqcnn_gluon.network import FreqCNN
from freqcnn_gluon.training import Settings
from reproduce.assumptions import assumptions, choices


def test_every_choice_is_the_codes_own_argument_with_the_same_default():
    """So that the list cannot say one thing and a direct call do another."""
    defaults = {
        "network": {name: p.default for name, p in inspect.signature(FreqCNN).parameters.items()},
        "training": {field.name: field.default for field in dataclasses.fields(Settings)},
        "image": {field.name: field.default for field in dataclasses.fields(ImageSettings)},
    }
    for where, chosen in choices().items():
        for id, value in chosen.items():
            if id == "epochs":  # has no default: a direct call must say it
                assert "epochs" in defaults["training"]
            elif where != "data":
                assert defaults[where][id] == value, id
    assert choices()["data"] == {"over_sampling": splits.METHODS[0]}


def test_every_alternative_is_accepted_by_the_code():
    for entry in assumptions().values():
        assert entry.where in ("network", "training", "image", "data", "fixed")
        assert entry.tables and entry.question.endswith("?") and entry.why and entry.paper
        assert (entry.where == "fixed") == (entry.alternatives == [])
        for value in [] if entry.alternatives == "any" else entry.alternatives:
            chosen = choices([f"{entry.id}={value}"])[entry.where]
            assert chosen[entry.id] == value
            if entry.where == "network":
                FreqCNN(ARCHITECTURES["table2"], **chosen)
            elif entry.where == "training":
                Settings(batch_size=1, micro_batch=1, **{"epochs": 1} | chosen)


def test_overrides_keep_the_type():
    assert choices(["floor_db=60"])["image"]["floor_db"] == 60.0
    assert choices(["epochs=3"])["training"]["epochs"] == 3
    assert choices(["version=1.7"])["image"]["version"] == "1.7"


def test_all_faults_at_once():
    with pytest.raises(Faults) as caught:
        choices(["colour=red", "schedule=warm", "epochs=many", "head=one"])
    said = caught.value.faults
    assert len(said) == 4
    assert "no assumption 'colour'" in said[0] and "cosine or constant or step" in said[1]
    assert "takes a number" in said[2] and "no alternative" in said[3]
