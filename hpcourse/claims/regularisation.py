"""Optimisation against regularisation: a sweep of the weight decay, by one grid of trainings.

Protocol, fixed before the seeds reported here were run (in trials with other seeds):

- Data: MNIST-1D with 800 signals for training, few enough to be learnt by heart, and 3,200 for
  validation.
- Network: fully connected 40-64-10 with ReLU, cross-entropy, plain SGD on batches of 40, 50 epochs
  (1,000 steps), a cosine decay of the learning rate to zero. Weight decay as the source means it:
  an L2 term in the gradient, on all parameters.
- A grid of weight decays (none, and 1e-6 to 1) times first learning rates; every cell has the same
  seeds. A seed decides the initial weights and the order of the data.
- Losses are means over the whole part, in evaluation, without the L2 term.
- The sweep is of one knob: all its trainings have the same first rate, the one that lowers the
  training loss most without any decay. Optimisation thus does what it is for, and what
  regularisation adds is seen alone.
- The best decay is the one with the lowest validation loss. Rate and decay are chosen for each seed
  by all other seeds, so that the luck of a seed does not favour its own choice.
- Contrasts against zero, all in nats, positive where the claim is right. `left arm`: validation
  loss without decay minus that at the best decay. `right arm`: that at the strongest decay minus
  that at the best. `training, left` and `training, right`: by how much the training loss rises from
  none to the best decay, and from there to the strongest.
- Another contrast of the claim, `training, no fall`, is an allowance of 0.1 nats less the largest
  fall of the training loss from one decay to the next.
- Beside the claim: the left contrasts with the learning rate tuned anew for every decay, on the
  validation loss and with equal trials. A small rate ends the training early, and so regularises.
- Smallest effect: 0.05 nats, some 2 % of the ln 10 nats of a network that has learnt nothing.
- A run that diverges is never chosen; where it is measured it counts as chance, ln 10 nats, and
  becomes a caveat.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import Tensor
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, steady_cpu
from hpcourse.claims.choice import best_on_others
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.data import TensorDataset, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.training import Loss, Member, Population, Stack, accuracy, device, evaluate_many

SIZES = (40, 64, 10)
BATCH = 40
STEPS = 1000
HELD_OUT = 0.8  # share of the signals for validation
SMALLEST = 0.05  # nats
ALLOWANCE = 2 * SMALLEST
CHANCE = math.log(10)  # nats

CLAIMED = ("left arm", "right arm", "training, left", "training, right", "training, no fall")
CONTEXT = ("left arm, rate re-tuned", "training, left, rate re-tuned")

Grid = NDArray[np.float64]
T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much a profile spends: a grid of ascending rates and decays, all with the same seeds."""

    rates: tuple[float, ...]
    decays: tuple[float, ...]
    seeds: tuple[int, ...]
    steps: int = STEPS


def _decays(per_decade: int) -> tuple[float, ...]:
    return (0.0, *(10 ** (i / per_decade) for i in range(-6 * per_decade, 1)))


