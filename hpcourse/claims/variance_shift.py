"""One claim about batch norm: dropout directly before it shifts the variance at inference.

Protocol, fixed before the seeds reported here were run (sizes, steps and rates were chosen in
trials with other seeds):

- Data: digits, 1,077 training images of 8 x 8 pixels.
- Network: fully connected with three hidden layers of 48, batch norm after each activation
  (`hpcourse.models.batch_norm_mlp`); SGD with momentum 0.9, batches of 32, 500 steps.
- Arms: dropout directly before each batch norm, directly after each, or once after the last one,
  or none; the claim is judged at a rate of 0.5, the upper end of the source's range, and other
  rates are context.
- Claimed: the reference is the network with dropout before each batch norm, as it is used for
  inference. Two arms must beat it on the test loss. One is the same trained network with its
  normalisation statistics re-estimated on the training images without dropout: what that gains is
  the cost of the shift and nothing else. The other drops out directly after each batch norm: what
  that gains is what a reader can have by exchanging two lines.
- Smallest effect: 0.05 nats, a small part of what the arms differ by in either direction.
- The evidence keeps the ratio of variances at each batch norm: the variance of its inputs over the
  test images at inference, summed over its units, against the running variance of training.

The learning rate is tuned for every arm and every final run (`hpcourse.claims.study`), and a
final run that diverges counts as chance level, ln 10 nats, and becomes a caveat.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from hpcourse._check import require, require_finite, require_positive
from hpcourse.claims._compute import repeatable_draws
from hpcourse.claims._regularisers import CHANCE, PAGE, Plan
from hpcourse.claims.contrasts import Derived, derived_outcome
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Make,
    classifier_scores,
    seeds_from,
    study_outcome,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, digits
from hpcourse.models import batch_norm_mlp
from hpcourse.regularise import Dropout
from hpcourse.training import Member, Population, Run, Stack, device

LOSS = "test loss (nats)"
ACCURACY = "test accuracy (%)"
SMALLEST = 0.05  # nats
RATE = 0.5
RATES = (0.2, RATE, 0.7)
BATCH = 32
BLOCKS = 3

BEFORE, AFTER, LAST = (f"{where} {RATE:g}" for where in ("before", "after", "last"))
REESTIMATED = f"{BEFORE}, re-estimated"

# Arm to where it drops out, and the rate.
ARMS: Mapping[str, tuple[str, float]] = {
    "none": ("before", 0.0),
    **{f"before {rate:g}": ("before", rate) for rate in RATES},
    **{f"after {rate:g}": ("after", rate) for rate in RATES},
    LAST: ("last", RATE),
}

PLANS: dict[Profile, Plan] = {
    "quick": Plan(
        rates=log_grid(0.01, 0.09, 3), tuning_size=1, seeds=seeds_from(3100, 5), steps=100, width=24
    ),
    "full": Plan(
        rates=log_grid(0.005, 0.045, 3),
        tuning_size=1,
        seeds=seeds_from(4000, 20),
        steps=500,
        width=48,
    ),
}


def variance_ratio(mean: float, variance: float, rate: float) -> float:
    """Variance at inference over that in training, of a unit directly behind dropout.

    With the unit's mean c and variance v before inverted dropout, the variance in training is
    (v + c**2) / (1 - rate) - c**2, at inference v (X. Li, S. Chen, X. Hu and J. Yang,
    "Understanding the disharmony between dropout and batch normalization by variance shift", CVPR
    2019, equation 6).

    Args:
        mean: c.
        variance: v, above 0.
        rate: Probability of zero, in [0, 1).

    Raises:
        ValueError: If an argument is not finite or outside its range.

    Examples:
        >>> variance_ratio(0.0, 1.0, 0.5)
        0.5
        >>> variance_ratio(3.0, 1.0, 0.0)
        1.0
    """
    require_finite("variance_ratio", mean=mean)
    require_positive("variance_ratio", variance=variance)
    require(0 <= rate < 1, "variance_ratio needs a rate in [0, 1)", rate=rate)
    return variance / ((variance + mean**2) / (1 - rate) - mean**2)


def reestimated(stack: Stack, x: Tensor) -> Stack:
    """The same networks with the batch-norm statistics of one pass over `x` without dropout.

    Args:
        stack: Networks with batch norm; they stay as they are.
        x: Inputs (samples, ...).
    """
    model = copy.deepcopy(stack.template).train()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.momentum = 1.0  # the statistics of this pass replace the old ones
        elif isinstance(layer, Dropout):
            layer.eval()

    def statistics(params: dict[str, Tensor], buffers: dict[str, Tensor]) -> dict[str, Tensor]:
        own = {name: buffer.clone() for name, buffer in buffers.items()}
        functional_call(model, (params, own), (x,))
        return own

    again = copy.copy(stack)
    with torch.no_grad():
        again.buffers = vmap(statistics)(stack.params, stack.buffers)
    return again


def variance_ratios(model: nn.Sequential, x: Tensor) -> list[float]:
    """At each batch norm, the variance of its inputs at inference over its running variance.

    Variances are summed over the units, so that units that are always zero do not matter.

    Args:
        model: A trained network.
        x: Inputs (samples, ...).
    """
    ratios = []
    with torch.no_grad():
        for layer in model.eval():
            if isinstance(layer, nn.BatchNorm1d) and layer.running_var is not None:
                ratios.append((x.var(dim=0).sum() / layer.running_var.sum()).item())
            x = layer(x)
    return ratios


def _ratio_name(block: int) -> str:
    return f"variance ratio at block {block + 1}"


def _scores(data: TensorDataset, stack: Stack) -> dict[str, Tensor]:
    """Scores as the networks are and with statistics re-estimated, and the ratios of variances."""
    measure = classifier_scores(data)
    scores = measure(stack)
    again = measure(reestimated(stack, data.train.x))
    for name in (LOSS, ACCURACY):
        scores[f"re-estimated {name}"] = again[name]
    members = [stack.member(index) for index in range(len(stack))]
    ratios = [variance_ratios(m, data.test.x) for m in members if isinstance(m, nn.Sequential)]
    for block in range(BLOCKS):
        scores[_ratio_name(block)] = torch.tensor([row[block] for row in ratios])
    return scores


def _member(arm: str, plan: Plan) -> Make:
    where, dropout = ARMS[arm]

    def member(rate: float, seed: int) -> Member:
        return Member(
            seed=seed,
            hypers={"lr": rate, "momentum": 0.9, "dropout": dropout},
            steps=plan.steps,
            batch_size=BATCH,
            shape=where,
        )

    return member


def _train(data: TensorDataset, width: int, members: Sequence[Member], last: bool) -> list[Run]:
    sizes = (data.train.x[0].numel(), *[width] * BLOCKS, 10)
    population = Population(
        lambda where, seed: batch_norm_mlp(sizes, dropout=where, seed=seed), members
    )
    measure = partial(_scores, data) if last else classifier_scores(data)
    return population.train(data.train, cross_entropy, measure)


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    data = digits().tensors(device())
    arms = {arm: _member(arm, plan) for arm in ARMS}
    with repeatable_draws():
        study = tuned_study(arms, plan, partial(_train, data, plan.width))
    ratios = [_ratio_name(block) for block in range(BLOCKS)]
    outcome = study_outcome(
        study,
        tuple(arms),
        metric=LOSS,
        worst=CHANCE,
        settings={
            "data": "digits",
            "blocks": BLOCKS,
            "width": plan.width,
            "batch_size": BATCH,
            "steps": plan.steps,
            "arms": dict(ARMS),
        },
        measures=[
            ACCURACY,
            *(f"re-estimated {n}" for n in (LOSS, ACCURACY)),
            *ratios,
        ],
        packages=("scikit-learn",),
    )
    again = Derived(values=study.final(BEFORE, f"re-estimated {LOSS}"), arms=(BEFORE,))
    return derived_outcome(outcome, {REESTIMATED: again}, metric=LOSS, keep=True)


CLAIMS = (
    Claim(
        id="dropout-before-bn",
        statement="Dropout directly before batch norm shifts the variance between training and "
        "inference, and inference suffers.",
        source="DL500 14.2.4",
        claimed=(REESTIMATED, AFTER),
        reference=BEFORE,
        context=tuple(arm for arm in ARMS if arm not in (BEFORE, AFTER)),
        metric="test cross-entropy at inference",
        unit="nats",
        direction="lower",
        smallest_effect=SMALLEST,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page=PAGE,
    ),
)
