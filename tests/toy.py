"""A claim that is measured at once and notes each time: for the tests of what handles claims."""

from hpcourse.claims import Claim, Outcome

CALLS: list[str] = []


def experiment(profile):
    CALLS.append(profile)
    return Outcome(
        seeds=(1, 2, 3),
        arms={"new": [3.0, 3.5, 4.1], "old": [1.0, 1.4, 2.0]},
        device="cpu",
        seconds=0.1,
    )


TOY = Claim(
    id="new-beats-old",
    statement="New is better than old.",
    source="a test",
    claimed=("new",),
    reference="old",
    metric="score",
    unit="points",
    direction="higher",
    smallest_effect=1.0,
    experiment=experiment,
    seeds={"quick": (1, 2, 3), "full": (1, 2, 3)},
    page="part/page",
)
