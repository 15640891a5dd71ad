"""One claim about batches of one sample: how much worse they converge, and what makes it worse.

Protocol, fixed before the seeds reported here were run (signals, epochs and the smallest effect
were chosen in trials with other seeds):

- Data: the first 800 training signals of MNIST-1D (400 in the quick profile). To vary how much
  samples differ, and nothing else, the difference of each signal from the mean of its class is
  multiplied by 1/4 or 1: labels, class means and the loss at chance stay. The evidence keeps the
  simple noise scale of the untrained network's gradient at each spread (`noise_scale`).
- Network: a convolution of 16 channels, length 5 and stride 3, ReLU, a linear layer; cross-entropy,
  plain SGD at a constant rate. The normalised network has batch norm before the ReLU. It takes its
  statistics over the 12 positions too, and so is defined for a batch of one. (After a linear layer
  it is not: a single value less its own mean is zero, and torch refuses.)
- Batches of 1 and of 32 for as many epochs: equal computation, 32 times the updates.
- Every arm has its learning rate tuned with an equal budget, for each final run anew
  (`hpcourse.claims.study`). Batch size 1 at the rate tuned for 32 is context.
- Metric: cross-entropy over all these signals after training, in nats, with batch norm in inference
  mode. It is the training loss, since the claim is about convergence, and what tuning looks at.
- The penalty is the loss at batch size 1 less that at 32 from the same initial weights. The claim
  has three parts, each compared with zero: the penalty on the data as they are (`WORSE`), what it
  grows by from a quarter of the spread to all of it (`GROWS`), and what batch norm adds to it
  (`NORM`). Context: how far above half way between chance and the loss at 32 batch norm ends at 1
  (`COLLAPSE`; positive means that more than half of what training gains is lost).
- Smallest effect: 0.1 nats, a tenth less probability for the right class.
- A final run that ends above chance level or diverges counts as chance, ln 10 nats; the
  evidence counts such runs. It is a collapse, which the claim is about, and so no caveat.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import steady_cpu
from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    combined,
    derived_outcome,
    difference,
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
    train_apart,
    tuned_study,
    with_rates_of,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorSplit, mnist1d
from hpcourse.models import seeded
from hpcourse.training import Member, Population, Run, Stack, device, evaluate_many

WINDOW, STRIDE, CHANNELS, POSITIONS = 5, 3, 16, 12
CLASSES = 10
CHANCE = math.log(CLASSES)  # nats
SIZES = (1, 32)
SCORE = "training loss (nats)"

WORSE, GROWS, NORM, COLLAPSE = "worse", "grows with spread", "batch norm adds", "collapse"


@dataclass(frozen=True)
class Shape:
    """What distinguishes the problems: the spread of the data, and whether there is batch norm."""

    spread: float
    norm: bool = False

    def __str__(self) -> str:
        return f"{'batch norm, ' if self.norm else ''}spread {self.spread:g}"


TAME, PLAIN, NORMED = SHAPES = Shape(0.25), Shape(1.0), Shape(1.0, norm=True)
FIXED = {f"at the rate of 32, {shape}": shape for shape in SHAPES}


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget of tuning, the number of signals, and the length of every training."""

    signals: int
    epochs: int


PLANS: dict[Profile, Plan] = {
    "quick": Plan(
        rates=log_grid(0.0128, 3.2768, 5),
        tuning_size=1,
        seeds=seeds_from(7000, 5),
        signals=400,
        epochs=1,
    ),
    "full": Plan(
        rates=log_grid(0.0128, 3.125, 7),
        tuning_size=3,
        seeds=seeds_from(8000, 40),
        signals=800,
        epochs=4,
    ),
}


