"""The recipes of containers agree with each other and with what the setup needs. They are not built here."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCKER = (ROOT / "containers/Dockerfile").read_text()
APPTAINER = (ROOT / "containers/freqcnn.def").read_text()


def test_both_recipes_have_the_same_base_and_packages():
    found = [
        (
            re.search(r"^(?:FROM|From:) (\S+)$", text, re.M)[1],
            re.search(r"apt-get install [^\n]*\n\s+([a-z0-9\- ]+)", text)[1].split(),
            re.search(r"^\s*(?:RUN )?(tools/setup.sh \.venv)", text, re.M)[1],
        )
        for text in (DOCKER, APPTAINER)
    ]
    assert found[0] == found[1]
    image, packages, _ = found[0]
    assert re.fullmatch(r"python:3\.(10|11|12)-slim-bookworm", image)
    for needed in (
        "make",
        "gcc",
        "binutils",
        "libgomp1",
        "libquadmath0",
    ):  # see setup.sh and check_gpu_setup.py
        assert needed in packages


def test_what_the_setup_reads_is_copied_before_it_runs():
    before = DOCKER[: DOCKER.index("RUN tools/setup.sh")]
    for name in ("requirements*.txt", "constraints.txt", "tools", "data_prep", "freqcnn_gluon"):
        assert re.search(rf"^COPY .*{re.escape(name)}", before, re.M), name
    for name in re.findall(r"^COPY (?!\.)(\S+) \S+$", DOCKER, re.M):
        assert (ROOT / name).is_dir(), name
