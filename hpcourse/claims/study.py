"""Comparisons of tuned arms: equal budgets by construction, and a tuning for every final run.

All arms share the candidates and the seeds. Each final run has tuning seeds of its own, which all
arms share and no other final run uses: an experiment that tunes once compares two draws of luck
(see `hpcourse.claims.tuning`). The final runs are then independent of each other, and the spread
between them contains the luck of the tuning.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, steady_cpu
from hpcourse.claims.registry import Outcome, Values
from hpcourse.claims.tuning import Member as Candidate
from hpcourse.claims.tuning import Tuning, tune
from hpcourse.data import TensorDataset
from hpcourse.search import cap
from hpcourse.training import Member, Run, Stack, accuracy, device, evaluate_many

Make = Callable[[float, int], Member]
"""Candidate (mostly a learning rate) and seed to a training."""

Train = Callable[[Sequence[Member], bool], list[Run]]
"""Trains members; the flag asks for curves, not only for last values. It measures what tuning goes
by, under the name that `tuned_study` is given."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a profile spends; the same for every arm.

    Attributes:
        rates: First candidates, ascending at equal ratios.
        tuning_size: Runs at each candidate by which one best is chosen.
        seeds: Seeds of the runs that are reported; each has `tuning_size` tuning seeds of its own.
    """

    rates: tuple[float, ...]
    tuning_size: int
    seeds: tuple[int, ...]

    @property
    def groups(self) -> tuple[range, ...]:
        """Positions among the tuning seeds of those that belong to each final run."""
        size = self.tuning_size
        return tuple(range(i * size, (i + 1) * size) for i in range(len(self.seeds)))

    @property
    def tuning_seeds(self) -> tuple[int, ...]:
        """Seeds of the runs that choose the candidates, all above those of the final runs."""
        return seeds_from(max(self.seeds) + 1, self.tuning_size * len(self.seeds))


def seeds_from(first: int, count: int) -> tuple[int, ...]:
    """`count` seeds in a row."""
    return tuple(range(first, first + count))


@dataclass(frozen=True, kw_only=True)
class Study:
    """Tuned candidates and final runs of all arms; ``runs[arm][i]`` has ``budget.seeds[i]``."""

    budget: Budget
    tuning: Tuning
    runs: Mapping[str, tuple[Run, ...]]
    device: str
    seconds: float

    def final(self, arm: str, metric: str) -> list[float]:
        """A metric after the last step, one value a seed."""
        return [run.final(metric) for run in self.runs[arm]]


def tuned_study(
    arms: Mapping[str, Make], budget: Budget, train: Train, *, score: str = "validation loss (nats)"
) -> Study:
    """Tune every arm for each final run, then train the final runs at what was found.

    Args:
        arms: Name to what makes its members.
        budget: Candidates and seeds.
        train: Trains members and measures at least `score`.
        score: The metric that tuning minimises; not finite means diverged.
    """
    start = time.perf_counter()

    def losses(candidates: Sequence[Candidate]) -> list[list[float]]:
        members = [arms[arm](rate, s) for arm, rate in candidates for s in budget.tuning_seeds]
        found = [run.final(score) for run in train(members, False)]
        size = len(budget.tuning_seeds)
        return [found[i : i + size] for i in range(0, len(found), size)]

    with steady_cpu():
        tuning = tune(tuple(arms), budget.rates, losses, groups=budget.groups)
        lent = {arm: (make, arm) for arm, make in arms.items()}
        runs = _final_runs(lent, budget, tuning, train)
    return Study(
        budget=budget,
        tuning=tuning,
        runs=runs,
        device=device_name(device()),
        seconds=time.perf_counter() - start,
    )


def with_rates_of(study: Study, arms: Mapping[str, tuple[Make, str]], train: Train) -> Study:
    """The study with the final runs of further arms, at the rates tuned for one of its own.

    Args:
        study: What was run.
        arms: Name of each new arm to what makes its members, and the arm whose rates it takes.
        train: As for `tuned_study`.
    """
    start = time.perf_counter()
    with steady_cpu():
        runs = _final_runs(arms, study.budget, study.tuning, train)
    seconds = study.seconds + time.perf_counter() - start
    return replace(study, runs={**study.runs, **runs}, seconds=seconds)


def _final_runs(
    arms: Mapping[str, tuple[Make, str]], budget: Budget, tuning: Tuning, train: Train
) -> dict[str, tuple[Run, ...]]:
    members = [
        make(rate, seed)
        for make, tuned in arms.values()
        for rate, seed in zip(tuning.best[tuned], budget.seeds, strict=True)
    ]
    finals = iter(train(members, True))
    return {arm: tuple(next(finals) for _ in budget.seeds) for arm in arms}


def train_apart(
    members: Sequence[Member], train: Callable[[Any, list[Member]], list[Run]]
) -> list[Run]:
    """Train the members of each shape by themselves, such as those with data of their own.

    Args:
        members: The trainings, in any order.
        train: Shape and its members to their runs.

    Returns:
        The runs in the members' order.
    """
    runs: dict[int, Run] = {}
    for shape in dict.fromkeys(member.shape for member in members):
        places = [place for place, member in enumerate(members) if member.shape == shape]
        runs |= zip(places, train(shape, [members[place] for place in places]), strict=True)
    return [runs[place] for place in range(len(members))]


def classifier_scores(data: TensorDataset) -> Callable[[Stack], dict[str, Tensor]]:
    """A measure for `Population.train`: loss (nats) and accuracy (%) on validation and test part.

    Args:
        data: The parts, on the device where the members are trained.
    """

    def measure(stack: Stack) -> dict[str, Tensor]:
        scores: dict[str, Tensor] = {}
        for name, part in (("validation", data.validation), ("test", data.test)):
            found = evaluate_many(stack, [part], {"loss": cross_entropy, "accuracy": accuracy})
            scores[f"{name} loss (nats)"] = found["loss"]
            scores[f"{name} accuracy (%)"] = 100 * found["accuracy"]
        return scores

    return measure


def study_outcome(
    study: Study,
    arms: Sequence[str],
    *,
    metric: str,
    worst: float,
    settings: Mapping[str, object],
    measures: Sequence[str] = (),
    curves: Sequence[str] = (),
    packages: Sequence[str] = (),
) -> Outcome:
    """The part of a study that concerns some arms.

    Args:
        study: What was run.
        arms: Arms of the claim.
        metric: The claim's metric, by its name in the runs.
        worst: What a diverged run counts as, such as the loss at chance; it becomes a caveat.
        settings: Data, network and whatever else the study cannot know.
        measures: Further metrics to keep, by their names in the runs.
        curves: Metrics to keep over time, by their names in the runs.
        packages: Packages, beside the scientific ones, whose version matters.
    """
    final = {arm: study.final(arm, metric) for arm in arms}
    return Outcome(
        seeds=study.budget.seeds,
        arms={arm: [v if math.isfinite(v) else worst for v in final[arm]] for arm in arms},
        device=study.device,
        seconds=study.seconds,
        settings={**settings, **tuning_settings(study, arms)},
        measures={name: _finals(study, arms, name) for name in measures},
        curves={
            name: {
                arm: [[finite(v) for v in run.metrics[name]] for run in study.runs[arm]]
                for arm in arms
            }
            for name in curves
        },
        caveats={arm: _diverged(arm, final[arm]) for arm in arms},
        tuning=study.tuning,
        packages=packages,
    )


def capped_outcome(outcome: Outcome, worst: float) -> Outcome:
    """The outcome of `study_outcome` where no run counts as worse than chance.

    To end at chance is then an answer like any other, and no caveat: such runs are counted among
    the settings.
    """
    arms = {arm: cap(values, at=worst).tolist() for arm, values in outcome.arms.items()}
    at_chance = {arm: values.count(worst) for arm, values in arms.items()}
    settings = {**outcome.settings, "runs_at_chance": at_chance}
    return replace(outcome, arms=arms, settings=settings, caveats={})


def tuning_settings(study: Study, arms: Sequence[str]) -> dict[str, object]:
    """How those of the arms that were tuned were, and what was found, as evidence keeps it."""
    tuning, budget = study.tuning, study.budget
    tuned = [arm for arm in arms if arm in tuning.best]
    return {
        "rates": tuning.rates,
        "tuning_seeds": budget.tuning_seeds,
        "tuning_size": budget.tuning_size,
        "tuning_runs_per_arm": len(tuning.rates) * budget.tuning_size,
        "grid_widened": tuning.widened,
        "best_rate_at_edge": [arm for arm in tuned if arm in tuning.at_edge],
        "best_rates": {arm: tuning.best[arm] for arm in tuned},
        "validation_loss_by_rate": {arm: [finite(s) for s in tuning.scores[arm]] for arm in tuned},
    }


def finite(value: float) -> float | None:
    """`value`, or None where JSON has no word for it."""
    return value if math.isfinite(value) else None


def _finals(study: Study, arms: Sequence[str], metric: str) -> Values:
    return {arm: study.final(arm, metric) for arm in arms}


def _diverged(arm: str, values: Sequence[float]) -> list[str]:
    count = sum(not math.isfinite(value) for value in values)
    return [f"{count} runs of {arm} diverged and count as chance"] if count else []
