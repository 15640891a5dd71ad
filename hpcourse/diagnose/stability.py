"""How fast gradient descent grows or shrinks along an eigenvector, and when it diverges."""

import numpy as np

from hpcourse._check import is_finite, require, require_non_negative, require_positive

__all__ = ["growth_factor", "largest_stable_lr"]


def growth_factor(eigenvalue: float, *, lr: float, momentum: float = 0.0) -> float:
    """Factor per step by which gradient descent scales the distance along an eigenvector.

    On a quadratic loss heavy-ball descent obeys z' = z - lr λ z + momentum (z - z_previous) along
    an eigenvector of eigenvalue λ; the factor is the largest root in magnitude of
    ρ² - (1 + momentum - lr λ) ρ + momentum (Goh, "Why momentum really works", Distill 2017).
    Below 1 the distance shrinks, above 1 it grows: away from a saddle where λ < 0, and beyond
    `largest_stable_lr` where λ > 0.

    Raises:
        ValueError: If `eigenvalue` is not finite, `lr` negative or `momentum` outside [0, 1).

    Examples:
        >>> growth_factor(-1.0, lr=0.1)  # at a saddle the distance grows by 1 + lr |λ|
        1.1
    """
    require(is_finite(eigenvalue), "growth_factor needs a finite eigenvalue", eigenvalue=eigenvalue)
    require_non_negative("growth_factor", lr=lr)
    _require_momentum("growth_factor", momentum)
    roots = np.roots([1.0, -(1.0 + momentum - lr * eigenvalue), momentum])
    return float(np.abs(roots).max())


def largest_stable_lr(highest: float, *, momentum: float = 0.0) -> float:
    """Learning rate 2 (1 + momentum) / highest above which heavy-ball descent diverges.

    Exact on a quadratic loss whose largest eigenvalue is `highest`; on networks training hovers
    around it (Cohen et al., "Gradient descent on neural networks typically occurs at the edge of
    stability", 2021, equation 1; Goh 2017 for momentum).

    Raises:
        ValueError: If `highest` is not above zero (nothing bounds the rate then) or `momentum`
            is outside [0, 1).

    Examples:
        >>> largest_stable_lr(4.0), largest_stable_lr(4.0, momentum=0.5)
        (0.5, 0.75)
    """
    require_positive("largest_stable_lr", highest=highest)
    _require_momentum("largest_stable_lr", momentum)
    return 2.0 * (1.0 + momentum) / highest


def _require_momentum(where: str, momentum: float) -> None:
    """Raise unless `momentum` lies in [0, 1)."""
    ok = is_finite(momentum) and 0 <= momentum < 1
    require(ok, f"{where} needs 0 <= momentum < 1", momentum=momentum)
