"""Losses: alone, auxiliary, and several weighed against each other.

Alone: `cross_entropy` with smoothed labels, `focal_loss` and `binary_focal_loss`. Auxiliary, beside
a main loss: `center_loss`. For several tasks: `weighted_sum`, `uncertainty_weighted` and GradNorm.

Hyperparameters are keyword-only and may be numbers or 0-dim tensors, so that under
``torch.func.vmap`` each member of a population has its own. Plain numbers are checked; tensors are
not, since reading them would stop a trace.
"""

from hpcourse.losses._center import CenterLoss, center_loss, update_centers
from hpcourse.losses._classification import binary_focal_loss, cross_entropy, focal_loss
from hpcourse.losses._shapes import Scalar
from hpcourse.losses._weights import (
    Task,
    UncertaintyWeights,
    gradient_norms,
    gradnorm_gradient,
    gradnorm_step,
    uncertainty_weighted,
    weighted_sum,
)

__all__ = [
    "CenterLoss",
    "Scalar",
    "Task",
    "UncertaintyWeights",
    "binary_focal_loss",
    "center_loss",
    "cross_entropy",
    "focal_loss",
    "gradient_norms",
    "gradnorm_gradient",
    "gradnorm_step",
    "uncertainty_weighted",
    "update_centers",
    "weighted_sum",
]
