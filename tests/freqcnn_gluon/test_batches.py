"""The order of samples, their left-overs, and the place where an epoch resumes."""

import numpy as np

from freqcnn_gluon.training.batches import Batches


def test_left_over_samples_come_first_in_the_next_epoch():
    first = Batches(20, 8, seed=3, epoch=0, left_over=[])
    second = Batches(20, 8, seed=3, epoch=1, left_over=first.left_over)
    assert (len(first), len(first.left_over)) == (2, 4)
    assert (len(second), second.left_over) == (3, [])
    assert next(iter(second))[:4].tolist() == first.left_over
    used = np.concatenate([*first, *second])
    assert (np.bincount(used, minlength=20) == 2).all()


def test_an_epoch_resumes_after_the_batches_that_are_done():
    whole, resumed = Batches(20, 8, 3, 1, [5, 7]), Batches(20, 8, 3, 1, [5, 7], first=1)
    assert len(resumed) == len(whole) == 2 and resumed.left_over == whole.left_over
    np.testing.assert_array_equal(list(resumed), list(whole)[1:])


def test_the_order_depends_on_seed_and_epoch():
    orders = {tuple(np.concatenate(list(Batches(20, 5, *key, [])))) for key in ((0, 0), (0, 1), (1, 0))}
    assert len(orders) == 3
