"""README.md and results/reference are exactly what their reports render to."""

from pathlib import Path

import pytest

from data_prep.base.faults import Faults
from reproduce.assumptions import choices
from reproduce.claims import every_claim
from reproduce.commands import reference
from reproduce.options import COMPARE
from reproduce.paper.audit import audit
from reproduce.paper.audit import markdown as markdown_of_audit
from reproduce.render.claims import write as write_claims
from reproduce.render.table import markdown
from reproduce.runs.report import reports_by_table, table_of
from reproduce.sources import warning
from reproduce.tables import TABLES, ArchitectureTable

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
TABLED = [path.with_suffix(".md") for path in sorted(REFERENCE.glob("*/table??.json"))]
RENDERED = [*TABLED, *(path.with_suffix(".md") for path in sorted(REFERENCE.glob("*/compare.json")))]


def test_readme_is_filled_from_the_reports():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert reference.fill_marks(text, ROOT) == text
    assert reference.MARK.search(text)


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_reference_is_rendered_from_the_reports(path):
    number = COMPARE if path in set(RENDERED) - set(TABLED) else int(path.stem[-2:])
    reports = reference.reports_in(path.parent, number)
    assert markdown(table_of(number, reports), reports) == path.read_text(encoding="utf-8")
    assert warning(path.parent.name)[0] in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", sorted({path.parent for path in TABLED}), ids=lambda folder: folder.name)
def test_the_claims_are_judged_again(folder, tmp_path):
    out = tmp_path / folder.name
    out.mkdir()
    write_claims(reports_by_table(folder), out)
    for name in ("claims.md", "claims.csv"):
        assert (out / name).read_text(encoding="utf-8") == (folder / name).read_text(encoding="utf-8")
    assert "STAND-IN" in (folder / "claims.md").read_text(encoding="utf-8")


def test_the_protocol_lists_the_claims():
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    assert reference.fill_claims(text) == text
    assert text.count("\n| Sec. ") + text.count("\n| Table 5") == len(every_claim())


def test_the_audit_and_the_networks_are_printed_again():
    assert markdown_of_audit(audit()) == (REFERENCE / "audit.md").read_text(encoding="utf-8")
    for number, table in TABLES.items():
        if isinstance(table, ArchitectureTable):
            written = (REFERENCE / "network" / f"table{number:02}.md").read_text(encoding="utf-8")
            assert table.compare(choices(number)["network"]).markdown() == written


def test_a_changed_number_would_be_seen():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert reference.fill_marks(text.replace("88.55", "88.56"), ROOT) == text


def test_a_mark_without_reports(tmp_path):
    with pytest.raises(Faults, match="nowhere/table03.json: is missing"):
        reference.fill_marks("<!-- table 3 from nowhere -->\n<!-- end -->", tmp_path)