class Signals(nn.Module):
    """One convolution, with or without batch norm, and a linear layer.

    The convolution is written as a linear layer on windows, which trains faster in a population.

    Args:
        norm: Whether to normalise before the ReLU.
        seed: Seed of the weights.
    """

    def __init__(self, norm: bool, seed: int) -> None:
        super().__init__()
        with seeded(seed):
            self.convolve = nn.Linear(WINDOW, CHANNELS)
            self.normalise = nn.BatchNorm1d(CHANNELS) if norm else nn.Identity()
            self.answer = nn.Linear(CHANNELS * POSITIONS, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Signals (batch, 40) to logits (batch, 10)."""
        windows = x.unfold(1, WINDOW, STRIDE)  # (batch, positions, window)
        maps = self.normalise(self.convolve(windows).transpose(1, 2))
        logits: Tensor = self.answer(maps.relu().flatten(1))
        return logits


def with_spread(data: TensorSplit, spread: float) -> TensorSplit:
    """Signals whose differences from the mean of their class are multiplied by `spread`.

    Examples:
        >>> data = TensorSplit(torch.tensor([[0.0], [2.0], [5.0]]), torch.tensor([0, 0, 1]))
        >>> with_spread(data, 0.5).x.squeeze(1).tolist()
        [0.5, 1.5, 5.0]
    """
    chosen = nn.functional.one_hot(data.y).to(data.x.dtype)  # (signals, classes)
    means = ((chosen.T @ data.x) / chosen.sum(dim=0).unsqueeze(1))[data.y]
    return TensorSplit(means + spread * (data.x - means), data.y)


def noise_scale(model: nn.Module, data: TensorSplit) -> float:
    """Trace of the covariance of single samples' gradients over their mean's squared length.

    It is the batch size, in samples, at which the gradient's noise is as long as the gradient
    (McCandlish, Kaplan, Amodei et al., An empirical model of large-batch training, 2018, eq. 2.9).
    """
    params = {name: p.detach() for name, p in model.named_parameters()}

    def loss(params: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(functional_call(model, dict(params), (x[None],)), y[None])

    grads = vmap(grad(loss), in_dims=(None, 0, 0))(params, data.x, data.y)
    rows = torch.cat([g.flatten(1) for g in grads.values()], dim=1).double()
    return float(rows.var(dim=0).sum() / rows.mean(dim=0).square().sum())


def arm_name(shape: Shape, size: int) -> str:
    """Name of a tuned arm."""
    return f"batch {size}, {shape}"


@cache
def batch_study(plan: Plan) -> tuple[Study, dict[str, float]]:
    """Tune both batch sizes for each problem, and train 1 at the rates of 32 as well.

    Returns:
        The study, and the noise scale at each spread.
    """
    data = mnist1d().train.tensors(device())
    data = TensorSplit(data.x[: plan.signals], data.y[: plan.signals])
    parts = {shape: with_spread(data, shape.spread) for shape in SHAPES}
    train = partial(_train, parts)
    arms = {arm_name(*which): _members(*which, plan) for which in product(SHAPES, SIZES)}
    one, many = SIZES
    fixed = {
        name: (arms[arm_name(shape, one)], arm_name(shape, many)) for name, shape in FIXED.items()
    }
    study = with_rates_of(tuned_study(arms, plan, train, score=SCORE), fixed, train)
    with steady_cpu():
        model = Signals(norm=False, seed=plan.seeds[0]).to(data.x.device)
        noise = {str(s): noise_scale(model, parts[s]) for s in SHAPES if not s.norm}
    return study, noise


def _members(shape: Shape, size: int, plan: Plan) -> Make:
    def member(rate: float, seed: int) -> Member:
        steps = plan.epochs * (plan.signals // size)
        return Member(seed=seed, hypers={"lr": rate}, steps=steps, batch_size=size, shape=shape)

    return member


def _train(data: Mapping[Shape, TensorSplit], members: Sequence[Member], curves: bool) -> list[Run]:
    """Train the members of each problem on its data."""
    del curves  # batches of 1 and of 32 have no number of steps in common
    return train_apart(members, lambda shape, group: _train_one(shape, data[shape], group))


def _train_one(shape: Shape, data: TensorSplit, members: Sequence[Member]) -> list[Run]:
    def measure(stack: Stack) -> dict[str, Tensor]:
        return {SCORE: evaluate_many(stack, [data], {"loss": cross_entropy})["loss"]}

    population = Population(lambda _, seed: Signals(shape.norm, seed), members)
    return population.train(data, cross_entropy, measure)


def contrasts(outcome: Outcome) -> dict[str, Derived]:
    """What the claim and its context compare with zero, from the final losses of all arms."""
    one, many = (
        {shape: trained(outcome, arm_name(shape, size)) for shape in SHAPES} for size in SIZES
    )
    penalty = {shape: difference(one[shape], many[shape]) for shape in SHAPES}
    half_way = combined(lambda loss: (CHANCE + loss) / 2, many[NORMED])
    return {
        WORSE: penalty[PLAIN],
        GROWS: difference(penalty[PLAIN], penalty[TAME]),
        NORM: difference(penalty[NORMED], penalty[PLAIN]),
        COLLAPSE: difference(one[NORMED], half_way),
        **{name: difference(trained(outcome, name), many[shape]) for name, shape in FIXED.items()},
    }


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    study, noise = batch_study(plan)
    outcome = study_outcome(
        study,
        tuple(study.runs),
        metric=SCORE,
        worst=CHANCE,
        settings={
            "data": "mnist1d",
            "signals": plan.signals,
            "channels, positions": (CHANNELS, POSITIONS),
            "epochs": plan.epochs,
            "noise_scale": noise,
        },
        packages=("mnist1d",),
    )
    outcome = capped_outcome(outcome, CHANCE)
    return derived_outcome(outcome, contrasts(outcome), metric=SCORE)


CLAIMS = (
    Claim(
        id="batch-size-one",
        statement="Batch size 1 converges worse, the more so the more samples differ, and with "
        "batch norm worse still.",
        source="DL500 14.2.4",
        claimed=(WORSE, GROWS, NORM),
        reference=NO_DIFFERENCE,
        context=(COLLAPSE, *FIXED),
        metric="training loss at batch size 1 above that at 32",
        unit="nats",
        direction="higher",
        smallest_effect=0.1,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="overview/loss-coefficients-and-batch-size",
    ),
)
