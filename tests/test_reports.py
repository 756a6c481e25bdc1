"""The log of public reports names tests that exist and states an outcome for each row."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROWS = re.findall(r"^\| \d+ \|.*$", (TESTS / "REPORTS.md").read_text(encoding="utf-8"), re.M)


def defined():
    """Return the names of all test functions."""
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"^def (test_\w+)\(", text, re.M)}


def test_the_log_names_tests_that_exist():
    named = {name for row in ROWS for name in re.findall(r"\btest_\w+", row)}
    assert len(named) > 50 and sorted(named - defined()) == []


def test_an_outcome_names_its_tests_or_its_reason():
    assert len(ROWS) > 80
    for row in ROWS:
        outcome = row.split("|")[-2].strip()
        form = r"passes|mended \(`test_\w+`(, `test_\w+`)*\)|falls short: .+"
        assert re.fullmatch(form, outcome), row
