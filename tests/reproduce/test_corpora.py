"""The clips that a fold trains and tests on, and the sources of corpora."""

import dataclasses
import inspect
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data_prep import store
from data_prep.__main__ import main as data_prep
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, chains, ut_podcast
from data_prep.sound.spectrogram import ImageSettings
from reproduce import corpora as corpora_module
from reproduce.assumptions import assumptions, choices
from reproduce.corpora import CORPORA, Corpus, Split, _check_speakers, counted, prepare
from reproduce.sources import NETWORK, PAPER, QUICK, RESERVED, STANDIN, TITLES, WARNINGS, warning


class Rows(store.Store):
    """A store whose rows are the clips' numbers."""

    def __init__(self):
        pass

    def rows(self, clips):
        return np.array([int(clip) for clip in clips])


def corpus(**columns):
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"clip": map(str, range(size)), "speaker": "", "partition": "", **columns})
    return Corpus("paper", Split(frame, ("a", "b")), Rows(), Path(), Path())


def test_folds_leave_their_own_clips_out():
    made = corpus(label=list("abab"), fold=[1, 2, 3, 2])
    assert [made.part("2", part)[0].tolist() for part in ("train", "test")] == [[0, 2], [1, 3]]
    assert [made.part("2", part)[1].tolist() for part in ("train", "test")] == [[0, 0], [1, 1]]
    everything = [row for fold in "123" for row in made.part(fold, "test")[0]]
    assert sorted(everything) == [0, 1, 2, 3]


def test_the_own_split_over_samples_training_alone():
    made = corpus(label=list("abab"), partition=["train", "train", "test", "test"], copies=[1, 2, 1, 2])
    assert made.part("test", "train")[0].tolist() == [0, 1, 1]
    assert made.part("test", "test")[0].tolist() == [2, 3]
    shuffled = dataclasses.replace(made.split, manifest=made.split.manifest.iloc[::-1].reset_index(drop=True))
    places, numbers = shuffled.numbers("test", "train")
    assert shuffled.manifest["clip"][places].tolist() == ["1", "1", "0"] and numbers.tolist() == [1, 1, 0]


def test_remarks_are_the_scans_and_the_splits():
    made = corpus(label=list("ab"), speaker=["s", "s"], partition=["train", "test"])
    assert dataclasses.replace(made.split, notes=("s09 is left out.",)).remarks() == [
        "s09 is left out.",
        "1 speakers are in both parts: s.",
    ]


@pytest.fixture
def whole_chains(monkeypatch, tmp_path):
    """A corpus with all of CHAINS's readings, with other fable lengths than Table 6 and without images."""
    files = pd.DataFrame(
        [
            ("", speaker, text, 70.0 if text in chains.FABLES else 3.1)
            for speaker in chains.LABELS
            for text in chains.FOLDS
        ],
        columns=["path", "speaker", "text", "seconds"],
    )
    checked = []
    monkeypatch.setattr(chains, "_files", lambda root: (files, []))
    monkeypatch.setattr(
        corpora_module.corpora,
        "build",
        lambda scan, out, image, protocol, counts, jobs: checked.append(counts) or (scan.manifest, None),
    )
    monkeypatch.setattr(corpora_module.corpora, "repeated", lambda *given: ())
    return tmp_path, checked


@pytest.mark.parametrize(
    "assume", ["", "window=1.5", "window=3.0", "rest=keep", "rest=half", "sentences=cut"]
)
@pytest.mark.parametrize("check_counts", [True, False])
def test_chains_is_the_papers_however_it_is_cut(assume, check_counts, whole_chains, capsys):
    root, checked = whole_chains
    chosen = choices(8, assume.split())["data"]
    made = prepare("chains", root, root, ImageSettings(16), chosen, check_counts)
    assert made.source == "paper" and checked == [[]]
    assert made.folder == root / "paper" / "chains" and len(made.split.labels) == 36
    (remark,) = made.split.remarks()
    assert "Table 6's 1530, 1296 and 1188" in remark and capsys.readouterr().err == f"note: {remark}\n"
    assert counted("chains", root, root, chosen, check_counts)[1] == "paper"


def test_the_command_that_calibration_prints_can_be_typed(whole_chains, capsys):
    root, _ = whole_chains
    root = root / "my CHAINS"
    assert data_prep(["chains", str(root), "--calibrate"]) == 0
    words = shlex.split(capsys.readouterr().out.rpartition("to use the nearest: ")[2])
    assert words[:3] == ["make", "table8", f"CHAINS={root}"]
    chosen = choices(8, words[3].removeprefix("ASSUME=").split())["data"]
    assert counted("chains", root, root, chosen)[1] == "paper"


@pytest.mark.parametrize("name", [*RESERVED, "mine"])
def test_an_own_corpus_never_gets_a_reserved_name(name, tmp_path, monkeypatch):
    """Otherwise its results would lose the banner, or be taken for another corpus's."""
    monkeypatch.setattr(
        ut_podcast, "scan", lambda root: Scan(root, pd.DataFrame({"label": []}), [], counts=["2 clips."])
    )
    monkeypatch.setattr(ut_podcast, "protocol", lambda frame: frame)
    source = counted("ut_podcast", tmp_path / name, tmp_path, {}, check_counts=False)[1]
    assert source == (f"own-{name}" if name in RESERVED else name)
    assert warning(source)[0] == "NOT THE PAPER'S CORPUS"


def test_every_source_that_the_page_knows_is_reserved():
    assert set(RESERVED) == {*TITLES, *WARNINGS} == {PAPER, QUICK, STANDIN, NETWORK}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_declares_the_assumptions_that_it_takes(name):
    module = CORPORA[name].module
    data = {entry.id for entry in assumptions().values() if entry.where == "data"}
    for function, options in ((module.scan, module.SCAN_OPTIONS), (module.protocol, module.PROTOCOL_OPTIONS)):
        arguments = inspect.signature(function).parameters
        assert options == tuple(argument for argument in arguments if argument in data)


def test_a_speaker_in_two_folds_is_an_error():
    frame = pd.DataFrame({"speaker": ["a", "a", "b"], "fold": [1, 1, 2]})
    _check_speakers(frame)
    with pytest.raises(Faults, match="speakers a are in several folds"):
        _check_speakers(frame.assign(fold=[1, 2, 2]))
    assert [name for name, kind in CORPORA.items() if kind.speakers_apart] == ["enterface"]
