"""One claim about the weight of an auxiliary loss: how far it may lie from the main loss.

Protocol, fixed before the seeds reported here were run (epochs, weights and the smallest effect
were chosen in trials with other seeds):

- Data: MNIST-1D, 3,200 / 800 / 1,000 signals for training, validation and test.
- Network: fully connected 40-64-32-10 with ReLU, batches of 64, SGD with momentum 0.9 at a constant
  rate. The main loss is cross-entropy, the auxiliary one the center loss of the 32 features before
  the last layer; its centres follow the features by their own rule (`hpcourse.losses.CenterLoss`).
- Arms: no auxiliary loss, and weights with which the auxiliary loss starts 3, 2 or 1 decades below,
  level with, or 1, 2 or 3 decades above the cross-entropy. The start is what one sees when setting
  a weight. The ratio later on depends on how training went, and could not be held; the evidence
  keeps its median over the epochs.
- The learning rate is tuned for every arm with an equal budget, by the validation cross-entropy
  (without the auxiliary loss), for each final run anew (`hpcourse.claims.study`). At one rate for
  all, a heavy auxiliary loss would fail by nothing but too long steps.
- Metric: cross-entropy on the test part in nats. A gain is that without the auxiliary loss less
  that with it, same initial weights; it is compared with zero.
- The claim has three parts. `HELPS`: the best weight within two decades gains. `HARMLESS`: a margin
  of 0.04 nats plus the gain of the worst weight within two decades, so no weight in there costs
  more than that. `ABOVE`: three decades above it costs (the gain with its sign turned).
  Best and worst are chosen for each seed by the validation losses of all other seeds.
- Context: whether it costs three decades below, `BELOW`, and the gain at every single weight.
- Smallest effect: 0.02 nats, as for learning-rate schedules, where 0.02 nats go with 0.6 percentage
  points of accuracy. The margin is twice that: `HARMLESS` fails if more than 0.02 is surely lost.
- A final run worse than chance, or diverged, counts as chance level, ln 10 nats; the evidence
  counts them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor, nn

from hpcourse.claims.choice import extremes
from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    chosen,
    derived_outcome,
    difference,
    plus,
    trained,
)
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Budget,
    Make,
    Study,
    capped_outcome,
    seeds_from,
    study_outcome,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, TensorSplit, batches, mnist1d
from hpcourse.losses import CenterLoss, cross_entropy
from hpcourse.models import mlp
from hpcourse.search import cap
from hpcourse.training import Member, Population, Run, Stack, accuracy, device, evaluate_many

SIZES = (40, 64, 32, 10)
BATCH = 64
MOMENTUM = 0.9
CHANCE = math.log(SIZES[-1])  # nats
DECADES = (-3, -2, -1, 0, 1, 2, 3)
BAND = 2  # decades
MARGIN = 0.04  # nats
LEAST_RATIO = 1e-9  # features that collapsed to a point have an auxiliary loss of zero

NONE = "none"
HELPS, HARMLESS, ABOVE, BELOW = "best helps", "worst harmless", "above hurts", "below hurts"
SCORE, METRIC = "validation loss (nats)", "test loss (nats)"
ACCURACY, RATIO = "test accuracy (%)", "auxiliary over main loss (decades)"


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget of tuning, and the length of every training."""

    epochs: int


PLANS: dict[Profile, Plan] = {
    "quick": Plan(
        rates=log_grid(0.02, 0.32, 3), tuning_size=1, seeds=seeds_from(9000, 5), epochs=4
    ),
    "full": Plan(
        rates=log_grid(0.02, 0.16, 4), tuning_size=3, seeds=seeds_from(9500, 20), epochs=10
    ),
}


def arm_name(decades: int) -> str:
    """Name of the arm whose auxiliary loss starts so many decades above the main one."""
    return f"{decades:+d} decades"


INSIDE = tuple(arm_name(d) for d in DECADES if abs(d) <= BAND)


class Centered(nn.Module):
    """A classifier that answers with its logits and with the center loss of its features.

    The centres are part of the network and have to know the class, which therefore comes as one
    more input (see `labelled`); the logits do not depend on it.

    Args:
        seed: Decides the initial weights.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        *layers, last = mlp(SIZES, seed=seed)
        self.features, self.answer = nn.Sequential(*layers), last
        self.center = CenterLoss(SIZES[-1], SIZES[-2])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs with their labels (batch, 41) to logits (batch, 10) and a scalar."""
        features = self.features(x[:, :-1])
        return self.answer(features), self.center(features, x[:, -1].long())


def labelled(part: TensorSplit) -> TensorSplit:
    """Inputs (n, features) with the class as one more column, (n, features + 1)."""
    return TensorSplit(torch.cat([part.x, part.y.unsqueeze(1).to(part.x.dtype)], dim=1), part.y)


def loss_fn(outputs: tuple[Tensor, Tensor], targets: Tensor, *, weight: Tensor) -> Tensor:
    """Cross-entropy plus `weight` times the auxiliary loss."""
    logits, auxiliary = outputs
    return cross_entropy(logits, targets) + weight * auxiliary


