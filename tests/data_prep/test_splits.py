"""Over-sampling's totals and draws, and speakers on both sides."""

import numpy as np
import pandas as pd
import pytest

from data_prep.base.faults import Faults
from data_prep.splits import crossing_speakers, held_out, overlapping, oversample, speaker_folds


def clips(**counts):
    """A manifest's relevant columns, from e.g. train_UK=246."""
    rows = [(name.split("_")[1], name.split("_")[0]) for name, count in counts.items() for _ in range(count)]
    return pd.DataFrame(rows, columns=["label", "partition"])


TABLE1 = clips(train_AU=449, train_US=406, train_UK=246, test_AU=332, test_US=240, test_UK=89)


def total(frame):
    return frame.groupby(["partition", "label"])["copies"].sum().to_dict()


@pytest.mark.parametrize("method", ["each", "draw"])
def test_table_1(method):
    expected = {
        ("train", "AU"): 449,
        ("train", "US"): 406,
        ("train", "UK"): 492,
        ("test", "AU"): 332,
        ("test", "US"): 240,
        ("test", "UK"): 89,
    }
    result = oversample(TABLE1, {"UK": 2.0}, method)
    assert total(result) == expected
    assert result["copies"].dtype == np.int64 and "copies" not in TABLE1
    assert result[result["partition"] == "train"]["copies"].sum() == 1347


def test_each_clip_is_used_as_often_as_the_next():
    uk = oversample(TABLE1, {"UK": 2.0}).query("label == 'UK' and partition == 'train'")["copies"]
    assert set(uk) == {2}
    uk = oversample(TABLE1, {"UK": 2.75}).query("label == 'UK' and partition == 'train'")["copies"]
    assert uk.value_counts().to_dict() == {3: 185, 2: 61}  # 0.75 * 246 = 184.5, up


def test_draw_repeats_some_more_than_others():
    uk = oversample(TABLE1, {"UK": 2.0}, "draw").query("label == 'UK' and partition == 'train'")["copies"]
    assert uk.min() == 1 and uk.max() >= 3
    # Each clip is drawn Binomial(246, 1/246) times, so about exp(-1) of them never.
    assert abs((uk == 1).mean() - np.exp(-1)) < 0.1


@pytest.mark.parametrize("method", ["each", "draw"])
def test_a_draw_is_the_seeds(method):
    times = {"UK": 1.5, "US": 1.25}
    first, again = (oversample(TABLE1, times, method, seed=3) for _ in range(2))
    turned = oversample(TABLE1, dict(reversed(times.items())), method, seed=3)
    other = oversample(TABLE1, times, method, seed=4)
    assert first.equals(again) and first.equals(turned) and not first.equals(other)
    assert total(first) == total(other)


def test_fewer_copies_than_clips():
    assert total(oversample(clips(train_a=10, test_a=4), {"a": 0.5})) == {("test", "a"): 4, ("train", "a"): 5}


def test_faults_all_at_once():
    with pytest.raises(Faults) as caught:
        oversample(clips(train_a=2, test_b=2), {"b": 2, "a": np.nan}, "often")
    text = str(caught.value)
    assert len(caught.value.faults) == 3 and "their labels are a" in text and "often" in text
    with pytest.raises(Faults):
        oversample(clips(train_a=2), {"a": 0.5}, "draw")


def test_crossing_speakers():
    frame = pd.DataFrame(
        [
            ("z", "train"),
            ("z", "test"),
            ("b", "train"),
            ("b", "test"),
            ("c", "train"),
            ("d", "test"),
            ("", "train"),
            ("", "test"),
            ("e", "train"),
            ("e", ""),
        ],
        columns=["speaker", "partition"],
    )
    assert crossing_speakers(frame) == ["b", "z"]


def spoken(speakers, clips=3):
    names = [f"s{number:02}" for number in range(1, speakers + 1)] * clips
    return pd.DataFrame({"clip": [f"{name}-{i}" for i, name in enumerate(names)], "speaker": names})


@pytest.mark.parametrize(
    "speakers, sizes", [(42, {4: 8, 5: 2}), (40, {4: 10}), (10, {1: 10}), (49, {5: 9, 4: 1})]
)
def test_speakers_are_dealt_out_evenly_and_whole(speakers, sizes):
    frame = speaker_folds(spoken(speakers))
    each = frame.groupby("fold")["speaker"].nunique()
    assert each.value_counts().to_dict() == sizes and list(each.index) == list(range(1, 11))
    assert (frame.groupby("speaker")["fold"].nunique() == 1).all() and frame["fold"].dtype == np.int64


