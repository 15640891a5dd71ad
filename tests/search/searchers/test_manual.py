"""The manual procedure, step by step as the source describes it."""

import math

import numpy as np
import pytest

from hpcourse.search import Box, Choice, Integer, Manual, Real, Trial

SPACE = Box(
    {
        "lr": Real(1e-6, 10.0, log=True),
        "batch_size": Integer(8, 1024),
        "schedule": Choice(("constant", "cosine", "drop")),
        "momentum": Real(0.0, 0.99),
    }
)


def run(search, loss):
    found = []
    while (suggestion := search.ask()) is not None:
        found.append(dict(suggestion.config))
        value = float(loss(found[-1]))
        trial = Trial(
            number=len(found) - 1, config=suggestion.config, seed=0, state="done", value=value
        )
        search.tell(trial)
    return found


def rates(found):
    return [config["lr"] for config in found]


def test_it_goes_half_the_way_to_the_better_side():
    search = Manual(SPACE)
    found = run(search, lambda c: abs(math.log10(c["lr"] / 0.02)))
    # The centre and both sides, then around (0.001 + 0.01) / 2, then around (0.0055 + 0.055) / 2.
    expected = [1e-3, 1e-2, 1e-4, 5.5e-3, 5.5e-2, 5.5e-4, 0.03025, 0.3025, 0.003025]
    assert np.allclose(rates(found)[:9], expected, rtol=1e-9)
    assert {c["momentum"] for c in found} == {SPACE.axes[3].domain.decode(0.5)}


@pytest.mark.parametrize(("samples", "first"), [(49_999, 32), (50_000, 256)])
def test_the_batch_size_is_doubled_while_it_helps(samples, first):
    def loss(config):  # the centre is the best rate, a batch of 512 the best size
        return abs(math.log(config["lr"] / 1e-3)) + abs(math.log(config["batch_size"] / 512))

    found = run(Manual(SPACE, samples=samples), loss)
    sizes = [config["batch_size"] for config in found]
    doubled = [first * 2**k for k in range(int(math.log2(1024 / first)) + 1)]
    assert sizes[:3] == [first] * 3
    assert sizes[3 : 3 + len(doubled) - 1] == doubled[1:]
    # Stage 3 keeps the best size and looks half a decade up and down.
    assert [c["batch_size"] for c in found[-2:]] == [512, 512]
    assert np.allclose(rates(found)[-2:], [1e-3 * 10**0.5, 1e-3 / 10**0.5])


def test_schedules_are_tried_in_their_order_until_one_helps():
    def loss(config, gain):
        return abs(math.log(config["lr"] / 1e-3)) - gain[config["schedule"]]

    base = {"constant": 0.0, "cosine": 0.1, "drop": 0.2}
    search = Manual(SPACE, schedule="schedule", batch=None)
    assert [c["schedule"] for c in run(search, lambda c: loss(c, base))][-2:] == [
        "constant",
        "cosine",
    ]
    search = Manual(SPACE, schedule="schedule", batch=None)
    worse = base | {"cosine": -0.1}
    assert [c["schedule"] for c in run(search, lambda c: loss(c, worse))][-2:] == ["cosine", "drop"]


def test_rates_stay_in_their_range():
    box = Box({"lr": Real(1e-3, 5e-3, log=True)})
    found = run(Manual(box, batch=None), lambda c: -c["lr"])
    assert np.allclose(rates(found)[:2], [1e-3, 5e-3])
    assert max(rates(found)) <= 5e-3


def test_a_start_keeps_the_rest():
    start = {"lr": 1.0, "batch_size": 8, "schedule": "drop", "momentum": 0.9}
    found = run(Manual(SPACE, start=start), lambda c: c["lr"])
    assert {(c["schedule"], round(c["momentum"], 9)) for c in found} == {("drop", 0.9)}
    assert found[0]["lr"] == pytest.approx(1e-3)
    assert found[0]["batch_size"] == 32


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"axis of .*, got name='rate'"):
        Manual(SPACE, rate="rate")
    with pytest.raises(ValueError, match=r"Manual starts 'batch_size' there: .*value=32"):
        Manual(Box({"lr": Real(1e-6, 1.0), "batch_size": Integer(64, 128)}))
    with pytest.raises(ValueError, match="separate values, got name='momentum'"):
        Manual(SPACE, schedule="momentum")
