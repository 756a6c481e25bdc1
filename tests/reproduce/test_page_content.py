"""The report page shows the numbers of the reports and of cells(), and loads nothing."""

import json
import re
import shutil
from pathlib import Path
from statistics import stdev
from urllib.parse import unquote

import numpy as np
import pytest
from html_tree import lines, read
from made import report as made

from data_prep.base.faults import Faults
from reproduce.__main__ import main
from reproduce.assumptions import assumptions
from reproduce.cells import cells
from reproduce.page.content import _runs, environments_of
from reproduce.page.page import page, report
from reproduce.paper.audit import audit
from reproduce.runs.report import reports_in
from reproduce.tables import TABLES, TRAINED

REFERENCE = Path(__file__).resolve().parents[2] / "results" / "reference"
NUMBERS = list(TRAINED)
HOSTILE = "<img src=x onerror=alert(1)> & 'co'"
OWN = sorted(path.parent.name for path in REFERENCE.glob("*/compare.json"))
SOURCES = {name: f"s{number}" for number, name in enumerate(["paper", HOSTILE, *OWN, "standin", "network"])}
STANDIN, NETWORK = SOURCES["standin"], SOURCES["network"]
OTHER = ((290, 10, 32), (5, 65, 19), (20, 40, 180))


def put(folder, number, reports):
    """Write reports as runs.execute and the command `table` do."""
    for item in reports:
        path = folder / item.link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(item.content))
    (folder / f"table{number:02}.json").write_text(json.dumps([item.link for item in reports]))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Copy the committed results; add a run on the paper's corpus with three seeds and a hostile source."""
    root = tmp_path_factory.mktemp("site") / "results"
    shutil.copytree(REFERENCE, root, ignore=shutil.ignore_patterns("index.html"))
    first, other = made(), made("CNN")
    first.content.update({"commit": "0123456789abcdef-dirty", "versions": {"mxnet": "1.9.1"}})
    put(root / "paper", 3, [first, *(made(seed=seed, confusion=OTHER) for seed in (1, 2)), other])
    put(root / HOSTILE, 3, [made(source=HOSTILE)])
    return root


@pytest.fixture(scope="module")
def text(results, tmp_path_factory):
    return page(results, tmp_path_factory.mktemp("no data"))


@pytest.fixture(scope="module")
def tree(text):
    return read(text)


def by_id(tree, id):
    (element,) = tree.all(id=id)
    return element


def number(text):
    """Return the number of a cell without its standard deviation."""
    return float(text.split(" ±")[0])


SHOWN = [("standin", item) for item in NUMBERS] + [("paper", 3), (HOSTILE, 3)]


@pytest.mark.parametrize("source, table", SHOWN)
def test_every_number_is_the_one_that_cells_has(results, tree, source, table):
    frame = cells(TABLES[table], reports_in(results / source, table))
    shown = lines(by_id(tree, f"{SOURCES[source]}-table{table}-cells"))
    assert len(shown) == len(frame) == len(TABLES[table].cells)
    for shown_text, (_, cell), of in zip(shown, frame.iterrows(), TABLES[table].cells):
        row, column, paper, ours, interval, predicted, _, verdict, seeds, links = shown_text
        assert (row, column) == (cell["row"], cell["column"])
        if not of.printed:
            assert paper == ""
        else:
            assert paper == "?" if np.isnan(cell["paper"]) else abs(float(paper) - cell["paper"]) < 0.0051
        if np.isnan(cell["ours"]):
            assert (ours, interval, seeds, links) == ("not run", "", "", "")
            assert verdict == "– not run"
            continue
        digits = 0 if cell["predicted"] else 2
        assert number(ours) == pytest.approx(cell["ours"], abs=0.51 * 10**-digits)
        assert seeds == str(cell["seeds"]) and links
        for shown_limits, limits in ((interval, "low high"), (predicted, "prediction_low prediction_high")):
            if np.isnan(cell[limits.split()[0]]):
                assert shown_limits == ""
            else:
                expected = tuple(cell[limits.split()])
                assert tuple(map(float, shown_limits.split("–"))) == pytest.approx(expected, abs=0.051)
        assert verdict.split(" ", 1)[-1] == (cell["verdict"] or "compared")  # '● within', 'not compared'


