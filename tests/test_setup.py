"""The search for a Python, and the installation with a fake Python and pip."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENT_FILES = ["requirements.txt", "requirements-cpu.txt", "requirements-common.txt", "constraints.txt"]
BASH = shutil.which("bash")


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{BASH}\n{body}\n")
    path.chmod(0o755)
    return path


def interpreter(path: Path, version: str, venv: bool = True) -> Path:
    """Write a fake Python that reports ``version``, with or without its venv module."""
    hide = "" if venv else "sys.modules['ensurepip'] = None; "
    numbers = tuple(map(int, version.split(".")))
    lie = (
        f"import sys; sys.version_info = {numbers}; sys._base_executable = '{path}'; {hide}exec(sys.argv[1])"
    )
    return script(path, f'[ "$1" = -c ] && exec "{sys.executable}" -c "{lie}" "$2"')


def find(folders: list[Path], home: Path, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [BASH, ROOT / "tools/find_python.sh"],
        text=True,
        capture_output=True,
        timeout=60,
        env={"PATH": ":".join(map(str, folders)), "HOME": str(home), **environment},
    )


@pytest.fixture
def bin_folder(tmp_path):
    folder = tmp_path / "with space/bin"
    folder.mkdir(parents=True)
    return folder


def test_a_failing_shim_is_skipped(bin_folder, tmp_path):
    script(bin_folder / "python3.11", "echo 'pyenv: python3.11: command not found' >&2; exit 127")
    interpreter(bin_folder / "python3", "3.9.18")
    later = interpreter(tmp_path / "later/python3.11", "3.11.2")
    assert find([bin_folder, tmp_path / "later"], tmp_path).stdout == f"python {later}\n"


def test_pyenv_versions_are_used_if_only_shims_are_on_the_path(bin_folder, tmp_path):
    script(bin_folder / "python3.12", "exit 127")
    interpreter(tmp_path / ".pyenv/versions/3.9.18/bin/python", "3.9.18")
    real = interpreter(tmp_path / ".pyenv/versions/3.12.1/bin/python", "3.12.1")
    assert find([bin_folder], tmp_path).stdout == f"python {real}\n"


@pytest.mark.parametrize("version", ["3.10.0", "3.11.9", "3.12.4"])
def test_python3_of_a_supported_version_is_used(bin_folder, tmp_path, version):
    path = interpreter(bin_folder / "python3", version)
    assert find([bin_folder], tmp_path).stdout == f"python {path}\n"


def test_a_newer_python_is_reported_as_newer_and_uv_is_preferred(bin_folder, tmp_path):
    newer = interpreter(bin_folder / "python3", "3.14.0")
    assert find([bin_folder], tmp_path).stdout == f"newer {newer}\n"
    uv = script(bin_folder / "uv", "echo uv 1.0")
    assert find([bin_folder], tmp_path).stdout == f"uv {uv}\n"


@pytest.mark.parametrize("version", [None, "2.7.18", "3.9.18"])
def test_a_missing_python_is_reported_in_one_line(bin_folder, tmp_path, version):
    if version:
        interpreter(bin_folder / "python", version)
    done = find([bin_folder], tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "there is none. Install one" in done.stderr


def test_a_python_without_venv_is_reported_with_its_package_unless_another_is_suitable(bin_folder, tmp_path):
    interpreter(bin_folder / "python3.11", "3.11.2", venv=False)
    done = find([bin_folder], tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "apt install python3.11-venv" in done.stderr
    other = interpreter(bin_folder / "python3.10", "3.10.4")
    assert find([bin_folder], tmp_path).stdout == f"python {other}\n"


def test_setup_python_replaces_the_search(bin_folder, tmp_path):
    interpreter(bin_folder / "python3.11", "3.11.2")
    other = interpreter(tmp_path / "other/python", "3.10.4")
    assert find([bin_folder], tmp_path, SETUP_PYTHON=str(other)).stdout == f"python {other}\n"
    for unsuitable in (interpreter(tmp_path / "old/python", "3.9.18"), tmp_path / "none"):
        done = find([bin_folder], tmp_path, SETUP_PYTHON=str(unsuitable))
        assert (done.returncode, done.stdout) == (1, "")
        assert f"SETUP_PYTHON={unsuitable} is not a Python 3.10" in done.stderr


# A fake Python: it copies itself to make an environment, and its pip records what it should install.
FAKE_PYTHON = r"""
case "$*" in
    "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; touch "$3/pyvenv.cfg" ;;
    "-m pip install "*)
        echo "${!#}" >>"$CALLS"
        [ -z "${FAKE_PIP_FAILS-}" ] || { echo "ERROR: no such package" >&2; exit 1; }
        case "${!#}" in *-cpu.txt) name=mxnet ;; *) name=mxnet_cu112 ;; esac
        mkdir -p "$(dirname "$0")/../lib/python3.11/site-packages/$name-1.9.1.dist-info" ;;
    *devices.py) echo "${FOUND:-cpu no GPU was found}" ;;
    "-c import"*) ;;
    -c*) echo 3.11 ok "$0" ;;
    *) exit 9 ;;
