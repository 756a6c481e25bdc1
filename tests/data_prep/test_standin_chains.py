"""The stand-in for CHAINS: its layout and names, voices that differ, bytes that do not."""

import hashlib
import re

import numpy as np
import pytest
import soundfile

from data_prep.corpora import chains as corpus
from data_prep.standin import chains
from data_prep.standin.chains_texts import FABLES, SENTENCES
from data_prep.standin.folder import is_standin

FEW = {"speakers": ("frf01", "frm02", "irm16"), "texts": ("s03", "s16")}


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    root = tmp_path_factory.mktemp("standin")
    chains.write(root, **FEW, jobs=2)
    return root


def sounds(root):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*.wav")}


def test_it_reads_as_chains(standin):
    found = corpus.scan(standin)
    assert found.faults == [] and is_standin(standin)
    assert found.manifest["clip"].tolist() == [f"{s}_{t}" for s in FEW["speakers"] for t in FEW["texts"]]
    assert (standin / "speakers.csv").read_text().count("\n") == 4


def test_format_and_level(standin):
    for path in standin.rglob("*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (44100, 1, "PCM_16")
        samples, _ = soundfile.read(path)
        assert 1.2 < info.duration < 5 and np.abs(samples).max() < 1
        assert -31 < 20 * np.log10(samples.std()) < -14


def test_the_plan_is_the_corpus(standin):
    assert chains.SPEAKERS == corpus.LABELS
    assert tuple(FABLES) == corpus.FABLES and set(SENTENCES) < set(corpus.SENTENCES)
    assert len(set(FABLES.values())) == 4 and len(set(SENTENCES.values())) == 11


def test_thirty_six_distinct_voices():
    voices = [chains._voice(speaker, seed=0) for speaker in chains.SPEAKERS]
    heard = {(v["voice"], v["variant"], v["tract"], v["pitch"]) for v in voices}
    assert len(heard) == 36
    female = {v["variant"] for v in voices if v["speaker"][2] == "f"}
    assert female <= set(chains.VARIANTS["f"]) and not female & set(chains.VARIANTS["m"])


def test_same_seed_same_bytes_one_by_one_too(standin, tmp_path):
    chains.write(tmp_path, speakers=("irm16",), texts=("s16",), jobs=1)
    name = "irm16_s16_solo.wav"
    assert sounds(tmp_path) == {name: sounds(standin)[name]}
    chains.write(tmp_path, speakers=("irm16",), texts=("s16",), seed=1, jobs=1)
    assert sounds(tmp_path)[name] != sounds(standin)[name]


def test_no_text_is_another_ones_beginning():
    words = [re.findall(r"\w+", text.lower()) for text in (FABLES | SENTENCES).values()]
    openings = {tuple(each[:4]) for each in words}
    assert len(openings) == len(words)
