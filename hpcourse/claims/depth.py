"""One claim about depth: it adds capacity, and whether it helps depends on the amount of data.

The protocol is that of `hpcourse.claims._amounts`, with hidden layers of 64, on the least and the
most data. It takes 2,000 steps, enough for three layers to fit the data: in trials with 700 steps
deep networks were behind only because they had not finished. One hidden layer and three are
compared, by two contrasts. Capacity is the error on the training signals after fitting labels at
random (1,600 signals, whose labels are permuted once, and whose learning rate is tuned by just that
error): depth must lower it. That depth helps depending on the data is a difference of differences:
what depth saves in test error with 3,200 signals, less what it saves with 200. Two layers are kept
beside them.
"""

from hpcourse.claims._amounts import (
    ERROR,
    LARGE,
    SMALL,
    Setting,
    named,
    plans,
    trained_settings,
)
from hpcourse.claims._regularisers import PAGE
from hpcourse.claims.contrasts import NO_DIFFERENCE, derived_outcome, difference, trained
from hpcourse.claims.registry import Claim, Outcome, Profile

AMOUNTS = (SMALL, LARGE)
DEPTHS = (1, 2, 3)
SHALLOW, DEEP = 1, 3
RANDOM_LABELS = 1600
FITTED, GROWS = "random labels fitted", "gain grows with the data"

PLANS = plans(width=64, steps=2000)


def settings() -> dict[str, Setting]:
    """The arms: every depth on every amount of data, and on random labels."""
    true = {
        named(signals, depth): Setting(signals=signals, depth=depth)
        for signals in AMOUNTS
        for depth in DEPTHS
    }
    permuted = {
        f"random labels, {depth}": Setting(signals=RANDOM_LABELS, depth=depth, random_labels=True)
        for depth in DEPTHS
    }
    return true | permuted


def _outcome(profile: Profile) -> Outcome:
    _, outcome = trained_settings(settings(), PLANS[profile])
    gains = {
        signals: difference(
            trained(outcome, named(signals, SHALLOW)), trained(outcome, named(signals, DEEP))
        )
        for signals in AMOUNTS
    }
    fits = [trained(outcome, f"random labels, {depth}") for depth in (SHALLOW, DEEP)]
    contrasts = {
        FITTED: difference(*fits),
        GROWS: difference(gains[LARGE], gains[SMALL]),
        **{f"gain with {signals} signals": gain for signals, gain in gains.items()},
    }
    return derived_outcome(outcome, contrasts, metric=ERROR)


CLAIMS = (
    Claim(
        id="depth-effective-capacity",
        statement="More layers add capacity, and whether they help depends on the amount of data.",
        source="DL500 14.2.4",
        claimed=(FITTED, GROWS),
        reference=NO_DIFFERENCE,
        context=tuple(f"gain with {signals} signals" for signals in AMOUNTS),
        metric="error saved by two more layers",
        unit="percentage points",
        direction="higher",
        smallest_effect=1.0,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page=PAGE,
    ),
)
