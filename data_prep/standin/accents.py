"""Three accents of English from eSpeak NG's voices.

American and British English are voices of eSpeak. Australian English is not, so it is made from a British
pronunciation whose vowels are moved to those of a broad Australian accent. The lexical sets are Wells's
(J. C. Wells, Accents of English, 1982, volumes 1 and 3). The directions are those measured by F. Cox and
S. Palethorpe ('Australian English', Journal of the International Phonetic Association 37, 2007), and
exaggerated where eSpeak has no nearer vowel:

    ====================  =============  =====  ======================================
    set                   British        here   in Australian English
    ====================  =============  =====  ======================================
    FACE                  eI             aI     [æɪ], lowered onset
    PRICE                 aI aI@         OI     [ɑe], backed and rounded onset
    CHOICE                OI             oI     [oɪ], raised: stays apart from PRICE
    GOAT                  oU             aU     [əʉ], broad [ɐʉ]: lowered onset
    MOUTH                 aU             EU     [æɔ], raised front onset
    hour, tower           aU@            E2     [æː], the same with its glide gone
    FLEECE                i:             eI     [ɪi], broad [əɪ]: onglide
    GOOSE                 u:             IU     [ʉː], fronted, with an onglide
    TRAP                  a              E2     [æ], raised
    DRESS                 E              e      [e], raised
    KIT                   I              i      [ɪ], raised and fronted
    STRUT                 V              a      [ɐ], open and fronted
    BATH, PALM, START     A: A@          aa     [ɐː], fronted
    THOUGHT, NORTH        O: O O@ o@     o:     [oː], raised
    NURSE                 3:             e:     [ɜː], raised and fronted
    SQUARE                e@             e:     [eː], a monophthong
    NEAR                  i@ i@3         i:     [ɪə] or [ɪː], a monophthong
    lettER                3              V      [ɐ], open
    ====================  =============  =====  ======================================

Every second Australian sentence ends in the high rising terminal, which is the tune of eSpeak's questions.
All three accents are made in the same steps, from text to phonemes to speech, so that only the accent
distinguishes them.
"""

from __future__ import annotations

from data_prep.standin.speech import SEPARATOR, ESpeak

VOICES = {
    "AU": ("en",),
    "US": ("en-us", "en-us", "en-us", "en-us-nyc"),
    "UK": ("en", "en-gb-x-rp", "en", "en-gb-x-gbclan"),
}
"""eSpeak's voices for each accent. A voice that is listed twice speaks twice as often.

The voices of Scotland, which pronounces every r as Americans do, and of the West Midlands, whose vowels are
similar to Australia's, are left out: there would be too few speakers of either to learn from.
"""

AUSTRALIAN = {
    "eI": "aI",
    "aI": "OI",
    "aI@": "OI",
    "OI": "oI",
    "oU": "aU",
    "aU": "EU",
    "aU@": "E2",
    "i:": "eI",
    "u:": "IU",
    "a": "E2",
    "E": "e",
    "I": "i",
    "V": "a",
    "A:": "aa",
    "A@": "aa",
    "O:": "o:",
    "O": "o:",
    "O@": "o:",
    "o@": "o:",
    "3:": "e:",
    "e@": "e:",
    "i@": "i:",
    "i@3": "i:",
    "3": "V",
}
"""British mnemonic -> Australian mnemonic, both in eSpeak's table ``en``."""

RISING = 0.5  # the share of Australian sentences that end in a rise


def respell(accent: str, phonemes: str) -> str:
    """Convert the phonemes of ``ESpeak.phonemes`` to eSpeak's input, with the vowels of the accent."""
    words = []
    for word in phonemes.split():
        parts = []
        for part in word.split(SEPARATOR):
            name = part.lstrip("',%=")
            stress = part[: len(part) - len(name)]
            parts.append(stress + (AUSTRALIAN.get(name, name) if accent == "AU" else name))
        words.append("|".join(parts))  # the | keeps neighbouring phonemes from merging
    return " ".join(words)


def pronounce(espeak: ESpeak, accent: str, voice: str, sentence: str, rising: bool) -> str:
    """Convert ``sentence`` to ``[[phonemes]]`` and punctuation, which of a ``rising`` one is '?'."""
    clauses = [
        f"[[{respell(accent, espeak.phonemes(clause, voice))}]]" for clause in sentence.rstrip(".").split(",")
    ]
    return ", ".join(clauses) + ("?" if rising else ".")
