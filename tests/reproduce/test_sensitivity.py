"""Which alternatives sensitivity runs, and how it reports them."""

import re

import pandas as pd
import pytest
from made import report

from data_prep.base.faults import Faults
from reproduce.commands import sensitivity as module
from reproduce.options import Options
from reproduce.tables import TABLES

BETTER = ((300, 10, 22), (5, 70, 14), (20, 20, 200))


def recorded(patch):
    """Record the assumptions of every call of run_all, in which 'relu' is better than the others."""
    jobs, assumed = [], []

    def resolve(table, options):
        jobs.append((resolved(table, options), list(options.assume)))
        return jobs[-1][0]

    def run_all(job, systems):
        (assume,) = (assume for known, assume in jobs if known is job)
        assumed.append(assume)
        assert list(systems) == [job.table.claim]
        if assume == ["gamma=1.0"]:
            return [report(source="standin", fault="the loss is not finite")]
        more = {"confusion": BETTER} if "conv_pool_activation=relu" in assume else {}
        return [report(source="standin", fold=fold, speakers=40, **more) for fold in job.table.folds]

    resolved = module.resolve
    patch.setattr(module, "resolve", resolve)
    patch.setattr(module, "run_all", run_all)
    return assumed


@pytest.fixture
def ran(monkeypatch):
    return recorded(monkeypatch)


@pytest.fixture(scope="module")
def table3(tmp_path_factory):
    """Return Table 3 with every alternative as Markdown, its rows, and the assumptions of its runs."""
    folder = tmp_path_factory.mktemp("sensitivity")
    with pytest.MonkeyPatch.context() as patch:
        ran = recorded(patch)
        rendered = module.sensitivity(TABLES[3], Options({}, results=folder))
    assert rendered + "\n" == (folder / "standin" / "sensitivity03.md").read_text()
    frame = pd.read_csv(folder / "standin" / "sensitivity03.csv")
    return rendered, frame.set_index(["assumption", "alternative"]), ran


def test_every_alternative_is_run_alone(table3):
    rendered, _, ran = table3
    assert ran[0] == [] and all(len(assume) == 1 for assume in ran[1:])
    tried = [assume[0] for assume in ran[1:]]
    assert len(set(tried)) == len(tried) and "fc_batchnorm=True" in tried
    assert {
        "version=1.7",
        "over_sampling=none",
        "gamma=1.0",
        "batchnorm=convolution",
        "floor_db=100.0",
        "scale=linear",
        "scale=power",
        "rate=8000",
        "time_axis=windows",
    } < set(tried)
    assert not any(override.startswith(("window", "folds_seed", "head")) for override in tried)
    assert "STAND-IN" in rendered and "Not varied, since any number is possible: epochs." in rendered
    # At this size, a batch fits into 12 GB as well as into 16.
    assert "Not trained, since another training is the same: memory=12.0 (as choices as listed)." in rendered


def test_a_scale_is_not_varied_where_no_layer_has_it(ran, tmp_path):
    assume = ["batchnorm=convolution"]
    rendered = module.sensitivity(TABLES[8], Options({}, results=tmp_path, assume=assume))
    same = "gamma=1.0 (as choices as listed), memory=12.0 (as choices as listed)."
    assert f"Not trained, since another training is the same: {same}" in rendered
    tried = [assume[1] for assume in ran[1:]]
    assert "fc_batchnorm=True" in tried and "initializer=uniform" in tried
    ran.clear()
    assume.append("fc_batchnorm=true")
    module.sensitivity(TABLES[8], Options({}, results=tmp_path, assume=assume))
    assert [*assume, "gamma=1.0"] in ran