@pytest.mark.parametrize("source, table", SHOWN)
def test_the_papers_layout_has_each_number_in_its_row_and_column(results, tree, source, table):
    section = by_id(tree, f"{SOURCES[source]}-table{table}")
    (grid,) = section.all("table", class_="paper")
    heads = [item.text for item in grid.all("thead")[0].all("th")]
    depth = len(TABLES[table].heads)
    assert heads[:depth] == list(TABLES[table].heads)
    shown = {
        (" | ".join(line[:depth]), column): cell
        for line in lines(grid)
        for column, cell in zip(heads[depth:], line[depth:])
    }
    frame = cells(TABLES[table], reports_in(results / source, table))
    for _, cell in frame.iterrows():
        shown_text = shown.pop((cell["row"], cell["column"]))
        if np.isnan(cell["ours"]):
            assert shown_text.endswith("– not run")
        else:
            digits = 0 if cell["predicted"] else 2
            assert float(shown_text.split()[0]) == pytest.approx(cell["ours"], abs=0.51 * 10**-digits)
        assert (cell["verdict"] or "paper") in shown_text or "paper" not in shown_text
    assert set(shown.values()) <= {""}  # where the paper has no cell


def test_every_link_leads_somewhere(results, tree):
    ids = [item.attributes["id"] for item in tree.all() if "id" in item.attributes]
    assert len(ids) == len(set(ids))
    links = [item.attributes["href"] for item in tree.all("a")]
    outside = {link for link in links if not link.startswith("#") and "://" in link}
    assert outside == {"https://doi.org/10.1016/j.knosys.2018.07.033"}
    inside = {link for link in links if link.startswith("#")}
    assert {link[1:] for link in inside} <= set(ids)
    files = set(links) - inside - outside
    assert all((results / unquote(link)).is_file() for link in files)
    every = {path for path in results.glob("*/*/*/*/report.json")}
    listed = {
        (source / link)
        for source in results.iterdir()
        for table in [*source.glob("table??.json"), *source.glob("compare.json")]
        for link in json.loads(table.read_text())
    }
    assert {results / unquote(link) for link in files} == listed <= every


def test_each_number_links_to_the_reports_it_is_of(results, tree):
    table = by_id(tree, f"{STANDIN}-table8-cells")
    for row, cell in zip(table.all("tbody")[0].all("tr"), TABLES[8].cells):
        linked = [item.attributes["href"] for item in row.all("td")[-1].all("a")]
        folds = {json.loads((results / link).read_text())["run"]["fold"] for link in linked}
        assert folds == ({cell.fold} if cell.fold in "123" else {"1", "2", "3"})
        assert {Path(link).parts[2] for link in linked} == {cell.system.name.lower().replace(" ", "-")}


def test_nothing_is_loaded_from_elsewhere(text, tree):
    assert not tree.all("iframe", "object", "embed", "base", "video", "audio")
    sources = [item.attributes["src"] for item in tree.all() if "src" in item.attributes]
    assert sources and all(item.startswith("data:image/") for item in sources)
    assert [item.attributes["href"] for item in tree.all("link")] == ["data:,"]
    assert all("src" not in item.attributes for item in tree.all("script"))
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    references = {item.attributes[name] for item in tree.all() for name in item.attributes if "href" in name}
    assert len([item for item in references if item and "://" in item]) == 1
    (policy,) = tree.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].startswith("default-src 'none'")
    assert len(text.encode()) < 5e6


def test_the_standin_and_own_corpora_are_marked_and_the_papers_is_not(tree):
    sections = {source: by_id(tree, id) for source, id in SOURCES.items()}
    for source, mark in (("standin", "STAND-IN"), (HOSTILE, "NOT THE PAPER'S CORPUS")):
        (banner,) = sections[source].all("p", class_="banner")
        assert banner.text.startswith(mark)
        tables = sections[source].all("section", class_="table")
        marked = [item for item in tables if item.all("p", class_="small-banner")]
        assert len(marked) == len(sections[source].all("table", class_="paper")) + 1  # the claims
        assert "within" not in {item.text for item in sections[source].all("span", class_="verdict")}
        assert not sections[source].all("i", class_="papers")  # its numbers are not set against the paper's
    for source in ("paper", "network"):
        assert not sections[source].all("p", class_="banner")
        assert "STAND-IN" not in sections[source].text and "NOT THE PAPER" not in sections[source].text
    verdicts = {item.text for item in sections["paper"].all("span", class_="verdict")}
    assert verdicts == {"● within", "△ outside", "○ one seed: not judged", "– not run"}
    assert sections["paper"].all("i", class_="papers")