def test_folds_depend_on_names_and_seed_only():
    frame = speaker_folds(spoken(42))
    shuffled = speaker_folds(spoken(42, clips=5).sample(frac=1, random_state=1))
    first, second = (each.groupby("speaker")["fold"].first() for each in (frame, shuffled))
    assert first.equals(second)
    assert not first.equals(speaker_folds(spoken(42), seed=1).groupby("speaker")["fold"].first())


def test_folds_that_cannot_be():
    with pytest.raises(Faults, match="9 speakers cannot fill 10 folds"):
        speaker_folds(spoken(9))
    with pytest.raises(Faults) as caught:
        speaker_folds(spoken(3).assign(speaker=["", "a", "b"] * 3))
    assert (
        len(caught.value.faults) == 2 and "3 clips have no speaker, such as 's01-0'" in caught.value.faults[0]
    )


def recordings(*rows):
    """A manifest's relevant columns from (label, speaker, how many)."""
    clips = [(label, speaker) for label, speaker, count in rows for _ in range(count)]
    frame = pd.DataFrame(clips, columns=["label", "speaker"])
    names = [f"{number}.wav" for number in range(len(frame))]
    return frame.assign(clip=names, path=names, partition="")


def test_speakers_are_held_out_whole_and_every_label_is_in_both_parts():
    frame = recordings(*((label, f"s{number}", 5) for number in range(10) for label in "ab"))
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert crossing_speakers(divided) == [] and description.startswith("2 of 10 speakers were held out")
        assert divided["partition"].value_counts().to_dict() == {"train": 80, "test": 20}
        assert set(divided.query("partition == 'test'")["label"]) == {"a", "b"}
        assert divided["clip"].tolist() == frame["clip"].tolist()
    draws = {tuple(held_out(frame, 0.2, seed)[0]["partition"]) for seed in range(5)}
    assert len(draws) > 1
    assert held_out(frame, 0.2, 3)[0].equals(held_out(frame, 0.2, 3)[0])


@pytest.mark.parametrize(
    "rows, description",
    [
        ([("a", "", 10), ("b", "", 30)], "the data does not name speakers"),
        ([("a", "ann", 10), ("b", "bob", 10), ("b", "cy", 20)], "label 'a' has only one speaker"),
    ],
)
def test_clips_are_held_out_where_speakers_cannot_be_and_it_says_why(rows, description):
    frame = recordings(*rows)
    divided, why = held_out(frame, 0.2)
    assert why.startswith("Clips were held out instead of speakers, because") and description in why
    shares = divided.groupby("label")["partition"].apply(lambda parts: (parts == "test").mean())
    assert shares.tolist() == pytest.approx([0.2] * len(shares))


def test_clips_that_name_no_speaker_do_not_let_the_others_cross():
    rows = [(label, f"s{number}", 5) for number in range(10) for label in "ab"]
    frame = recordings(*rows, ("a", "", 3))
    frame.loc[frame["speaker"] == "", "path"] = "talk.wav"  # cuts of one file
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert crossing_speakers(divided) == []
        assert (divided.groupby("path")["partition"].nunique() == 1).all()
        assert description.startswith(
            "2 of 10 speakers were held out; no named speaker is in both parts, but"
        )
        assert "3 clips name no speaker" in description


def test_a_clip_that_names_none_stays_with_the_speakers_of_its_file():
    frame = recordings(*((label, f"s{number}", 6) for number in range(12) for label in "ab"))
    frame["path"] = frame["speaker"] + ".wav"
    frame.loc[frame.index % 3 == 0, "speaker"] = ""  # who asks, or who answers
    frame.loc[frame["path"] == "s1.wav", "path"] = "s0.wav"  # in which two speakers are named
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert (divided.groupby("path")["partition"].nunique() == 1).all()
        assert (
            crossing_speakers(divided) == []
            and "no named speaker is in both parts, but 48 clips name no speaker" in description
        )


def test_the_largest_speaker_is_not_always_held_out():
    sizes = {"big": 100} | {f"s{number}": 10 for number in range(9)}
    frame = recordings(
        *(("a", *each) for each in sizes.items()), *(("b", f"t{number}", 19) for number in range(10))
    )
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert (divided["partition"] == "test").mean() == pytest.approx(0.2, abs=0.03)
        assert crossing_speakers(divided) == [] and description.endswith("; no speaker is in both parts.")


