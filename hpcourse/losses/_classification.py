"""Losses of classifiers: cross-entropy with smoothed labels, focal loss."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from hpcourse._check import require
from hpcourse.losses._shapes import Scalar, at_target, is_target, require_classes, require_range

__all__ = ["binary_focal_loss", "cross_entropy", "focal_loss"]


def cross_entropy(logits: Tensor, targets: Tensor, *, label_smoothing: Scalar = 0.0) -> Tensor:
    """Cross-entropy with smoothed labels, as torch's, whose smoothing may be a tensor here.

    The target distribution puts 1 - s on the target class and spreads s over all classes, the
    target included: the loss is (1 - s) (-log p_y) + s mean_c(-log p_c) (C. Szegedy, V. Vanhoucke,
    S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the Inception architecture for computer vision",
    CVPR 2016, section 7).

    Args:
        logits: Scores (batch, classes, ...).
        targets: Classes (batch, ...), integers from 0.
        label_smoothing: Share s of the uniform distribution, in [0, 1].

    Returns:
        Mean over the batch (and further dimensions), in nats.

    Raises:
        ValueError: If shapes or types do not fit, or a plain `label_smoothing` is outside [0, 1].

    Examples:
        >>> logits, targets = torch.tensor([[2.0, 0.0, 0.0]]), torch.tensor([0])
        >>> losses = [cross_entropy(logits, targets, label_smoothing=s).item() for s in (0, 0.3)]
        >>> round(losses[1] - losses[0], 6)  # 0.3 of the mean fall in score, (0 + 2 + 2) / 3
        0.4
    """
    require_classes("cross_entropy", logits, targets)
    require_range("cross_entropy", high=1.0, label_smoothing=label_smoothing)
    log_p = torch.log_softmax(logits, dim=1)
    sharp = -at_target(log_p, targets).mean()
    if not isinstance(label_smoothing, Tensor) and label_smoothing == 0:
        return sharp  # also where a class is ruled out by a score of -inf
    return sharp + label_smoothing * (-log_p.mean() - sharp)


def focal_loss(
    logits: Tensor, targets: Tensor, *, gamma: Scalar = 2.0, alpha: Scalar = 1.0
) -> Tensor:
    """Focal loss of a softmax classifier: cross-entropy that fades where the net is sure.

    With p the probability of the target class the loss is -alpha (1 - p)**gamma log p (T.-Y. Lin,
    P. Goyal, R. Girshick, K. He and P. Dollar, "Focal loss for dense object detection", ICCV 2017,
    eqs. 4 and 5, with softmax in place of the sigmoid). log(1 - p) comes from the scores of the
    other classes, so that loss and gradient are finite for all finite scores, for gamma < 1 too.

    Args:
        logits: Scores (batch, classes, ...), two classes or more.
        targets: Classes (batch, ...), integers from 0.
        gamma: Focus, at least 0; 0 gives the (weighted) cross-entropy.
        alpha: Weight, one for all or a tensor (classes,) with one for each target class.

    Returns:
        Mean over the batch (and further dimensions); weights do not enter the divisor, so that a
        weight means the same in every batch (unlike torch's weighted cross-entropy).

    Raises:
        ValueError: If shapes or types do not fit, or a plain `gamma` or `alpha` is below 0.

    Examples:
        >>> import math
        >>> logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([1])
        >>> round(focal_loss(logits, targets, gamma=2).item() / math.log(2), 6)
        0.25
    """
    require_classes("focal_loss", logits, targets, least=2)
    require_range("focal_loss", gamma=gamma)
    classes = logits.shape[1]
    if isinstance(alpha, Tensor) and alpha.ndim > 0:
        fits = tuple(alpha.shape) == (classes,)
        require(fits, f"focal_loss needs alpha () or ({classes},)", alpha=tuple(alpha.shape))
        alpha = alpha[targets.long()]
    else:
        require_range("focal_loss", alpha=alpha)
    log_p = torch.log_softmax(logits, dim=1)
    others = log_p.masked_fill(is_target(targets, classes), -torch.inf)
    log_miss = torch.logsumexp(others, dim=1)
    return (alpha * _focal(at_target(log_p, targets), log_miss, gamma)).mean()


def binary_focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: Scalar = 2.0,
    alpha: Scalar = 0.25,
    normalizer: Literal["elements", "positives"] = "elements",
) -> Tensor:
    """Focal loss of independent yes-no decisions, as RetinaNet's.

    With p_t the probability given to the right answer and alpha_t = alpha for positives,
    1 - alpha for negatives, an element's loss is -alpha_t (1 - p_t)**gamma log p_t (Lin et al.,
    ICCV 2017, eq. 5); its derivative by the score is, for positives, alpha (1 - p_t)**gamma (gamma
    p_t log p_t + p_t - 1) (appendix B). Finite for all finite scores, as is the gradient.

    The paper divides the sum over an image's anchors by the number of anchors that were assigned
    to an object (section 4.1), since nearly all others are easy: that is `normalizer`
    ``"positives"``; with none the divisor is 1.

    Args:
        logits: Scores, any shape.
        targets: 1 for positives, 0 for negatives; of the same shape.
        gamma: Focus, at least 0; 0 gives the alpha-weighted cross-entropy.
        alpha: Weight of the positives, in [0, 1].
        normalizer: Divide the sum by the number of elements, or of positives.

    Returns:
        The sum over all elements, divided, in nats.

    Raises:
        ValueError: If the shapes differ, a plain `gamma` or `alpha` is out of range, or
            `normalizer` is unknown.

    Examples:
        >>> logits, targets = torch.zeros(4), torch.tensor([1, 0, 0, 0])
        >>> mean = binary_focal_loss(logits, targets)
        >>> sure = binary_focal_loss(10 * (2 * targets - 1.0), targets)
        >>> bool(sure < 1e-9 * mean)
        True
        >>> binary_focal_loss(logits, targets, normalizer="positives").item() / mean.item()
        4.0
    """
    alike = logits.shape == targets.shape
    shapes = {"logits": tuple(logits.shape), "targets": tuple(targets.shape)}
    require(alike, "binary_focal_loss needs logits and targets of one shape", **shapes)
    require_range("binary_focal_loss", gamma=gamma)
    require_range("binary_focal_loss", high=1.0, alpha=alpha)
    known = normalizer in ("elements", "positives")
    require(known, 'binary_focal_loss divides by "elements" or "positives"', normalizer=normalizer)
    positive = targets.to(logits.dtype)
    agreement = (2 * positive - 1) * logits
    hit, miss = functional.logsigmoid(agreement), functional.logsigmoid(-agreement)
    weight = alpha * positive + (1 - alpha) * (1 - positive)
    losses = weight * _focal(hit, miss, gamma)
    if normalizer == "elements":
        return losses.mean()
    return losses.sum() / positive.sum().clamp(min=1)


def _focal(log_p: Tensor, log_miss: Tensor, gamma: Scalar) -> Tensor:
    """-(1 - p)**gamma log p from log p and log(1 - p).

    A power of 1 - p has no finite derivative where p rounds to 1 and gamma < 1; this has.
    """
    return -torch.exp(gamma * log_miss) * log_p