def test_quick_results_of_the_papers_corpora_are_marked_and_stand_apart(tmp_path):
    put(tmp_path / "paper", 3, [made()])
    put(tmp_path / "quick", 3, [made(source="quick")])
    tree = read(page(tmp_path, tmp_path / "data"))
    quick = by_id(tree, "s1")
    assert quick.all("h2")[0].text == "The paper's corpora, quick profile"
    assert quick.all("p", class_="banner")[0].text.startswith("QUICK") and not quick.all("i", class_="papers")
    assert "within" not in {item.text for item in quick.all("span", class_="verdict")}
    assert f"{tmp_path / 'data' / 'paper' / 'ut_podcast'}" in quick.text  # the clips are the corpus's own
    paper = made()
    paper.content["run"]["profile"] = "quick"  # as an older version left it
    put(tmp_path / "paper", 3, [paper])
    with pytest.raises(Faults, match="its profile is 'quick', but it is among the reports with the paper's"):
        page(tmp_path, tmp_path / "data")


def test_a_hostile_name_is_text(text, tree):
    assert "<img src=x" not in text
    assert [item.text for item in tree.all("h2")][2] == f"'{HOSTILE}'"
    assert not [item for item in tree.all() if any(name.startswith("on") for name in item.attributes)]


def test_it_is_readable_without_seeing_it(tree):
    (html,) = tree.all("html")
    assert html.attributes["lang"] == "en" and tree.all("nav")[0].attributes["aria-label"]
    for table in tree.all("table"):
        assert table.all("caption")[0].text
        assert all(item.attributes.get("scope") for item in table.all("th"))
    assert all(item.attributes["alt"] for item in tree.all("img"))
    curves = [item for item in tree.all("div", role="img") if item.all("svg")]
    assert len(curves) == len(tree.all("svg")) > 40
    assert all("training accuracy" in item.attributes["aria-label"] for item in curves)
    levels = [int(item.tag[1]) for item in tree.all("h1", "h2", "h3", "h4", "h5")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in zip(levels, levels[1:]))
    boxes = tree.all("div", class_="scroll")
    assert all(item.attributes["tabindex"] == "0" and item.attributes["aria-label"] for item in boxes)
    assert sum(len(item.all("table")) for item in boxes) == len(tree.all("table"))


def test_the_variation_between_seeds_is_shown_and_with_one_seed_is_not_known(tree):
    for section, seeds in (("s0-table3", "three"), (f"{STANDIN}-table3", "not known, each row has one seed")):
        (details,) = [
            item
            for item in by_id(tree, section).all("details")
            if item.text.startswith("Variation between seeds")
        ]
        over = {line[0]: line[1:] for line in lines(details.all("table")[0])}
        if seeds == "three":
            first = 100 * np.mean([270 / 332, 60 / 89, 180 / 240])
            second = 100 * np.mean([290 / 332, 65 / 89, 180 / 240])
            by_seed = f"{first:.2f} (seed 0), {second:.2f} (seed 1), {second:.2f} (seed 2)"
            assert over["FreqCNN"][:2] == ["3", by_seed]
            mean, sd = (function([first, second, second]) for function in (np.mean, stdev))
            assert over["FreqCNN"][3:] == [f"{mean:.2f}", f"{sd:.2f}"]
            assert over["CNN"][4] == "not known, one seed"
        else:
            assert seeds in details.text
            assert {item[4] for item in over.values()} == {"not known, one seed"}


def test_confusion_matrices_are_the_reports_counts(results, tree):
    looks = by_id(tree, f"{STANDIN}-table12").all("div", class_="learning")
    assert len(looks) == 1
    reports = [item.content for item in reports_in(results / "standin", 12)]
    counts = np.sum([item["metrics"]["confusion"] for item in reports], axis=0)
    shown = lines(looks[0].all("table", class_="matrix")[0])
    assert [line[0] for line in shown] == reports[0]["labels"]
    assert [[int(count) for count in line[1:]] for line in shown] == counts.tolist()


def test_training_curves_are_drawn_to_the_reports_values(results, tree):
    """The heights of each line are its values, up to the scale of the picture."""
    history = next(
        item.content["history"]
        for item in reports_in(results / "standin", 3)
        if item.content["run"]["row"] == "FreqCNN"
    )
    svg = by_id(tree, f"{STANDIN}-table3").all("svg")[0]
    drawn = {}
    for path in svg.all("path"):
        style = path.attributes.get("style") or ""
        heights = [
            float(pair.split()[1]) for pair in re.findall(r"[ML] ([\d.]+ [\d.]+)", path.attributes["d"])
        ]
        if "stroke: currentColor" in style and len(heights) == len(history):
            drawn[re.search(r"stroke-dasharray: ([^;]*)|$", style)[1]] = heights
    wanted = (
        [item["accuracy"] for item in history],
        [item["test"]["uar"] for item in history],
        [item["loss"] for item in history],
    )
    assert len(drawn) == 3  # three lines, three dashes
    for (_, heights), values in zip(drawn.items(), wanted):
        assert np.corrcoef(heights, values)[0, 1] < -0.99999  # SVG counts downward


