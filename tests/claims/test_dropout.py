"""The claim about recurrent networks at a tiny budget: the real data, network and code paths."""

import pytest
import torch

from hpcourse.claims import dropout, judge
from hpcourse.claims._regularisers import Plan
from hpcourse.claims.dropout import ADDED, CLAIMS, PLACES, PLANS, SAVED, SEQUENCE, sequences
from hpcourse.data import mnist1d

TINY = Plan(rates=(0.003, 0.01, 0.03), tuning_size=1, seeds=(0, 1), steps=4, width=3)
(CLAIM,) = CLAIMS


@pytest.fixture(scope="module")
def evidence():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PLANS, "quick", TINY)
        patch.setattr(dropout, "SEQUENCE", (2, 20))  # fewer steps to unroll
        return judge(CLAIM, "quick", CLAIM.experiment("quick"))


def test_contrasts_are_against_no_dropout(evidence):
    losses = evidence.measures["test loss (nats)"]
    assert set(losses) == set(PLACES)
    added = [m - n for m, n in zip(losses["memory"], losses["none"], strict=True)]
    assert evidence.arms[ADDED] == pytest.approx(added, abs=1e-5)
    for place in SAVED:
        saved = [n - p for n, p in zip(losses["none"], losses[place], strict=True)]
        assert evidence.arms[f"saved: {place}"] == pytest.approx(saved, abs=1e-5)


def test_sequences_are_the_signals_cut_into_steps():
    data = mnist1d().tensors()
    cut = sequences(data, 50)
    assert cut.train.x.shape == (50, *SEQUENCE)
    assert cut.test.x.shape == (len(data.test.x), *SEQUENCE)
    assert torch.equal(cut.train.x[3].flatten(), data.train.x[3])
    assert torch.equal(cut.train.y, data.train.y[:50])
    assert torch.equal(cut.validation.y, data.validation.y)
