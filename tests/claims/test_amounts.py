"""Training on several amounts of data: the right part, the right network, torch's own training."""

from itertools import pairwise

import pytest
import torch

from hpcourse.claims._amounts import (
    BATCH,
    ERROR,
    LOSS,
    MOMENTUM,
    SIZES,
    Setting,
    named,
    plans,
    trained_settings,
    training_part,
)
from hpcourse.claims._regularisers import Plan
from hpcourse.data import batches, mnist1d
from hpcourse.models import mlp
from hpcourse.schedules import cosine_decay

TINY = Plan(rates=(0.02, 0.06, 0.18), tuning_size=1, seeds=(0, 1), steps=20, width=6)
SETTINGS = {
    "plain": Setting(signals=200, depth=1),
    "decayed": Setting(signals=200, depth=1, weight_decay=0.01),
    "more": Setting(signals=800, depth=2),
    "random": Setting(signals=800, depth=1, random_labels=True),
    "dropped": Setting(signals=200, depth=2, dropout=0.5),
}


@pytest.fixture(scope="module")
def trained():
    return trained_settings(SETTINGS, TINY)


def alone(setting, rate, seed):
    """One training by torch's own optimiser."""
    data = mnist1d().tensors()
    x, y = training_part(data, setting)
    model = mlp((40, *[TINY.width] * setting.depth, 10), seed=seed)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1.0, momentum=MOMENTUM, weight_decay=setting.weight_decay
    )
    feed = iter(batches(x, y, batch_size=BATCH, seed=seed, epochs=None))
    for step in range(TINY.steps):
        optimizer.param_groups[0]["lr"] = cosine_decay(rate, TINY.steps)(step)
        inputs, labels = next(feed)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return model, (x, y), data.test


@pytest.mark.parametrize("name", ["plain", "decayed", "more", "random"])
def test_every_setting_is_trained_as_torch_would(trained, name):
    study, outcome = trained
    setting, seed = SETTINGS[name], TINY.seeds[1]
    model, part, test = alone(setting, study.tuning.best[name][1], seed)
    x, y = part if setting.random_labels else test
    with torch.no_grad():
        logits = model(x)
    wrong = 100 * (logits.argmax(dim=1) != y).float().mean().item()
    loss = torch.nn.functional.cross_entropy(logits, y).item()
    assert outcome.arms[name][1] == pytest.approx(wrong, abs=0.3)  # three signals of 1,000
    assert outcome.measures[LOSS][name][1] == pytest.approx(loss, rel=1e-3)
    assert study.final(name, ERROR)[1] == outcome.arms[name][1]


def test_random_labels_are_a_permutation_and_the_same_every_time():
    data = mnist1d().tensors()
    true = training_part(data, Setting(signals=800))
    once, again = (training_part(data, SETTINGS["random"]) for _ in range(2))
    assert torch.equal(once.y, again.y)
    assert torch.equal(once.x, true.x)
    assert torch.equal(once.y.bincount(), true.y.bincount())
    agreeing = (once.y == true.y).float().mean().item()
    assert 0.05 < agreeing < 0.15  # by chance a tenth, give or take five standard errors


def test_amounts_of_data_contain_each_other_and_fit_the_data_set():
    data = mnist1d().tensors()
    parts = [training_part(data, Setting(signals=signals)) for signals in SIZES]
    assert [len(part.y) for part in parts] == list(SIZES)
    for small, large in pairwise(parts):
        assert torch.equal(small.x, large.x[: len(small.x)])
    assert set(parts[0].y.tolist()) == set(range(10))


def test_shape_forgets_the_numbers_and_keeps_the_network():
    assert SETTINGS["plain"].shape == SETTINGS["decayed"].shape
    assert SETTINGS["dropped"].shape != Setting(signals=200, depth=2).shape
    assert len({setting.shape for setting in SETTINGS.values()}) == 4


def test_only_the_full_profile_has_a_size_of_its_own():
    full, quick = (plans(width=64, steps=700)[profile] for profile in ("full", "quick"))
    assert (full.width, full.steps) == (64, 700)
    assert quick == plans(width=8, steps=9)["quick"]


def test_names_tell_amounts_and_values_apart():
    assert len({named(signals, value) for signals in SIZES for value in (0, 1e-4, 5e-4, 3)}) == 12
