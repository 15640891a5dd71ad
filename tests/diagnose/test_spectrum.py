import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from hpcourse.diagnose import extreme_eigenvalues


def symmetric(eigenvalues, seed: int = 0) -> np.ndarray:
    n = len(eigenvalues)
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))
    return basis * np.asarray(eigenvalues, dtype=float) @ basis.T


def check_ends(matrix: np.ndarray, k: int, tol: float = 1e-6) -> None:
    """Compare with the dense answer: eigenvalues, residuals and orthonormal vectors."""
    exact = np.linalg.eigvalsh(matrix)
    radius = np.abs(exact).max()
    ends = extreme_eigenvalues(aslinearoperator(matrix), k=k, tol=tol)
    np.testing.assert_allclose(ends.lowest, exact[:k], atol=10 * tol * radius)
    np.testing.assert_allclose(ends.highest, exact[::-1][:k], atol=10 * tol * radius)
    sides = ((ends.lowest, ends.lowest_vectors), (ends.highest, ends.highest_vectors))
    for values, vectors in sides:
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(k), atol=1e-8)
        np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=100 * tol * radius)


@pytest.mark.parametrize("n", [1, 2, 5, 20, 21, 60])
@pytest.mark.parametrize("k", [1, 3])
def test_every_size_gives_the_dense_answer(n, k):
    check_ends(symmetric(np.random.default_rng(n).standard_normal(n)), min(k, n))


@settings(max_examples=40)
@given(
    st.lists(st.floats(-10, 10).filter(lambda v: v == 0 or abs(v) > 1e-3), min_size=3, max_size=40),
    st.sampled_from([1e-6, 1.0, 1e6]),
)
def test_any_spectrum_of_any_scale(eigenvalues, scale):
    check_ends(symmetric(scale * np.array(eigenvalues)), k=2)


@pytest.mark.parametrize(
    "spectrum",
    [
        [0.0] * 90 + [1.0] * 10,  # a rank-deficient Hessian: the lowest end is a cluster at zero
        [7.0] * 100,
        [-3.0, *[0.0] * 98, 3.0],
        [*np.linspace(-1e-6, 1e-6, 99), 10.0],
        -np.geomspace(1e-8, 1, 100),
    ],
)
def test_clusters_and_singular_spectra(spectrum):
    check_ends(symmetric(spectrum), k=2)


@pytest.mark.parametrize("n", [3, 100])
def test_the_zero_operator(n):
    ends = extreme_eigenvalues(aslinearoperator(np.zeros((n, n))), k=2)
    assert ends.lowest.tolist() == ends.highest.tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(ends.lowest_vectors.T @ ends.lowest_vectors, np.eye(2))


def test_the_same_seed_gives_the_same_bits():
    operator = aslinearoperator(symmetric(np.linspace(-1, 2, 80)))
    first, again = extreme_eigenvalues(operator, seed=3), extreme_eigenvalues(operator, seed=3)
    np.testing.assert_array_equal(first.highest_vectors, again.highest_vectors)
    other = extreme_eigenvalues(operator, seed=4)
    assert not np.array_equal(first.highest_vectors, other.highest_vectors)


def test_bad_input_is_named():
    operator = aslinearoperator(np.eye(30))
    with pytest.raises(ValueError, match=r"k <= n = 30, got k=31"):
        extreme_eigenvalues(operator, k=31)
    with pytest.raises(ValueError, match=r"integer k >= 1, got k=0"):
        extreme_eigenvalues(operator, k=0)
    with pytest.raises(ValueError, match=r"tol > 0, got tol=0"):
        extreme_eigenvalues(operator, tol=0)
    with pytest.raises(ValueError, match=r"square operator, got shape=\(2, 3\)"):
        extreme_eigenvalues(aslinearoperator(np.ones((2, 3))))


@pytest.mark.parametrize("n", [3, 30])
def test_an_operator_that_is_not_finite_is_refused(n):
    broken = LinearOperator((n, n), matvec=lambda v: np.full(n, np.nan), dtype=np.float64)
    with pytest.raises(ValueError, match=r"finite operator, got .*nan"):
        extreme_eigenvalues(broken)
