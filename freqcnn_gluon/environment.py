"""Check environment variables that would stop MXNet, before MXNet is imported.

A shell, a cluster's modules and conda export variables that the user does not know about. If MXNet does not
understand a value, it prints a C++ traceback, aborts, or never ends. This file needs only
the standard library and ``data_prep.base``: ``tools/doctor.py`` loads it without numpy and MXNet.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import entry_points

from data_prep.base.faults import Faults

__all__ = ["NEEDED", "faults", "prepare"]

# The variables that MXNet's scheduler, servers and workers need beside DMLC_ROLE.
NEEDED = ("DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NUM_WORKER", "DMLC_NUM_SERVER")
ENGINES = ("NaiveEngine", "ThreadedEngine", "ThreadedEnginePerDevice")
MOST_THREADS = 4096  # OpenMP crashes if it cannot start its threads
# Names that begin like this are numeric settings. Others, such as MXNET_HOME or a module's MXNET_ROOT, hold
# text.
NUMERIC = re.compile(
    "MXNET_(BACKWARD|CPU|CUDA|CUDNN|DISABLE|ELIMINATE|ENABLE|ENFORCE|EXEC|GPU|INFER|KVSTORE|MEM|MKLDNN|MP|OMP"
    "|OPTIMIZER|OUTPUT|PROFILER|QUANTIZATION|RNN|SAFE|STORAGE|TUNING|UPDATE|USE|VERBOSE)_"
)
TEXT = {"MXNET_CPU_MEM_POOL_TYPE", "MXNET_GPU_MEM_POOL_TYPE", "MXNET_USE_OPERATOR_TUNING"}
FRACTION = {"MXNET_TUNING_WEIGHT_SCALE", "MXNET_KVSTORE_TREE_LINK_USAGE_PENALTY"}
SWITCH = re.compile(
    r"MXNET_(DISABLE_\w+|ELIMINATE_\w+|ENGINE_INFO|EXEC_BULK_EXEC_(INFERENCE|TRAIN)|KVSTORE_LOGTREE"
    r"|MKLDNN_(?!CACHE_NUM)\w+|SAFE_ACCUMULATION|\w+_VERBOSE_LOGGING)"
)
# If one of these is 0, MXNet divides by zero, or waits for ever when the process ends.
POSITIVE = re.compile(r"MXNET_(CPU|GPU)_\w*(NTHREADS|COPY)")
# Built-in backends of matplotlib 3.10. Others are given as a module or registered by a package.
BACKENDS = (
    "agg cairo gtk3agg gtk3cairo gtk4agg gtk4cairo macosx nbagg notebook pdf pgf ps qt5agg qt5cairo qtagg"
    " qtcairo svg template tkagg tkcairo webagg wx wxagg wxcairo"
).split()


def prepare() -> None:
    """Raise Faults for variables that stop MXNet, and correct harmless ones.

    OMP_NUM_THREADS='4,2' becomes '4', because MXNet reads one number; the second is for nested loops. An
    MPLBACKEND that matplotlib does not know is removed, because every picture here is drawn into a file. With
    ``-W error``, deprecation warnings inside MXNet and gluoncv are ignored.
    """
    installed = "mxnet" in sys.modules or importlib.util.find_spec("mxnet") is not None
    if listed := faults(os.environ, sys.flags.optimize, installed):
        raise Faults(listed.values())
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads is not None:
        first = threads.partition(",")[0].strip()
        if first:
            os.environ["OMP_NUM_THREADS"] = first
        else:
            del os.environ["OMP_NUM_THREADS"]
    for name in [name for name in os.environ if name == "MXNET_ENGINE_TYPE" or NUMERIC.match(name)]:
        if not os.environ[name].strip():  # MXNet would look for an engine with an empty name
            del os.environ[name]
    if not _known_backend(os.environ.get("MPLBACKEND", "")):
        del os.environ["MPLBACKEND"]
    for category in (DeprecationWarning, FutureWarning, SyntaxWarning):
        warnings.filterwarnings("ignore", category=category, module=r"(mxnet|gluoncv)\b")


def faults(environ: Mapping[str, str], optimize: int = 0, mxnet: bool = True) -> dict[str, str]:
    """Map each variable of ``environ`` that would stop MXNet to a sentence about it.

    Args:
        environ: Names and values, as in ``os.environ``.
        optimize: Python's level of optimisation, ``sys.flags.optimize``.
        mxnet: Whether MXNet is installed. Exported models run without it.
    """
    listed = {}
    threads = environ.get("OMP_NUM_THREADS", "")
    if threads.strip() and not _is_count(threads.partition(",")[0]):
        listed["OMP_NUM_THREADS"] = (
            f"OMP_NUM_THREADS={threads} is not a number of threads from 1 to {MOST_THREADS}. Unset it, or"
            " give such a number."
        )
    if not mxnet:
        return listed
    level = environ.get("PYTHONOPTIMIZE", "")
    if optimize > 1 or (level.isdecimal() and int(level) > 1):
        listed["PYTHONOPTIMIZE"] = (
            "Python without docstrings (-OO, or PYTHONOPTIMIZE=2) cannot import MXNet. Use -O, or unset"
            " PYTHONOPTIMIZE."
        )
    for name, value in environ.items():
        if value.strip() and (expected := _expected(name, value)):
            listed[name] = f"{name}={value} stops MXNet: the value must be {expected}. Unset it."
    role = environ.get("DMLC_ROLE", "")
    missing = [name for name in NEEDED if not environ.get(name)]
    if role and role != "worker" and missing:  # ``training.workers`` checks a worker when it trains
        listed["DMLC_ROLE"] = (
            f"DMLC_ROLE={role} makes this process a part of a cluster, but {', '.join(missing)} are not set."
            " Unset DMLC_ROLE, or start all roles with `python -m freqcnn_gluon launch`."
        )
    return listed


def _known_backend(name: str) -> bool:
    """Return whether matplotlib accepts ``name`` as MPLBACKEND."""
    if not name or name.startswith("module://") or name.lower() in BACKENDS:
        return True
    return any(name.lower() == entry.name.lower() for entry in entry_points(group="matplotlib.backend"))


def _is_count(text: str) -> bool:
    text = text.strip().removeprefix("+")
    return text.isdecimal() and len(text) < 10 and 1 <= int(text) <= MOST_THREADS


def _expected(name: str, value: str) -> str:
    """Describe the values that MXNet accepts for a variable; return '' if ``value`` is one of them."""
    value = value.strip()
    if name == "MXNET_ENGINE_TYPE":
        return "" if value in ENGINES else f"one of {', '.join(ENGINES)}"
    if SWITCH.fullmatch(name):
        return "" if value.lower() in ("0", "1", "true", "false") else "0 or 1"
    if not NUMERIC.match(name) or name in TEXT:
        return ""
    if POSITIVE.fullmatch(name):
        return "" if _is_count(value) else f"a number from 1 to {MOST_THREADS}"
    if name in FRACTION:
        return "" if re.fullmatch(r"[+-]?\d+\.?\d*", value) else "a number"
    return "" if re.fullmatch(r"[+-]?\d{1,9}", value) or value.lower() in ("true", "false") else "a number"
