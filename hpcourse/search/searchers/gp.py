"""Bayesian optimisation with a Gaussian process.

References:
    Snoek, Larochelle and Adams (2012), Practical Bayesian Optimization of Machine Learning
    Algorithms, NeurIPS. Ament et al. (2023), Unexpected Improvements to Expected Improvement for
    Bayesian Optimization, NeurIPS.
"""

from hpcourse._check import require_count
from hpcourse.search.searcher import History
from hpcourse.search.space import Space
from hpcourse.search.surrogates.improvement import Turns, quasi_random
from hpcourse.search.surrogates.kernels import Kernel, MixedKernel
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["GP"]


class GP:
    """Suggests where a Gaussian process expects most improvement.

    The first trials are quasi-random. Then the parameters of a Gaussian process over the unit cube
    are fitted to all values by their marginal likelihood and a prior, and the configuration of the
    largest log expected improvement is suggested. By turns the process follows the values as they
    are and their distances from the lowest one on a logarithmic scale. Trials that run count as if
    they had ended with the value that the process expects; failed ones as the worst value.

    Args:
        space: Where configurations live; mixed and conditional ones too.
        seed: Seed of the search.
        noisy: Whether evaluating a configuration twice says more than once. Improvement is then
            counted from the lowest expected value instead of the lowest one.
        kernel: How alike two configurations are; None for `MixedKernel` of the space.
        start: Number of quasi-random trials.

    Raises:
        ValueError: If `start` is below one, or `seed` is no integer of at least zero.

    Examples:
        >>> from hpcourse.search import Box, Real, minimize
        >>> search = GP(Box({"x": Real(-4.0, 8.0)}), seed=1, start=3)
        >>> study = minimize(lambda t: (t.config["x"] - 1) ** 2, search, trials=10, progress=False)
        >>> abs(study.best.config["x"] - 1) < 0.01
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        kernel: Kernel | None = None,
        start: int = 10,
    ) -> None:
        require_count("GP", start=start)
        self._history = History(space, seed, noisy=noisy)
        self.start = start
        self._model = Turns.of(kernel or MixedKernel(space.axes), noisy=noisy)

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        history, rng = self._history, self._history.rng()
        told, model = len(history.trials), self._model
        if told == 0 or max(told, history.asked) < self.start:
            points = quasi_random(history)
        else:
            points, model = model.promising(history, rng)
        point = history.first_new(points, rng)
        if point is None:
            return None
        self._model = model
        return history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial."""
        self._history.tell(trial)
