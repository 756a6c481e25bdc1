"""The report page: figures computed independently, hostile names, and a browser that plays the sound."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from html_tree import lines, read
from page_browser import played
from recordings import run_command
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from freqcnn_gluon.own.report.mistakes import MOST, SECONDS
from freqcnn_gluon.own.report.page import report_page, write_page
from freqcnn_gluon.training.metrics import metrics

HOSTILE = ('<script>alert("1")</script>', "a & b 'c' $x$ $y$", "עברית \u202e gnp.wav", "tab\tand\nline")
LABELS = HOSTILE[:3]
COUNT = 40


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """A report, its clips and their recordings, with predictions drawn at random."""
    root, random = tmp_path_factory.mktemp("sound"), np.random.default_rng(0)
    true, predicted = random.integers(0, 3, (2, COUNT))
    probabilities = random.dirichlet(np.ones(3), COUNT)
    for row, number in zip(probabilities, predicted):  # the highest belongs to the prediction
        top = row.argmax()
        row[[number, top]] = row[[top, number]]
    clips = pd.DataFrame({"clip": [f"{number} {HOSTILE[number % 4]}" for number in range(COUNT)]})
    clips["label"], clips["predicted"] = np.array(LABELS)[true], np.array(LABELS)[predicted]
    clips["speaker"] = [("", "s1", HOSTILE[0], "s3")[number] for number in random.integers(0, 4, COUNT)]
    clips[[f"p({label})" for label in LABELS]] = probabilities
    clips["partition"] = "test"
    training = clips[:7].assign(predicted=None, partition="train", clip=[f"t{number}" for number in range(7)])
    soundfile.write(root / "short.wav", recordings.tone(400, 0.5, random, 44100), 44100)
    soundfile.write(root / "long.wav", np.stack([recordings.tone(900, 12.5, random)] * 2, axis=1), 16000)
    sounds = [
        (root / "short.wav", None, None),
        (root / "long.wav", 1.0, None),
        (root / "gone.wav", None, None),
    ]
    files = [(root / "short.wav", None, None)] * 7 + [sounds[number % 3] for number in range(COUNT)]
    entry = {"seconds": 1.0, "test": {"uar": 0.25, "accuracy": 0.5}}
    report = {
        "labels": LABELS,
        "split": f"Speakers such as {HOSTILE[0]} were held out.",
        "metrics": metrics(true, predicted, 3),
        "intervals": {"uar": {"clips": [0.1, 0.42], "speakers": None}},
        "baselines": {"svm": {"metrics": {"uar": 0.625, "accuracy": 0.75}}},
        "history": [{**entry, "epoch": 1, "loss": 1.5, "accuracy": 0.125}]
        + [{**entry, "epoch": 2, "loss": float("nan"), "accuracy": 0.375}],
        "recipe": {"size": 32, "learning_rate": 0.01},
        "versions": {"python": "3.11 <b>"},
    }
    return report, pd.concat([training, clips], ignore_index=True), files


@pytest.fixture(scope="module")
def page(content):
    return read(report_page(*content))


def body(page, id):
    return lines(page.all("table", id=id)[0])


def test_the_figures_are_those_of_scikit_learn(page, content):
    clips = content[1][content[1]["partition"] == "test"]
    true, predicted = clips["label"], clips["predicted"]
    (ours, svm) = body(page, "systems")
    uar, accuracy = recall_score(true, predicted, average="macro"), accuracy_score(true, predicted)
    assert ours == ["this model", f"{100 * uar:.1f} %", "10.0 to 42.0 %", f"{100 * accuracy:.1f} %", "–"]
    assert svm == ["svm", "62.5 %", "–", "75.0 %", "–"]
    counts = confusion_matrix(true, predicted, labels=list(LABELS))
    assert [list(map(int, row[1:])) for row in body(page, "matrix")] == counts.tolist()
    recalls = recall_score(true, predicted, labels=list(LABELS), average=None)
    trained = content[1]["label"][content[1]["partition"] == "train"].tolist()
    assert [row[1:] for row in body(page, "labels")] == [
        [str((true == label).sum()), f"{100 * recall:.1f} %", str(trained.count(label))]
        for label, recall in zip(LABELS, recalls)
    ]
    assert body(page, "epochs") == [
        ["1", "1.5", "12.5 %", "25.0 %", "50.0 %"],
        ["2", "nan", "37.5 %", "25.0 %", "50.0 %"],
    ]


def test_the_page_says_if_a_baseline_is_ahead_or_a_label_has_no_clip(content):
    report, clips, files = content
    uar = f"{100 * report['metrics']['uar']:.1f} %"
    texts = [paragraph.text for paragraph in read(report_page(*content)).all("p")]
    sentence = f"The baseline svm is ahead of this model: UAR 62.5 % against {uar}; use the SVM in its place."
    assert sentence in texts and any(text.endswith("the mean of the labels' recalls.") for text in texts)
    behind = {name: {"metrics": {"uar": 0.01, "accuracy": 0}} for name in ("svm", "majority")}
    recall = [None, *report["metrics"]["recall"][1:]]
    changed = report | {"baselines": behind, "metrics": report["metrics"] | {"recall": recall}}
    texts = [paragraph.text for paragraph in read(report_page(changed, clips, files)).all("p")]
    assert not any("is ahead of" in text for text in texts)
    (text,) = (text for text in texts if "recalls, over 2 of 3 labels: no clip has the label" in text)
    assert LABELS[0] in text
    behind["majority"]["metrics"]["uar"] = 0.99
    texts = [paragraph.text for paragraph in read(report_page(changed, clips, files)).all("p")]
    assert any(text.endswith("the model is of no use yet.") for text in texts)


def test_the_speakers_results_are_those_of_scikit_learn(page, content):
    clips = content[1][content[1]["partition"] == "test"]
    trained = set(content[1]["speaker"][content[1]["partition"] == "train"])
    rows = body(page, "by-speaker")
    assert len(rows) == clips["speaker"].nunique() == 4
    accuracies = []
    for speaker, count, accuracy, uar, also in rows:
        spoken = clips[clips["speaker"] == (speaker if speaker != "not known" else "")]
        right = accuracy_score(spoken["label"], spoken["predicted"])
        present = sorted(set(spoken["label"]))
        recall = recall_score(spoken["label"], spoken["predicted"], labels=present, average="macro")
        assert [count, accuracy, uar] == [str(len(spoken)), f"{100 * right:.1f} %", f"{100 * recall:.1f} %"]
        assert also == ("–" if speaker == "not known" else "yes" if speaker in trained else "no")
        accuracies.append(right)
    assert accuracies == sorted(accuracies)


def test_the_most_confident_mistakes_have_their_sound(page, content):
    _, clips, files = content
    wrong = clips[(clips["predicted"] != clips["label"]) & clips["predicted"].notna()]
    highest = wrong[[f"p({label})" for label in LABELS]].astype(float).max(axis=1)
    expected = highest.sort_values(ascending=False).index[:MOST]
    items = page.all("ol")[0].all("li")
    assert len(items) == MOST < len(wrong)
    for item, row in zip(items, expected):
        assert f"probability {100 * highest[row]:.1f} %" in item.all("p")[-1].text
        path, start, _ = files[row]
        if path.name == "gone.wav":
            assert "is missing" in item.text and not item.all("audio", "img")
            continue
        source, (audio,) = soundfile.read(path)[0], item.all("audio")
        kind, _, data = audio.attributes["src"].partition(";base64,")
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
        assert (kind, rate, samples.ndim) == ("data:audio/flac", 16000, 1)
        if path.name == "long.wav":  # already at 16 kHz, so only cut and averaged
            assert len(samples) == SECONDS * 16000 and "the first 10.0 of 11.5 s" in item.text
            np.testing.assert_allclose(samples, source[16000:176000, 0], atol=1 / 32000)
        else:
            assert len(samples) == 8000
        assert item.all("img")[0].attributes["src"].startswith("data:image/png;base64,")
        assert item.all("img")[0].attributes["alt"]


def test_the_card_and_the_settings_state_the_data_the_split_and_the_limits(page, content):
    report, clips, _ = content
    card, settings = (page.all("section", id=id)[0] for id in ("card", "settings"))
    assert [head.text for head in card.all("h3")] == ["Data", "Split", "Intended use", "Limits"]
    named = {part: set(group["speaker"]) - {""} for part, group in clips.groupby("partition")}
    stated = dict(zip([node.text for node in card.all("dt")], [node.text for node in card.all("dd")]))
    assert stated["training clips"] == f"7, of {len(named['train'])} speakers"
    assert stated["test clips"] == f"{COUNT}, of {len(named['test'])} speakers"
    crossing = len(named["train"] & named["test"])
    assert f"{crossing} test speakers were also trained on" in card.text and report["split"] in card.text
    assert "Not all speakers are named" in card.text
    assert [node.text for node in settings.all("dd")] == ["32", "0.01", "3.11 <b>"]


def test_names_are_shown_literally_and_nothing_is_loaded(page, content):
    text = report_page(*content)
    assert not page.all("script") and "<script" not in text and not re.search(r"[\x00-\x08\x0b-\x1f]", text)
    heads = [cell.text for cell in page.all("table", id="matrix")[0].all("thead")[0].all("th")]
    assert heads[1:] == [*LABELS[:2], r"עברית \u202e gnp.wav"]  # a control character is escaped
    assert any(r"tab" in head.text and r"and\nline" in head.text for head in page.all("h3"))
    assert all(node.text in page.text for node in page.all("bdi"))
    for node in page.all("img", "audio", "link"):
        address = node.attributes.get("src") or node.attributes["href"]
        assert address.startswith("data:")


def test_many_labels_are_drawn_and_a_perfect_model_has_no_mistakes(content):
    labels = [f"label {number}" for number in range(50)]
    clips = pd.DataFrame({"clip": labels, "label": labels, "predicted": labels}).assign(
        speaker="", partition="train", **{f"p({label})": 0.5 for label in labels}
    )
    report = {"labels": labels, "split": "All.", "metrics": metrics(np.arange(50), np.arange(50), 50)}
    page = read(report_page(report, clips, [content[2][0]] * 50))
    assert not page.all("table", id="matrix") and len(body(page, "labels")) == 50
    assert "every clip is recognised" in page.text and not page.all("table", id="epochs")
    assert [section.attributes["id"] for section in page.all("section")] == [
        "results",
        "confusion",
        "mistakes",
        "card",
        "settings",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("wide, high", [(390, 844), (1280, 900)])
def test_a_browser_shows_the_page_and_plays_its_sound(browser, content, tmp_path, wide, high, scheme):
    durations = played(browser, write_page(tmp_path, *content), wide, high, scheme)
    assert len(durations) > 2 and set(durations) == {0.5, SECONDS}


@pytest.mark.parametrize("name", ["model.json", "clips.csv", "file"])
def test_evaluate_refuses_a_folder_whose_files_must_stay(name, tmp_path, capsys):
    out = tmp_path / "file" if name == "file" else tmp_path
    (tmp_path / name).write_text("mine")
    output, code = run_command(capsys, "evaluate", tmp_path / "no model", tmp_path, "--out", out)
    assert code == 1 and f"{out}: " in output.err and "for the report" in output.err
    assert (tmp_path / name).read_text() == "mine"
