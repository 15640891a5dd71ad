"""Curvature of a loss: gradient, Hessian-vector products, and the kind of a critical point.

Every function takes the loss as a scalar function of a flat vector and the point at which to
look. `flat_loss` makes both from a model, a loss function and batches of data.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator
from torch import Tensor

from hpcourse._check import require, require_non_negative, require_positive
from hpcourse.diagnose.objective import Function, terms
from hpcourse.diagnose.spectrum import extreme_eigenvalues

__all__ = [
    "CriticalPoint",
    "Kind",
    "classify",
    "dense_hessian",
    "gradient",
    "gradient_norm",
    "hessian_operator",
    "hvp",
]

Vectors = NDArray[np.float64]
Kind = Literal["minimum", "saddle", "maximum", "degenerate", "not critical"]


def gradient(f: Function, x: Tensor) -> Tensor:
    """Gradient of `f` at `x`, both (n,).

    Raises:
        ValueError: If `x` is not a flat vector of real numbers or `f(x)` is not one number.
    """
    _require_flat("gradient", x)
    total = torch.zeros_like(x)
    for term in terms(f):
        total += _graph_of_gradient(term, x)[1].detach()
    return total


def gradient_norm(f: Function, x: Tensor) -> float:
    """Euclidean length of the gradient of `f` at `x` (n,), in loss per unit of parameter.

    Raises:
        ValueError: As `gradient` does.

    Examples:
        >>> gradient_norm(lambda x: (x**2).sum() / 2, torch.tensor([3.0, 4.0]))
        5.0
    """
    return float(torch.linalg.vector_norm(gradient(f, x)))


def hvp(f: Function, x: Tensor, v: Tensor) -> Tensor:
    """Hessian of `f` at `x` times `v`, all (n,), at about the cost of two gradients.

    Pearlmutter, "Fast exact multiplication by the Hessian" (1994): H v is the derivative of the
    gradient along v. It is computed as the gradient of (gradient · v): compared with torch's
    forward mode, that covers more operations (recurrent kernels among them) and took half the time
    on a CPU.

    Raises:
        ValueError: If `v` has not the shape of `x`, and as `gradient` does.

    Examples:
        >>> x = torch.tensor([1.0, 2.0])
        >>> hvp(lambda x: x[0] ** 3 + x[0] * x[1], x, torch.tensor([1.0, 10.0]))
        tensor([16.,  1.])
    """
    _require_flat("hvp", x)
    require(v.shape == x.shape, "hvp needs v in the shape of x", v=tuple(v.shape))
    total = torch.zeros_like(x)
    for term in terms(f):
        total += _vector_product(*_graph_of_gradient(term, x), v)
    return total


def dense_hessian(f: Function, x: Tensor) -> Tensor:
    """The whole Hessian (n, n) of `f` at `x` (n,), for small problems: n backward passes.

    Raises:
        ValueError: As `gradient` does.
    """
    _require_flat("dense_hessian", x)
    total = torch.zeros(len(x), len(x), dtype=x.dtype, device=x.device)
    for term in terms(f):
        point, slope = _graph_of_gradient(term, x)
        total += torch.stack([_vector_product(point, slope, e) for e in torch.eye(len(x)).to(x)])
    return (total + total.T) / 2


def hessian_operator(f: Function, x: Tensor) -> LinearOperator:
    """The Hessian of `f` at `x` (n,) as an operator (n, n) on float64 NumPy vectors.

    Products are computed by `hvp` in the precision and on the device of `x`.

    Raises:
        ValueError: As `gradient` does.
    """
    _require_flat("hessian_operator", x)

    def product(v: Vectors) -> Vectors:
        result = hvp(f, x, x.new_tensor(v.reshape(-1)))
        return result.cpu().numpy().astype(np.float64)

    n = len(x)
    return LinearOperator((n, n), matvec=product, rmatvec=product, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """What the first and second derivatives say about a point of a loss.

    Attributes:
        kind: "minimum", "maximum", "saddle", "degenerate" (semi-definite Hessian: second
            derivatives do not decide) or "not critical" (the gradient is not zero).
        gradient_norm: Euclidean length of the gradient.
        lowest: Smallest eigenvalue of the Hessian.
        highest: Largest eigenvalue of the Hessian.
        escape_direction: (n,) unit eigenvector of `lowest`, pointing downhill where the gradient
            tells; at a saddle the loss falls along it in both senses.
    """

    kind: Kind
    gradient_norm: float
    lowest: float
    highest: float
    escape_direction: Vectors


def classify(
    f: Function,
    x: Tensor,
    *,
    gradient_tol: float = 1e-3,
    eigenvalue_tol: float = 1e-3,
    seed: int = 0,
) -> CriticalPoint:
    """Tell whether `x` (n,) is a minimum, a maximum or a saddle of `f`.

    With r = `max |eigenvalue|`, an eigenvalue counts as zero when it is at most `eigenvalue_tol` r
    in magnitude, and the gradient when its norm is at most `gradient_tol` `r max(1, |x|)`: a move
    of `x` by that relative amount explains it. Both rules stay the same when the loss is rescaled.
    Why saddles matter: Dauphin et al., "Identifying and attacking the saddle point problem in
    high-dimensional non-convex optimization" (2014).

    Raises:
        ValueError: If `gradient_tol` is negative or `eigenvalue_tol` not above zero, or `f` or
            `x` is unfit (see `gradient`).

    Examples:
        >>> origin = torch.zeros(2, dtype=torch.float64)
        >>> classify(lambda x: x[0] ** 2 - x[1] ** 2, origin).kind
        'saddle'
    """
    require_non_negative("classify", gradient_tol=gradient_tol)
    require_positive("classify", eigenvalue_tol=eigenvalue_tol)
    slope = gradient(f, x).cpu().numpy().astype(np.float64)
    norm = float(np.linalg.norm(slope))
    ends = extreme_eigenvalues(hessian_operator(f, x), seed=seed, tol=min(1e-6, eigenvalue_tol))
    lowest, highest = float(ends.lowest[0]), float(ends.highest[0])
    radius = max(abs(lowest), abs(highest))
    reach = radius * max(1.0, float(torch.linalg.vector_norm(x)))
    kind: Kind = "not critical"
    if norm <= gradient_tol * reach:
        kind = _kind_by_signs(lowest, highest, eigenvalue_tol * radius)
    direction = ends.lowest_vectors[:, 0]
    sense = -1.0 if slope @ direction > 0 else 1.0
    return CriticalPoint(kind, norm, lowest, highest, sense * direction)


def _require_flat(where: str, x: Tensor) -> None:
    """Raise unless `x` is a vector of at least one real number."""
    ok = x.ndim == 1 and x.is_floating_point() and x.numel() > 0
    require(ok, f"{where} needs a flat real vector x", shape=tuple(x.shape), dtype=x.dtype)


def _graph_of_gradient(f: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    """The point as a leaf (n,) and the gradient of `f` there (n,), with its graph."""
    with torch.enable_grad():
        point = x.detach().requires_grad_()
        value = f(point)
        require(value.numel() == 1, "a loss must return one number", shape=tuple(value.shape))
        (slope,) = torch.autograd.grad(value.sum(), point, create_graph=True)
    return point, slope


def _vector_product(point: Tensor, slope: Tensor, v: Tensor) -> Tensor:
    """Derivative of (slope · v) at `point`; zero where the slope is constant."""
    if not slope.requires_grad:
        return torch.zeros_like(point)
    options = {"retain_graph": True, "materialize_grads": True}
    (product,) = torch.autograd.grad(slope, point, v, **options)
    return product


def _kind_by_signs(lowest: float, highest: float, zero: float) -> Kind:
    """Kind of a critical point from the ends of its spectrum."""
    if lowest > zero:
        return "minimum"
    if highest < -zero:
        return "maximum"
    return "saddle" if lowest < -zero and highest > zero else "degenerate"
