"""A report states the commit of the code."""

import subprocess

import pytest

from reproduce.runs.provenance import ROOT, commit


def git(folder, *words):
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, text=True, capture_output=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_commit_is_heads_and_dirty_if_the_code_differs(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert commit(checkout) == head and len(head) == 40
    (checkout / "results.csv").write_text("made, not tracked\n")
    assert commit(checkout) == head
    (checkout / "code.py").write_text("2\n")
    assert commit(checkout) == f"{head}-dirty"


def test_an_unpacked_archive_has_no_commit_even_inside_another_checkout(checkout, tmp_path_factory):
    inside = checkout / "unpacked"
    inside.mkdir()
    assert commit(inside) is None
    assert commit(tmp_path_factory.mktemp("outside")) is None


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(ROOT) is None
