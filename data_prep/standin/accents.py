"""Three accents of English out of eSpeak NG's voices.

American and British English are eSpeak's own voices. Australian English is not among them, so it is a
British pronunciation whose vowels are moved to where a broad Australian accent has them. Sets are Wells's
(J. C. Wells, Accents of English, 1982, volumes 1 and 3); directions are those measured by F. Cox and
S. Palethorpe ('Australian English', Journal of the International Phonetic Association 37, 2007),
overdone where eSpeak has nothing nearer:

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

Every second Australian sentence ends in the high rising terminal, which eSpeak has as a question's tune.
All three accents go the same way, text to phonemes to speech, so that the way does not tell them apart.
"""

from __future__ import annotations

import re

from data_prep.standin.speech import SEPARATOR, ESpeak

VOICES = {
    "AU": ("en",),
    "US": ("en-us", "en-us", "en-us", "en-us-nyc"),
    "UK": ("en", "en-gb-x-rp", "en", "en-gb-x-gbclan"),
}
"""eSpeak's voices for each accent; one named twice speaks twice as often.

Scotland's is left out, since it says every r as Americans do, and so is the West Midlands', whose vowels
have moved much as Australia's have: too few of either would speak to be learnt.
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
"""British mnemonic to Australian mnemonic, both in eSpeak's table ``en``."""

RISING = 0.5  # share of Australian sentences that end in a rise


def respell(accent: str, phonemes: str) -> str:
    """Phonemes of ``ESpeak.phonemes`` as eSpeak reads them back, the Australian vowels moved."""
    words = []
    for word in phonemes.split():
        parts = [re.fullmatch(r"([',%=]*)(.*)", part).groups() for part in word.split(SEPARATOR)]
        if accent == "AU":
            parts = [(stress, AUSTRALIAN.get(name, name)) for stress, name in parts]
        words.append("|".join(stress + name for stress, name in parts))  # | keeps neighbours from merging
    return " ".join(words)


def pronounce(espeak: ESpeak, accent: str, voice: str, sentence: str, rising: bool) -> str:
    """``sentence`` as ``[[phonemes]]`` with its punctuation; ``rising`` gives it the tune of a question."""
    clauses = [
        f"[[{respell(accent, espeak.phonemes(clause, voice))}]]" for clause in sentence.rstrip(".").split(",")
    ]
    return ", ".join(clauses) + ("?" if rising else ".")
