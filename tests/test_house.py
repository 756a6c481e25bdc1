"""The import rule of the three packages and the limits on their size, as docs/architecture.md states them."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Packages and, within each, floors from the ground up. A module imports from its own floor and from below.
FLOORS = {
    "data_prep": "base | sound | manifest splits | store windows | corpora | standin | __main__ __init__",
    "freqcnn_gluon": "devices environment | runtime | network | training | own | __main__ __init__",
    "reproduce": "sources options assumptions markdown verdict resampling | paper corpora | peers tables |"
    " runs | cells claims | render | page commands | __main__ __init__",
}
LEVEL = {
    f"{package}.{member}": level
    for package, text in FLOORS.items()
    for level, floor in enumerate(text.split("|"))
    for member in floor.split()
}
PACKAGES = list(FLOORS)
FILE_LINES, FUNCTION_LINES = 400, 60
COMPUTED, RELATIVE = "a module with a computed name", "a module with a relative name"


def read(root):
    """Return module name -> (path, syntax tree); a package's `__init__.py` has the package's name."""
    paths = sorted(path for package in PACKAGES for path in (root / package).rglob("*.py"))
    parts = {path: path.relative_to(root).with_suffix("").parts for path in paths}
    names = {
        path: ".".join(words[:-1] if words[-1] == "__init__" else words) for path, words in parts.items()
    }
    return {names[path]: (path, ast.parse(path.read_text(encoding="utf-8"))) for path in paths}


def imported(module, modules):
    """Yield each module that `module` imports: at the top, in a function, for types, by importlib."""
    path, tree = modules[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = ((node.module, f"{node.module}.{alias.name}") for alias in node.names)
            yield from (
                RELATIVE if node.level else longer if longer in modules else short for short, longer in names
            )
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            text, complete = literal(node.args[0], module)
            text = package + text if text.startswith(".") else text
            matches = [name for name in modules if name.startswith(text) and name != module]
            yield from [text or COMPUTED] if complete or not text else matches


def literal(argument, module):
    """Return a string up to its first placeholder, and whether that is all; `{__name__}` is the module."""
    text = ""
    for part in argument.values if isinstance(argument, ast.JoinedStr) else [argument]:
        if isinstance(part, ast.Constant):
            text += part.value
        elif isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "__name__":
            text += module
        else:
            return text, False
    return text, True


def member(module):
    """Return what has a floor: `reproduce.runs` for `reproduce.runs.run`, `x.__init__` for a package `x`."""
    return ".".join(module.split(".")[:2]) if "." in module else f"{module}.__init__"


def forbidden(module, target):
    """Return why `module` may not import `target`, or None."""
    source, package = module.partition(".")[0], target.partition(".")[0]
    if target in (COMPUTED, RELATIVE):
        return "write the module's full name, so that this test can check it"
    if package not in PACKAGES:
        return "data_prep works without MXNet" if source == "data_prep" and package == "mxnet" else None
    if package == source:
        return "it is on a higher floor" if LEVEL[member(target)] > LEVEL[member(module)] else None
    if PACKAGES.index(package) > PACKAGES.index(source):
        return f"{package} is above {source}"
    upper = ("freqcnn_gluon.own", "freqcnn_gluon.__main__", "freqcnn_gluon.__init__")
    if source == "freqcnn_gluon" and member(module) not in upper and member(target) != "data_prep.base":
        return "only freqcnn_gluon.own may use more of data_prep than data_prep.base"
    return None


def import_faults(root):
    """Return one sentence for each import that breaks the rule, and for a cycle."""
    modules = read(root)
    faults = [f"{module}: has no floor" for module in modules if member(module) not in LEVEL]
    if faults:
        return faults
    graph = {}
    for module in modules:
        targets = sorted(set(imported(module, modules)))
        graph[module] = [target for target in targets if target in modules]
        reasons = ((target, forbidden(module, target)) for target in targets)
        faults += [f"{module} imports {target}: {reason}" for target, reason in reasons if reason]
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        faults.append(f"cycle: {' <- '.join(error.args[1])}")
    return faults


def size_faults(root):
    """Return one sentence for each file and function that is too long."""
    faults = []
    for module, (path, tree) in read(root).items():
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > FILE_LINES:
            faults.append(f"{module}: {lines} lines, at most {FILE_LINES} are allowed")
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    faults.append(
                        f"{module}.{node.name}: {lines} lines, at most {FUNCTION_LINES} are allowed"
                    )
    return faults


def test_imports_point_downward_and_form_no_cycle():
    faults = import_faults(ROOT)
    assert not faults, "\n".join(faults)


def test_files_and_functions_are_short():
    faults = size_faults(ROOT)
    assert not faults, "\n".join(faults)


def test_architecture_page_names_every_module():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^## `(\w+)`.*?\n(.*?)(?=^## |\Z)", page, re.S | re.M))
    missing = []
    for module in read(ROOT):
        package, _, rest = module.partition(".")
        folder, _, name = rest.rpartition(".")
        named = (
            re.search(rf"`{folder}/`:[^|]*`{name}`", rows[package]) if folder else f"`{rest}" in rows[package]
        )
        if rest and not named:
            missing.append(module)
    assert missing == []


@pytest.mark.parametrize(
    "files, expected",
    [
        ({"data_prep/store.py": "from data_prep import manifest, splits\nimport numpy"}, []),
        ({"data_prep/manifest.py": "import data_prep.store"}, ["data_prep.manifest imports data_prep.store"]),
        (
            {"data_prep/sound/a.py": "def f():\n    from data_prep.store import x"},
            ["data_prep.sound.a imports"],
        ),
        (
            {"data_prep/store.py": "if TYPE_CHECKING:\n    from data_prep.corpora import own"},
            ["data_prep.store imports data_prep.corpora: it is on a higher floor"],
        ),
        ({"data_prep/splits.py": "importlib.import_module('data_prep.store')"}, ["it is on a higher floor"]),
        (
            {"data_prep/splits.py": "importlib.import_module(f'data_prep.{name}')"},
            ["it is on a higher floor"],
        ),
        ({"data_prep/splits.py": "importlib.import_module('mxnet')"}, ["data_prep works without MXNet"]),
        ({"data_prep/splits.py": "importlib.import_module(name)"}, ["imports a module with a computed name"]),
        ({"data_prep/splits.py": "from . import manifest"}, ["imports a module with a relative name"]),
        ({"data_prep/splits.py": "from freqcnn_gluon import fit"}, ["freqcnn_gluon is above data_prep"]),
        ({"data_prep/splits.py": "def f():\n    import mxnet.gluon"}, ["data_prep works without MXNet"]),
        ({"freqcnn_gluon/runtime.py": "from data_prep import store"}, ["only freqcnn_gluon.own may use"]),
        ({"freqcnn_gluon/own/a.py": "from data_prep import store"}, []),
        ({"reproduce/cells.py": "from reproduce.runs import run"}, []),
        ({"reproduce/runs/a.py": "import reproduce.cells"}, ["reproduce.runs.a imports reproduce.cells"]),
        ({"reproduce/odd.py": ""}, ["reproduce.odd: has no floor"]),
        (
            {
                "data_prep/splits.py": "from data_prep import manifest",
                "data_prep/manifest.py": "import data_prep.splits",
            },
            ["cycle: data_prep."],
        ),
        (
            {
                "reproduce/peers/__init__.py": "importlib.import_module(f'.{name}', __name__)",
                "reproduce/peers/svm.py": "from reproduce.peers import Peer",
            },
            ["cycle: reproduce.peers"],
        ),
    ],
)
def test_import_rule_finds_what_breaks_it(files, expected, tmp_path):
    existing = ["data_prep/__init__.py", "data_prep/manifest.py", "data_prep/splits.py", "data_prep/store.py"]
    for name in ["data_prep/corpora/__init__.py", "reproduce/cells.py", "reproduce/runs/run.py", *existing]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    faults = import_faults(tmp_path)
    assert bool(faults) == bool(expected)
    assert [part for part in expected if not any(part in fault for fault in faults)] == []


def test_size_limits_find_what_breaks_them(tmp_path):
    (tmp_path / "data_prep").mkdir()
    body = "    pass\n" * FUNCTION_LINES
    (tmp_path / "data_prep" / "store.py").write_text(
        f"def short():\n{body[9:]}\ndef long():\n{body}" + "\n" * 300
    )
    assert [fault.partition(":")[0] for fault in size_faults(tmp_path)] == [
        "data_prep.store",
        "data_prep.store.long",
    ]
