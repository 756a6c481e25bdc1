"""Find packages that PYTHONPATH puts before those of this environment. Needs only the standard library."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from data_prep.base.faults import Faults

__all__ = ["check", "shadows"]

# Packages that have compiled code, or whose version other packages depend on. Copies from another environment
# fail at their import, or later with a misleading error.
PACKAGES = (
    "numpy scipy pandas mxnet gluoncv soundfile av PIL sklearn matplotlib onnx onnxruntime safetensors dask"
    " distributed kaldi_native_fbank tqdm"
).split()


def shadows(pythonpath: str) -> list[str]:
    """Return one sentence for each folder of ``pythonpath`` that hides packages of this environment."""
    own = {Path(sysconfig.get_path(kind)).resolve() for kind in ("purelib", "platlib")}
    faults = []
    for folder in dict.fromkeys(filter(None, pythonpath.split(os.pathsep))):
        if Path(folder).resolve() in own:
            continue
        names = [
            name
            for name in PACKAGES
            if _holds(Path(folder), name) and any(_holds(site, name) for site in own)
        ]
        if names:
            faults.append(
                f"PYTHONPATH puts {folder} before this environment, and {', '.join(names)} there would"
                f" replace the environment's own. Unset PYTHONPATH, or remove {folder} from it."
            )
    return faults


def check() -> None:
    """Raise Faults if PYTHONPATH hides packages of this environment from this process."""
    if not sys.flags.ignore_environment and (faults := shadows(os.environ.get("PYTHONPATH", ""))):
        raise Faults(faults)


def _holds(folder: Path, name: str) -> bool:
    return (folder / name / "__init__.py").is_file() or (folder / f"{name}.py").is_file()