def test_where_each_run_comes_from(results, tree):
    (details,) = [
        item for item in by_id(tree, "s0-table3").all("details") if item.text.startswith("Runs (4)")
    ]
    heads = [item.text for item in details.all("thead")[0].all("th")]
    runs = [dict(zip(heads, line)) for line in lines(details.all("table")[0])]
    assert [item["Commit"] for item in runs] == ["0123456789-dirty", *["not known"] * 3]
    assert {item["Data"] for item in runs} == {"0" * 12} and {item["Device"] for item in runs} == {"cpu(0)"}
    assert [item["Versions"] for item in runs] == ["A", "B", "B", "B"] and {
        item["Minutes"] for item in runs
    } == {"1.0"}
    versions = by_id(tree, "s0-versions").text
    assert "A : mxnet 1.9.1" in versions and "B : not known" in versions
    assert "mxnet 1.9.1, gluoncv 0.10.5.post0" in by_id(tree, f"{STANDIN}-versions").text


def test_the_audit_and_every_assumption_are_there(tree):
    checks = [lines(item) for item in by_id(tree, "audit").all("table", class_="audit")]
    findings = audit()
    assert [len(item) for item in checks] == [sum(not item.agrees for item in findings), len(findings)]
    assert [line[0] for line in checks[1]] == [" ".join(item.where.split()) for item in findings]
    assert [line[4] for line in checks[1]] == [
        "● agrees" if item.agrees else "△ contradiction" for item in findings
    ]
    for id, item in assumptions().items():
        entry = by_id(tree, f"assumption-{id}").text
        assert str(item.choice) in entry and " ".join(item.why.split()) in entry


def test_the_networks_tables_are_there(tree):
    section = by_id(tree, f"{NETWORK}-table2")
    assert (
        "64, 7 × 7/1 [+ tanh]" in section.text
        and "32 of 36 cells are the same as the paper's." in section.text
    )
    assert section.all("code")[0].text == "conv_pool_activation"


def test_the_command_writes_it_and_says_where(tmp_path, capsys):
    put(tmp_path / "paper", 3, [made()])
    assert main(["report", "--results", str(tmp_path), "--data", str(tmp_path / "data")]) == 0
    output, out = capsys.readouterr().out, tmp_path / "index.html"
    assert str(out) in output and out.as_uri() in output
    assert report(tmp_path, tmp_path / "data") == out and read(out.read_text(encoding="utf-8"))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["index.html"]


def test_a_failed_run_is_reported_and_has_no_number(tmp_path):
    other = made("ResNet-18", fault="the loss is not finite in epoch 2, batch 3, first in fc")
    put(tmp_path / "paper", 3, [made(), other])
    tree = read(page(tmp_path, tmp_path / "data"))
    section = by_id(tree, "s0-table3")
    assert "Failed: ResNet-18, fold test, seed 0: the loss is not finite in epoch 2" in section.text
    assert "✕ failed" in section.text
    assert {href for link in section.all("a") if "resnet" in (href := link.attributes["href"])} == {
        f"paper/{other.link}"
    }


def test_no_results_is_one_sentence(tmp_path, capsys):
    assert main(["report", "--results", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path / 'none'}: there are no results yet; run `make table3` for the first, or look at "
        "the committed ones with `make report RESULTS=results/reference`\n"
    )
    assert not (tmp_path / "none").exists()


def test_all_missing_and_damaged_reports_are_listed(tmp_path):
    put(tmp_path / "paper", 3, [made()])
    (tmp_path / "paper" / made().link).unlink()
    put(tmp_path / "standin", 3, [made(source="standin")])
    (tmp_path / "standin" / made(source="standin").link).write_text("{")
    with pytest.raises(Faults) as faults:
        report(tmp_path, tmp_path)
    missing, damaged = faults.value.faults
    assert missing == f"{tmp_path / 'paper' / made().link}: is missing"
    assert f"{tmp_path / 'standin' / made(source='standin').link}: is damaged" in damaged
    assert not (tmp_path / "index.html").exists()


def test_versions_have_one_letter_in_any_order_of_their_keys(tmp_path):
    reports = [made(seed=seed) for seed in (0, 1)]
    reports[1].content["versions"] = dict(reversed(list(reports[1].content["versions"].items())))
    environments = environments_of(reports)
    grid = _runs(reports, tmp_path, environments)
    assert list(environments) == ["A"]
    assert [line[grid.head.index("Versions")] for line in grid.body] == ["A", "A"]
