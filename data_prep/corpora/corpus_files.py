"""Read the tables and transcripts of open corpora: what their file names do not state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from data_prep.base.csv_tables import read_table
from data_prep.base.faults import Faults, of_each

__all__ = [
    "accent_archive_speakers",
    "librispeech_speakers",
    "librispeech_transcripts",
    "vctk_speakers",
    "vctk_transcripts",
]

SUBSET = "dev-clean"


def librispeech_speakers(path: Path) -> dict[str, dict[str, str]]:
    """Read LibriSpeech's SPEAKERS.TXT: the sex of each speaker of dev-clean.

    A line is ``ID | SEX | SUBSET | MINUTES | NAME``, and a name may contain bars. ';' begins a comment.

    Raises:
        Faults: Every line with fewer fields.
    """
    speakers, faults = {}, []
    for number, line in _lines(path):
        if line.startswith(";"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) < 5:
            faults.append(f"{path}, line {number}: has {len(cells)} fields separated by | instead of 5")
        elif cells[2] == SUBSET:
            speakers[cells[0]] = {"sex": {"F": "female", "M": "male"}.get(cells[1], "")}
    if faults:
        raise Faults(faults)
    return speakers


def vctk_speakers(path: Path) -> dict[str, dict[str, str]]:
    """Read VCTK's speaker-info.txt: the sex and the accent of each speaker.

    A line is ``ID AGE GENDER ACCENTS REGION COMMENTS``, separated by blanks. Region and comments may be
    missing and may contain blanks. The accent 'Unknown' counts as missing.

    Raises:
        Faults: Every line with fewer than four fields.
    """
    speakers, faults = {}, []
    for number, line in _lines(path):
        cells = line.split()
        if cells[0] == "ID":
            continue
        if len(cells) < 4:
            faults.append(f"{path}, line {number}: lacks an age, a gender or an accent")
            continue
        accent = "" if cells[3] == "Unknown" else cells[3]
        speakers[cells[0]] = {"sex": {"F": "female", "M": "male"}.get(cells[2], ""), "accent": accent}
    if faults:
        raise Faults(faults)
    return speakers


def accent_archive_speakers(path: Path) -> dict[str, dict[str, str]]:
    """Read the Speech Accent Archive's speakers_all.csv: the native language and country of each speaker.

    Rows that state that their file is missing are skipped. ``accent`` is the country of the native speakers
    of English, and empty for everybody else.

    Raises:
        Faults: The file is not such a table.
    """
    frame = read_table(path, ("filename", "native_language", "country", "file_missing?")).frame
    frame = frame[frame["file_missing?"].str.upper() != "TRUE"]
    return {
        name: {
            "native_language": language.strip(),
            "country": country.strip(),
            "accent": country.strip() if language.strip() == "english" else "",
        }
        for name, language, country in zip(
            frame["filename"], frame["native_language"], frame["country"], strict=True
        )
    }


def librispeech_transcripts(others: Sequence[Path]) -> dict[str, str]:
    """Read the files ``<speaker>-<chapter>.trans.txt``; a line is the name of a clip and what is spoken."""
    paths = [path for path in others if path.name.endswith(".trans.txt") and SUBSET in path.parts]
    lines = of_each(lambda path: [line for _, line in _lines(path)], paths)
    pairs = [line.split(maxsplit=1) for chapter in lines for line in chapter]
    return {name: " ".join(text.split()) for name, *texts in pairs for text in texts}


def vctk_transcripts(others: Sequence[Path]) -> dict[str, str]:
    """Read the files ``txt/<speaker>/<clip>.txt``."""
    paths = [path for path in others if path.suffix == ".txt" and path.parent.parent.name == "txt"]
    texts = of_each(_content, paths)
    return {path.stem: " ".join(text.split()) for path, text in zip(paths, texts, strict=True)}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and the content of every line that is not blank."""
    for number, line in enumerate(_content(path).splitlines(), start=1):
        if line.strip():
            yield number, line


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Faults(f"{path}: is not in UTF-8; take the file from the corpus again") from None
