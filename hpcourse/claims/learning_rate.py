"""Four claims about learning-rate schedules, measured by one study that they share.

Protocol, fixed before the seeds reported here were run (epochs, smallest effect and the numbers of
seeds were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-64-64-10 with ReLU (as in Greydanus and Kobak 2024, but narrower and
  without a skip connection), cross-entropy, SGD with momentum 0.9, batches of 64, 14 epochs (700
  steps).
- Arms differ in nothing but the shape of the schedule over the 700 steps (`ARMS`). The only
  hyperparameter is the first learning rate.
- Tuning: every arm gets the same candidate rates and tuning seeds; the lowest mean validation loss
  at the end of training wins. While any arm's best rate lies at an edge of the grid, the grid
  grows for all arms; an arm still at an edge becomes a caveat.
- Every final run has a tuning of its own, on tuning seeds that no other final run uses and all arms
  share. The optima are flat and differ by as little as some arms do, so that tuning once would
  compare two draws of luck.
- Final runs: fresh seeds, the tuned rate, no early stopping. A seed decides the initial weights,
  the order of the data and the noise of the noisy schedule; arms share it, hence the pairing.
- Metric: cross-entropy on the test part in nats after the last step. It is the quantity that was
  tuned, and unlike accuracy on 1,000 signals it does not move in steps of 0.1 percentage points.
  From the constant to the cosine schedule 0.02 nats go with about 0.6 percentage points.
- Test accuracy is kept beside it, at the rates tuned for the loss. The two may disagree: a larger
  rate can leave a network that is more often right and yet more overconfident.
- A final run that diverges counts as chance level, ln 10 nats, and becomes a caveat.

The interval covers the luck of the final seeds and of the tuning seeds; the data set is one.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from hpcourse.claims._compute import Run, device_name, steady_cpu, train_runs
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.tuning import Member, Tuning, log_grid, tune
from hpcourse.data import TensorDataset, batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import (
    Schedule,
    constant,
    cosine_decay,
    cosine_decay_restarts,
    exponential_decay,
    linear_cosine_decay,
    noisy_linear_cosine_decay,
    polynomial_decay,
    step_decay,
)
from hpcourse.training import device

SIZES = (40, 64, 64, 10)
BATCH = 64
MOMENTUM = 0.9
CHANCE = math.log(10)  # nats

Make = Callable[[float, int, int], Schedule]  # first rate, steps, seed -> schedule

ARMS: Mapping[str, Make] = {
    "constant": lambda rate, steps, seed: constant(rate),
    "cosine": lambda rate, steps, seed: cosine_decay(rate, steps),
    "step": lambda rate, steps, seed: step_decay(rate, factor=0.1, at=[steps / 2, 3 * steps / 4]),
    "exponential": lambda rate, steps, seed: exponential_decay(rate, steps, 0.01),
    "linear": lambda rate, steps, seed: polynomial_decay(rate, steps, end_learning_rate=0.0),
    # Cycles of 1/7, 2/7 and 4/7 of the training: it ends at the end of a cycle.
    "restarts": lambda rate, steps, seed: cosine_decay_restarts(rate, steps / 7, t_mul=2.0),
    "linear-cosine": lambda rate, steps, seed: linear_cosine_decay(rate, steps),
    "noisy-linear-cosine": lambda rate, steps, seed: noisy_linear_cosine_decay(
        rate, steps, seed=seed
    ),
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How much a profile spends; the same for every arm.

    Attributes:
        rates: First candidates for the learning rate, ascending at equal ratios.
        tuning_size: Runs at each rate by which one best rate is chosen.
        seeds: Seeds of the runs that are reported; each has `tuning_size` tuning seeds of its own.
        epochs: Length of every run.
    """

    rates: tuple[float, ...]
    tuning_size: int
    seeds: tuple[int, ...]
    epochs: int = 14

    @property
    def groups(self) -> tuple[range, ...]:
        """Positions among the tuning seeds of those that belong to each final run."""
        size = self.tuning_size
        return tuple(range(i * size, (i + 1) * size) for i in range(len(self.seeds)))

    @property
    def tuning_seeds(self) -> tuple[int, ...]:
        """Seeds of the runs that choose the rates, all above those of the final runs."""
        return _seeds(max(self.seeds) + 1, self.tuning_size * len(self.seeds))


def _seeds(first: int, count: int) -> tuple[int, ...]:
    return tuple(range(first, first + count))


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(rates=log_grid(0.02, 0.64, 5), tuning_size=1, seeds=_seeds(3000, 5)),
    "full": Budget(rates=log_grid(0.02, 0.64, 11), tuning_size=3, seeds=_seeds(4000, 40)),
}


@dataclass(frozen=True, kw_only=True)
class Study:
    """Tuned rates and final runs of all arms; ``runs[arm][i]`` has ``budget.seeds[i]``."""

    budget: Budget
    tuning: Tuning
    runs: Mapping[str, tuple[Run, ...]]
    device: str
    seconds: float


