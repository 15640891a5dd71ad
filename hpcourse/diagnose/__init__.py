"""Diagnosis of a loss: its curvature, critical points and stable learning rates.

`strict_saddle`, `double_well` and `ravine` are losses of two parameters to try it on.
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
from hpcourse.diagnose.surfaces import (
    Descent,
    Loss,
    Surface,
    descend,
    double_well,
    ravine,
    steps_to_escape,
    strict_saddle,
)

__all__ = [
    "CriticalPoint",
    "Descent",
    "Eigenpairs",
    "FlatLoss",
    "Loss",
    "Surface",
    "classify",
    "dense_hessian",
    "descend",
    "double_well",
    "extreme_eigenvalues",
    "flat_loss",
    "gradient",
    "gradient_norm",
    "growth_factor",
    "hessian_operator",
    "hvp",
    "largest_stable_lr",
    "ravine",
    "steps_to_escape",
    "strict_saddle",
]
