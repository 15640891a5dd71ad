"""The ends of the spectrum of a symmetric operator, by Lanczos iteration."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh

from hpcourse._check import require, require_count, require_positive

__all__ = ["Eigenpairs", "extreme_eigenvalues"]

Vectors = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Eigenpairs:
    """The ends of a symmetric spectrum, outermost first.

    Attributes:
        lowest: (k,) ascending: ``lowest[0]`` is the smallest eigenvalue.
        highest: (k,) descending: ``highest[0]`` is the largest eigenvalue.
        lowest_vectors: (n, k), unit eigenvectors of `lowest` in columns.
        highest_vectors: (n, k), unit eigenvectors of `highest` in columns.
    """

    lowest: Vectors
    highest: Vectors
    lowest_vectors: Vectors
    highest_vectors: Vectors


def extreme_eigenvalues(
    operator: LinearOperator, *, k: int = 1, tol: float = 1e-6, seed: int = 0
) -> Eigenpairs:
    """The `k` lowest and the `k` highest eigenvalues of a symmetric operator, with eigenvectors.

    Restarted Lanczos (ARPACK through SciPy's `eigsh`). Its stopping rule is relative to the
    eigenvalue sought, so that one close to zero would never be exact enough; each end is
    therefore computed on the spectrum moved away from zero by its radius.

    Args:
        operator: Symmetric (n, n), such as `hessian_operator` returns.
        k: Eigenvalues wanted at each end, at most n.
        tol: Accuracy relative to the eigenvalue largest in magnitude.
        seed: Seed of the starting vector.

    Raises:
        ValueError: If `operator` is not square or not finite, or `k` or `tol` is out of range.
        scipy.sparse.linalg.ArpackNoConvergence: If the iteration limit is reached.

    Examples:
        >>> from scipy.sparse import diags_array
        >>> from scipy.sparse.linalg import aslinearoperator
        >>> ends = extreme_eigenvalues(aslinearoperator(diags_array(np.arange(-3.0, 97.0))), k=2)
        >>> ends.lowest.round(4).tolist(), ends.highest.round(4).tolist()
        ([-3.0, -2.0], [96.0, 95.0])
    """
    n, columns = operator.shape
    require(n == columns, "extreme_eigenvalues needs a square operator", shape=operator.shape)
    require_count("extreme_eigenvalues", k=k)
    require(k <= n, f"extreme_eigenvalues needs k <= n = {n}", k=k)
    require_positive("extreme_eigenvalues", tol=tol)
    basis = max(2 * k + 1, 20)  # ARPACK's Lanczos vectors
    if n <= basis:  # they would span the whole space: the dense answer costs no more
        return _dense_eigenpairs(operator, k)
    start = np.random.default_rng(seed).standard_normal(n)
    image = operator.matvec(start)
    finite = bool(np.isfinite(image).all())
    require(finite, "extreme_eigenvalues needs a finite operator", product=image)
    if not image.any():  # a random vector is mapped to zero by the zero operator alone
        return Eigenpairs(np.zeros(k), np.zeros(k), np.eye(n, k), np.eye(n, k))
    outermost = eigsh(operator, k=1, which="LM", v0=start, tol=0.01, return_eigenvectors=False)
    radius = float(abs(outermost[0]))
    low, low_vectors = _lanczos_end(operator, -radius, k, start, tol)
    high, high_vectors = _lanczos_end(operator, radius, k, start, tol)
    return Eigenpairs(low, high, low_vectors, high_vectors)


def _dense_eigenpairs(operator: LinearOperator, k: int) -> Eigenpairs:
    """Both ends from the whole matrix, for dimensions too small for Lanczos."""
    matrix = operator.matmat(np.eye(operator.shape[0]))
    finite = bool(np.isfinite(matrix).all())
    require(finite, "extreme_eigenvalues needs a finite operator", matrix=matrix)
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    top = slice(None, -k - 1, -1)
    return Eigenpairs(values[:k], values[top], vectors[:, :k], vectors[:, top])


def _lanczos_end(
    operator: LinearOperator, shift: float, k: int, start: Vectors, tol: float
) -> tuple[Vectors, Vectors]:
    """`k` outermost eigenpairs on the side of the sign of `shift`, outermost first."""

    def product(v: Vectors) -> Vectors:
        return operator.matvec(v) + shift * v

    moved = LinearOperator(operator.shape, matvec=product, dtype=np.float64)
    which: Literal["LA", "SA"] = "LA" if shift > 0 else "SA"
    values, vectors = eigsh(moved, k=k, which=which, v0=start, tol=tol)
    order = np.argsort(-np.sign(shift) * values)
    return values[order] - shift, vectors[:, order]
