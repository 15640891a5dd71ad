"""Q-learning over a sequence of discrete choices, as MetaQNN designs networks.

References:
    B. Baker, O. Gupta, N. Naik and R. Raskar (2017), Designing neural network architectures using
    reinforcement learning, ICLR, arXiv:1611.02167; equation 3 and section 4.
"""

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from hpcourse._check import require, require_count
from hpcourse.search.searcher import TRIES, History
from hpcourse.search.searchers._bins import Bins
from hpcourse.search.space import Space, Unit
from hpcourse.search.trial import Suggestion, Trial

__all__ = ["METAQNN", "QLearning"]

METAQNN = (
    *((1.0, 1500), (0.9, 100), (0.8, 100), (0.7, 100)),
    *((epsilon / 10, 150) for epsilon in range(6, 0, -1)),
)
"""The paper's schedule: exploration and for how many trials."""

SHORT = tuple((epsilon, trials // 50) for epsilon, trials in METAQNN)
"""The same in a fiftieth of the trials, 54."""

State = tuple[tuple[int, int], ...]  # earlier choices (axis, option) that the state remembers
Step = tuple[State, int, int]  # state, axis, option


class QLearning:
    """Learns what each choice is worth, given the choices before it.

    A configuration is an episode: axis after axis an option is chosen, at random with probability
    epsilon and otherwise the one of the highest Q. The reward comes at the end and is minus the
    trial's value. After each trial, episodes drawn from all so far are replayed; from the last
    step to the first,

    ``Q(s, a) += rate * (reward + max_b Q(s', b) - Q(s, a))``

    with the reward zero but for the last step. Nothing is discounted.

    Args:
        space: Where configurations live.
        seed: Seed of the search.
        noisy: Whether a configuration may come again.
        levels: Number of options of an axis that is continuous or has more values; a random place
            within the option is then evaluated.
        schedule: Epsilon and for how many trials, one after the other; the last holds on.
        rate: Learning rate of Q.
        replays: Episodes replayed after each trial.
        memory: How many earlier choices a state remembers, beside the axis that is next. As in the
            paper, 1 is the choice just before; the number of axes makes states whole histories.

    Raises:
        ValueError: If a number is out of range.

    Examples:
        >>> from hpcourse.search import Box, Choice
        >>> box = Box({"kind": Choice(("a", "b"))})
        >>> search = QLearning(box, schedule=((0.0, 1),), noisy=True)
        >>> for number, kind in enumerate("ab"):
        ...     trial = Trial(number=9 + number, config={"kind": kind}, seed=0, state="done",
        ...                   value=float(number))
        ...     search.tell(trial)
        >>> search.ask().config
        {'kind': 'a'}
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        noisy: bool = False,
        levels: int = 6,
        schedule: Sequence[tuple[float, int]] = SHORT,
        rate: float = 0.01,
        replays: int = 100,
        memory: int = 1,
    ) -> None:
        self._history = History(space, seed, noisy=noisy)
        require(len(schedule) > 0, "QLearning needs a schedule", schedule=schedule)
        for epsilon, trials in schedule:
            require(0 <= epsilon <= 1, "QLearning needs epsilon in [0, 1]", epsilon=epsilon)
            require_count("QLearning", trials=trials)
        require(0 < rate <= 1, "QLearning needs rate in (0, 1]", rate=rate)
        require_count("QLearning", replays=replays)
        natural = type(memory) is int and memory >= 0
        require(natural, "QLearning needs an integer memory >= 0", memory=memory)
        self._bins = Bins(space, levels)
        self._schedule = tuple(schedule)
        self._rate, self._replays, self._memory = rate, replays, memory
        self._episodes: list[list[Step]] = []
        self._q: dict[Step, float] = {}
        self._typical = 0.0

    @property
    def epsilon(self) -> float:
        """Probability of a random choice in the next suggestion."""
        ends = accumulate(trials for _, trials in self._schedule)
        for (epsilon, _), end in zip(self._schedule, ends, strict=True):
            if self._history.asked < end:
                return epsilon
        return self._schedule[-1][0]

    def value(self, state: State, column: int, option: int) -> float:
        """What a choice is worth now; the mean reward so far where it was never made."""
        known = self._q.get((state, column, option))
        return self._typical if known is None else known

    def ask(self) -> Suggestion | None:
        """The next configuration; None once a finite space is used up."""
        rng = self._history.rng()
        drawn = (self._episode(rng) for _ in range(TRIES))
        point = self._history.first_new(drawn, rng)
        return None if point is None else self._history.suggest(point)

    def tell(self, trial: Trial) -> None:
        """Take note of an ended trial and replay; a failed one is as bad as the worst."""
        point = self._history.tell(trial)
        self._episodes.append(self._steps(point))
        rewards = self._rewards()
        if rewards.size == 0:
            return
        self._typical = float(rewards.mean())
        count = len(self._episodes)
        rng = np.random.default_rng((self._history.seed, count, 1))
        # The newest episode is learned from at least once.
        for place in [count - 1, *rng.integers(count, size=self._replays - 1)]:
            self._learn(self._episodes[place], float(rewards[place]))

    def _learn(self, episode: Sequence[Step], reward: float) -> None:
        """One pass through an episode, from its end."""
        target = reward
        for step in reversed(episode):
            state, column, _ = step
            old = self.value(*step)
            self._q[step] = old + self._rate * (target - old)
            target = max(self._worths(state, column))

    def _episode(self, rng: np.random.Generator) -> Unit:
        point, steps = self._bins.empty(), list[tuple[int, int]]()
        for column, count in enumerate(self._bins.counts()):
            if not self._bins.counting(point, column):
                continue
            if rng.random() < self.epsilon:
                option = int(rng.choice(count, p=self._bins.prior(column)))
            else:
                worths = np.array(self._worths(self._state(steps), column))
                option = int(rng.choice(np.flatnonzero(worths == worths.max())))
            point[column] = self._bins.place(column, option, rng)
            steps.append((column, option))
        return point

    def _steps(self, point: Unit) -> list[Step]:
        """The choices of a point, each with the state in which it was made."""
        path = self._bins.path(point)
        return [(self._state(path[:k]), column, option) for k, (column, option) in enumerate(path)]

    def _state(self, steps: Sequence[tuple[int, int]]) -> State:
        return tuple(steps[len(steps) - min(self._memory, len(steps)) :])

    def _worths(self, state: State, column: int) -> list[float]:
        count = len(self._bins.edges[column]) - 1
        return [self.value(state, column, option) for option in range(count)]

    def _rewards(self) -> Unit:
        """Minus the values, the worst finite one for failures; empty before there is one."""
        values = self._history.values
        good = values[np.isfinite(values)]
        if good.size == 0:
            return good
        return np.asarray(-np.where(np.isfinite(values), values, good.max()))
