"""The open corpora that ``python -m data_prep list`` knows, as data. docs/open-corpora.md describes them.

The patterns, codes and counts are those of each corpus's own documentation, which that page cites.
"""

from __future__ import annotations

from data_prep.corpora import corpus_files
from data_prep.corpora.lister import OpenCorpus, Table

__all__ = ["OPEN_CORPORA"]

ACTORS = [f"{number:02}" for number in range(1, 25)]

RAVDESS = OpenCorpus(
    title="RAVDESS (speech)",
    layout="Actor_NN/03-01-EE-II-SS-RR-NN.wav",
    suffix=".wav",
    # modality 03 is sound without video, vocal channel 01 is speech
    pattern=r"Actor_(?P<speaker>0[1-9]|1\d|2[0-4])/"
    r"03-01-(?P<emotion>0[1-8])-0[12]-(?P<statement>0[12])-0[12]-(?P=speaker)\.wav",
    labels=("emotion", "speaker"),
    counts={
        "emotion": {"neutral": 96}
        | dict.fromkeys(("calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"), 192),
        "speaker": dict.fromkeys(ACTORS, 60),
    },
    codes={
        "emotion": {
            "01": "neutral",
            "02": "calm",
            "03": "happy",
            "04": "sad",
            "05": "angry",
            "06": "fearful",
            "07": "disgust",
            "08": "surprised",
        },
        "statement": {"01": "kids", "02": "dogs"},
    },
    text="statement",
    # Actors with odd numbers are men, so that each fold has two men and two women.
    folds={actor: index // 4 + 1 for index, actor in enumerate(ACTORS)},
    skipped={r"/03-02-[\d-]+\.wav$": "they are songs"},
)

EMODB = OpenCorpus(
    title="EMO-DB",
    layout="SSTTTEV.wav such as 03a01Fa.wav",
    suffix=".wav",
    pattern=r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emotion>[WLEAFTN])[a-z]\.wav",
    labels=("emotion", "speaker"),
    counts={
        "emotion": {
            "anger": 127,
            "boredom": 81,
            "disgust": 46,
            "fear": 69,
            "happiness": 71,
            "sadness": 62,
            "neutral": 79,
        },
        "speaker": {
            "03": 49,
            "08": 58,
            "09": 43,
            "10": 38,
            "11": 55,
            "12": 35,
            "13": 61,
            "14": 69,
            "15": 56,
            "16": 71,
        },
    },
    codes={
        "emotion": {
            "W": "anger",
            "L": "boredom",
            "E": "disgust",
            "A": "fear",
            "F": "happiness",
            "T": "sadness",
            "N": "neutral",
        }
    },
    text="text",
)

TWICE = "two clips with different emotions are the same file"
CREMA_D = OpenCorpus(
    title="CREMA-D",
    layout="AudioWAV/AAAA_TTT_EEE_LL.wav",
    suffix=".wav",
    # One clip has the level X in some copies, where all others have XX, LO, MD or HI.
    pattern=r"(?P<speaker>1\d{3})_(?P<sentence>[A-Z]{3})_"
    r"(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(XX?|LO|MD|HI)\.wav",
    labels=("emotion", "speaker"),
    totals={"speakers": 91},
    counts={
        "emotion": {"neutral": 1087} | dict.fromkeys(("anger", "disgust", "fear", "happy", "sad"), 1271),
        "sentence": {"IEO": 1456, "ITS": 545, "TIE": 545, "ITH": 540, "MTI": 540, "WSI": 540}
        | dict.fromkeys(("DFA", "IOM", "IWL", "IWW", "TAI", "TSI"), 546),
    },
    codes={
        "emotion": {
            "ANG": "anger",
            "DIS": "disgust",
            "FEA": "fear",
            "HAP": "happy",
            "NEU": "neutral",
            "SAD": "sad",
        }
    },
    text="sentence",
    left_out=dict.fromkeys(
        (
            "1006_TIE_HAP_XX",
            "1006_TIE_NEU_XX",
            "1013_WSI_DIS_XX",
            "1013_WSI_SAD_XX",
            "1017_IWW_ANG_XX",
            "1017_IWW_FEA_XX",
        ),
        TWICE,
    ),
)

LIBRISPEECH = OpenCorpus(
    title="LibriSpeech (dev-clean)",
    layout="dev-clean/<reader>/<chapter>/<reader>-<chapter>-NNNN.flac",
    suffix=".flac",
    pattern=r"dev-clean/(?P<speaker>\d+)/(?P<chapter>\d+)/(?P=speaker)-(?P=chapter)-\d{4}\.flac",
    labels=("speaker", "sex"),
    totals={"clips": 2703, "speakers": 40},
    skipped={
        r"/(train-clean-\d+|train-other-\d+|dev-other|test-clean|test-other)/": "they are other subsets"
    },
    table=Table("SPEAKERS.TXT", corpus_files.librispeech_speakers),
    transcripts=corpus_files.librispeech_transcripts,
)

VCTK = OpenCorpus(
    title="VCTK 0.92",
    layout="wav48_silence_trimmed/<speaker>/<speaker>_NNN_mic1.flac",
    suffix=".flac",
    # The first microphone, because two speakers have no recordings with the second.
    pattern=r"wav48_silence_trimmed/(?P<speaker>[ps]\d+)/(?P<id>(?P=speaker)_\d{3})_mic1\.flac",
    labels=("accent", "speaker", "sex"),
    totals={"clips": 44455, "speakers": 110},
    skipped={r"/[ps]\d+_\d{3}_mic2\.flac$": "they are the second microphone's recordings of the same speech"},
    table=Table("speaker-info.txt", corpus_files.vctk_speakers),
    transcripts=corpus_files.vctk_transcripts,
)

SPEECH_ACCENT_ARCHIVE = OpenCorpus(
    title="the Speech Accent Archive",
    layout="recordings/<language>N.mp3",
    suffix=".mp3",
    pattern=r"(?P<speaker>[^/]+)\.mp3",  # one clip for each speaker
    labels=("accent", "native_language", "country"),
    table=Table("speakers_all.csv", corpus_files.accent_archive_speakers),
)

FSDD = OpenCorpus(
    title="the Free Spoken Digit Dataset",
    layout="recordings/<digit>_<speaker>_N.wav",
    suffix=".wav",
    pattern=r"(?P<digit>\d)_(?P<speaker>[a-z]+)_\d+\.wav",
    labels=("speaker", "digit"),
    counts={
        "speaker": dict.fromkeys(("george", "jackson", "lucas", "nicolas", "theo", "yweweler"), 500),
        "digit": dict.fromkeys("0123456789", 300),
    },
    text="digit",
)

OPEN_CORPORA = {
    "ravdess": RAVDESS,
    "emodb": EMODB,
    "crema-d": CREMA_D,
    "librispeech": LIBRISPEECH,
    "vctk": VCTK,
    "speech-accent-archive": SPEECH_ACCENT_ARCHIVE,
    "fsdd": FSDD,
}
"""Name on the command line -> corpus."""
