"""What `make fuzz` once found, mended: each input is now a value, or Faults that name the file."""

from pathlib import Path

import pytest
from promise import Finding, Target, tried
from targets import TARGETS

from data_prep.base.faults import Faults

FOUND = {
    "manifest-nul": "a path with a NUL ended in ValueError when its file was looked for",
    "own-nul": "the same of anybody's table",
    "own-nul-folder": "the same where the NUL is in the name of the only folder",
    "ut_podcast-not-utf8": "a name that is not UTF-8 ended in UnicodeEncodeError at the manifest's writing",
    "enterface-not-utf8": "the same of a film",
    "enterface-folder": "a folder called like a film is a record whose fault is told when it is read",
    "description-size": "a size that the network cannot have was told without the file",
    "onnx-no-output": "a network without an output ended in ValueError",
    "onnx-not-utf8": "an output's shape that is not UTF-8 ended in UnicodeDecodeError",
    "report-training": "a trained run without its training's choices ended in KeyError when it was shown",
    "film-channels": "a film whose sound goes from one channel to two ended in ValueError",
    "store-columns": "index.csv without a column ended in KeyError",
    "store-number": "settings.json that is a number ended in AttributeError",
}
FOLDER = Path(__file__).with_name("findings")


def test_every_finding_says_what_was_wrong():
    assert {path.name for path in FOLDER.iterdir()} == set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_is_mended(name):
    tried(TARGETS[name.partition("-")[0]], (FOLDER / name).read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_reads_what_is_whole_and_keeps_its_promise_when_it_is_cut(name, tmp_path):
    seeds = TARGETS[name].seeds()
    for number, seed in enumerate(seeds):
        (tmp_path / f"{number}").mkdir()
        try:
            TARGETS[name].read(seed, tmp_path / f"{number}")
        except Faults:  # the layouts are of three corpora
            assert name in ("ut_podcast", "chains", "enterface", "sound", "manifest")
    for share in (0, 0.1, 0.5, 0.9):
        tried(TARGETS[name], seeds[0][: int(share * len(seeds[0]))])


@pytest.mark.parametrize(
    "breaking, said",
    [
        (lambda content, folder: 1 / 0, "division by zero"),
        (lambda content, folder: (_ for _ in ()).throw(Faults("something is wrong")), None),
        (lambda content, folder: (folder / ".." / "x").write_bytes(b""), "outside of the folder"),
        (lambda content, folder: (folder / ".." / "x").mkdir(), "outside of the folder"),
        (lambda content, folder: __import__("subprocess").run(["true"]), "subprocess.Popen"),
        (lambda content, folder: __import__("pickle").loads(b"cos\nsystem\n."), "pickle.find_class"),
    ],
)
def test_a_broken_promise_is_seen(breaking, said):
    with pytest.raises((Finding, ZeroDivisionError), match=said):
        tried(Target(breaking, list), b"")


def test_what_takes_long_is_seen(monkeypatch):
    monkeypatch.setattr("promise.SECONDS", 0)
    with pytest.raises(Finding, match="took"):
        tried(Target(lambda content, folder: None, list), b"")
