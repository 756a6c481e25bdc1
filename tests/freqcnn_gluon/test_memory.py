"""Memory estimates, and the micro-batches that fit into memory."""

import numpy as np
import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import memory
from freqcnn_gluon.training.memory import check_memory, micro_batch, needed_bytes, training_bytes


def test_micro_batches_fit_into_memory():
    net = build("table2", 3, 256)
    fixed, per_sample = training_bytes(net, 256)
    assert fixed == pytest.approx(12 * parameter_count(net), rel=0.01)
    # Measured: 25 GB at a batch of 48, of which 0.7 GB are weights, gradients and momentum.
    assert 24e9 < fixed + 48 * per_sample < 30e9
    assert micro_batch(net, 256, 48, memory=1000) == 48
    assert micro_batch(net, 256, 48, memory=16) == 24
    assert micro_batch(net, 256, 48, memory=0) == 1
    small = build("table7", 36, 64)
    assert micro_batch(small, 64, 128, memory=16) == 128
    assert architecture("table2").batch_size == 48


def test_the_choice_of_the_memory_decides_the_micro_batch():
    """The default fits into 16 GB; a K40 has 12."""
    net = build("table2", 3, 256)
    fixed, per_sample = training_bytes(net, 256)
    assert micro_batch(net, 256, 48) == 24 and micro_batch(net, 256, 48, memory=12) == 16
    assert needed_bytes(net, 256, 48, 12) == fixed + 16 * per_sample <= 12e9
    for allowed in (16, 12, (fixed + per_sample + 1) / 1e9):
        check_memory(net, 256, allowed)
    with pytest.raises(Faults, match="at 256 x 256, .* takes about 1.2 GB, and memory=1 "):
        check_memory(net, 256, 1)


def test_micro_batches_are_divisors_unless_these_are_small(monkeypatch):
    def part_of(share, fits):
        return micro_batch(None, 64, share, memory=(105 + 10 * fits) / 1e9)

    monkeypatch.setattr(memory, "training_bytes", lambda net, size: (100, 10))
    for share in (48, 128, 24, 64, 12, 32, 6, 16):  # the paper's batches on 1, 2, 4 and 8 devices
        for fits in range(1, share + 1):
            assert part_of(share, fits) == max(part for part in range(1, fits + 1) if share % part == 0)
    # 37 = 13 + 12 + 12, 10 + 9 + 9 + 9, or 19 parts of 2 and 1
    assert [part_of(37, fits) for fits in (37, 15, 10, 2, 1)] == [37, 13, 10, 2, 1]
    assert [part_of(34, fits) for fits in (34, 33, 32, 16)] == [34, 17, 17, 12]
    for share in range(1, 100):
        for fits in range(1, share + 1):
            part = part_of(share, fits)
            least = min(map(len, np.array_split(range(share), -(-share // part))))
            assert fits / 2 < part <= fits and part - least <= 1
