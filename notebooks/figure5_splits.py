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
# # Figure 5: splits by time and by frequency
# Each of FreqCNN's local convolutions sees one part of the spectrogram (Eq. 7). Its global convolutions see
# all of it.

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
from reproduce.render.notebooks import figure5

clips = scanned("enterface", ENTERFACE and Path(ENTERFACE), DATA)
figure5(clips, parts=2)

# %%
figure5(clips, parts=4)
