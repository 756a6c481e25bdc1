"""The names of the files of open corpora, as the corpora document them."""

import itertools


def touch(root, *names):
    """Create empty files below ``root``; return it."""
    for folder in {(root / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / name).touch()
    return root


def ravdess():
    """Zenodo's 1440 names: two statements, two repetitions, two intensities except of neutral."""
    for actor, emotion, intensity, statement, repetition in itertools.product(
        range(1, 25), range(1, 9), (1, 2), (1, 2), (1, 2)
    ):
        if (emotion, intensity) != (1, 2):
            yield (
                f"Actor_{actor:02}/03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}.wav"
            )


def emodb():
    """535 names with EMO-DB's numbers of clips by speaker and by emotion."""
    letters = "W" * 127 + "L" * 81 + "E" * 46 + "A" * 69 + "F" * 71 + "T" * 62 + "N" * 79
    sizes = {3: 49, 8: 58, 9: 43, 10: 38, 11: 55, 12: 35, 13: 61, 14: 69, 15: 56, 16: 71}
    speakers = [speaker for speaker, size in sizes.items() for _ in range(size)]
    texts = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
    for number, (speaker, letter) in enumerate(zip(speakers, letters, strict=True)):
        yield f"wav/{speaker:02}{texts[number % 10]}{letter}{'abcdefgh'[number // 10 % 8]}.wav"


def crema_d():
    """The names in CREMA-D's repository: every combination except 20."""
    three = [f"{speaker}_{{}}" for speaker in ("1008_WSI", "1009_MTI", "1019_ITH")]
    missing = {"1002_TIE_NEU", "1076_ITS_NEU"}
    for actor in range(1001, 1092):
        for sentence in ("IEO", "TIE", "IOM", "IWW", "TAI", "MTI", "IWL", "ITH", "DFA", "ITS", "TSI", "WSI"):
            for emotion in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"):
                name = f"{actor}_{sentence}_{emotion}"
                if name in missing or any(name == part.format(emotion) for part in three):
                    continue
                for level in ("LO", "MD", "HI") if sentence == "IEO" and emotion != "NEU" else ("XX",):
                    yield f"AudioWAV/{name}_{level}.wav"


def fsdd():
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    return (
        f"recordings/{digit}_{speaker}_{number}.wav"
        for digit, speaker, number in itertools.product(range(10), speakers, range(50))
    )
