"""The sentences of the stand-in for UT-Podcast: short scenes drawn from a small grammar.

The grammar has few words, and nearly every stressed syllable has a vowel or an r that differs between the
three accents ('later' is [leɪɾɚ], [leɪtə] or [laɪtɐ]): a free choice of words would hide the accent from a
network that sees some hundred clips. The test part has other subjects, so no sentence is in both parts.
"""

from __future__ import annotations

import numpy as np

SUBJECTS = {
    "train": (
        "the baker",
        "the driver",
        "our neighbour",
        "the tiger",
        "a tired rider",
        "the motor racer",
        "the mayor",
        "the ice trader",
        "the painter",
        "the shy waiter",
        "my older mate",
        "the night nurse",
    ),
    "test": (
        "the writer",
        "the fire fighter",
        "the goat owner",
        "a lone skater",
        "the brown spider",
        "the pilot",
        "the train driver",
        "my great aunt",
    ),
}
VERBS = (
    "drove by",
    "rode over",
    "tried to hide",
    "paid more for",
    "gave away",
    "wrote about",
    "waited for",
    "drives towards",
)
ADJECTIVES = ("white", "great", "older", "nicer", "paler", "higher", "brighter", "quieter", "colder", "wider")
THINGS = (
    "fire",
    "motor bike",
    "boat",
    "tower",
    "driveway",
    "water gate",
    "night train",
    "paper plate",
    "road",
    "flower",
)
ENDS = (
    "later today",
    "over the road",
    "by the lake shore",
    "by the fire",
    "nine hours later",
    "day after day",
    "early in May",
    "on a higher tower",
    "no more than five times",
    "over the whole year",
)


def sentence(rng: np.random.Generator, partition: str) -> str:
    """Draw a sentence of ``partition`` (train or test), about ten words long, with a full stop."""
    subject, verb, adjective, thing, end = (
        str(rng.choice(choices)) for choices in (SUBJECTS[partition], VERBS, ADJECTIVES, THINGS, ENDS)
    )
    return f"{subject.capitalize()} {verb} the {adjective} {thing}, {end}."