def test_together_runs_every_combination_and_none_twice(ran, tmp_path):
    options, together = Options({}, results=tmp_path), ["gamma", "batchnorm_defaults", "attention_input"]
    rendered = module.sensitivity(TABLES[3], options, together)
    several = [assume for assume in ran if len(assume) > 1]
    module_ = "batchnorm_defaults=module"
    inputs = ["attention_input=pooled", "attention_input=same"]
    assert several == [
        *([module_, chosen] for chosen in inputs),
        *(["gamma=1.0", chosen] for chosen in inputs),
    ]
    # With Module's defaults, gamma has no effect.
    assert f"gamma=1.0 {module_} (as {module_})" in rendered
    assert f"gamma=1.0 {module_} attention_input=same (as {module_} attention_input=same)" in rendered
    assert re.search(r"\| gamma \+ attention_input +\| 1.0 \+ pooled +\|", rendered)
    frame = pd.read_csv(tmp_path / "standin" / "sensitivity03.csv")
    assert len(frame) == len(ran)


@pytest.mark.parametrize(
    "together, assume, message",
    [
        (["gamma", "colour"], [], "no assumption 'colour' that TOGETHER can vary for table 3: choose among"),
        (["gamma", "head"], [], "no assumption 'head' that"),  # has no alternative
        (["gamma", "window"], [], "no assumption 'window' that"),  # is another table's
        (["gamma", "epochs"], [], "no assumption 'epochs' that"),  # takes any number
        (["gamma", "scoring"], [], "no assumption 'scoring' that"),  # is a peer's
        (["gamma", "batchnorm"], ["gamma=1.0"], "'gamma' has a value in ASSUME, so TOGETHER cannot vary it"),
        (["gamma", "gamma"], [], "TOGETHER names only 'gamma': name two or more"),
    ],
)
def test_combinations_that_cannot_be_run_are_refused(ran, tmp_path, together, assume, message):
    with pytest.raises(Faults, match=message):
        module.sensitivity(TABLES[3], Options({}, results=tmp_path, assume=assume), together)
    assert not ran


def test_a_training_that_does_not_fit_is_refused_before_any_begins(ran, tmp_path, monkeypatch):
    options = Options({}, results=tmp_path, profile="paper", assume=["memory=1.0"])
    monkeypatch.setattr(module, "_alternatives", lambda *_: ([("attention_input", "pooled")], []))
    with pytest.raises(Faults) as caught:  # the listed choices themselves do not fit
        module.sensitivity(TABLES[3], options)
    (message,) = caught.value.faults
    assert message.startswith("choices as listed: FreqCNN, profile paper: at 256 x 256, training one sample")
    assert not ran


def test_a_setting_of_images_is_not_varied_where_it_has_no_effect(ran, tmp_path):
    rendered = module.sensitivity(TABLES[3], Options({}, results=tmp_path, assume=["scale=linear"]))
    varied = {override for assume in ran[1:] for override in assume[1:]}
    assert "rate=8000" in varied and not any(item.startswith(("floor_db", "version")) for item in varied)
    (line,) = (line for line in rendered.splitlines() if line.startswith("Not trained"))
    assert all(item in line for item in ("floor_db=60.0", "floor_db=100.0", "version=1.7"))


def test_the_difference_and_its_test(table3):
    _, frame, _ = table3
    relu, sigmoid = (frame.loc[("conv_pool_activation", name)] for name in ("relu", "sigmoid"))
    recalls = (300 / 332 + 70 / 89 + 200 / 240) - (270 / 332 + 60 / 89 + 180 / 240)
    assert relu["difference"] == pytest.approx(100 * recalls / 3, abs=1e-3) and relu["p"] < 0.001
    assert sigmoid["difference"] == 0 and sigmoid["p"] == 1


def test_an_assumption_chosen_by_the_options_is_not_varied(ran, tmp_path):
    module.sensitivity(TABLES[3], Options({}, assume=["schedule=step"], results=tmp_path))
    assert all(assume[0] == "schedule=step" for assume in ran)
    assert not any(override.startswith("schedule=") for assume in ran for override in assume[1:])


def test_a_failed_alternative_is_shown_as_failed(table3, ran, tmp_path):
    rendered, frame, _ = table3
    assert re.search(r"\| gamma +\| 1.0 +\| failed +\| +\|", rendered)
    assert frame["failed"].sum() == 1 and frame.loc[("gamma", "1.0"), ["uar", "difference"]].isna().all()
    with pytest.raises(Faults, match="failed: the loss is not finite"):
        module.sensitivity(TABLES[3], Options({}, assume=["gamma=1.0"], results=tmp_path))