def test_training_never_lacks_a_label():
    """Ann and bob, the only ones who say 'b', come to be in one part."""
    frame = recordings(("a", "bob", 1), ("a", "cy", 1), ("b", "ann", 2), ("b", "bob", 1))
    for seed in range(5):
        divided, _ = held_out(frame, 0.5, seed)
        assert set(divided.query("partition == 'train'")["label"]) == {"a", "b"}


def test_a_label_with_two_speakers_does_not_hold_out_half():
    rows = [("a", f"s{number}", 5) for number in range(20)]
    frame = recordings(*rows, ("b", "ann", 5), ("b", "bob", 5))
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert crossing_speakers(divided) == [] and description.endswith("; no speaker is in both parts.")
        assert (divided["partition"] == "test").mean() == pytest.approx(0.2, abs=0.05)
        assert set(divided.query("partition == 'test'")["label"]) == {"a", "b"}


def test_a_share_that_is_not_reached_is_reported():
    frame = recordings(*((label, name, 5) for name in ("ann", "bob") for label in "ab"))
    divided, description = held_out(frame, 0.2)
    assert (divided["partition"] == "test").mean() == 0.5
    assert description == (
        "1 of 2 speakers were held out; no speaker is in both parts. The test part has 50 % of the clips "
        "instead of 20 %."
    )
    assert held_out(recordings(("a", "", 2), ("b", "", 2)), 0.2)[1].endswith("of the clips instead of 20 %.")


def test_cuts_of_one_file_are_in_one_part():
    frame = recordings(("a", "", 40), ("b", "", 40))
    frame["path"] = [f"{number // 4}.wav" for number in range(80)]
    for seed in range(5):
        divided, description = held_out(frame, 0.2, seed)
        assert (divided.groupby("path")["partition"].nunique() == 1).all()
        assert description.startswith(
            "4 of 20 files were held out instead of speakers, because the data does not"
        )
        assert set(divided.query("partition == 'test'")["label"]) == {"a", "b"}
    one = frame.assign(path=frame["path"].where(frame["label"] == "a", "b.wav"))
    divided, description = held_out(one, 0.2)
    assert description.endswith(
        "clips of one file may be in both parts, because label 'b' has only one file."
    )
    assert divided.query("partition == 'test'")["label"].value_counts().to_dict() == {"a": 8, "b": 8}
    known = frame.assign(speaker=frame["label"])  # of whom each says one label
    assert held_out(known, 0.2)[1].startswith(
        "4 of 20 files were held out instead of speakers, because label 'a'"
    )


def test_what_overlaps_is_found():
    """Held to a look at every pair."""
    random = np.random.default_rng(0)

    def cuts(count):
        start = random.integers(0, 20, count).astype(float)
        frame = pd.DataFrame({"file": random.choice(["x", "y", None], count), "start": start})
        frame["stop"] = start + random.integers(1, 4, count)
        frame.loc[random.random(count) < 0.2, "start"] = np.nan
        return frame.assign(stop=frame["stop"].mask(random.random(count) < 0.1))

    def meet(one, other):
        begins = [0 if np.isnan(each.start) else each.start for each in (one, other)]
        ends = [np.inf if np.isnan(each.stop) else each.stop for each in (one, other)]
        return one.file is not None and one.file == other.file and max(begins) < min(ends)

    clips, others = cuts(60), cuts(15)
    pairs = [[meet(one, other) for other in others.itertuples()] for one in clips.itertuples()]
    expected = [row.index(True) if any(row) else -1 for row in pairs]
    assert overlapping(clips, others).tolist() == expected and 10 < expected.count(-1) < 50


def test_even_two_clips_a_label_are_split():
    divided, _ = held_out(recordings(("a", "", 2), ("b", "", 2), ("c", "", 2)), 0.9)
    assert divided.groupby(["label", "partition"]).size().tolist() == [1] * 6


@pytest.mark.parametrize("share", [0.2, 0.99])
def test_a_rare_label_is_in_both_parts(share):
    """What stratifying alone does not see to: of 100 and 2 clips it gives 20 and 0."""
    for seed in range(5):
        divided, _ = held_out(recordings(("a", "", 100), ("b", "", 2)), share, seed)
        sizes = divided.groupby(["label", "partition"]).size()
        assert sizes["b"].tolist() == [1, 1] and sizes["a"]["test"] == pytest.approx(100 * share, abs=2)


def test_what_cannot_be_split_is_a_fault():
    with pytest.raises(Faults, match="label 'b' has one clip; it needs two or more"):
        held_out(recordings(("a", "", 5), ("b", "", 1)))
    with pytest.raises(Faults, match="there is one label, a; give two or more"):
        held_out(recordings(("a", "", 5)))
