"""One claim about saddles: a small fixed learning rate stalls there, three remedies escape sooner.

Protocol, fixed before the seeds reported here were run (the number of steps was chosen in trials
with other seeds):

- Data: the 1,077 training images of `hpcourse.data.digits`, pixels in 0 ... 1.
- Network: fully connected 64-16-10 with tanh and cross-entropy. With all weights zero and the last
  bias at the log frequencies p of the classes the gradient is zero, while the Hessian couples the
  two layers: its eigenvalues are ± the singular values of the mean of (p - onehot(y)) xᵀ, once for
  each hidden unit, those of diag(p) - p pᵀ, and zeros. That is a saddle, not a minimum. The
  evidence keeps the gradient norm and both ends of the spectrum, found by Lanczos iteration.
- Start: at the saddle but for a normal displacement of 1e-6 in every parameter, decided by the seed
  and shared by all arms. That is about the rounding error of float32: the network is at a saddle.
- Arms change one thing each (`arms`): a fixed rate of 0.1 with the whole training set as the batch
  is the reference. Nothing is tuned, and all arms get the same number of steps.
- Metric: log10 of the first step at which the training loss is at most 90 % of that at the saddle.
- Censoring: an arm that has not escaped when the steps run out counts as escaping with the last
  one. For the reference this makes the effect too small, for a claimed arm too large; the latter
  becomes a caveat. How many runs were censored is kept for every arm.
- Smallest effect: 0.1, a quarter more steps. The claim needs all three remedies, so the weakest
  decides.

Near the saddle the displacement grows by 1 + rate * |lowest eigenvalue| per step, so that escaping
takes about log(1 / displacement) / (rate * |lowest eigenvalue|) steps. What noise can gain is the
logarithm of how much larger it is than the displacement: a distant start leaves little to gain.

Context: noise from small batches vanishes at this saddle (every single image's gradient is zero in
all weights), and a decaying rate stalls for longer. Both are reported and decide nothing.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import device_name, repeatable_draws, steady_cpu
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.data import TensorSplit, digits
from hpcourse.diagnose import CriticalPoint, classify, flat_loss
from hpcourse.models import mlp
from hpcourse.schedules import Schedule, constant, cosine_decay, cosine_decay_restarts
from hpcourse.training import (
    Hyper,
    Stack,
    State,
    Tensors,
    device,
    evaluate_many,
    feed,
    sgd,
    train_many,
)

SIZES = (64, 16, 10)
RATE = 0.1
DISPLACEMENT = 1e-6
ESCAPED = 0.9  # of the loss at the saddle
SMALL_BATCH = 32
EVERY = 10  # steps between two points of a curve


@dataclass(frozen=True, kw_only=True)
class Arm:
    """How an arm descends.

    Attributes:
        schedule: Learning rate by step.
        momentum: Heavy-ball momentum.
        noise: Standard deviation of the normal noise added to every gradient component.
        small_batches: Whether a step sees 32 images instead of all.
    """

    schedule: Schedule = field(default_factory=lambda: constant(RATE))
    momentum: float = 0.0
    noise: float = 0.0
    small_batches: bool = False


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Seeds of the starts, and steps after which a run that has not escaped is censored."""

    seeds: tuple[int, ...]
    steps: int = 800


BUDGETS: dict[Profile, Budget] = {
    "quick": Budget(seeds=tuple(range(1000, 1005))),
    "full": Budget(seeds=tuple(range(1000, 1020))),
}


def arms(steps: int) -> dict[str, Arm]:
    """The arms for a budget of `steps`."""
    return {
        "fixed": Arm(),
        # From ten times the small rate down to it, again and again.
        "raised": Arm(schedule=cosine_decay_restarts(10 * RATE, 100, t_mul=1.0, alpha=0.1)),
        "momentum": Arm(momentum=0.9),
        # Its length over the 1,210 parameters, 0.35, is that of the gradient at an ordinary start.
        "noise": Arm(noise=0.01),
        "small-batches": Arm(small_batches=True),
        "decayed": Arm(schedule=cosine_decay(RATE, steps)),
    }


def at_saddle(labels: Tensor, *, displacement: float = 0.0, seed: int = 0) -> nn.Sequential:
    """The network at its saddle: all weights zero, last bias at the classes' log frequencies.

    Args:
        labels: Classes of the training images, (n,); every class occurs.
        displacement: Standard deviation of a normal step away from the saddle.
        seed: Seed of that step.
    """
    model = mlp(SIZES, activation=nn.Tanh, seed=0)
    frequencies = torch.bincount(labels.cpu(), minlength=SIZES[-1]) / len(labels)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(displacement * torch.randn(parameter.shape, generator=generator))
        *_, last_bias = model.parameters()
        last_bias.add_(frequencies.log())
    return model


def critical_point(data: TensorSplit) -> CriticalPoint:
    """Gradient and spectrum of the training loss at the saddle, in float64."""
    loss, x = flat_loss(at_saddle(data.y), cross_entropy, [data], dtype=torch.float64)
    return classify(loss, x)


def noisy_sgd(
    params: Tensors,
    grads: Tensors,
    state: State,
    *,
    lr: Tensor,
    momentum: Tensor,
    noise: Tensor,
) -> tuple[Tensors, State]:
    """SGD with momentum on gradients with normal noise of standard deviation `noise`."""
    grads = {name: g + noise * torch.randn_like(g) for name, g in grads.items()}
    return sgd(params, grads, state, lr=lr, momentum=momentum)


