"""Policy gradient: the probabilities of discrete choices rise with the reward that they bring.

References:
    R. Williams (1992), Simple statistical gradient-following algorithms for connectionist
    reinforcement learning, Machine Learning 8; B. Zoph and Q. Le (2017), Neural architecture
    search with reinforcement learning, ICLR, arXiv:1611.01578, section 3.2.
"""

from collections.abc import Sequence

import numpy as np

from hpcourse._check import require, require_positive
from hpcourse.search.searcher import TRIES, History
from hpcourse.search.searchers._bins import Bins
from hpcourse.search.space import Space, Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["PolicyGradient", "log_probability"]


class PolicyGradient:
    """REINFORCE with a moving-average baseline, over one softmax for each axis.

    The reward is minus the trial's value. Of the n-th trial, with options a,

    ``logits += rate * (reward - baseline) / deviation * d log p(a) / d logits``

    where the baseline is the moving average of the rewards before, and the deviation the standard
    deviation of all, so that the unit of the value does not matter. An axis that did not count has
    no part in log p. At the start the probabilities are those of the space's prior.

    The paper's policy is a recurrent network, whose choices depend on those before; here they are
    independent but for conditions.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may come again.
        levels: Number of options of an axis that is continuous or has more values; a random place
            within the option is then evaluated.
        rate: Learning rate of the logits.
        decay: Of the moving average, in [0, 1).

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> from hpcourse.search import Box, Choice
        >>> box = Box({"kind": Choice(("a", "b"))})
        >>> search = PolicyGradient(box, noisy=True)
        >>> search.probabilities(0).tolist()
        [0.5, 0.5]
        >>> for number in range(40):
        ...     kind = search.ask().config["kind"]
        ...     search.tell(Trial(number=number, config={"kind": kind}, seed=0, state="done",
        ...                       value=float(kind == "b")))
        >>> bool(search.probabilities(0)[0] > 0.7)
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        levels: int = 6,
        rate: float = 0.2,
        decay: float = 0.9,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        require_positive("PolicyGradient", rate=rate)
        require(0 <= decay < 1, "PolicyGradient needs decay in [0, 1)", decay=decay)
        self._bins = Bins(space, levels)
        self._rate, self._decay = rate, decay
        self._baseline: float | None = None
        self._logits = [np.log(self._bins.prior(column)) for column in range(len(self._bins.edges))]

    def probabilities(self, column: int) -> Unit:
        """Probability of each option of an axis, where it counts."""
        return _softmax(self._logits[column])

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        rng = self._history.rng()
        point = self._history.first_new((self._draw(rng) for _ in range(TRIES)), rng)
        return None if point is None else self._history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial and climb; a failed one is as bad as the worst so far."""
        point = self._history.tell(trial)
        values = self._history.values
        good = values[np.isfinite(values)]
        if good.size == 0:
            return
        reward = -float(values[-1] if np.isfinite(values[-1]) else good.max())
        baseline = reward if self._baseline is None else self._baseline
        deviation = float(good.std())
        if deviation > 0:
            advantage = (reward - baseline) / deviation
            path = self._bins.path(point)
            for column, gradient in log_probability(self._logits, path)[1].items():
                self._logits[column] = self._logits[column] + self._rate * advantage * gradient
        self._baseline = self._decay * baseline + (1 - self._decay) * reward

    def _draw(self, rng: np.random.Generator) -> Unit:
        point = self._bins.empty()
        for column, count in enumerate(self._bins.counts()):
            if self._bins.counting(point, column):
                option = int(rng.choice(count, p=self.probabilities(column)))
                point[column] = self._bins.place(column, option, rng)
        return point


def log_probability(
    logits: Sequence[Unit], path: Sequence[tuple[int, int]]
) -> tuple[float, dict[int, Unit]]:
    """Log probability of choices, and its gradient by the logits of the axes concerned.

    Args:
        logits: One vector for each axis.
        path: Axis and option of each choice.

    Examples:
        >>> value, gradient = log_probability([np.zeros(2)], [(0, 1)])
        >>> round(value, 4), gradient[0].tolist()
        (-0.6931, [-0.5, 0.5])
    """
    total, gradients = 0.0, {}
    for column, option in path:
        shares = _softmax(logits[column])
        total += float(np.log(shares[option]))
        gradients[column] = np.eye(len(shares))[option] - shares
    return total, gradients


def _softmax(logits: Unit) -> Unit:
    powers = np.exp(logits - logits.max())
    return np.asarray(powers / powers.sum())
