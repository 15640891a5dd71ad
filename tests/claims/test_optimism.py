"""The claim about a test set that chooses: who picks what, and the real path at a tiny budget."""

import numpy as np
import pytest
import torch

from hpcourse.claims.optimism import (
    BATCH,
    BUDGETS,
    CLAIMS,
    IMAGES,
    NETWORK,
    OWN_SCORE,
    SIZES,
    SPACE,
    TEST,
    UNCHOSEN,
    VALIDATION,
    Budget,
    Scores,
    divide,
    expected_optimism,
    picks,
    replicates,
)
from hpcourse.data import TensorSplit, batches, fashion
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay
from hpcourse.search import Random
from hpcourse.training import accuracy, evaluate

TINY = Budget(networks=3, steps=4, seeds=(0, 1))


@pytest.fixture(scope="module")
def outcome():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "quick", TINY)
        yield CLAIMS[0].experiment("quick")


@pytest.fixture(scope="module")
def images():
    data = fashion().tensors()
    return TensorSplit(*(torch.cat(tensors) for tensors in zip(*data, strict=True)))


# Who picks what.

SCORES = Scores(
    test={100: np.array([70.0, 90.0, 80.0])},
    validation={100: np.array([60.0, 60.0, 95.0])},
    fresh=np.array([71.0, 72.0, 73.0]),
)


def test_arms_choose_by_their_own_images_and_report_the_test_set():
    found = picks(SCORES, 100)
    assert (found[TEST].promised, found[TEST].kept) == (90.0, 72.0)
    assert (found[VALIDATION].promised, found[VALIDATION].kept) == (80.0, 73.0)
    assert (found[OWN_SCORE].promised, found[OWN_SCORE].kept) == (95.0, 73.0)
    assert (found[UNCHOSEN].promised, found[UNCHOSEN].kept) == (70.0, 71.0)
    assert found[TEST].optimism == 18.0


@pytest.mark.parametrize(("images", "networks"), [(50, 40), (200, 5)])
def test_the_optimism_of_equal_networks_is_that_of_drawn_scores(images, networks):
    right = np.random.default_rng(0).binomial(images, 0.8, (20_000, networks))
    drawn = 100 * right.max(axis=1).mean() / images - 80.0
    assert expected_optimism(0.8, images, networks) == pytest.approx(drawn, rel=0.01)


def test_one_network_is_not_chosen():
    assert expected_optimism(0.8, 100, 1) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 100, 40), "0 < rate < 1, got rate=1.0"),
        ((0.5, 0, 40), "images"),
        ((0.5, 100, 0), "networks"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        expected_optimism(*arguments)


# The images.


def test_no_image_is_in_two_parts(images):
    numbered = TensorSplit(torch.arange(len(images.y)), images.y)
    parts = divide(numbered, seed=3)
    drawn = torch.cat([p.x for p in (parts.train, parts.test, parts.validation, parts.fresh)])
    assert len(drawn.unique()) == len(drawn)
    assert len(parts.test.x) == len(parts.validation.x) == max(SIZES)
    assert torch.equal(images.y[parts.fresh.x], parts.fresh.y)
    assert not torch.equal(parts.test.x, divide(numbered, seed=4).test.x)


# The real path.


def test_a_score_is_the_accuracy_of_the_trained_network(outcome, images):
    parts, scores = divide(images, seed=1), replicates(TINY)[1]
    search = Random(SPACE, seed=1)
    config, seed = [search.ask().config for _ in range(2)][1], 1001
    model = mlp(NETWORK, seed=seed)
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=1.0,
        momentum=1 - config["forgets"],
        weight_decay=config["weight_decay"],
    )
    rate = cosine_decay(config["lr"], TINY.steps)
    rows = batches(*parts.train, batch_size=BATCH, seed=seed, epochs=1)
    for step, (x, y) in zip(range(TINY.steps), rows, strict=False):
        optimizer.param_groups[0]["lr"] = rate(step)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    for part, found in (
        (parts.fresh, scores.fresh),
        (TensorSplit(*(t[:200] for t in parts.test)), scores.test[200]),
        (TensorSplit(*(t[:50] for t in parts.validation)), scores.validation[50]),
    ):
        expected = 100 * evaluate(model, [part], {"accuracy": accuracy})["accuracy"]
        assert found[1] == pytest.approx(expected, abs=100 / len(part.y))


def test_the_outcome_is_what_the_arms_picked(outcome):
    found = [picks(scores, IMAGES) for scores in replicates(TINY)]
    for arm in CLAIMS[0].arms:
        assert outcome.arms[arm] == [each[arm].promised - each[arm].kept for each in found]
        kept = outcome.measures["accuracy on new images (%)"][arm]
        assert kept == [each[arm].kept for each in found]
    assert set(outcome.arms) == set(CLAIMS[0].arms)
    assert outcome.measures["optimism by images (points)"][f"{IMAGES} images"] == outcome.arms[TEST]
    assert outcome.measures["optimism by networks (points)"] == {"3 networks": outcome.arms[TEST]}


def test_halves_of_the_networks_are_the_first_ones():
    scores = replicates(Budget(networks=10, steps=2, seeds=(5,)))[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BUDGETS, "quick", Budget(networks=10, steps=2, seeds=(5,)))
        by = CLAIMS[0].experiment("quick").measures["optimism by networks (points)"]
    first = scores.test[IMAGES][:5]
    best = int(np.argmax(first))
    assert by["5 networks"] == [first[best] - scores.fresh[best]]
    assert list(by) == ["5 networks", "10 networks"]
