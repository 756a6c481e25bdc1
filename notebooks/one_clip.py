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
# # One clip, from sound to label
# This notebook trains a small network with `fit` on the training part of UT-Podcast or its stand-in, as you
# would on recordings of your own. Then it follows one clip. The few epochs are enough for a demonstration,
# but not for a result.

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

# %%
from freqcnn_gluon import Recipe, fit
from reproduce.corpora import scanned
from reproduce.render.notebooks import one_clip, through_the_network

clips = scanned("ut_podcast", UT_PODCAST and Path(UT_PODCAST), DATA)
model = fit(clips.root / "audio" / "train", MODEL, Recipe(size=64, epochs=EPOCHS, frequency="linear"))
one_clip(clips, model.about.images)

# %% [markdown]
# ## Through the network
# The network has five blocks. After each block, a convolution and pooling halve both sides of the maps.

# %%
from data_prep.sound import audio
from data_prep import manifest
from data_prep.sound.spectrogram import image

path, start, stop = manifest.clips(clips.manifest.head(1), clips.root)[0]
picture = image(audio.read(path, model.about.images.rate, start, stop), model.about.images)
through_the_network(model.net, picture, clips.root)

# %% [markdown]
# ## The label

# %%
dict(zip(model.about.labels, model.probabilities(picture[None])[0].round(3)))
