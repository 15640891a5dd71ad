"""The training behind the weight of P-Net's regression losses, L_cls + alpha (L_box + L_eyes)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, mse_loss

from hpcourse._check import require, require_non_negative
from hpcourse.claims._compute import steady_cpu
from hpcourse.data import Windows, batches, face_windows
from hpcourse.models import pnet
from hpcourse.schedules import cosine_decay
from hpcourse.training import train

__all__ = ["FaceScore", "overlap", "pnet_loss", "score_faces", "train_pnet"]

EPOCHS = 8
BATCH = 64
RATE = 3e-3
SEEDS = (0, 1)


@dataclass(frozen=True, kw_only=True)
class FaceScore:
    """What a network is worth on windows it has not seen.

    Attributes:
        recall: Share of the faces that are called faces, with probability above 1/2.
        overlap: Mean intersection over union of the predicted and the true boxes of the faces.
    """

    recall: float
    overlap: float

    def penalised(self, minimum: float) -> float:
        """What a search minimises: the overlap that is missing, plus the recall that is.

        Args:
            minimum: The recall that the detector has to reach; beyond it recall counts nothing.

        Examples:
            >>> round(FaceScore(recall=0.7, overlap=0.75).penalised(0.8), 9)
            0.35
        """
        return 1 - self.overlap + max(minimum - self.recall, 0.0)


def train_pnet(alpha: float, *, seeds: Sequence[int] = SEEDS) -> FaceScore:
    """Train P-Nets with a weight of the regression losses; their mean score on validation windows.

    Args:
        alpha: The weight; 0 trains the classification alone.
        seeds: Initial weights and orders of the windows; the windows stay the same.

    Raises:
        ValueError: If `alpha` is negative, or there is no seed.
    """
    require_non_negative("train_pnet", alpha=alpha)
    require(len(seeds) > 0, "train_pnet needs a seed", seeds=seeds)
    with steady_cpu():
        scores = [_trained(alpha, seed) for seed in seeds]
    return FaceScore(
        recall=sum(score.recall for score in scores) / len(scores),
        overlap=sum(score.overlap for score in scores) / len(scores),
    )


def _trained(alpha: float, seed: int) -> FaceScore:
    data, validation, _ = _data()
    model = pnet(seed=seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    rows = torch.arange(len(data.x))
    feed = (
        (data.x[picked], picked)
        for picked, _ in batches(rows, rows, batch_size=BATCH, seed=seed, epochs=EPOCHS)
    )
    steps = train(
        model,
        feed,
        lambda outputs, picked: pnet_loss(outputs, _take(data, picked), alpha),
        optimizer,
        schedule=cosine_decay(RATE, EPOCHS * -(-len(rows) // BATCH)),
    )
    for _ in steps:
        pass
    with torch.no_grad():
        return score_faces(model(validation.x), validation)


def pnet_loss(outputs: Tensor, windows: Windows, alpha: float) -> Tensor:
    """L_cls + alpha (L_box + L_eyes), each over the windows for which it is defined.

    Faces and windows without a face are classified (cross-entropy, nats); boxes of faces and of
    parts, and eyes of faces, are regressed (mean squared error).

    Args:
        outputs: Of `hpcourse.models.pnet` (batch, 9).
        windows: What is in them (batch).
        alpha: Weight of both regressions.
    """
    sure, boxed, face = windows.kind >= 0, windows.kind != 0, windows.kind == 1
    label = windows.kind[sure].to(outputs.dtype)
    classification = binary_cross_entropy_with_logits(outputs[sure, 0], label)
    box = mse_loss(outputs[boxed, 1:5], windows.box[boxed])
    eyes = mse_loss(outputs[face, 5:], windows.eyes[face])
    return classification + alpha * (box + eyes)


def score_faces(outputs: Tensor, windows: Windows) -> FaceScore:
    """Recall and overlap of a network's outputs (n, 9)."""
    face = windows.kind == 1
    return FaceScore(
        recall=float((outputs[face, 0] > 0).float().mean()),
        overlap=float(overlap(outputs[face, 1:5], windows.box[face]).mean()),
    )


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of boxes (n, 4) of left, top, right and bottom; (n,).

    Examples:
        >>> box = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
        >>> round(float(overlap(box, box + 1)), 4)  # 1 of 4 + 4 - 1
        0.1429
    """
    corners = torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:])
    inner = (corners[1] - corners[0]).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (one, other)]
    return inner / (areas[0] + areas[1] - inner)


@cache
def _data() -> Sequence[Windows]:
    return face_windows(1500, seed=0)


def _take(windows: Windows, rows: Tensor) -> Windows:
    return Windows(*(part[rows] for part in windows))
