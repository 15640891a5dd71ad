"""The gradient against finite differences, one step by hand, and what is learned."""

import numpy as np
import pytest
from scipy.special import log_softmax

from hpcourse.search import Box, Choice, PolicyGradient, Real, Trial, When
from hpcourse.search.searchers.policy_gradient import log_probability

TREE = Box(
    {
        "kind": Choice(("x", "y")),
        "left": When("kind", "x", Real(0.0, 1.0)),
        "right": When("kind", "y", Choice((0, 1, 2))),
    }
)


def test_the_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    logits = [rng.normal(size=n) for n in (2, 4, 3)]
    path = [(0, 1), (2, 0)]
    value, gradient = log_probability(logits, path)
    assert value == pytest.approx(sum(log_softmax(logits[c])[o] for c, o in path))
    assert set(gradient) == {0, 2}  # axis 1 does not count here
    step = 1e-6
    for column in range(3):
        for option in range(len(logits[column])):
            up, down = ([each.copy() for each in logits] for _ in range(2))
            up[column][option] += step
            down[column][option] -= step
            slope = (log_probability(up, path)[0] - log_probability(down, path)[0]) / (2 * step)
            exact = gradient[column][option] if column in gradient else 0.0
            assert slope == pytest.approx(exact, abs=1e-8)


def test_steps_by_hand():
    search = PolicyGradient(Box({"k": Choice(("a", "b"))}), rate=0.5, decay=0.8, noisy=True)

    def tell(number, kind, value):
        config = {"k": kind}
        search.tell(Trial(number=number, config=config, seed=0, state="done", value=value))

    tell(90, "a", 2.0)  # nothing to compare with
    assert search.probabilities(0).tolist() == [0.5, 0.5]
    tell(91, "b", 4.0)  # reward -4, baseline -2, deviation 1, gradient (-1/2, 1/2)
    logit = 0.5 * -2 * 0.5
    expected = np.exp([-logit, logit]) / np.exp([-logit, logit]).sum()
    assert np.allclose(search.probabilities(0), expected)
    # The baseline is now 0.8 * -2 + 0.2 * -4; the deviation of 2, 4 and 0 is sqrt(8 / 3).
    tell(92, "b", 0.0)
    advantage = (0.0 + 2.4) / np.sqrt(8 / 3)
    moved = np.array([-logit, logit]) + 0.5 * advantage * (np.array([0, 1]) - expected)
    assert np.allclose(search.probabilities(0), np.exp(moved) / np.exp(moved).sum())


def test_it_starts_at_the_prior():
    box = Box({"k": Choice(("a", "b", "c"), weights=(1, 2, 5)), "x": Real(1.0, 2.0)})
    search = PolicyGradient(box, levels=4)
    assert np.allclose(search.probabilities(0), [1 / 8, 2 / 8, 5 / 8])
    assert np.allclose(search.probabilities(1), 0.25)


def test_it_learns_under_conditions():
    search = PolicyGradient(TREE, seed=2, noisy=True, levels=5)
    for number in range(250):
        config = search.ask().config
        loss = 2.0 if config["kind"] == "x" else float(config["right"] != 1)
        search.tell(Trial(number=number, config=config, seed=0, state="done", value=loss))
    assert search.probabilities(0)[1] > 0.9
    assert search.probabilities(2)[1] > 0.9


def test_the_unit_of_the_loss_does_not_matter():
    def found(unit):
        search = PolicyGradient(TREE, seed=3, noisy=True)
        for number in range(30):
            config = search.ask().config
            loss = unit * (config["kind"] == "x") + 100 * unit
            search.tell(Trial(number=number, config=config, seed=0, state="done", value=loss))
        return search.probabilities(0)

    assert np.allclose(found(1.0), found(1e-4))


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"decay in \[0, 1\), got decay=1"):
        PolicyGradient(TREE, decay=1)
    with pytest.raises(ValueError, match="levels >= 1, got levels=0"):
        PolicyGradient(TREE, levels=0)