esac
"""


class Clone:
    """A copy of the project's environment files, with a fake Python beside it."""

    def __init__(self, folder: Path):
        self.folder, self.calls, self.bin = folder / "a clone", folder / "calls", folder / "bin"
        self.venv = self.folder / "its venv"
        shutil.copytree(ROOT / "tools", self.folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        for name in REQUIREMENT_FILES:
            shutil.copy(ROOT / name, self.folder)
        script(self.bin / "python3.11", FAKE_PYTHON)

    def setup(self, device: str = "auto", **environment: str) -> subprocess.CompletedProcess:
        environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": "/nowhere",
            "CALLS": str(self.calls),
            **environment,
        }
        return subprocess.run(
            ["tools/setup.sh", "its venv", device],
            cwd=self.folder,
            text=True,
            timeout=60,
            capture_output=True,
            env=environment,
        )

    def installed(self) -> list[str]:
        """Return the names of the requirement files that pip installed, in order."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [Path(line).name for line in lines]


@pytest.fixture
def clone(tmp_path):
    return Clone(tmp_path)


def test_a_second_setup_installs_nothing_and_needs_no_python(clone):
    first = clone.setup()
    assert first.returncode == 0, first.stderr
    assert "CPU packages (no GPU was found)" in first.stderr
    (clone.bin / "python3.11").unlink()
    second = clone.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert clone.installed() == ["requirements-cpu.txt"]


def test_a_usable_gpu_selects_the_gpu_set_and_auto_keeps_the_installed_set(clone):
    output = clone.setup(FOUND="gpu GPU 0 (Fake, compute capability 8.6) can be used").stderr
    assert "GPU packages (GPU 0 (Fake, compute capability 8.6) can be used)" in output
    for device in ("auto", "gpu", "gpu:0,1"):
        assert clone.setup(device).stderr == ""
    assert clone.installed() == ["requirements.txt"]


def test_one_set_is_never_installed_over_the_other(clone):
    clone.setup("cpu:0,1")
    (clone.venv / "left over").touch()
    clone.setup("gpu")
    assert clone.installed() == ["requirements-cpu.txt", "requirements.txt"]
    assert not (clone.venv / "left over").exists()
    packages = clone.venv / "lib/python3.11/site-packages"
    assert [path.name for path in packages.iterdir()] == ["mxnet_cu112-1.9.1.dist-info"]
    (packages / "mxnet-1.9.1.dist-info").mkdir()  # by hand, later
    clone.setup("gpu")
    assert [path.name for path in packages.iterdir()] == ["mxnet_cu112-1.9.1.dist-info"]


def test_an_interrupted_installation_starts_again_from_nothing(clone):
    clone.setup()
    (clone.venv / ".ready").unlink()
    (clone.venv / "left over").touch()
    assert clone.setup().returncode == 0
    assert len(clone.installed()) == 2 and not (clone.venv / "left over").exists()


@pytest.mark.parametrize("name", ["constraints.txt", "requirements-common.txt", "requirements-cpu.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(clone, name):
    clone.setup()
    (clone.venv / "kept").touch()
    with open(clone.folder / name, "a") as file:
        file.write("# changed\n")
    assert "the requirements have changed" in clone.setup().stderr
    assert clone.installed() == ["requirements-cpu.txt"] * 2 and (clone.venv / "kept").exists()
    assert clone.setup().stderr == ""


def test_a_change_to_the_other_sets_file_is_ignored(clone):
    clone.setup("cpu")
    with open(clone.folder / "requirements.txt", "a") as file:
        file.write("# changed\n")
    assert clone.setup("cpu").stderr == ""


def test_a_failing_pip_is_reported_with_its_log_and_retried(clone):
    done = clone.setup(FAKE_PIP_FAILS="yes")
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    log = re.search(r"see pip's output in (.*)\.$", last)[1]
    assert last.startswith("error: ") and "no such package" in (clone.folder / log).read_text()
    assert not (clone.venv / ".ready").exists()
    assert clone.setup().returncode == 0 and len(clone.installed()) == 2


def test_a_failed_update_starts_again_from_nothing(clone):
    clone.setup()
    (clone.venv / "half updated").touch()
    with open(clone.folder / "constraints.txt", "a") as file:
        file.write("# changed\n")
    assert clone.setup(FAKE_PIP_FAILS="yes").returncode == 1
    assert clone.setup().returncode == 0 and not (clone.venv / "half updated").exists()


def test_an_unknown_device_and_a_folder_with_other_files_are_refused(clone):
    done = clone.setup("tpu")
    assert done.returncode == 1 and "DEVICE=tpu: unknown device" in done.stderr
    clone.venv.mkdir()
    (clone.venv / "thesis.tex").touch()
    done = clone.setup()
    assert done.returncode == 1 and "Name another folder" in done.stderr
    assert (clone.venv / "thesis.tex").exists() and clone.installed() == []


# What shells, a cluster's modules, conda and people's own settings export.
HOSTILE = {
    "CDPATH": ".:/tmp:/usr:..",
    "GREP_OPTIONS": "--color=always",
    "BASH_ENV": "NOISE",
    "ENV": "NOISE",
    "IFS": "/",
    "SHELLOPTS": "noglob",
    "TMPDIR": "/nonexistent",
    "HOME": "",
    "LANG": "xx_YY",
    "LC_ALL": "tr_TR.UTF-8",
    "PYTHONPATH": "NOISE",
    "PYTHONHOME": "/usr",
    "PYTHONOPTIMIZE": "2",
    "PYTHONSAFEPATH": "1",
    "PYTHONINSPECT": "1",
    "PIP_TARGET": "/nowhere",
    "PIP_NO_DEPS": "1",
    "PIP_REQUIREMENT": "/nowhere/requirements.txt",
    "PIP_DRY_RUN": "1",
    "BASH_FUNC_cd%%": '() { echo went; builtin cd "$@"; }',
    "MAKEFLAGS": "-j4",
    "SHELL": "/bin/false",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_exported_does_not_change_the_installation(clone, name, tmp_path):
    """Directly and through make; pip sees the network's settings and none that would install elsewhere."""
    noise = tmp_path / "noise"
    noise.write_text("echo noise\n")
    shutil.copy(ROOT / "Makefile", clone.folder)
    (clone.bin / "python3.11").write_text(f"#!{BASH} -p\nenv >>{clone.calls}.env\n{FAKE_PYTHON}\n")
    environment = {
        "PATH": f"{clone.bin}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "CALLS": str(clone.calls),
        "PIP_INDEX_URL": "kept",
        name: HOSTILE[name].replace("NOISE", str(noise)),
    }
    for command in (
        ["tools/setup.sh", "its venv", "cpu"],
        ["make", "-s", "setup", "VENV=another", "DEVICE=cpu"],
    ):
        done = subprocess.run(
            command, cwd=clone.folder, text=True, timeout=60, capture_output=True, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert "No such file" not in done.stderr and "is ready" in done.stderr
        assert set(done.stdout.splitlines()) <= {"noise"}  # BASH_ENV runs before the script can prevent it
    assert done.stdout == ""
    assert clone.installed() == ["requirements-cpu.txt"] * 2
    seen = Path(f"{clone.calls}.env").read_text().splitlines()
    assert "PIP_INDEX_URL=kept" in seen and "PIP_USER=0" in seen
    if name.startswith(("PYTHON", "PIP")):
        assert not [line for line in seen if line.startswith(f"{name}=")]


@pytest.mark.parametrize("given", ["environment", "command line"])
@pytest.mark.parametrize(
    "name", ["OUT", "VENV", "DEVICE", "SEEDS", "DATA", "RESULTS", "TABLE", "GPUS", "DTYPE"]
)
def test_an_empty_variable_counts_as_unset(name, given):
    def commands(environment, *words):
        path = {"PATH": "/usr/bin:/bin"}
        command = ["make", "-n", "--no-print-directory", "table3", "plan", "sensitivity", *words]
        done = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, env=path | environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    usual = commands({})
    assert '"./.venv/bin/python" -m reproduce table 3 --device "auto" --seeds "1" --data "./data"' in usual
    assert (
        commands({name: ""} if given == "environment" else {}, *[f"{name}="] * (given != "environment"))
        == usual
    )
    other = commands({name: "other"})
    assert other != usual and "other" in other


@pytest.mark.parametrize(
    "words, fault",
    [
        (["compare"], "SPEECH is not set; name the recordings, as in `make compare SPEECH=clips.csv`"),
        (["compare", "SPEECH= "], "SPEECH is not set"),
        *(
            ([target, "CHECK_COUNTS=maybe"], "CHECK_COUNTS=maybe is not known; give yes or no")
            for target in ("table3", "tables", "plan", "sensitivity")
        ),
        (["table3", "CHECK_COUNTS=no yes"], "CHECK_COUNTS=no yes is not known"),
    ],
)
def test_a_missing_or_impossible_variable_is_reported_before_anything_is_installed(tmp_path, words, fault):
    shutil.copy(ROOT / "Makefile", tmp_path)
    script(tmp_path / "tools/setup.sh", "touch installed")
    done = subprocess.run(["make", *words], cwd=tmp_path, text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and fault in done.stderr and not (tmp_path / "installed").exists()
    valid = "SPEECH=a b.csv" if words[0] == "compare" else "CHECK_COUNTS=no"
    planned = subprocess.run(["make", "-n", words[0], valid], cwd=tmp_path, text=True, capture_output=True)
    assert ("a b.csv" if words[0] == "compare" else "--no-check-counts") in planned.stdout
