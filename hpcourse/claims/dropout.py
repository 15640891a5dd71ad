"""One claim about recurrent networks: dropout hurts in the memory and helps at input and output.

Protocol, fixed before the seeds reported here were run (sizes and steps were chosen in trials with
other seeds):

- Data: 400 training signals of MNIST-1D, few enough to overfit, read as sequences of 8 steps with
  5 values each; all validation and test signals.
- Network: an LSTM of width 24 that answers from its last hidden state
  (`hpcourse.models.small_lstm`); Adam, batches of 20, 15 epochs (300 steps). The rate of
  dropout is 0.25, inside the source's range, so that no arm has a second knob.
- Arms differ in where they drop out (`PLACES`). The source warns of the memory cell and advises the
  input and output layers. The output alone, and the hidden state where it enters the gates (fresh
  masks, or one mask for all steps), are context.
- Contrasts: test loss added in the memory, and test loss saved at input and output, both against
  no dropout. The claim needs both.
- Smallest effect: 0.05 nats of test loss. From no knowledge to the best arm the loss falls by more
  than one nat; less than a twentieth of that is no reason to move a layer.

The learning rate is tuned for every arm and every final run (`hpcourse.claims.study`), and a
final run that diverges counts as chance level, ln 10 nats, and becomes a caveat.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from torch import nn
from torch.nn.functional import cross_entropy

from hpcourse.claims._compute import repeatable_draws
from hpcourse.claims._regularisers import CHANCE, PAGE, Plan
from hpcourse.claims.contrasts import NO_DIFFERENCE, derived_outcome, difference, trained
from hpcourse.claims.registry import Claim, Outcome, Profile
from hpcourse.claims.study import (
    Make,
    classifier_scores,
    seeds_from,
    study_outcome,
    tuned_study,
)
from hpcourse.claims.tuning import log_grid
from hpcourse.data import TensorDataset, TensorSplit, mnist1d
from hpcourse.models import Place, small_lstm
from hpcourse.training import Member, Population, Run, adam, device

LOSS = "test loss (nats)"
ACCURACY = "test accuracy (%)"
SMALLEST = 0.05  # nats
SIGNALS = 400
SEQUENCE = (8, 5)  # steps, values of a step
RATE = 0.25
BATCH = 20

PLACES: Mapping[str, tuple[Place, ...]] = {
    "none": (),
    "input and output": ("input", "output"),
    "memory": ("memory",),
    "output": ("output",),
    "hidden, fresh masks": ("hidden",),
    "hidden, one mask": ("hidden-once",),
}
ADDED = "added: memory"
SAVED = tuple(place for place in PLACES if place not in ("none", "memory"))

PLANS: dict[Profile, Plan] = {
    "quick": Plan(
        rates=log_grid(0.01, 0.09, 3), tuning_size=1, seeds=seeds_from(3100, 5), steps=80, width=12
    ),
    "full": Plan(
        rates=log_grid(0.005, 0.045, 3),
        tuning_size=1,
        seeds=seeds_from(4000, 20),
        steps=300,
        width=24,
    ),
}


def sequences(data: TensorDataset, signals: int) -> TensorDataset:
    """MNIST-1D as sequences (n, 8, 5), with the first `signals` of the training part alone."""
    train, validation, test = (TensorSplit(x.reshape(len(x), *SEQUENCE), y) for x, y in data)
    return TensorDataset(TensorSplit(*(t[:signals] for t in train)), validation, test)


def _member(place: str, plan: Plan) -> Make:
    def member(rate: float, seed: int) -> Member:
        return Member(
            seed=seed,
            hypers={"lr": rate, "dropout": RATE},
            steps=plan.steps,
            batch_size=BATCH,
            update=adam,
            shape=place,
        )

    return member


def _train(data: TensorDataset, width: int, members: Sequence[Member], _: bool) -> list[Run]:
    def build(place: str, seed: int) -> nn.Module:
        return small_lstm(SEQUENCE[1], hidden=width, dropout=PLACES[place], seed=seed)

    population = Population(build, members)
    return population.train(data.train, cross_entropy, classifier_scores(data))


def _outcome(profile: Profile) -> Outcome:
    plan = PLANS[profile]
    data = sequences(mnist1d().tensors(device()), SIGNALS)
    arms = {place: _member(place, plan) for place in PLACES}
    with repeatable_draws():
        study = tuned_study(arms, plan, partial(_train, data, plan.width))
    outcome = study_outcome(
        study,
        tuple(arms),
        metric=LOSS,
        worst=CHANCE,
        settings={
            "data": f"mnist1d, {SIGNALS} signals",
            "sequence": SEQUENCE,
            "width": plan.width,
            "dropout": RATE,
            "batch_size": BATCH,
            "steps": plan.steps,
        },
        measures=[ACCURACY],
        packages=("mnist1d",),
    )
    losses = {place: trained(outcome, place) for place in PLACES}
    added = {ADDED: difference(losses["memory"], losses["none"])}
    saved = {f"saved: {p}": difference(losses["none"], losses[p]) for p in SAVED}
    return derived_outcome(outcome, added | saved, metric=LOSS)


CLAIMS = (
    Claim(
        id="rnn-dropout-placement",
        statement="Dropout inside the memory cell of a recurrent network hurts; at its input and "
        "output layers it helps.",
        source="DL500 14.2.4",
        claimed=(ADDED, "saved: input and output"),
        reference=NO_DIFFERENCE,
        context=tuple(f"saved: {place}" for place in SAVED if place != "input and output"),
        metric="test cross-entropy against no dropout",
        unit="nats",
        direction="higher",
        smallest_effect=SMALLEST,
        experiment=_outcome,
        seeds={profile: plan.seeds for profile, plan in PLANS.items()},
        page=PAGE,
    ),
)