@cache
def center_study(plan: Plan) -> tuple[Study, float]:
    """Tune and train every arm; the study, and the weight at which both losses start level."""
    data = TensorDataset(*(labelled(part) for part in mnist1d().tensors(device())))
    level = level_weight(data.train)
    steps = plan.epochs * batches(*data.train, batch_size=BATCH, seed=0).per_epoch
    arms = {NONE: 0.0, **{arm_name(d): level * 10.0**d for d in DECADES}}
    members = {arm: _members(weight, steps) for arm, weight in arms.items()}
    train = partial(_train, data, steps // plan.epochs)
    return tuned_study(members, plan, train, score=SCORE), level


def level_weight(train: TensorSplit) -> float:
    """Weight that makes the auxiliary loss as large as cross-entropy, mean over ten fresh networks.

    The centres are still at zero, so that the auxiliary loss is half the features' mean square.
    """
    stack = Stack(lambda seed: Centered(seed).to(train.x.device), range(10))
    found = evaluate_many(stack, [train], {"main": _main, "auxiliary": _auxiliary})
    return float(found["main"].mean() / found["auxiliary"].mean())


def _main(outputs: Tensor, targets: Tensor) -> Tensor:
    return cross_entropy(outputs[0], targets)


def _auxiliary(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs[1]


def _accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    return accuracy(outputs[0], targets)


def _members(weight: float, steps: int) -> Make:
    def member(rate: float, seed: int) -> Member:
        hypers = {"lr": rate, "momentum": MOMENTUM, "weight": weight}
        return Member(seed=seed, hypers=hypers, steps=steps, batch_size=BATCH)

    return member


def _train(
    data: TensorDataset, per_epoch: int, members: Sequence[Member], curves: bool
) -> list[Run]:
    def measure(stack: Stack) -> dict[str, Tensor]:
        scores = {SCORE: evaluate_many(stack, [data.validation], {"loss": _main})["loss"]}
        if curves:
            test = evaluate_many(stack, [data.test], {"loss": _main, "accuracy": _accuracy})
            train = evaluate_many(stack, [data.train], {"main": _main, "auxiliary": _auxiliary})
            scores |= {METRIC: test["loss"], ACCURACY: 100 * test["accuracy"]}
            scores |= {"unweighted ratio": train["auxiliary"] / train["main"]}
        return scores

    population = Population(lambda _, seed: Centered(seed), members)
    return population.train(data.train, loss_fn, measure, every=per_epoch if curves else None)


def _ratios(study: Study, arm: str, weight: float) -> list[float]:
    """Decades from the main to the weighted auxiliary loss, medians over the epochs, one a seed."""
    return [
        math.log10(max(weight * float(np.median(run.metrics["unweighted ratio"])), LEAST_RATIO))
        for run in study.runs[arm]
    ]


def contrasts(outcome: Outcome, best: Sequence[str], worst: Sequence[str]) -> dict[str, Derived]:
    """What the claim and its context compare with zero; positive supports the claim.

    Args:
        outcome: Loss of each arm on the test part, one value a seed.
        best: Arm chosen for each seed as the best within the band.
        worst: The same for the worst.
    """
    none = trained(outcome, NONE)
    losses = {arm: trained(outcome, arm) for arm in map(arm_name, DECADES)}
    return {
        HELPS: difference(none, chosen(outcome, best)),
        HARMLESS: plus(difference(none, chosen(outcome, worst)), MARGIN),
        ABOVE: difference(losses[arm_name(DECADES[-1])], none),
        BELOW: difference(losses[arm_name(DECADES[0])], none),
        **{f"gain at {arm}": difference(none, loss) for arm, loss in losses.items()},
    }


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    study, level = center_study(plan)
    best, worst = extremes(
        {arm: cap(study.final(arm, SCORE), at=CHANCE).tolist() for arm in INSIDE}
    )
    weights = {arm_name(d): level * 10.0**d for d in DECADES}
    outcome = study_outcome(
        study,
        tuple(study.runs),
        metric=METRIC,
        worst=CHANCE,
        settings={
            "data": "mnist1d",
            "sizes": SIZES,
            "batch_size": BATCH,
            "momentum": MOMENTUM,
            "epochs": plan.epochs,
            "decades": DECADES,
            "weights": weights,
            "margin": MARGIN,
            "best": best,
            "worst": worst,
        },
        measures=[ACCURACY],
        packages=("mnist1d",),
    )
    ratios = {RATIO: {arm: _ratios(study, arm, weight) for arm, weight in weights.items()}}
    outcome = capped_outcome(replace(outcome, measures={**outcome.measures, **ratios}), CHANCE)
    return derived_outcome(outcome, contrasts(outcome, best, worst), metric=METRIC)


CLAIMS = (
    Claim(
        id="aux-loss-two-decades",
        statement="An auxiliary loss works while it stays within two orders of magnitude of the "
        "main loss, and hurts outside.",
        source="DL500 14.2.4, 14.2.6",
        claimed=(HELPS, HARMLESS, ABOVE),
        reference=NO_DIFFERENCE,
        context=(BELOW, *(f"gain at {arm_name(d)}" for d in DECADES)),
        metric="test cross-entropy saved by the auxiliary loss",
        unit="nats",
        direction="higher",
        smallest_effect=0.02,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="overview/loss-coefficients-and-batch-size",
    ),
)
