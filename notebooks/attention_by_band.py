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
# # Attention by frequency band
# The weight h (Eq. 9) states how strongly one local part, here one frequency band, emphasises a feature map
# of the global path. Its mean over all maps and clips shows which band has the most influence, for each
# block and label.

# %%
# %matplotlib inline
import os
import sys
from pathlib import Path

ROOT = Path.cwd() if Path("reproduce").is_dir() else Path.cwd().parent
sys.path.insert(0, str(ROOT))
DATA = Path(os.environ.get("DATA", ROOT / "data"))  # where the stand-ins are synthesised
UT_PODCAST = os.environ.get("UT_PODCAST") or None  # None selects the stand-in
MODEL = Path(os.environ.get("MODEL", ROOT / "results" / "notebooks" / "model"))
EPOCHS = int(os.environ.get("EPOCHS", 4))
CLIPS = 20  # of the test part, for each label

# %%
from data_prep import manifest
from freqcnn_gluon import Recipe, fit, spectrograms
from reproduce.corpora import scanned
from reproduce.render.notebooks import attention_by_band, draw_bands

clips = scanned("ut_podcast", UT_PODCAST and Path(UT_PODCAST), DATA)
model = fit(clips.root / "audio" / "train", MODEL, Recipe(size=64, epochs=EPOCHS, frequency="linear"))
tested = clips.manifest[clips.manifest["partition"] == "test"].groupby("label").head(CLIPS)
paths = [path for path, _, _ in manifest.clips(tested, clips.root)]
images = spectrograms(paths, model.about.images.size, frequency="linear")
weights = attention_by_band(model.net, images, tested["label"])
draw_bands(weights, model.about.images.rate / 2, clips.root)

# %%
weights.pivot(index=["block", "part"], columns="label", values="weight").round(3)