def training_losses(
    data: TensorSplit, members: Sequence[Arm], seeds: Sequence[int], steps: int
) -> Tensor:
    """Loss over all training images before each step, (steps, members).

    Members see either all images at every step or all of them small batches.
    """
    small = members[0].small_batches
    hypers: dict[str, Hyper] = {
        "lr": [member.schedule for member in members],
        "momentum": [member.momentum for member in members],
        "noise": [member.noise for member in members],
    }
    training = train_many(
        lambda seed: at_saddle(data.y, displacement=DISPLACEMENT, seed=seed).to(data.x.device),
        cross_entropy,
        hypers,
        feed(data, seeds, SMALL_BATCH, steps) if small else repeat((data.x, data.y), steps),
        seeds=seeds,
        update=noisy_sgd,
        own_batches=small,
    )
    if not small:  # the loss of a batch of all images, taken before the update
        return torch.stack(list(training)).cpu()
    losses = [_mean_loss(training.stack, data)]
    losses += [_mean_loss(training.stack, data) for _ in training]
    return torch.stack(losses[:-1]).cpu()


def _mean_loss(stack: Stack, data: TensorSplit) -> Tensor:
    """Cross-entropy of each member on all of `data`, (members,), nats."""
    return evaluate_many(stack, [data], {"loss": cross_entropy})["loss"]


def escape_steps(losses: Tensor, threshold: float) -> list[int]:
    """First step with a loss at or below `threshold`, or the number of steps if there is none.

    Args:
        losses: Training loss before each step, (steps, members).
        threshold: Loss that counts as having escaped.

    Examples:
        >>> escape_steps(torch.tensor([[2.0, 2.0], [1.0, 2.0], [0.5, 2.0]]), 1.5)
        [1, 3]
    """
    escaped = losses <= threshold
    first = escaped.float().argmax(dim=0)
    return torch.where(escaped.any(dim=0), first, len(losses)).tolist()


def _outcome(profile: Profile) -> Outcome:
    """Start every arm at the saddle and count the steps until it has left."""
    start, where, budget = time.perf_counter(), device(), BUDGETS[profile]
    data = digits().train.tensors(where)
    point = critical_point(data)
    losses = _losses_by_arm(data, budget)
    height = float(losses["fixed"][0].mean())
    steps = {arm: escape_steps(values, ESCAPED * height) for arm, values in losses.items()}
    censored = {arm: sum(s == budget.steps for s in steps[arm]) for arm in steps}
    return Outcome(
        seeds=budget.seeds,
        arms={arm: [math.log10(max(s, 1)) for s in steps[arm]] for arm in steps},
        device=device_name(where),
        seconds=time.perf_counter() - start,
        settings={
            "data": "digits",
            "sizes": SIZES,
            "rate": RATE,
            "displacement": DISPLACEMENT,
            "steps": budget.steps,
            "saddle": {
                "kind": point.kind,
                "loss": height,
                "gradient_norm": point.gradient_norm,
                "lowest_eigenvalue": point.lowest,
                "highest_eigenvalue": point.highest,
            },
            "escaped_loss": ESCAPED * height,
            "predicted_steps_of_fixed": predicted_steps(point.lowest),
            "censored_runs": censored,
            "steps_between_points": EVERY,
        },
        measures={"steps to escape": {arm: [float(s) for s in steps[arm]] for arm in steps}},
        curves={"training loss (nats)": {a: v[::EVERY].T.tolist() for a, v in losses.items()}},
        caveats=_caveats(point, censored, budget.steps),
        packages=("scikit-learn",),
    )


def _losses_by_arm(data: TensorSplit, budget: Budget) -> dict[str, Tensor]:
    """Training loss of each arm, (steps, seeds)."""
    found: dict[str, Tensor] = {}
    with steady_cpu(), repeatable_draws():  # for the noise arm; all else follows from the seeds
        for small in (False, True):
            group = {n: a for n, a in arms(budget.steps).items() if a.small_batches == small}
            members = [arm for arm in group.values() for _ in budget.seeds]
            seeds = budget.seeds * len(group)
            losses = training_losses(data, members, seeds, budget.steps)
            found.update(zip(group, losses.chunk(len(group), dim=1), strict=True))
    return found


def _caveats(point: CriticalPoint, censored: Mapping[str, int], steps: int) -> dict[str, list[str]]:
    caveats = {
        arm: [f"{count} runs of {arm} had not escaped after {steps} steps and may need many more"]
        for arm, count in censored.items()
        if count and arm != "fixed"
    }
    if point.kind != "saddle":
        caveats["fixed"] = [f"the start is no saddle but of kind: {point.kind}"]
    return caveats


def predicted_steps(lowest: float) -> float:
    """Steps in which the fixed rate multiplies the displacement by its inverse.

    Args:
        lowest: Lowest eigenvalue at the saddle, below zero.
    """
    return math.log(1 / DISPLACEMENT) / math.log1p(-RATE * lowest)


REMEDIES = ("raised", "momentum", "noise")

CLAIMS = (
    Claim(
        id="saddle-escape",
        statement="At a saddle a small fixed learning rate stalls; raising it, momentum or noise "
        "escapes sooner.",
        source="DL500 14.3.2; PATTERNS 10.3.5",
        claimed=REMEDIES,
        reference="fixed",
        context=("small-batches", "decayed"),
        metric="log10 of the steps to escape",
        unit="decades of steps",
        direction="lower",
        smallest_effect=0.1,
        experiment=_outcome,
        seeds={profile: budget.seeds for profile, budget in BUDGETS.items()},
        page="training/why-adjust-the-learning-rate",
    ),
)
