"""The claim about depth: its arms, and its contrasts on errors made by hand."""

import pytest

from hpcourse.claims import depth, judge
from hpcourse.claims._amounts import named
from hpcourse.claims._regularisers import Plan
from hpcourse.claims.depth import AMOUNTS, CLAIMS, DEPTHS, FITTED, GROWS, settings
from hpcourse.claims.registry import Outcome

(CLAIM,) = CLAIMS


def made(error):
    """An outcome whose errors follow `error(setting)`, a little more for the second seed."""
    arms = {name: [error(s), error(s) + 0.5] for name, s in settings().items()}
    return Outcome(seeds=(0, 1), arms=arms, device="cpu", seconds=1.0)


@pytest.mark.parametrize(
    ("error", "fitted", "grows"),
    [
        # Each layer fits 10 points more, and saves a point for each 1,000 signals.
        (lambda s: -10 * s.depth if s.random_labels else 60 - s.depth * s.signals / 1000, 20, 6),
        (lambda s: 50.0, 0, 0),
        (lambda s: s.depth * (1 if s.random_labels else s.signals / 1000), -2, -6),
    ],
)
def test_contrasts(monkeypatch, error, fitted, grows):
    monkeypatch.setattr(depth, "trained_settings", lambda arms, plan: (None, made(error)))
    evidence = judge(CLAIM, "quick", CLAIM.experiment("quick"))
    found = {comparison.arm: comparison.effect for comparison in evidence.comparisons}
    assert found[FITTED] == pytest.approx(fitted)
    assert found[GROWS] == pytest.approx(grows)
    gains = [found[f"gain with {signals} signals"] for signals in AMOUNTS]
    assert gains[-1] - gains[0] == pytest.approx(grows)


def test_arms_cross_every_depth_with_every_amount_of_data():
    arms = settings()
    assert len(arms) == (len(AMOUNTS) + 1) * len(DEPTHS)
    for signals in AMOUNTS:
        for layers in DEPTHS:
            setting = arms[named(signals, layers)]
            assert (setting.signals, setting.depth, setting.random_labels) == (
                signals,
                layers,
                False,
            )


def test_the_experiment_runs_at_a_tiny_budget(monkeypatch):
    tiny = Plan(rates=(0.02, 0.06, 0.18), tuning_size=1, seeds=(0, 1), steps=3, width=3)
    monkeypatch.setitem(depth.PLANS, "quick", tiny)
    evidence = judge(CLAIM, "quick", CLAIM.experiment("quick"))
    errors = evidence.measures["test error (%)"]
    assert set(errors) == set(settings())
    assert all(0 < value <= 100 for values in errors.values() for value in values)
    assert evidence.versions["mnist1d"]
