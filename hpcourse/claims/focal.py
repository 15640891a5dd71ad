"""One claim about the focal loss: its two parameters matter, and the paper's values are good.

Protocol, fixed before the seeds reported here were run (data, network, epochs and the smallest
effect were chosen in trials with other seeds):

- Data: 5,000 MNIST digits in blocks of 4 x 4 pixels, hence 7 x 7, as a rare-event problem. One
  digit is positive (0 to 4 in turn, the same for a final run and for its tuning) and so many of its
  training images are left out that 2 % of them are positive. Validation and test part stay whole.
- Network: fully connected 49-32-1 with tanh (all ReLUs of so small a network die now and then at a
  good rate, which would drown everything else), batches of 64, 8 epochs, Adam with default betas.
  Adam, because it does not feel the scale of a loss, which gamma changes by an order of magnitude.
  The last bias starts at the log-odds of the training part, as the paper's does.
- Arms: gamma in 0, 0.5, 1, 2, 5 times alpha in 0.25, 0.5, 0.75, the weight of positives (for each
  of these gammas the best alpha of the paper's table 1b is among these three). Gamma 0 with alpha
  0.5 is half the plain cross-entropy. Only the learning rate is tuned, for every arm with an equal
  budget, for each final run anew (`hpcourse.claims.study`).
- Metric: average precision on the test part in percentage points, the positives weighted so that
  they are 2 % of it as in training. Tuning looks at the same on the validation part.
- The claim has two parts, compared with zero. `MATTERS`: the best of the 15 settings less the
  worst. `NEAR`: a margin of 4 points plus the paper's setting (gamma 2, alpha 0.25) less the best.
  Best and worst are chosen for each seed by the validation scores of all other seeds.
- Context: what the paper's setting, and the best one, have over plain cross-entropy.
- Smallest effect: 2 points. The margin is twice that: `NEAR` holds only if the paper's values
  surely lose less than the margin, and fails if they surely lose more than 2 points.

Lin, Goyal, Girshick, He and Dollár, Focal loss for dense object detection, ICCV 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import avg_pool2d

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
    seeds_from,
    study_outcome,
    train_apart,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, TensorSplit, mnist5k
from hpcourse.losses import binary_focal_loss
from hpcourse.models import mlp
from hpcourse.training import Member, Population, Run, Stack, Tensors, adam, device

SIZES = (49, 32, 1)
BATCH = 64
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
PREVALENCE = 0.02
DIGITS = 5  # digits that take turns as the positive one
GAMMAS, ALPHAS = (0.0, 0.5, 1.0, 2.0, 5.0), (0.25, 0.5, 0.75)
MARGIN = 4.0  # points
SCORE, METRIC = "validation precision missed (points)", "test average precision (points)"

MATTERS, NEAR = "best over worst", "paper near best"
PAPER_PLAIN, BEST_PLAIN = "paper over cross-entropy", "best over cross-entropy"


def setting(gamma: float, alpha: float) -> str:
    """Name of an arm."""
    return f"gamma {gamma:g}, alpha {alpha:g}"


SETTINGS = {setting(gamma, alpha): (gamma, alpha) for gamma, alpha in product(GAMMAS, ALPHAS)}
PAPER, PLAIN = setting(2.0, 0.25), setting(0.0, 0.5)


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """A budget of tuning, and the length of every training."""

    epochs: int

    def positive(self, seed: int) -> int:
        """The positive digit of a seed: that of the final run, or of the one it is to tune.

        Examples:
            >>> plan = Plan(rates=(0.1, 0.2), tuning_size=2, seeds=(7, 8, 9), epochs=1)
            >>> [plan.positive(seed) for seed in (*plan.seeds, *plan.tuning_seeds)]
            [0, 1, 2, 0, 0, 1, 1, 2, 2]
        """
        tuning, own = self.tuning_seeds, seed in self.seeds
        place = self.seeds.index(seed) if own else tuning.index(seed) // self.tuning_size
        return place % DIGITS


PLANS: dict[Profile, Plan] = {
    "quick": Plan(
        rates=log_grid(0.003, 0.027, 3), tuning_size=2, seeds=seeds_from(10_000, 5), epochs=3
    ),
    "full": Plan(
        rates=log_grid(0.002, 0.05, 4), tuning_size=3, seeds=seeds_from(11_000, 50), epochs=8
    ),
}


def average_precision(scores: Tensor, targets: Tensor, *, prevalence: float) -> Tensor:
    """Average precision if positives were as rare as told: the mean precision at each positive.

    Args:
        scores: Higher for what is more likely positive (n,).
        targets: 1 for positives, 0 for negatives (n,), both present.
        prevalence: Share of positives that they are weighted to, in (0, 1).

    Returns:
        A scalar in [0, 1]; ties are broken by the order of the samples.

    Examples:
        >>> scores, targets = torch.tensor([3.0, 2.0, 1.0]), torch.tensor([1, 0, 1])
        >>> round(average_precision(scores, targets, prevalence=2 / 3).item(), 6)  # (1 + 2/3) / 2
        0.833333
    """
    hit = targets[scores.argsort(descending=True, stable=True)].to(torch.float64)
    hits, alarms = hit.cumsum(0) / hit.sum(), (1 - hit).cumsum(0) / (1 - hit).sum()
    precision = prevalence * hits / (prevalence * hits + (1 - prevalence) * alarms)
    return (precision * hit).sum() / hit.sum()


def rare(data: TensorDataset, positive: int) -> TensorDataset:
    """One class against the rest, 2 % of the training part positive.

    Args:
        data: Images (n, 1, 28, 28) and their classes.
        positive: The class that counts as positive.
    """
    train, validation, test = (
        TensorSplit(avg_pool2d(part.x, 4), (part.y == positive).long()) for part in data
    )
    rows_of = [(train.y == label).nonzero().squeeze(1) for label in (0, 1)]
    kept = round(len(rows_of[0]) * PREVALENCE / (1 - PREVALENCE))
    rows = torch.cat([rows_of[0], rows_of[1][:kept]])
    return TensorDataset(TensorSplit(train.x[rows], train.y[rows]), validation, test)


def build(seed: int) -> nn.Module:
    """The network, its last bias at the log-odds of a positive."""
    model = mlp(SIZES, activation=nn.Tanh, seed=seed)
    *_, bias = model.parameters()
    with torch.no_grad():
        bias.fill_(torch.logit(torch.tensor(PREVALENCE)))
    return model


def loss_fn(outputs: Tensor, targets: Tensor, *, gamma: Tensor, alpha: Tensor) -> Tensor:
    """Focal loss of outputs (batch, 1)."""
    return binary_focal_loss(outputs.squeeze(1), targets, gamma=gamma, alpha=alpha)


@cache
def focal_study(plan: Plan) -> Study:
    """Tune and train every setting."""
    data = mnist5k().tensors(device())
    parts = [rare(data, digit) for digit in range(DIGITS)]
    steps = plan.epochs * -(-len(parts[0].train.x) // BATCH)
    arms = {name: _members(gamma, alpha, steps, plan) for name, (gamma, alpha) in SETTINGS.items()}
    return tuned_study(arms, plan, partial(_train, parts), score=SCORE)


def _members(gamma: float, alpha: float, steps: int, plan: Plan) -> Make:
    def member(rate: float, seed: int) -> Member:
        return Member(
            seed=seed,
            hypers={"lr": rate, "gamma": gamma, "alpha": alpha, **ADAM},
            steps=steps,
            batch_size=BATCH,
            update=adam,
            shape=plan.positive(seed),
        )

    return member


def _train(parts: Sequence[TensorDataset], members: Sequence[Member], curves: bool) -> list[Run]:
    """Train the members of each positive digit on its data."""
    del curves
    return train_apart(members, lambda digit, group: _train_one(parts[digit], group))


def _train_one(data: TensorDataset, members: Sequence[Member]) -> list[Run]:
    def measure(stack: Stack) -> dict[str, Tensor]:
        validation, test = (_precisions(stack, part) for part in (data.validation, data.test))
        return {SCORE: 100 - validation, METRIC: test}

    population = Population(lambda _, seed: build(seed), members)
    return population.train(data.train, loss_fn, measure)


def _precisions(stack: Stack, part: TensorSplit) -> Tensor:
    """Average precision in points (members,), which is no mean over samples to evaluate."""

    def precision(params: Tensors, buffers: Tensors) -> Tensor:
        scores = functional_call(stack.template, (params, buffers), (part.x,))
        return average_precision(scores.squeeze(1), part.y, prevalence=PREVALENCE)

    with torch.no_grad():
        return 100 * vmap(precision)(stack.params, stack.buffers).cpu()


def contrasts(outcome: Outcome, best: Sequence[str], worst: Sequence[str]) -> dict[str, Derived]:
    """What the claim and its context compare with zero; positive supports the claim.

    Args:
        outcome: Average precision of each setting in points, one value a seed.
        best: Setting chosen for each seed as the best.
        worst: The same for the worst.
    """
    high, low = (chosen(outcome, names) for names in (best, worst))
    paper, plain = (trained(outcome, name) for name in (PAPER, PLAIN))
    return {
        MATTERS: difference(high, low),
        NEAR: plus(difference(paper, high), MARGIN),
        PAPER_PLAIN: difference(paper, plain),
        BEST_PLAIN: difference(high, plain),
    }


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    study = focal_study(plan)
    best, worst = extremes({name: study.final(name, SCORE) for name in SETTINGS})
    outcome = study_outcome(
        study,
        tuple(SETTINGS),
        metric=METRIC,
        worst=100 * PREVALENCE,  # the precision of a random order
        settings={
            "data": "mnist5k",
            "sizes": SIZES,
            "batch_size": BATCH,
            "epochs": plan.epochs,
            "prevalence": PREVALENCE,
            "margin": MARGIN,
            "gammas": GAMMAS,
            "alphas": ALPHAS,
            "best": best,
            "worst": worst,
        },
        packages=("mlxtend",),
    )
    return derived_outcome(outcome, contrasts(outcome, best, worst), metric=METRIC)


CLAIMS = (
    Claim(
        id="focal-gamma-alpha",
        statement="Gamma and alpha of the focal loss change the result on imbalanced data, and the "
        "paper's values, 2 and 0.25, are near the best.",
        source="DL500 14.2.4",
        claimed=(MATTERS, NEAR),
        reference=NO_DIFFERENCE,
        context=(PAPER_PLAIN, BEST_PLAIN),
        metric="average precision on rare positives",
        unit="percentage points",
        direction="higher",
        smallest_effect=2.0,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="overview/loss-coefficients-and-batch-size",
    ),
)
