"""Diagnosis of a loss: its curvature, critical points and stable learning rates.

Losses of two parameters to try it on are in `hpcourse.diagnose.surfaces`.
"""

from hpcourse.diagnose.curvature import (
    CriticalPoint,
    classify,
    dense_hessian,
    gradient,
    gradient_norm,
    hessian_operator,
    hvp,
)
from hpcourse.diagnose.objective import FlatLoss, flat_loss
from hpcourse.diagnose.spectrum import Eigenpairs, extreme_eigenvalues
from hpcourse.diagnose.stability import growth_factor, largest_stable_lr

__all__ = [
    "CriticalPoint",
    "Eigenpairs",
    "FlatLoss",
    "classify",
    "dense_hessian",
    "extreme_eigenvalues",
    "flat_loss",
    "gradient",
    "gradient_norm",
    "growth_factor",
    "hessian_operator",
    "hvp",
    "largest_stable_lr",
]
