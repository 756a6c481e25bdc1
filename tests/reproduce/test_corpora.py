"""The clips that a fold trains and tests on, and the sources of corpora."""

import dataclasses
import inspect
import shlex
from pathlib import Path

import pandas as pd
import pytest

from data_prep import store
from data_prep.__main__ import main as data_prep
from data_prep.base.faults import Faults
from data_prep.corpora import Scan, chains, ut_podcast
from data_prep.sound.spectrogram import ImageSettings
from data_prep.standin.folder import MARKER
from reproduce import corpora as corpora_module
from reproduce.assumptions import assumptions, choices
from reproduce.corpora import CORPORA, Corpus, Split, _check_speakers, counted, prepare
from reproduce.options import OWN
from reproduce.sources import NETWORK, PAPER, QUICK, RESERVED, STANDIN, TITLES, WARNINGS, warning


class Rows(store.Store):
    """A store whose rows are the clips' numbers, apart from the ``windows``, such as c1=[10, 11]."""

    def __init__(self, **windows):
        index = [(clip, row) for clip in map(str, range(9)) for row in windows.get(f"c{clip}", [int(clip)])]
        self.index = pd.DataFrame(index, columns=["clip", "row"])
        self._by_clip = self.index.drop_duplicates("clip").set_index("clip")


def corpus(**columns):
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"clip": map(str, range(size)), "speaker": "", "partition": "", **columns})
    return Corpus("paper", Split(frame, ("a", "b")), Rows(), Path(), Path())


def test_a_fold_trains_on_the_clips_of_the_other_folds():
    prepared = corpus(label=list("abab"), fold=[1, 2, 3, 2])
    assert [prepared.part("2", part)[0].tolist() for part in ("train", "test")] == [[0, 2], [1, 3]]
    assert [prepared.part("2", part)[1].tolist() for part in ("train", "test")] == [[0, 0], [1, 1]]
    everything = [row for fold in "123" for row in prepared.part(fold, "test")[0]]
    assert sorted(everything) == [0, 1, 2, 3]


def test_over_sampling_repeats_training_clips_only():
    prepared = corpus(label=list("abab"), partition=["train", "train", "test", "test"], copies=[1, 2, 1, 2])
    assert prepared.part("test", "train")[0].tolist() == [0, 1, 1]
    assert prepared.part("test", "test")[0].tolist() == [2, 3]
    shuffled = dataclasses.replace(
        prepared.split, manifest=prepared.split.manifest.iloc[::-1].reset_index(drop=True)
    )
    places, numbers = shuffled.numbers("test", "train")
    assert shuffled.manifest["clip"][places].tolist() == ["1", "1", "0"] and numbers.tolist() == [1, 1, 0]


def test_a_clip_of_several_windows_has_all_of_their_rows():
    columns = {"label": list("abab"), "partition": ["train", "train", "test", "test"], "copies": [1, 2, 1, 1]}
    prepared = dataclasses.replace(corpus(**columns), store=Rows(c1=[11, 10], c2=[20, 21, 22]))
    assert [array.tolist() for array in prepared.part("test", "train")] == [
        [0, 11, 10, 11, 10],
        [0, 1, 1, 1, 1],
        [1, 2, 2],
    ]
    assert [array.tolist() for array in prepared.part("test", "test")] == [
        [20, 21, 22, 3],
        [0, 0, 0, 1],
        [3, 1],
    ]


def test_remarks_come_from_the_scan_and_the_split():
    prepared = corpus(label=list("ab"), speaker=["s", "s"], partition=["train", "test"])
    assert dataclasses.replace(prepared.split, notes=("s09 is left out.",)).remarks() == [
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
    monkeypatch.setattr(corpora_module.corpora, "repeated", lambda *arguments: ())
    return tmp_path, checked


@pytest.mark.parametrize(
    "assume", ["", "window=1.5", "window=3.0", "rest=keep", "rest=half", "sentences=cut"]
)
@pytest.mark.parametrize("check_counts", [True, False])
def test_chains_has_the_source_paper_with_every_rule_for_cutting(assume, check_counts, whole_chains, capsys):
    root, checked = whole_chains
    chosen = choices(8, assume.split())["data"]
    prepared = prepare("chains", root, root, ImageSettings(16), chosen, check_counts)
    assert prepared.source == "paper" and checked == [[]]
    assert prepared.folder == root / "paper" / "chains" and len(prepared.split.labels) == 36
    (remark,) = prepared.split.remarks()
    assert "Table 6 has 1530, 1296 and 1188" in remark and capsys.readouterr().err == f"note: {remark}\n"
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
def test_a_users_corpus_never_gets_a_reserved_name(name, tmp_path, monkeypatch):
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
def test_a_corpus_declares_the_choices_that_it_takes(name):
    module = CORPORA[name].module
    data = {entry.id for entry in assumptions().values() if entry.where == "data"}
    if name == OWN:
        data = {"hold_out", "folds"}  # the choices of a comparison, which are not assumptions
    for function, options in ((module.scan, module.SCAN_OPTIONS), (module.protocol, module.PROTOCOL_OPTIONS)):
        arguments = inspect.signature(function).parameters
        assert options == tuple(argument for argument in arguments if argument in data)


def test_results_on_own_recordings_are_kept_under_their_name(tmp_path):
    def source(folder, name):
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{number}.wav,{label}" for number, label in enumerate("aabb")]
        (folder / name).write_text("\n".join(["path,label", *lines]))
        return counted(OWN, folder / name, tmp_path / "data", {"hold_out": "clip", "folds": 2})[1]

    assert source(tmp_path / "emodb", "manifest.csv") == "emodb"
    assert source(tmp_path / "emodb", "clips.csv") == "clips"
    assert source(tmp_path / "paper", "manifest.csv") == "own-paper"
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / MARKER).touch()
    assert source(tmp_path / "made" / "audio", "clips.csv") == STANDIN


def test_a_speaker_in_two_folds_is_an_error():
    frame = pd.DataFrame({"speaker": ["a", "a", "b"], "fold": [1, 1, 2]})
    _check_speakers(frame)
    with pytest.raises(Faults, match="speakers a are in several folds"):
        _check_speakers(frame.assign(fold=[1, 2, 2]))
    assert [name for name, kind in CORPORA.items() if kind.speakers_apart] == ["enterface"]
