"""The saddle against its closed form, the descent against theory and torch's own optimiser."""

import math

import numpy as np
import pytest
import torch

from hpcourse.claims import judge, run, saddle
from hpcourse.claims.saddle import (
    CLAIMS,
    DISPLACEMENT,
    RATE,
    Arm,
    Budget,
    arms,
    at_saddle,
    critical_point,
    escape_steps,
    predicted_steps,
    training_losses,
)
from hpcourse.data import digits
from hpcourse.schedules import constant

CLAIM = CLAIMS[0]


@pytest.fixture(scope="module")
def data():
    return digits().train.tensors()


def closed_form(data):
    """Frequencies, and the singular values that are the Hessian's eigenvalues."""
    onehot = np.eye(10)[data.y.numpy()]
    p = onehot.mean(axis=0)
    coupling = (p - onehot).T @ data.x.flatten(1).numpy() / len(onehot)
    return p, np.linalg.svd(coupling, compute_uv=False)


def test_the_start_is_a_saddle_with_the_spectrum_of_the_closed_form(data):
    p, singular = closed_form(data)
    point = critical_point(data)
    assert point.kind == "saddle"
    assert point.gradient_norm < 1e-6
    assert point.lowest == pytest.approx(-singular[0], rel=1e-4)
    top = max(singular[0], np.linalg.eigvalsh(np.diag(p) - np.outer(p, p))[-1])
    assert point.highest == pytest.approx(top, rel=1e-4)


def test_the_loss_at_the_saddle_is_the_entropy_of_the_classes(data):
    p, _ = closed_form(data)
    loss = torch.nn.functional.cross_entropy(at_saddle(data.y)(data.x), data.y)
    assert loss.item() == pytest.approx(-(p * np.log(p)).sum(), rel=1e-5)


def test_displacement_follows_the_seed(data):
    def flat(**kwargs):
        return torch.nn.utils.parameters_to_vector(at_saddle(data.y, **kwargs).parameters())

    step = flat(displacement=0.1, seed=1) - flat()
    assert step.std().item() == pytest.approx(0.1, rel=0.1)
    assert torch.equal(flat(displacement=0.1, seed=1), flat(displacement=0.1, seed=1))
    assert not torch.equal(flat(displacement=0.1, seed=1), flat(displacement=0.1, seed=2))


def test_descent_equals_torchs_own_optimiser(data):
    members = [Arm(schedule=constant(0.5)), Arm(schedule=constant(0.5), momentum=0.9)]
    losses = training_losses(data, members, (1, 1), 100)
    for member, found in zip(members, losses.T, strict=True):
        model = at_saddle(data.y, displacement=DISPLACEMENT, seed=1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=member.momentum)
        expected = []
        for _ in range(100):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(data.x), data.y)
            loss.backward()
            optimizer.step()
            expected.append(loss.item())
        assert expected[-1] < 0.99 * expected[0] or member.momentum == 0
        assert found.tolist() == pytest.approx(expected, rel=2e-3)


def test_fixed_rate_leaves_after_about_the_predicted_time(data):
    fast = 10.0 * RATE  # the law holds for any small rate, and this one is quick to run
    losses = training_losses(data, [Arm(schedule=constant(fast))], (1,), 120)
    (steps,) = escape_steps(losses, 0.9 * float(losses[0, 0]))
    _, singular = closed_form(data)
    predicted = math.log(1 / DISPLACEMENT) / math.log1p(fast * singular[0])
    assert steps == pytest.approx(predicted, rel=0.2)
    expected = math.log(1 / DISPLACEMENT) / math.log1p(RATE * singular[0])
    assert predicted_steps(-singular[0]) == pytest.approx(expected)


def test_small_batch_losses_are_those_of_all_images(data):
    losses = training_losses(data, [Arm(small_batches=True)] * 2, (1, 2), 3)
    p, _ = closed_form(data)
    assert losses.shape == (3, 2)
    assert losses[0].tolist() == pytest.approx([-(p * np.log(p)).sum()] * 2, rel=1e-5)


def test_escape_steps_counts_censored_members_as_all_steps():
    losses = torch.tensor([[2.0, 2.0, 1.0], [1.4, 2.0, 2.0], [2.0, 1.6, 2.0]])
    assert escape_steps(losses, 1.5) == [1, 3, 0]


def test_arms_differ_from_the_reference_in_one_thing():
    def settings(arm):
        rates = tuple(np.asarray(arm.schedule(np.arange(50))))
        return (rates, arm.momentum, arm.noise, arm.small_batches)

    found = arms(500)
    assert set(found) == set(CLAIM.arms)
    reference = settings(found.pop("fixed"))
    for arm in found.values():
        assert sum(a != b for a, b in zip(settings(arm), reference, strict=True)) == 1
    raised = arms(500)["raised"].schedule(np.arange(500))
    assert (raised.min(), raised.max()) == pytest.approx((RATE, 10 * RATE), rel=1e-2)


def test_tiny_budget_gives_evidence_and_tells_censoring(monkeypatch):
    monkeypatch.setitem(saddle.BUDGETS, "quick", Budget(seeds=(0, 1), steps=125))
    evidence, again = run("saddle-escape"), run("saddle-escape")
    assert evidence.arms == again.arms
    steps = evidence.measures["steps to escape"]
    assert steps["fixed"] == steps["noise"] == [125.0, 125.0]  # too few steps for them
    assert max(steps["raised"]) < 125
    assert evidence.settings["censored_runs"]["noise"] == 2
    assert evidence.settings["saddle"]["kind"] == "saddle"
    noise = next(c for c in evidence.comparisons if c.arm == "noise")
    assert "had not escaped after 125 steps" in noise.caveats[0]
    for arm, values in evidence.arms.items():
        assert values == pytest.approx(np.log10(steps[arm]), rel=1e-6)
        assert len(evidence.curves["training loss (nats)"][arm][0]) == 13


def test_a_start_that_is_no_saddle_would_be_told(monkeypatch, data):
    point = critical_point(data)
    flat = type(point)("minimum", 0.0, 0.1, 0.2, point.escape_direction)
    monkeypatch.setattr(saddle, "critical_point", lambda data: flat)
    monkeypatch.setitem(saddle.BUDGETS, "quick", Budget(seeds=(0, 1), steps=2))
    monkeypatch.setattr(saddle, "predicted_steps", lambda lowest: 1.0)
    evidence = judge(CLAIM, "quick", CLAIM.experiment("quick"))
    assert any("no saddle but of kind: minimum" in caveat for caveat in evidence.caveats)