RATES = (0.03, 0.1, 0.3, 1.0, 3.0)
PLANS: dict[Profile, Plan] = {
    "quick": Plan(rates=RATES, decays=_decays(1), seeds=seeds_from(5100, 5)),
    "full": Plan(rates=RATES, decays=_decays(2), seeds=seeds_from(5200, 20)),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """What every training ended with, each (rates, decays, seeds), in nats and percent.

    `training` is the loss on the signals trained on, the others are on those held out.
    """

    plan: Plan
    training: Grid
    validation: Grid
    accuracy: Grid
    device: str
    seconds: float


@cache
def decay_sweep(plan: Plan) -> Sweep:
    """Train the whole grid, once per process and plan."""
    start = time.perf_counter()
    data = mnist1d(validation=HELD_OUT).tensors(device())
    members = [
        Member(
            seed=seed,
            hypers={"lr": cosine_decay(rate, plan.steps), "weight_decay": decay},
            steps=plan.steps,
            batch_size=BATCH,
        )
        for rate in plan.rates
        for decay in plan.decays
        for seed in plan.seeds
    ]
    population = Population(lambda _, seed: mlp(SIZES, seed=seed), members)
    with steady_cpu():
        runs = population.train(data.train, cross_entropy, lambda stack: _scores(stack, data))
    shape = (len(plan.rates), len(plan.decays), len(plan.seeds))
    grids = {
        name: np.array([run.final(name) for run in runs]).reshape(shape)
        for name in ("training", "validation", "accuracy")
    }
    seconds = time.perf_counter() - start
    return Sweep(plan=plan, **grids, device=device_name(device()), seconds=seconds)


def _scores(stack: Stack, data: TensorDataset) -> dict[str, Tensor]:
    metrics: dict[str, Loss] = {"loss": cross_entropy, "accuracy": accuracy}
    training, held_out = (evaluate_many(stack, [p], metrics) for p in (data.train, data.validation))
    return {
        "training": training["loss"],
        "validation": held_out["loss"],
        "accuracy": 100 * held_out["accuracy"],
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """What the trainings ended with at one rate for each decay and seed, each (decays, seeds).

    Attributes:
        rates: Positions of the rates.
        training: Training losses.
        validation: Validation losses.
        accuracy: Validation accuracies in percent.
        best: Position of the best decay for each seed (seeds,), chosen by the other seeds.
        diverged: How many of the trainings diverged.
    """

    rates: NDArray[np.intp]
    training: Grid
    validation: Grid
    accuracy: Grid
    best: NDArray[np.intp]
    diverged: int

    def at_best(self, values: NDArray[T]) -> NDArray[T]:
        """The values (decays, seeds) at each seed's best decay (seeds,)."""
        return np.asarray(values[self.best, np.arange(values.shape[1])])


def slice_at(sweep: Sweep, rates: NDArray[np.intp]) -> Slice:
    """The trainings at the rates given as positions (decays, seeds)."""
    decays, seeds = np.indices(rates.shape)
    training = sweep.training[rates, decays, seeds]
    validation = sweep.validation[rates, decays, seeds]
    finite = np.isfinite(training) & np.isfinite(validation)
    return Slice(
        rates=rates,
        training=np.where(finite, training, CHANCE),
        validation=np.where(finite, validation, CHANCE),
        accuracy=sweep.accuracy[rates, decays, seeds],
        best=best_on_others(validation),
        diverged=int(np.sum(~finite)),
    )


def fixed_rate(sweep: Sweep) -> Slice:
    """The sweep of the decay alone, at the rate that trains best without decay."""
    rate = best_on_others(sweep.training[:, 0])
    return slice_at(sweep, np.tile(rate, (len(sweep.plan.decays), 1)))


def tuned_rate(sweep: Sweep) -> Slice:
    """The sweep of the decay with the rate of each decay tuned on the validation loss."""
    decays = range(len(sweep.plan.decays))
    return slice_at(sweep, np.stack([best_on_others(sweep.validation[:, d]) for d in decays]))


def contrasts(fixed: Slice, tuned: Slice) -> dict[str, list[float]]:
    """The claim's arms and their context, one value a seed in nats."""
    validation, training = fixed.at_best(fixed.validation), fixed.at_best(fixed.training)
    rises = np.diff(fixed.training, axis=0)
    arms = {
        "left arm": fixed.validation[0] - validation,
        "right arm": fixed.validation[-1] - validation,
        "training, left": training - fixed.training[0],
        "training, right": fixed.training[-1] - training,
        "training, no fall": ALLOWANCE + np.minimum(rises.min(axis=0), 0.0),
        "left arm, rate re-tuned": tuned.validation[0] - tuned.at_best(tuned.validation),
        "training, left, rate re-tuned": tuned.at_best(tuned.training) - tuned.training[0],
        NO_DIFFERENCE: np.zeros(len(fixed.best)),
    }
    return {name: values.tolist() for name, values in arms.items()}


def _outcome(profile: Profile) -> Outcome:
    sweep = decay_sweep(PLANS[profile])
    fixed, tuned = fixed_rate(sweep), tuned_rate(sweep)
    slices = {arm: tuned if "re-tuned" in arm else fixed for arm in (*CLAIMED, *CONTEXT)}
    edges = [arm for arm, found in slices.items() if at_edge(found, len(sweep.plan.rates))]
    return Outcome(
        seeds=sweep.plan.seeds,
        arms=contrasts(fixed, tuned),
        device=sweep.device,
        seconds=sweep.seconds,
        settings={**_settings(sweep.plan, fixed, tuned), "best_rate_at_edge": edges},
        measures=_measures(sweep.plan, fixed, tuned),
        curves={
            "training loss (nats)": _curves(fixed.training, tuned.training),
            "validation loss (nats)": _curves(fixed.validation, tuned.validation),
        },
        caveats={arm: _caveats(arm, found, edges) for arm, found in slices.items()},
        packages=("mnist1d",),
    )


def _curves(fixed: Grid, tuned: Grid) -> dict[str, list[list[float | None]]]:
    return {"rate fixed": fixed.T.tolist(), "rate re-tuned": tuned.T.tolist()}


def _settings(plan: Plan, fixed: Slice, tuned: Slice) -> dict[str, object]:
    """The protocol as run; rates chosen as (seeds,), and re-tuned as (decays, seeds)."""
    rates = np.array(plan.rates)
    return {
        "data": "mnist1d",
        "validation_share": HELD_OUT,
        "sizes": SIZES,
        "batch_size": BATCH,
        "steps": plan.steps,
        "rates": plan.rates,
        "decays": plan.decays,
        "rate_fixed": rates[fixed.rates[0]].tolist(),
        "rate_tuned": rates[tuned.rates].tolist(),
    }


def _measures(plan: Plan, fixed: Slice, tuned: Slice) -> dict[str, dict[str, list[float]]]:
    decays = np.array(plan.decays)
    ranks = [float(spearmanr(decays, losses).statistic) for losses in fixed.training.T]
    return {
        "best weight decay": {
            "rate fixed": decays[fixed.best].tolist(),
            "rate re-tuned": decays[tuned.best].tolist(),
        },
        "rank correlation of weight decay and training loss": {"rate fixed": ranks},
        "validation accuracy (%)": {
            "no decay": fixed.accuracy[0].tolist(),
            "best decay": fixed.at_best(fixed.accuracy).tolist(),
            "strongest decay": fixed.accuracy[-1].tolist(),
        },
    }


def at_edge(found: Slice, rates: int) -> bool:
    """Whether a rate chosen where the contrasts look lies at an edge of the grid.

    They look at no decay and at the best. A decay that prevents all learning leaves the rate
    undecided, and its edges mean nothing.
    """
    return bool(np.isin([found.rates[0], found.at_best(found.rates)], (0, rates - 1)).any())


def _caveats(arm: str, found: Slice, edges: Sequence[str]) -> list[str]:
    caveats = ["a best learning rate at the edge of its range"] if arm in edges else []
    if found.diverged:
        caveats.append(f"{found.diverged} runs diverged and count as chance")
    return caveats


CLAIMS = (
    Claim(
        id="optimisation-vs-regularisation",
        statement=(
            "As the weight decay grows, the validation loss falls and rises again, while the "
            "training loss only rises."
        ),
        source="DL500 14.2.3",
        claimed=CLAIMED,
        reference=NO_DIFFERENCE,
        context=CONTEXT,
        metric="difference of two losses along a sweep of the weight decay",
        unit="nats",
        direction="higher",
        smallest_effect=SMALLEST,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="overview/parameters-vs-hyperparameters",
    ),
)
