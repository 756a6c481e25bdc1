"""Each input that `make fuzz` found now gives a value, or Faults that name the file."""

from pathlib import Path

import pytest
from promise import Finding, Target, check
from targets import TARGETS

from data_prep.base.faults import Faults

FINDINGS = {
    "manifest-nul": "a NUL in a path raised ValueError when its file was opened",
    "own-nul": "the same in a user's table",
    "own-nul-folder": "the same with the NUL in the name of the only folder",
    "ut_podcast-not-utf8": "a name that is not UTF-8 raised UnicodeEncodeError when the manifest was written",
    "enterface-not-utf8": "the same for a film",
    "enterface-folder": "a folder with a film's name counted as a recording until it was read",
    "description-size": "the error about an impossible size did not name the file",
    "onnx-no-output": "a network without an output raised ValueError",
    "onnx-not-utf8": "an output shape that is not UTF-8 raised UnicodeDecodeError",
    "report-training": "a run without its training's choices raised KeyError when it was shown",
    "film-channels": "a film whose sound changes from one channel to two raised ValueError",
    "store-columns": "index.csv without a column raised KeyError",
    "store-number": "settings.json that contains a number raised AttributeError",
}
FOLDER = Path(__file__).with_name("findings")


def test_every_finding_has_a_description():
    assert {path.name for path in FOLDER.iterdir()} == set(FINDINGS)


@pytest.mark.parametrize("name", FINDINGS)
def test_a_finding_is_fixed(name):
    check(TARGETS[name.partition("-")[0]], (FOLDER / name).read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_reads_complete_files_and_keeps_its_promise_for_truncated_ones(name, tmp_path):
    seeds = TARGETS[name].seeds()
    for number, seed in enumerate(seeds):
        (tmp_path / f"{number}").mkdir()
        try:
            TARGETS[name].read(seed, tmp_path / f"{number}")
        except (
            Faults
        ):  # targets share seeds that only one of them reads; one of own's hides rows in a quotation
            assert name in ("ut_podcast", "chains", "enterface", "sound", "manifest", "own")
    for share in (0, 0.1, 0.5, 0.9):
        check(TARGETS[name], seeds[0][: int(share * len(seeds[0]))])


@pytest.mark.parametrize(
    "breaking, message",
    [
        (lambda content, folder: 1 / 0, "division by zero"),
        (lambda content, folder: (_ for _ in ()).throw(Faults("something is wrong")), None),
        (lambda content, folder: (folder / ".." / "x").write_bytes(b""), "outside of the folder"),
        (lambda content, folder: (folder / ".." / "x").mkdir(), "outside of the folder"),
        (lambda content, folder: __import__("subprocess").run(["true"]), "subprocess.Popen"),
        (lambda content, folder: __import__("pickle").loads(b"cos\nsystem\n."), "pickle.find_class"),
    ],
)
def test_a_broken_promise_is_noticed(breaking, message):
    with pytest.raises((Finding, ZeroDivisionError), match=message):
        check(Target(breaking, list), b"")


def test_a_slow_reader_is_noticed(monkeypatch):
    monkeypatch.setattr("promise.SECONDS", 0)
    with pytest.raises(Finding, match="took"):
        check(Target(lambda content, folder: None, list), b"")
