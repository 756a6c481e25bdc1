"""A table as Markdown, CSV and figure: its cells, notes, banners and failed runs."""

import numpy as np
import pytest
from made import report
from matplotlib.figure import Figure

from reproduce.cells import cells
from reproduce.render.figures import draw_confusion, draw_systems
from reproduce.render.table import markdown, write
from reproduce.tables import TABLES


def report_counts():
    return (270, 30, 32), (10, 60, 19), (30, 30, 180)


def row(frame, system, measure):
    return frame.set_index(["system", "measure"]).loc[(system, measure)]


def lines_of(text):
    return [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")
    ]


def test_cells_by_hand():
    frame = cells(TABLES[3], [report()])
    assert len(frame) == 7 * 4
    uk = row(frame, "FreqCNN", "UK")
    assert uk["ours"] == pytest.approx(100 * 60 / 89) and uk["paper"] == 71.91
    assert uk["low"] < uk["ours"] < uk["high"] and uk["verdict"] == "one seed: not judged"
    assert np.isnan(uk["prediction_low"]) and np.isnan(uk["prediction_high"])
    uar = row(frame, "FreqCNN", "UAR")
    assert uar["ours"] == pytest.approx(100 * (270 / 332 + 60 / 89 + 180 / 240) / 3)
    other = row(frame, "VGG-11", "AU")
    assert other["verdict"] == "not run" and np.isnan(other["ours"])


def test_seeds_are_averaged():
    right = ((332, 0, 0), (0, 89, 0), (0, 0, 240))
    frame = cells(TABLES[3], [report("FNN"), report("FNN", confusion=right, seed=1)])
    us = row(frame, "FNN", "US")
    assert us["ours"] == pytest.approx((75 + 100) / 2) and us["seeds"] == 2
    assert us["sd"] == pytest.approx(np.std([75, 100], ddof=1))
    text = markdown(TABLES[3], [report("FNN"), report("FNN", confusion=right, seed=1)])
    assert "87.50 ± 17.68" in text and us["verdict"] == "two seeds: not judged"
    assert "Not judged: 4 (two seeds)." in text and "'95 % (prediction)'" not in text


@pytest.mark.parametrize(
    "source, banner",
    [("standin", "STAND-IN"), ("quick", "QUICK"), ("accents", "NOT THE PAPER'S CORPUS")],
)
def test_other_corpora_and_sizes_carry_a_banner_and_no_verdict(source, banner):
    text = markdown(TABLES[3], [report(source=source)])
    assert banner in text.splitlines()[2]
    assert "verdict |" not in text and "outside" not in text
    assert (cells(TABLES[3], [report(source=source)])["verdict"].isin(["", "not run"])).all()


def test_markdown_of_the_papers_corpus():
    made = report()
    text = markdown(TABLES[3], [made])
    assert "STAND-IN" not in text and "NOT THE PAPER" not in text
    lines = lines_of(text)
    assert lines[0] == [
        "Recall",
        "Value",
        "i-Vector",
        "FreqCNN",
        "FNN",
        "CNN",
        "AlexNet",
        "VGG-11",
        "ResNet-18",
    ]
    assert lines[2][:4] == ["AU", "paper", "78.00", "88.55"]
    assert lines[3][1:4] == ["ours", "not run", "81.33"]
    assert lines[4][1:4] == ["95 % (clips)", "", "76.8–85.2"]
    assert lines[5][1:4] == ["verdict", "not run", "one seed: not judged"]
    assert "Not judged: 4 (one seed)." in text and "by chance" not in text
    assert "It does not include the variation between trainings." in text
    assert "Not run yet: i-Vector, FNN" in text and "`make table3` runs them" in text
    assert f"[FreqCNN]({made.link})" in text and made.link.startswith("table03/freqcnn/test-s0-")
    assert "2 speakers are in both parts." in text
    assert (
        "`schedule`: How does the learning rate decrease? Choice: step." in text
    )  # what was run, not the default
    assert "`attention_rows`" not in text  # touches Table 5 only
    assert "significant?" not in text  # nothing to compare with


