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
# # The tables beside the paper's
# The numbers come from the reports below `RESULTS`, or from the committed reports if there are none yet.
# Results on other recordings than the paper's corpora have a banner. `make report` shows more.

# %%
# %matplotlib inline
import os
import sys
from pathlib import Path

ROOT = Path.cwd() if Path("reproduce").is_dir() else Path.cwd().parent
sys.path.insert(0, str(ROOT))
RESULTS = Path(os.environ.get("RESULTS", ROOT / "results"))
if not any(RESULTS.glob("*/table??.json")):
    RESULTS = ROOT / "results" / "reference"

# %%
from IPython.display import Markdown, display

from reproduce.runs.report import reports_in
from reproduce.render.table import summary
from reproduce.tables import TABLES

for path in sorted(RESULTS.glob("*/table??.json")):
    table = TABLES[int(path.stem[-2:])]
    reports = reports_in(path.parent, table.number)
    display(Markdown(f"## Table {table.number}: {table.title}\n\n" + summary(table, reports)))
