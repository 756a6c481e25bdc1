# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#       jupytext_version: 1.19.6
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 1: spectrograms of three emotions
# Frequency rises upwards, time runs to the right, and dark is loud. If you have eNTERFACE'05, set
# `ENTERFACE` to its folder. Otherwise the figure shows the synthesised stand-in and is marked as such.

# %%
# %matplotlib inline
import os
import sys
from pathlib import Path

ROOT = Path.cwd() if Path("reproduce").is_dir() else Path.cwd().parent
sys.path.insert(0, str(ROOT))
DATA = Path(os.environ.get("DATA", ROOT / "data"))  # where the stand-ins are synthesised
ENTERFACE = os.environ.get("ENTERFACE") or None  # None selects the stand-in

# %%
from reproduce.corpora import scanned
from reproduce.render.notebooks import figure1

figure1(scanned("enterface", ENTERFACE and Path(ENTERFACE), DATA))