def seeds(right, source="paper", home=3, fold="test", speakers=0):
    """Make a report of FreqCNN for each count of AU's 332 clips that are right."""
    return [
        report(
            confusion=((count, 332 - count, 0), (10, 60, 19), (30, 30, 180)),
            seed=seed,
            source=source,
            home=home,
            fold=fold,
            speakers=speakers,
        )
        for seed, count in enumerate(right)
    ]


def test_three_seeds_are_judged_by_their_prediction_interval():
    """The paper's AU is 88.55, UK 71.91, US 77.50 and UAR 79.32. UK and US are the same with all seeds."""
    right = (280, 290, 306)
    frame = cells(TABLES[3], seeds(right))
    au, uk = (row(frame, "FreqCNN", label) for label in ("AU", "UK"))
    half = 4.3027 * np.std(right, ddof=1) / 3.32 * np.sqrt(4 / 3)
    assert au["prediction_low"] == pytest.approx(100 * 292 / 332 - half, abs=1e-3)
    assert au["verdict"] == "within" and au["prediction_high"] == 100
    assert uk["prediction_low"] == uk["prediction_high"] == pytest.approx(100 * 60 / 89)
    assert uk["verdict"] == "outside" and uk["low"] < 71.91 < uk["high"]  # the clips' interval has it
    text = markdown(TABLES[3], seeds(right))
    assert (
        "Of 4 judged numbers of the paper, 2 are within our prediction interval and 2 outside. If all 4 "
        "agreed, 0.2 would be outside by chance, and 0 to 1 with a probability of 95 %"
    ) in text
    assert "on the same clips, from the variation between the seeds" in text and "Not judged" not in text
    assert lines_of(text)[5][1:4] == ["95 % (prediction)", "", f"{100 * 292 / 332 - half:.1f}–100.0"]
    other = markdown(TABLES[3], seeds(right, source="standin"))
    assert "95 % (prediction)" in other and "judged" not in other and "by chance" not in other


@pytest.mark.parametrize("speakers", [0, 30])
def test_redrawn_clips_are_judged_only_with_their_speakers(speakers):
    reports = [
        item for fold in "123" for item in seeds((280, 290, 306), home=8, fold=fold, speakers=speakers)
    ]
    frame = cells(TABLES[8], reports)
    judged = frame[(frame["system"] == "FreqCNN") & frame["paper"].notna()]
    text = markdown(TABLES[8], reports)
    if not speakers:
        assert (
            set(judged["verdict"]) == {"no speakers: not judged"} and "Not judged: 8 (no speakers)." in text
        )
        assert judged["prediction_low"].isna().all()
        return
    assert set(judged["verdict"]) <= {"within", "outside"} and "on other clips of other speakers" in text
    accuracy = judged[judged["measure"] == "ACC"].iloc[0]
    values = np.array([520, 530, 546]) / 661
    of_seeds = 4.3027 * values.std(ddof=1) * np.sqrt(4 / 3)
    half = (accuracy["prediction_high"] - accuracy["prediction_low"]) / 200
    assert half > np.hypot(of_seeds, np.sqrt(2) * 0.9 * (accuracy["high"] - accuracy["low"]) / 200)


def test_the_lead_is_tested_and_shown():
    weaker = report("CNN", confusion=((100, 200, 32), (10, 60, 19), (30, 30, 180)))
    text = markdown(TABLES[3], [report(), weaker])
    (line,) = [line for line in lines_of(text) if line[0] == "CNN" and line[-1] == "not tested"]
    assert int(line[1]) - int(line[2]) == 170 and line[5:7] == ["–", "–"]
    ours, theirs = (
        report(name, confusion=confusion, speakers=40)
        for name, confusion in (("FreqCNN", report_counts()), ("CNN", ((100, 200, 32), *report_counts()[1:])))
    )
    (line,) = [line for line in lines_of(markdown(TABLES[3], [ours, theirs])) if line[0] == "CNN"]
    assert line[-1] == "FreqCNN" and all(float(p) < 0.001 for p in line[3:7])


