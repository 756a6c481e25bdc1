"""Continuous integration, pre-commit and the guides name commands, files and words that exist."""

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
GLOSSARY = "source corpus system peer row run fold choice assumption profile store image report verdict claim"


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_ci_runs_lint_before_the_tests_on_every_supported_python():
    commands = [line for line in (ROOT / ".ci/run").read_text().splitlines() if "make " in line]
    assert commands[-2:] == ["make lint", "exec make test"]
    job = read_yaml(".github/workflows/ci.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12"]
    assert job["steps"][-1]["run"] == ".ci/run"
    planned = subprocess.run(["make", "-n", "lint"], cwd=ROOT, capture_output=True, text=True)
    for command in ("-m ruff check .", "-m ruff format --check .", "-m mypy"):
        assert command in planned.stdout


def test_pre_commit_uses_the_tools_of_lint():
    hooks = read_yaml(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert [hook["id"] for hook in hooks] == ["ruff", "ruff-format", "mypy"]
    assert all(hook["entry"].startswith(".venv/bin/python -m ") for hook in hooks)


def test_the_issue_form_requires_the_doctors_output():
    fields = {field["id"]: field for field in read_yaml(".github/ISSUE_TEMPLATE/bug.yml")["body"]}
    assert "make doctor" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"] == {"required": True}


def test_the_test_files_that_begin_exist():
    names = re.findall(r'^    "(test_\w+\.py)",$', (ROOT / "tests/conftest.py").read_text(), re.M)
    assert len(names) > 10 and set(names) <= {path.name for path in (ROOT / "tests").rglob("test_*.py")}


def test_contributing_names_files_that_exist_and_defines_the_glossary():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", CONTRIBUTING)
    paths = re.findall(r"`((?:data_prep|freqcnn_gluon|reproduce|tests|docs|tools)/[\w./-]+)`", CONTRIBUTING)
    assert paths and [path for path in [*links, *paths] if not (ROOT / path).exists()] == []
    assert re.findall(r"^\| \*\*(\w+)\*\* \|", CONTRIBUTING, re.M) == GLOSSARY.split()


def test_the_changelog_has_an_unreleased_section_first():
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == "[Unreleased]" and len(headings) > 1
