"""The texts of the stand-in for CHAINS: four short fables, and sentences."""

from __future__ import annotations

from data_prep.corpora import chains

_FABLES = (
    "A fox came to a frozen lake and saw the moon in the ice. He thought it was a round cheese, and "
    "scratched all night until his paws were sore. In the morning the cheese was gone, and the fox walked "
    "home.",
    "Two goats met on a narrow bridge above the river. Neither would step back. They pushed until "
    "both fell into the cold water. The next two goats were wiser: one lay down, and the other stepped over "
    "her.",
    "An old crow dropped one pebble after another into a deep jar. Slowly the water rose, until she "
    "could drink. The young crows laughed, and went thirsty until evening.",
    "A farmer asked the north wind to dry his hay. The wind blew the hay across three fields. Now it "
    "is dry, said the wind. Now it is everywhere, said the farmer.",
)
FABLES = dict(zip(chains.FABLES, _FABLES, strict=True))
"""Text -> its words, for every fable of the corpus."""

SENTENCES = {  # some of the corpus's sentences
    "s01": "The harbour lights were switched off at noon.",
    "s02": "She keeps five yellow buttons in a jar.",
    "s03": "Nobody heard the last train leave.",
    "s10": "His brother paints ships on old plates.",
    "s11": "We bought fresh bread and a jug of milk.",
    "s12": "The judge asked a very short question.",
    "s13": "Thick fog covered the valley road.",
    "s14": "Please put the blue chair near the window.",
    "s15": "Their cousin grows pears behind the church.",
    "s16": "A loose tile fell into the garden.",
    "s17": "You should choose the longer path today.",
}