@cache
def schedule_study(budget: Budget) -> Study:
    """Tune and train every arm once per process and budget."""
    start, where = time.perf_counter(), device()
    data = mnist1d().tensors(where)
    with steady_cpu():
        score = partial(_validation_losses, data, budget)
        tuning = tune(tuple(ARMS), budget.rates, score, groups=budget.groups)
        jobs = [
            (arm, rate, seed)
            for arm in ARMS
            for rate, seed in zip(tuning.best[arm], budget.seeds, strict=True)
        ]
        finals = iter(_train(data, jobs, budget.epochs, every=1))
    runs = {arm: tuple(next(finals) for _ in budget.seeds) for arm in ARMS}
    seconds = time.perf_counter() - start
    return Study(
        budget=budget, tuning=tuning, runs=runs, device=device_name(where), seconds=seconds
    )


def _validation_losses(
    data: TensorDataset, budget: Budget, members: Sequence[Member]
) -> list[list[float]]:
    """Final validation loss of each (arm, rate), one for each tuning seed."""
    jobs = [(arm, rate, seed) for arm, rate in members for seed in budget.tuning_seeds]
    runs = _train(data, jobs, budget.epochs, every=budget.epochs)
    losses = [run.losses[-1][0] for run in runs]
    size = len(budget.tuning_seeds)
    return [losses[i : i + size] for i in range(0, len(losses), size)]


def _train(
    data: TensorDataset, jobs: Sequence[tuple[str, float, int]], epochs: int, *, every: int
) -> list[Run]:
    """Train each (arm, rate, seed), recording losses every so many epochs."""
    steps = epochs * batches(*data.train, batch_size=BATCH, seed=0).per_epoch
    return train_runs(
        data,
        lambda seed: mlp(SIZES, seed=seed),
        [(ARMS[arm](rate, steps, seed), seed) for arm, rate, seed in jobs],
        momentum=MOMENTUM,
        batch_size=BATCH,
        steps=steps,
        every=every * steps // epochs,
    )


def _outcome(arms: tuple[str, ...], profile: Profile) -> Outcome:
    """The part of the shared study that concerns `arms`."""
    study = schedule_study(BUDGETS[profile])
    final = {arm: [run.losses[-1][1] for run in study.runs[arm]] for arm in arms}
    return Outcome(
        seeds=study.budget.seeds,
        arms={
            arm: [loss if math.isfinite(loss) else CHANCE for loss in final[arm]] for arm in arms
        },
        device=study.device,
        seconds=study.seconds,
        settings=_settings(study, arms),
        measures={
            "test accuracy (%)": {arm: [r.accuracy for r in study.runs[arm]] for arm in arms}
        },
        curves={
            name: {
                arm: [[_finite(point[part]) for point in run.losses] for run in study.runs[arm]]
                for arm in arms
            }
            for part, name in enumerate(("validation loss (nats)", "test loss (nats)"))
        },
        caveats={arm: _caveats(arm, final[arm], study.tuning) for arm in arms},
        packages=("mnist1d",),
    )


def _caveats(arm: str, losses: Sequence[float], tuning: Tuning) -> list[str]:
    caveats = []
    if arm in tuning.at_edge:
        caveats.append(f"a best learning rate of {arm} at the edge of its range")
    if diverged := sum(not math.isfinite(loss) for loss in losses):
        caveats.append(f"{diverged} runs of {arm} diverged and count as chance")
    return caveats


def _settings(study: Study, arms: tuple[str, ...]) -> dict[str, object]:
    tuning, budget = study.tuning, study.budget
    return {
        "data": "mnist1d",
        "sizes": SIZES,
        "batch_size": BATCH,
        "momentum": MOMENTUM,
        "epochs": budget.epochs,
        "rates": tuning.rates,
        "tuning_seeds": budget.tuning_seeds,
        "tuning_size": budget.tuning_size,
        "tuning_runs_per_arm": len(tuning.rates) * budget.tuning_size,
        "grid_widened": tuning.widened,
        "best_rate_at_edge": [arm for arm in arms if arm in tuning.at_edge],
        "best_rates": {arm: tuning.best[arm] for arm in arms},
        "validation_loss_by_rate": {arm: [_finite(s) for s in tuning.scores[arm]] for arm in arms},
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *,
    claimed: str,
    reference: str,
    context: tuple[str, ...] = (),
) -> Claim:
    return Claim(
        id=claim_id,
        statement=statement,
        source=source,
        claimed=(claimed,),
        reference=reference,
        context=context,
        metric="test cross-entropy after training",
        unit="nats",
        direction="lower",
        smallest_effect=0.02,
        experiment=partial(_outcome, (claimed, reference, *context)),
    )


CLAIMS = (
    _claim(
        "schedule-beats-constant",
        "A decaying learning rate ends better than the best constant one.",
        "PATTERNS 10.3",
        claimed="cosine",
        reference="constant",
        context=("step", "exponential", "linear"),
    ),
    _claim(
        "cosine-vs-step",
        "Cosine annealing, which the source tries first, ends better than dropping by decades.",
        "PATTERNS 10.2.1, 10.3.5",
        claimed="cosine",
        reference="step",
    ),
    _claim(
        "restarts-help",
        "Raising the rate again in cycles ends better than one cosine decay.",
        "PATTERNS 10.3.5; DL500 14.3.3 (6)",
        claimed="restarts",
        reference="cosine",
    ),
    _claim(
        "noise-helps",
        "Noise on the linear cosine decay helps the search for an optimum.",
        "DL500 14.3.3 (8)",
        claimed="noisy-linear-cosine",
        reference="linear-cosine",
    ),
)
