"""The loss and the scores of P-Net, by hand, and the training behind the page."""

import math

import pytest
import torch

from hpcourse.claims import pnet
from hpcourse.claims.pnet import FaceScore, overlap, pnet_loss, score_faces, train_pnet
from hpcourse.data import Windows, face_windows

BOX = torch.tensor([[0.1, 0.2, 0.9, 0.8], [0.3, 0.3, 1.4, 1.4], [0.0, 0.0, 0.0, 0.0]])
TINY = Windows(
    x=torch.zeros(3, 1, 12, 12), kind=torch.tensor([1, -1, 0]), box=BOX, eyes=BOX.clone()
)


def test_each_loss_is_over_the_windows_for_which_it_is_defined():
    outputs = torch.zeros(3, 9, dtype=torch.float64)
    outputs[:, 1:5] = BOX + torch.tensor([[0.1], [0.3], [9.0]])
    outputs[:, 5:] = BOX + torch.tensor([[0.2], [7.0], [8.0]])
    # Two windows are classified at p = 1/2; boxes of the first two, eyes of the first.
    for alpha in (0.0, 0.5, 3.0):
        expected = math.log(2) + alpha * ((0.1**2 + 0.3**2) / 2 + 0.2**2)
        assert pnet_loss(outputs, TINY, alpha).item() == pytest.approx(expected, rel=1e-6)


def test_scores_by_hand():
    outputs = torch.zeros(3, 9)
    outputs[:, 0] = torch.tensor([0.1, -1.0, 5.0])
    outputs[0, 1:5] = torch.tensor([0.1, 0.2, 0.5, 0.8])  # half of the true box
    score = score_faces(outputs, TINY)
    assert (score.recall, score.overlap) == (1.0, pytest.approx(0.5))
    outputs[0, 0] = -0.1
    assert score_faces(outputs, TINY).recall == 0.0


def test_boxes_that_do_not_meet_and_boxes_turned_inside_out_overlap_by_nothing():
    one = torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]])
    other = torch.tensor([[2.0, 2.0, 3.0, 3.0], [0.0, 0.0, 1.0, 1.0]])
    assert overlap(one, other).tolist() == [0.0, 0.0]
    assert overlap(other, other).tolist() == [1.0, 1.0]


def test_missing_recall_is_paid_for():
    score = FaceScore(recall=0.6, overlap=0.8)
    assert score.penalised(0.5) == pytest.approx(0.2)
    assert score.penalised(0.9) == pytest.approx(0.5)


def test_training_learns_and_a_huge_weight_forgets_the_classes(monkeypatch):
    parts = face_windows(600, seed=1)
    monkeypatch.setattr(pnet, "_data", lambda: parts)
    balanced, lost = (train_pnet(alpha, seeds=(0,)) for alpha in (0.1, 1e4))
    assert balanced.recall > lost.recall + 0.3
    assert train_pnet(0.1, seeds=(0,)) == balanced
    with pytest.raises(ValueError, match="alpha=-1"):
        train_pnet(-1)
