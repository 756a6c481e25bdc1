"""Metrics against scikit-learn, and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from freqcnn_gluon.training.metrics import metrics


def test_against_scikit_learn():
    random = np.random.default_rng(0)
    labels, predictions = random.integers(0, 4, 200), random.integers(0, 4, 200)
    result = metrics(labels, predictions, 4)
    assert result["accuracy"] == pytest.approx(accuracy_score(labels, predictions))
    assert result["uar"] == pytest.approx(balanced_accuracy_score(labels, predictions))
    assert result["recall"] == pytest.approx(recall_score(labels, predictions, average=None))


def test_by_hand_with_a_class_that_has_no_examples():
    result = metrics(np.array([0, 0, 0, 1]), np.array([0, 0, 2, 1]), 3)
    assert result["confusion"] == [[2, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert result["recall"] == [pytest.approx(2 / 3), 1.0, None]
    assert result["uar"] == pytest.approx(5 / 6) and result["accuracy"] == 0.75
