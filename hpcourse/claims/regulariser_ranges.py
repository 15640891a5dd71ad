"""Two claims where the sources disagree: the right ranges of weight decay and of dropout.

The protocol is that of `hpcourse.claims._amounts`, with two hidden layers of 100.

- Weight decay: one source gives 0.0005 and one 0.0005 to 0.001, while a table of the first says 0
  to 0.0001. The upper range must beat the lower one at every amount of data.
- Dropout between dense layers: one source says 0.2 to 0.5, one that nobody uses it. The range must
  beat no dropout at every amount of data.
- What still larger values do is context, at every amount of data.
- A range stands for whoever searches it: of the values within the range the one with the lowest
  validation error is taken, seed by seed, and its test error counts. The ranges of a claim need not
  hold equally many values: that a wider range offers more choice is its merit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from hpcourse.claims._amounts import (
    ERROR,
    SIZES,
    TUNED,
    Setting,
    named,
    plans,
    trained_settings,
)
from hpcourse.claims._regularisers import PAGE
from hpcourse.claims.contrasts import (
    NO_DIFFERENCE,
    Derived,
    chosen,
    derived_outcome,
    difference,
)
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import Study

WEIGHT_DECAYS = (0.0, 1e-4, 5e-4, 1e-3, 1e-2, 3e-2)
DECAY_RANGES = {"low": (0.0, 1e-4), "middle": (5e-4, 1e-3), "high": (1e-2, 3e-2)}

DROPOUTS = (0.0, 0.2, 0.35, 0.5, 0.7)
DROPOUT_RANGES = {"low": (0.0,), "middle": (0.2, 0.35, 0.5), "high": (0.7,)}

PLANS = plans(width=100, steps=700)


def decay_settings() -> dict[str, Setting]:
    """The arms of the claim about weight decay."""
    return {
        named(signals, decay): Setting(signals=signals, weight_decay=decay)
        for signals in SIZES
        for decay in WEIGHT_DECAYS
    }


def dropout_settings() -> dict[str, Setting]:
    """The arms of the claim about dropout."""
    return {
        named(signals, rate): Setting(signals=signals, dropout=rate)
        for signals in SIZES
        for rate in DROPOUTS
    }


def searched(study: Study, outcome: Outcome, arms: Sequence[str]) -> Derived:
    """Test error of the arm with the lowest validation error, seed by seed.

    The caveats are those of all the arms: one that was not chosen may deserve to have been.

    Args:
        study: The trainings.
        outcome: Their test errors.
        arms: Arms to choose among, the first of equals.
    """
    errors = {arm: study.final(arm, TUNED) for arm in arms}
    best = [min(arms, key=lambda arm: errors[arm][i]) for i in range(len(outcome.seeds))]
    return replace(chosen(outcome, best), arms=arms)


def _saved(signals: int) -> str:
    return f"saved with {signals} signals"


def _too_strong(signals: int) -> str:
    return f"lost above the range with {signals} signals"


def _outcome(
    settings: Mapping[str, Setting], ranges: Mapping[str, Sequence[float]], profile: Profile
) -> Outcome:
    """What the middle one of three ranges saves against the low one, and the high one loses."""
    study, outcome = trained_settings(settings, PLANS[profile])
    contrasts = {}
    for signals in SIZES:
        low, middle, high = (
            searched(study, outcome, [named(signals, value) for value in values])
            for values in ranges.values()
        )
        contrasts[_saved(signals)] = difference(low, middle)
        contrasts[_too_strong(signals)] = difference(high, middle)
    return derived_outcome(outcome, contrasts, metric=ERROR)


def _claim(
    claim_id: str,
    statement: str,
    source: str,
    *,
    metric: str,
    experiment: Callable[[Profile], Outcome],
) -> Claim:
    return Claim(
        id=claim_id,
        statement=statement,
        source=source,
        claimed=tuple(_saved(signals) for signals in SIZES),
        reference=NO_DIFFERENCE,
        context=tuple(_too_strong(signals) for signals in SIZES),
        metric=metric,
        unit="percentage points",
        direction="higher",
        smallest_effect=1.0,
        experiment=experiment,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page=PAGE,
    )


CLAIMS = (
    _claim(
        "weight-decay-range",
        "Weight decay of 0.0005 to 0.001 ends better than one of at most 0.0001, whatever the "
        "amount of data.",
        "DL500 14.2.4 and PATTERNS 10.4.1, against DL500 14.2.6",
        metric="test error saved by the upper range",
        experiment=partial(_outcome, decay_settings(), DECAY_RANGES),
    ),
    _claim(
        "dropout-range",
        "Dropout of 0.2 to 0.5 between dense layers ends better than none, whatever the amount "
        "of data.",
        "DL500 14.2.4, against PATTERNS 10.4",
        metric="test error saved by dropout",
        experiment=partial(_outcome, dropout_settings(), DROPOUT_RANGES),
    ),
)
