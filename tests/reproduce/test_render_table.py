"""A table as Markdown, CSV and figure: its cells, notes, banners and failed runs."""

import numpy as np
import pytest
from made import report
from matplotlib.figure import Figure

from reproduce.cells import cells
from reproduce.render.figures import draw_confusion, draw_systems
from reproduce.render.table import markdown, write
from reproduce.tables import TABLES


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
    assert uk["low"] < uk["ours"] < uk["high"] and uk["verdict"] == "within"
    uar = row(frame, "FreqCNN", "UAR")
    assert uar["ours"] == pytest.approx(100 * (270 / 332 + 60 / 89 + 180 / 240) / 3)
    assert row(frame, "FreqCNN", "AU")["verdict"] == "outside"  # 88.55 against 81.3
    other = row(frame, "VGG-11", "AU")
    assert other["verdict"] == "not run" and np.isnan(other["ours"])


def test_seeds_are_averaged():
    right = ((332, 0, 0), (0, 89, 0), (0, 0, 240))
    frame = cells(TABLES[3], [report("FNN"), report("FNN", confusion=right, seed=1)])
    us = row(frame, "FNN", "US")
    assert us["ours"] == pytest.approx((75 + 100) / 2) and us["seeds"] == 2
    assert us["sd"] == pytest.approx(np.std([75, 100], ddof=1))
    text = markdown(TABLES[3], [report("FNN"), report("FNN", confusion=right, seed=1)])
    assert "87.50 ± 17.68" in text and "and the variation between seeds (reproduce/verdict.py).\n" in text
    assert "One seed: variation between trainings is not included." in markdown(TABLES[3], [report("FNN")])
    several = [report("FNN"), report("FNN", confusion=right, seed=1), report("CNN")]
    assert "Rows with one seed do not include the variation" in markdown(TABLES[3], several)


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
    assert lines[5][1:4] == ["verdict", "not run", "outside"]
    assert "2 of the paper's numbers are within our interval, 2 outside." in text  # UK and US; AU and UAR
    assert "Not run yet: i-Vector, FNN" in text and "`make table3` runs them" in text
    assert f"[FreqCNN]({made.link})" in text and made.link.startswith("table03/freqcnn/test-s0-")
    assert "2 speakers are in both parts." in text
    assert (
        "`schedule`: How does the learning rate decrease? Choice: step." in text
    )  # what was run, not the default
    assert "`attention_rows`" not in text  # touches Table 5 only
    assert "significant?" not in text  # nothing to compare with


@pytest.mark.parametrize("right, within", [(270, 2), (280, 3), (294, 4)])
def test_verdicts_are_counted(right, within):
    """UK and US agree; of 332 clips of AU the paper's 88.55 % are 294."""
    made = report(confusion=((right, 332 - right, 0), (10, 60, 19), (30, 30, 180)))
    expected = f"\n{within} of the paper's numbers are within our interval, {4 - within} outside.\n"
    assert expected in markdown(TABLES[3], [made])


def test_the_lead_is_tested_and_shown():
    weaker = report("CNN", confusion=((100, 200, 32), (10, 60, 19), (30, 30, 180)))
    text = markdown(TABLES[3], [report(), weaker])
    (line,) = [line for line in lines_of(text) if line[0] == "CNN" and line[-1] == "FreqCNN"]
    assert int(line[1]) - int(line[2]) == 170


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
        (note,) = [line for line in markdown(TABLES[number], []).splitlines() if "Contradiction" in line]
        assert note.count("it would have to be") == wrong and note.count("33 sentences") == 1
    assert "tanh/relu, #3, UAR 90.79 % (it would have to be 90.74 %)" in note
    assert "Contradiction" not in markdown(TABLES[11], [])


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
    assert row(frame, "FreqCNN", "UK")["verdict"] == "within"  # the others are shown all the same
    text = markdown(TABLES[3], reports)
    assert lines_of(text)[3][1:5] == ["ours", "not run", "81.33", "failed"]
    assert "Failed: FNN, fold test, seed 1: the loss is not finite in epoch 2, batch 3." in text
    assert "2 of the paper's numbers are within our interval, 2 outside." in text
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