def test_folds_have_columns_of_their_own():
    labels = ((20, 5, 5), (2, 30, 3), (1, 1, 40))
    reports = [report(home=8, fold=fold, confusion=labels) for fold in "123"]
    text = markdown(TABLES[8], reports)
    lines = lines_of(text)
    assert lines[0][:4] == ["Methods", "Value", "#1 ACC", "#1 UAR"] and lines[0][-2:] == [
        "Average ACC",
        "Average UAR",
    ]
    accuracy = f"{100 * 90 / 107:.2f}"
    assert lines[3][1:3] == ["ours", accuracy] and lines[3][-2] == accuracy
    threshold = next(line for line in lines if line[0] == "i-Vector, threshold")
    # as the paper prints it, which has no UAR of it
    assert threshold[1:8] == ["paper", "-2.46241", "", "-3.04434", "", "30.2318", ""]
    assert [line[1] for line in lines if line[0].startswith("[FreqCNN]")] == ["1", "2", "3"]


def test_table_3_has_a_picture_of_its_numbers(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **how: drawn.append(figure))
    draw_systems(cells(TABLES[3], [report(), report("FNN", fault="diverged")]), "standin", tmp_path / "a.png")
    (figure,) = drawn
    upper, lower = figure.axes
    assert upper.get_title() == "paper" and "STAND-IN" in lower.get_title()
    draw_systems(cells(TABLES[3], [report(source="quick")]), "quick", tmp_path / "a.png")
    assert "QUICK" in drawn.pop().axes[1].get_title()
    systems = ["i-Vector", "FreqCNN", "FNN", "CNN", "AlexNet", "VGG-11", "ResNet-18"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == systems
    heights = {bars.get_label(): [bar.get_height() for bar in bars] for bars in upper.containers}
    assert heights["FreqCNN"] == [88.55, 71.91, 77.50, 79.32]  # AU, UK, US, UAR as printed
    ours = {bars.get_label(): [bar.get_height() for bar in bars] for bars in lower.containers[::2]}
    expected = [100 * 270 / 332, 100 * 60 / 89, 100 * 180 / 240]
    assert ours["FreqCNN"][:3] == pytest.approx(expected)
    assert np.isnan(ours["FNN"]).all() and np.isnan(ours["CNN"]).all()


def test_confusion_as_table_and_figure(tmp_path):
    counts = np.full((6, 6), 1) + 9 * np.eye(6, dtype=int)
    reports = [report(home=11, fold=fold, confusion=counts, source="standin") for fold in TABLES[12].folds]
    write(TABLES[12], reports, tmp_path / "table12")
    lines = lines_of((tmp_path / "table12.md").read_text())
    assert lines[0] == ["True", "Value", "Angry", "Disgust", "Sadness", "Surprise", "Fear", "Happiness"]
    assert lines[2] == ["Angry", "paper", "180", "8", "3", "12", "5", "2"]
    assert lines[3] == ["", "standin", "100", "10", "10", "10", "10", "10"]
    assert lines[5] == ["Disgust", "paper", "?", "167", "?", "?", "?", "?"]
    assert "its 167 correct clips are from the text (Sec. 5.3: 79.52 % of 210)" in markdown(
        TABLES[12], reports
    )
    assert (tmp_path / "table12.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "table12.csv").read_text().splitlines()) == 37


def test_a_count_of_a_row_that_was_not_read_whole_is_shaded_as_the_others(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **how: drawn.append(figure))
    draw_confusion(cells(TABLES[12], []), "paper", tmp_path / "a.png")
    shares = np.asarray(drawn[0].axes[0].images[0].get_array())
    assert shares[1, 1] == pytest.approx(167 / 210) and shares[4, 4] == pytest.approx(178 / 210)


def test_a_source_s_name_is_drawn_literally(tmp_path, monkeypatch):
    drawn, savefig = [], Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda figure, *path, **how: (drawn.append(figure), savefig(figure, *path, **how))
    )
    draw_systems(cells(TABLES[3], [report()]), "Ba$$in", tmp_path / "a.png")
    draw_confusion(cells(TABLES[12], []), "$x^{2$ <&", tmp_path / "b.png")
    titles = [figure.axes[1].title for figure in drawn]
    assert [title.get_text() for title in titles] == [
        "this reproduction: Ba$$in",
        "this reproduction: $x^{2$ <&",
    ]
    assert not any(title.get_parse_math() for title in titles)


def test_contradictions_in_the_paper_stand_below_their_table():
    (note,) = [line for line in markdown(TABLES[3], [report()]).splitlines() if "Contradiction" in line]
    assert "AlexNet, UAR 64.90 % (it would have to be 65.55; 64.90 % is its accuracy, 429 of 661)" in note
    for number, wrong in ((8, 5), (9, 6)):
        folds = [report(home=8, fold=fold) for fold in TABLES[number].folds]
        (note,) = [line for line in markdown(TABLES[number], folds).splitlines() if "Contradiction" in line]
        assert note.count("it would have to be") == wrong and note.count("33 sentences") == 1
    assert "tanh/relu, #3, UAR 90.79 % (it would have to be 90.74 %)" in note
    assert "Contradiction" not in markdown(
        TABLES[11], [report(home=11, fold=fold) for fold in TABLES[11].folds]
    )


def test_fewer_segments_than_the_papers_are_noted():
    segments = {"segments": [8, 8, 8, 4, 2]}
    text = markdown(TABLES[4], [report("Global and local frequency 8", home=4, network=segments)])
    assert "Segments in blocks 1 to 5: Global and local frequency 8: 8, 8, 8, 4, 2." in text


def test_a_failed_run_is_never_a_number():
    failed = report("FNN", seed=1, fault="the loss is not finite in epoch 2, batch 3")
    reports = [report(), report("FNN"), failed]
    frame = cells(TABLES[3], reports)
    fnn = frame[frame["system"] == "FNN"]
    assert (fnn["verdict"] == "failed").all() and fnn[["ours", "sd", "low", "high", "seeds"]].isna().all(None)
    assert row(frame, "FreqCNN", "UK")["ours"] == pytest.approx(100 * 60 / 89)  # the others are shown
    text = markdown(TABLES[3], reports)
    assert lines_of(text)[3][1:5] == ["ours", "not run", "81.33", "failed"]
    assert "Failed: FNN, fold test, seed 1: the loss is not finite in epoch 2, batch 3." in text
    assert "Not judged: 4 (one seed)." in text
    runs = [line for line in lines_of(text) if "table03/fnn" in line[0]]
    assert [line[1:3] for line in runs] == [["0", "12,345"], ["1", "failed"]]
    assert len({len(line) for line in runs}) == 1


def test_a_failed_fold_takes_its_cells_and_the_averages():
    folds = ["1", "2", "3"]
    reports = [report(home=8, fold=fold) for fold in folds]
    reports[1] = report(home=8, fold="2", fault="the loss is not finite")
    frame = cells(TABLES[8], reports)
    ours = frame[frame["system"] == "FreqCNN"]
    failed = ours["verdict"] == "failed"
    assert failed.tolist() == [fold in ("2", "average") for fold in ours["fold"]]
    assert ours["ours"].isna().tolist() == failed.tolist()
    markdown(TABLES[8], [report(home=8, fold=fold, fault="all") for fold in folds])


def test_a_figure_shows_no_number_of_a_failed_run(tmp_path):
    folds = [str(fold) for fold in range(1, 11)]
    reports = [report(home=11, fold=fold, fault="the loss is not finite") for fold in folds]
    page = write(TABLES[12], reports, tmp_path / "table12")
    ours = [line[2:] for line in lines_of(page) if line[1:2] == ["ours"]]
    assert len(ours) == 6 and {cell for line in ours for cell in line} == {"failed"}
    assert (tmp_path / "table12.png").stat().st_size
