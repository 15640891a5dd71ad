"""One claim about search along one hyperparameter: golden sections against grids.

Protocol, fixed before the seeds reported here were run. What the source calls binary search is, on
values alone, golden-section search.

- A search is charged the evaluations after which it is safely near the best. Golden sections: the
  first evaluation that is. Grids of n values at the middles of equal parts: the lowest n from which
  on every grid up to `MOST` has a value that is; who chooses n does not know where the best lies.
  A search that never is counts as `MOST` evaluations. Measured: log10 of grid over golden.
- Convex: |x - c|^p, c uniform in [0.05, 0.95], p uniform in [1, 4]; near means within 0.01 of c.
- Real: the validation loss by learning rate, 1e-4 to 10, of a network 40-32-10 on MNIST-1D (600
  updates of 32 signals, momentum 0.9, half a cosine), trained at 41 rates with one seed, between
  them a straight line in the logarithm. Near means within 0.05 nats of the lowest. At both ends the
  curve is flat, and it has small dents: that is what tuning curves are like.
- Context, two valleys: 0.5 + 2 |x - a| in the wide one and 0.25 less with a slope of 8 in the
  narrow one; near means below 0.4, which only the narrow valley is.
- Smallest effect: 0.1 decades, 26 % more evaluations. The claim needs the convex and the real part.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hpcourse.claims._compute import device_name
from hpcourse.claims._searching import Array, train_signals
from hpcourse.claims.contrasts import NO_DIFFERENCE
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import seeds_from
from hpcourse.search import golden_section
from hpcourse.training import device

MOST = 100
NEAR_LOSS = 0.05  # nats
NEAR_X = 0.01

Curve = Callable[[float], float]  # place in [0, 1] to loss


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Seeds, rates of a real curve, updates of a training, and functions of a seed."""

    seeds: tuple[int, ...]
    rates: int = 41
    steps: int = 600
    functions: int = 20


PLANS: dict[Profile, Plan] = {
    "quick": Plan(seeds=seeds_from(7700, 6), rates=21, steps=150),
    "full": Plan(seeds=seeds_from(7800, 30)),
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Evaluations that each search needs on one curve."""

    golden: int
    grid: int

    @property
    def saved(self) -> float:
        """Decades of evaluations that golden sections save."""
        return float(np.log10(self.grid / self.golden))


def cost(curve: Curve, near: Callable[[float], bool]) -> Cost:
    """Evaluations until both searches are safely near the best place of a curve.

    Args:
        curve: What golden sections go by.
        near: Whether a place is near enough.

    Examples:
        >>> cost(lambda x: abs(x - 0.5), lambda x: abs(x - 0.5) < 0.0101)
        Cost(golden=7, grid=49)
    """
    places: list[float] = []

    def seen(x: float) -> float:
        places.append(x)
        return curve(x)

    golden_section(seen, 0.0, 1.0, tolerance=1e-4)
    golden = next((k for k, x in enumerate(places, start=1) if near(x)), MOST)
    bad = [n for n in range(1, MOST) if not any(map(near, (np.arange(n) + 0.5) / n))]
    return Cost(golden=golden, grid=max(bad, default=0) + 1)


def convex_cost(rng: np.random.Generator) -> Cost:
    """On a random convex function."""
    best, power = rng.uniform(0.05, 0.95), rng.uniform(1, 4)
    return cost(lambda x: float(abs(x - best) ** power), lambda x: abs(x - best) <= NEAR_X)


def two_valleys(rng: np.random.Generator) -> Curve:
    """A wide valley, and elsewhere a narrow one that is deeper."""
    wide, narrow = rng.permutation([rng.uniform(0.1, 0.4), rng.uniform(0.6, 0.9)])
    return lambda x: float(min(0.5 + 2 * abs(x - wide), 0.25 + 8 * abs(x - narrow)))


def valley_cost(rng: np.random.Generator) -> Cost:
    """On a random function of two valleys."""
    curve = two_valleys(rng)
    return cost(curve, lambda x: curve(x) < 0.4)


def real_curves(plan: Plan) -> Array:
    """Validation losses (seeds, rates) in nats."""
    rates = np.geomspace(1e-4, 10, plan.rates)
    configs = [{"lr": float(rate)} for _ in plan.seeds for rate in rates]
    seeds = [seed for seed in plan.seeds for _ in rates]
    found = train_signals(configs, seeds, steps=plan.steps).validation
    return found.reshape(len(plan.seeds), plan.rates)


def real_cost(losses: Array) -> Cost:
    """On a curve through measured losses at equal distances (rates,)."""
    at = np.linspace(0, 1, len(losses))

    def curve(x: float) -> float:
        return float(np.interp(x, at, losses))

    return cost(curve, lambda x: curve(x) <= losses.min() + NEAR_LOSS)


def _outcome(profile: Profile) -> Outcome:
    start, plan = time.perf_counter(), PLANS[profile]
    curves = real_curves(plan)
    costs: dict[str, list[list[Cost]]] = {"convex": [], "real": [], "two valleys": []}
    for seed, losses in zip(plan.seeds, curves, strict=True):
        rng = np.random.default_rng(seed)
        costs["convex"].append([convex_cost(rng) for _ in range(plan.functions)])
        costs["real"].append([real_cost(losses)])
        costs["two valleys"].append([valley_cost(rng) for _ in range(plan.functions)])
    return Outcome(
        seeds=plan.seeds,
        arms={
            **{
                f"saved, {name}": [float(np.mean([c.saved for c in each])) for each in found]
                for name, found in costs.items()
            },
            NO_DIFFERENCE: [0.0] * len(plan.seeds),
        },
        device=device_name(device()),
        seconds=time.perf_counter() - start,
        settings={
            "rates": np.geomspace(1e-4, 10, plan.rates).tolist(),
            "steps": plan.steps,
            "most": MOST,
            "near_nats": NEAR_LOSS,
            "missed": {
                name: float(np.mean([c.golden == MOST for each in found for c in each]))
                for name, found in costs.items()
            },
        },
        measures={
            f"evaluations of {search}": {
                name: [float(np.mean([getattr(c, search) for c in each])) for each in found]
                for name, found in costs.items()
            }
            for search in ("golden", "grid")
        },
        curves={"validation loss (nats)": {"real": curves.tolist()}},
        packages=("mnist1d",),
    )


CLAIMS = (
    Claim(
        id="binary-beats-grid-1d",
        statement=(
            "Along one hyperparameter with a convex loss, binary search needs far fewer trials "
            "than a grid, on a real tuning curve too."
        ),
        source="TUNE, binary search",
        claimed=("saved, convex", "saved, real"),
        reference=NO_DIFFERENCE,
        context=("saved, two valleys",),
        metric="log10 of the evaluations of a grid over those of golden sections",
        unit="decades",
        direction="higher",
        smallest_effect=0.1,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page="search/grid-binary-random",
    ),
)
