"""The tables as data: cells have the paper's numbers, systems can be built, tables share runs."""

import inspect
import math

import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import ARCHITECTURES, architecture
from freqcnn_gluon.network.zoo import build
from reproduce.paper.published import published
from reproduce.peers import PEERS, peer
from reproduce.runs.resolve import _network
from reproduce.tables import TABLES, TRAINED, check_numbers, trained

CHOSEN = {"rendering": "grey"}
CLASSES = {"ut_podcast": 3, "chains": 36, "enterface": 6}


def printed(*names):
    """Every number in paper/*.csv, sorted; NaN left out."""
    numbers = []
    for name in names:
        frame = published(name).select_dtypes("number")
        numbers += [value for value in frame.to_numpy().ravel() if not math.isnan(value)]
    return sorted(numbers)


@pytest.mark.parametrize(
    "number, names, besides",
    [
        (3, ["table03_ut_podcast_models"], ()),
        (4, ["table04_segments"], ()),
        (5, ["table05_attention"], ()),
        (8, ["table08_chains_models", "table08_chains_ivector"], [91.0]),  # the text's figure of [17]
        (9, ["table09_activations"], ()),
        (11, ["table11_enterface_methods"], ()),
        (12, ["table12_confusion"], [167.0]),  # the text's figure of Disgust
    ],
)
def test_every_published_number_has_its_cell(number, names, besides):
    papers = [cell.paper for cell in TABLES[number].cells if cell.printed]
    cells = sorted(value for value in papers if not math.isnan(value))
    numbers = printed(*names)
    assert cells == sorted([*numbers, *besides])


def test_cells_stand_where_the_paper_prints_them():
    def paper(number, row, column):
        (value,) = [c.paper for c in TABLES[number].cells if (c.row, c.column) == (row, column)]
        return value

    assert paper(4, ("Local frequency only", "ACC"), "4") == 79.27
    assert paper(4, ("Global and local frequency", "UAR"), "0") == 72.45
    assert paper(5, ("Time-distributed", "3 AC"), "feature-based UAR") == 66.40
    assert paper(5, ("Frequency-distributed", "2 AC"), "spatial-based ACC") == 74.28
    assert paper(8, ("ResNet-18",), "#3 UAR") == 49.11
    assert paper(8, ("i-Vector (1-EER)",), "#2 ACC") == 83.17
    assert paper(8, ("i-Vector, threshold",), "#3 ACC") == 30.2318
    assert paper(8, ("MFCC, VQ, GMM [17]",), "Average ACC") == 91.0
    assert paper(9, ("relu", "tanh"), "#3 ACC") == 76.85
    assert paper(11, ("Spectrograms", "FreqCNN"), "ACC") == 83.65
    assert paper(12, ("Sadness",), "Fear") == 15


@pytest.mark.parametrize("number", TRAINED)
def test_every_system_can_be_built_at_the_papers_size_and_the_quick_one(number):
    table = TABLES[number]
    classes = CLASSES[table.corpus]
    for size in (architecture(table.architecture).size, table.quick.size):
        for system in table.systems():
            if system.system in PEERS:
                inspect.signature(peer(system.system).recognise).bind(None, **system.options)
            else:
                assert build(system.system, classes, size, **_network(system, table, CHOSEN, size))


def test_a_system_of_two_tables_is_run_once():
    by_number = {number: trained(number).systems() for number in TRAINED}
    for number, other, name in (
        (9, 8, "FreqCNN"),
        (5, 4, "Global and local frequency 2"),
        (5, 3, "FreqCNN"),
        (12, 11, "FreqCNN"),
    ):
        (shared,) = [system for system in by_number[number] if (system.home, system.name) == (other, name)]
        assert shared in by_number[other]
    assert TABLES[5].quick == TABLES[4].quick and TABLES[12].quick == TABLES[11].quick


@pytest.mark.parametrize("number", TRAINED)
def test_systems_with_different_names_differ(number):
    configurations = [(s.system, sorted(s.options.items())) for s in TABLES[number].systems()]
    assert all(configurations.count(item) == 1 for item in configurations)
    names = [(system.home, system.name.lower().replace(" ", "-")) for system in TABLES[number].systems()]
    assert len(set(names)) == len(names)


def test_a_small_spectrogram_has_fewer_segments():
    (eight,) = [s for s in TABLES[4].systems() if s.name == "Global and local frequency 8"]
    assert _network(eight, TABLES[4], CHOSEN, 256)["segments"] == 8
    assert _network(eight, TABLES[4], CHOSEN, 32)["segments"] == [8, 8, 8, 4, 2]
    (none,) = [s for s in TABLES[4].systems() if s.name == "Global and local frequency 0"]
    assert _network(none, TABLES[4], CHOSEN, 32)["segments"] == 0


def test_batches_and_sizes_are_the_papers():
    sizes = {number: ARCHITECTURES[trained(number).architecture] for number in TRAINED}
    assert {n: (item.size, item.batch_size, item.classes) for n, item in sizes.items()} == {
        **dict.fromkeys((3, 4, 5), (256, 48, 3)),
        **dict.fromkeys((8, 9), (224, 128, 36)),
        **dict.fromkeys((11, 12), (224, 48, 6)),
    }


def test_numbers():
    assert list(TABLES) == list(range(1, 13)) and check_numbers([1, 12]) == [1, 12]
    assert TRAINED == (3, 4, 5, 8, 9, 11, 12)
    with pytest.raises(Faults, match="no table 0, 13: the paper has 1 to 12"):
        check_numbers([0, 3, 13])
    with pytest.raises(Faults, match="no results in table 7: choose one of 3, 4, 5, 8, 9, 11, 12"):
        trained(7)
