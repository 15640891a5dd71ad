"""Importance of a study's hyperparameters, against shares that are known."""

import numpy as np
import pytest

from hpcourse.search import Box, Choice, Integer, Random, Real, Trial, When, minimize
from hpcourse.search.analysis import places, study_importance

CONDITIONAL = Box(
    {
        "kind": Choice(("a", "b")),
        "x": When("kind", "a", Real(0, 1)),
        "rare": Choice(("u", "v"), weights=(1, 9)),
        "width": Integer(1, 8, log=True),
        "idle": Real(0, 1),
    }
)


def study(space, objective, count=400):
    return minimize(objective, Random(space, seed=0), trials=count, progress=False)


def test_a_conditional_hyperparameter_has_its_share_of_the_whole_space():
    # f = 4 [kind = a] x; its means are 2 and 0 by kind, and 2x.
    found = study_importance(
        study(CONDITIONAL, lambda t: 4.0 * t.config.get("x", 0.0)), CONDITIONAL
    )
    kind, x = 1.0, 4 / 12  # variances of these means
    total = 4.0**2 / 3 / 2 - 1.0**2
    pair = total - kind - x
    assert found.main["kind"] == pytest.approx(kind / total, abs=0.06)
    assert found.main["x"] == pytest.approx(x / total, abs=0.06)
    assert found.pairs["kind", "x"] == pytest.approx(pair / total, abs=0.06)
    assert found.main["rare"] < 0.02


def test_alternatives_may_name_their_hyperparameters_alike():
    space = Box({"o": Choice((Box({"lr": Real(0, 1)}), Box({"lr": Real(0, 1), "m": Real(0, 1)})))})
    found = study_importance(study(space, lambda t: t.config["o"]["lr"], 60), space)
    assert set(found.main) == {"o", "o.lr<0>", "o.lr<1>", "o.m"}


def test_values_that_are_not_equally_likely_weigh_as_they_are():
    found = study_importance(
        study(CONDITIONAL, lambda t: float(t.config["rare"] == "u") + t.config["width"] / 8),
        CONDITIONAL,
    )
    low, high = CONDITIONAL.axes[3].domain.edges(np.arange(8))
    widths = np.arange(1, 9) / 8
    variance = (high - low) @ widths**2 - ((high - low) @ widths) ** 2
    assert found.main["rare"] == pytest.approx(0.09 / (0.09 + variance), abs=0.1)
    assert found.main["width"] == pytest.approx(variance / (0.09 + variance), abs=0.1)


def test_failed_trials_count_as_the_worst():
    space = Box({"lr": Real(0, 1), "idle": Real(0, 1)})

    def objective(trial):
        if trial.config["lr"] > 0.5:
            raise ArithmeticError("diverged")
        return 1.0 - 1e-9 * trial.config["idle"]

    found = study_importance(study(space, objective, 100), space)
    assert found.order[0] in ("lr", "idle")
    ended = study(space, lambda t: float("nan") if t.config["lr"] > 0.5 else t.config["lr"], 200)
    assert study_importance(ended, space).main["lr"] > 0.9


def test_only_the_largest_budget_counts():
    space = Box({"lr": Real(0, 1), "idle": Real(0, 1)})
    u = np.random.default_rng(0).random((120, 2))
    trials = [
        Trial(
            number=k,
            config={"lr": lr, "idle": idle},
            seed=0,
            budget=9 if k % 2 else 1,
            state="done",
            value=lr if k % 2 else 100 * idle,
        )
        for k, (lr, idle) in enumerate(u.tolist())
    ]
    assert study_importance(trials, space).main["lr"] > 0.9


def test_curves_are_in_the_units_of_the_space():
    space = Box({"lr": Real(1e-4, 1, log=True), "kind": Choice(("a", "b"))})
    found = study_importance(study(space, lambda t: np.log10(t.config["lr"]).item()), space)
    curve = found.curves["lr"]
    np.testing.assert_allclose(curve.mean, np.log10(curve.values), atol=0.15)
    assert found.curves["kind"].values == ("a", "b")


def test_places_tell_what_counts():
    trial = Trial(number=4, config={"kind": "b", "rare": "v", "width": 1, "idle": 0.5}, seed=0)
    found = places([trial], CONDITIONAL)
    assert found.counts.tolist() == [[True, False, True, True, True]]
    assert [found.values(k) for k in range(4)] == [["b"], [None], ["v"], [1]]
    with pytest.raises(ValueError, match=r"needs an axis of this name, .* got name='y'"):
        found.column("y")
    other = Trial(number=7, config={"kind": "c"}, seed=0)
    with pytest.raises(ValueError, match="Trial 7 is not of this space: 'kind': Choice needs"):
        places([other], CONDITIONAL)


@pytest.mark.parametrize("states", [[], ["failed"] * 9, ["done"] * 3])
def test_too_few_trials_are_refused(states):
    trials = [
        Trial(
            number=k,
            config={"lr": k / 10},
            seed=0,
            state=state,
            value=0.5 if state == "done" else None,
            error="x" if state == "failed" else None,
        )
        for k, state in enumerate(states)
    ]
    with pytest.raises(ValueError, match="study_importance needs four trials"):
        study_importance(trials, Box({"lr": Real(0, 1)}))
