"""Texts of the user's are drawn as they are written, never as mathematics."""

import warnings

import matplotlib
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from data_prep.base.drawing import LONGEST, fitted, plain_text, save_png

NAMES = [
    "Ba$$in", "a$^b$", "$100 a day & $1,000", "x^{2", r"$\alpha", "$ok$", r"\frac{", "_", "%s%n",
    "<b>&amp;</b>", "שלום", "😂", "你好 世界", "caf\udce9", "", " ",
]  # fmt: skip


@plain_text()
def drawn(title):
    figure = Figure()
    figure.subplots().set(title=fitted(title), xlabel=fitted(title))
    return figure


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_drawn_literally(name, tmp_path):
    figure = drawn(name)
    assert figure.axes[0].get_title() == fitted(name)
    texts = [text for text in figure.findobj(Text) if text.get_text() == fitted(name) and name]
    assert len(texts) >= 2 or not name.strip()
    literal = [
        not text.get_parse_math() and not text.get_usetex() for text in texts if text.get_text().strip()
    ]
    assert all(literal)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_png(figure, tmp_path / "a.png", name, 30)
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert matplotlib.rcParams["text.parse_math"]  # elsewhere nothing has changed


def test_a_font_that_lacks_characters_is_one_note(tmp_path, capsys):
    save_png(drawn("plain"), tmp_path / "a.png", "plain", 30)
    assert capsys.readouterr().err == ""
    save_png(drawn("😂 你"), tmp_path / "a.png", "😂 你", 30)
    (note,) = capsys.readouterr().err.splitlines()
    assert note == "note: the picture's font lacks characters of '😂 你'; they appear as boxes."


def test_long_names_are_cut_in_the_middle_and_wrapped():
    title = fitted("a" * 300 + "end.wav: sad 1.000")
    assert len(title) < LONGEST + 10 and title.endswith("end.wav: sad 1.000")
    assert " … " in title.replace("\n", " ")
    assert max(map(len, title.splitlines())) <= 100
    assert fitted("with\nnewline\t\x1b[2J\u202egpj.wav") == r"with\nnewline \x1b[2J\u202egpj.wav"
