"""Center loss: features of one class are drawn to a centre that follows them."""

import torch
from torch import Tensor, nn

from hpcourse._check import require, require_count
from hpcourse.losses._shapes import Scalar, is_target, require_integers, require_range

__all__ = ["CenterLoss", "center_loss", "update_centers"]


def center_loss(features: Tensor, targets: Tensor, centers: Tensor) -> Tensor:
    """Half the squared distance of features to the centres of their classes, mean over the batch.

    Y. Wen, K. Zhang, Z. Li and Y. Qiao, "A discriminative feature learning approach for deep face
    recognition", ECCV 2016, eq. 2. The paper sums over the batch, in this loss and in the
    cross-entropy beside it; with means in both, its weight lambda (eq. 5) keeps its meaning.

    Args:
        features: Penultimate activations (batch, dim).
        targets: Classes (batch,), integers from 0.
        centers: Centres (classes, dim), usually without gradient; see `update_centers`.

    Returns:
        A scalar.

    Raises:
        ValueError: If shapes or types do not fit.

    Examples:
        >>> features = torch.tensor([[1.0, 1.0], [3.0, 0.0]])
        >>> center_loss(features, torch.tensor([0, 1]), torch.zeros(2, 2)).item()
        2.75
    """
    _require_shapes("center_loss", features, targets, centers)
    return (features - centers[targets.long()]).square().sum(dim=1).mean() / 2


def update_centers(
    features: Tensor, targets: Tensor, centers: Tensor, *, alpha: Scalar = 0.5
) -> Tensor:
    """The centres after a batch.

    A centre c with n samples x in the batch moves by -alpha sum(c - x) / (1 + n) (Wen et al., ECCV
    2016, eq. 4): classes that are missing stay, and a single sample moves its centre by half of
    alpha only, since it may be mislabelled.

    Args:
        features: Penultimate activations (batch, dim); they get no gradient from here.
        targets: Classes (batch,), integers from 0.
        centers: Centres (classes, dim); not changed.
        alpha: Rate of the centres, in [0, 1].

    Returns:
        New centres (classes, dim), without gradient.

    Raises:
        ValueError: If shapes or types do not fit, or a plain `alpha` is outside [0, 1].

    Examples:
        >>> features, targets = torch.tensor([[3.0], [6.0]]), torch.tensor([1, 1])
        >>> update_centers(features, targets, torch.zeros(2, 1), alpha=1.0).tolist()
        [[0.0], [3.0]]
    """
    _require_shapes("update_centers", features, targets, centers)
    require_range("update_centers", high=1.0, alpha=alpha)
    features, centers = features.detach(), centers.detach()
    chosen = is_target(targets, centers.shape[0]).to(features.dtype)  # (batch, classes)
    counts = chosen.sum(dim=0).unsqueeze(1)
    steps = (counts * centers - chosen.T @ features) / (1 + counts)
    return centers - alpha * steps


class CenterLoss(nn.Module):
    """Center loss with its centres as a buffer, which follow the features in training mode.

    The centres start at zero. Their rate is a buffer too, so that the members of a population can
    differ in it. As with batch norm, under ``torch.func.functional_call`` the new centres are
    written into the buffers given.

    Args:
        classes: Number of classes.
        dim: Number of features.
        alpha: Rate of the centres, in [0, 1].

    Attributes:
        centers: Centres (classes, dim).
        alpha: Rate of the centres.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> loss_fn = CenterLoss(classes=2, dim=1, alpha=1.0)
        >>> features, targets = torch.tensor([[3.0], [6.0]]), torch.tensor([1, 1])
        >>> [round(loss_fn(features, targets).item(), 3) for _ in range(3)]
        [11.25, 2.25, 1.25]
    """

    centers: Tensor
    alpha: Tensor

    def __init__(self, classes: int, dim: int, *, alpha: float = 0.5) -> None:
        super().__init__()
        require_count("CenterLoss", classes=classes, dim=dim)
        require_range("CenterLoss", high=1.0, alpha=alpha)
        self.register_buffer("centers", torch.zeros(classes, dim))
        self.register_buffer("alpha", torch.tensor(float(alpha)))

    def forward(self, features: Tensor, targets: Tensor) -> Tensor:
        """The loss before the centres move: features (batch, dim), targets (batch,) to a scalar."""
        # The backward pass needs the centres as they were: keep it from the writing below.
        loss = center_loss(features, targets, self.centers.clone())
        if self.training:
            moved = update_centers(features, targets, self.centers, alpha=self.alpha)
            self.centers.copy_(moved)
        return loss


def _require_shapes(where: str, features: Tensor, targets: Tensor, centers: Tensor) -> None:
    ok = features.ndim == 2 and centers.ndim == 2 and targets.shape == features.shape[:1]
    require(
        ok and centers.shape[1] == features.shape[1],
        f"{where} needs features (batch, dim), targets (batch,) and centers (classes, dim)",
        features=tuple(features.shape),
        targets=tuple(targets.shape),
        centers=tuple(centers.shape),
    )
    require_integers(where, targets)
