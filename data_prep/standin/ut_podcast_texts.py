"""What the synthesised speakers say: short scenes out of a small seeded grammar.

The words are few, and nearly every stressed syllable holds a vowel or an r by which the three accents
differ ('later' is [leɪɾɚ], [leɪtə] or [laɪtɐ]): a free choice of words would hide the accent from a
network that sees some hundred clips. Testing has subjects of its own, hence no sentence that training has.
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
    """One sentence of ``partition`` (train or test), some ten words long, ending in a full stop."""
    subject, verb, adjective, thing, end = (
        str(rng.choice(choices)) for choices in (SUBJECTS[partition], VERBS, ADJECTIVES, THINGS, ENDS)
    )
    return f"{subject.capitalize()} {verb} the {adjective} {thing}, {end}."
