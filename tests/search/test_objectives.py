"""Whatever an objective does, its trial ends, its study stays true, and the search goes on."""

import asyncio
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
from programs import SPACE, ended, plain

from hpcourse.search import Batched, Memory, Pruned, Random, Session, Trial, minimize
from hpcourse.search.study import LONGEST, Study, cause, causes

CUDA = "CUDA error: out of memory\nKernel errors may be reported late.\nCompile with `DSA`."


def run(objective, trials=3, **options):
    return minimize(objective, Random(SPACE), trials=trials, progress=False, **options)


def only(objective):
    return run(objective, 1).trials[0]


def raising(error):
    def objective(trial):
        raise error

    return objective


# Configurations


def greedy(trial):
    """As code does that takes out what it needs and puts in what it makes."""
    trial.config["act"] = torch.relu
    return trial.config.pop("x")


def greedy_many(trials):
    return [greedy(trial) for trial in trials]


@pytest.mark.parametrize("objective", [greedy, Batched(greedy_many, 2)], ids=["one", "batched"])
@pytest.mark.parametrize("workers", [1, 2])
def test_an_objective_may_change_its_configuration(objective, workers):
    journal = Memory()
    study = run(objective, 4, workers=workers, storage=journal)
    assert [t.state for t in study.trials] == ["done"] * 4
    assert study.values.tolist() == [t.config["x"] for t in study.trials]
    assert set(study.best.config) == {"x", "lr", "kind"}
    again = run(objective, 4, storage=journal)
    assert plain(again) == plain(study)


def test_a_configuration_that_was_changed_by_hand_is_stored_as_it_was_asked():
    session = Session(Random(SPACE))
    trial = session.ask()
    x = trial.config.pop("x")
    trial.config["model"] = object()
    told = session.tell(trial, 0.5)
    assert told == session.study.trials[0]
    assert told.config["x"] == x
    assert "model" not in told.config


# Values


@pytest.mark.parametrize(
    ("returned", "value"),
    [
        (Fraction(1, 4), 0.25),
        (Decimal("0.5"), 0.5),
        (torch.tensor(0.25, requires_grad=True), 0.25),
        (torch.tensor([2]), 2.0),
    ],
)
def test_what_converts_to_one_number_is_a_value(returned, value):
    assert only(lambda _: returned).value == value
    assert run(Batched(lambda trials: [returned], 1), 1).best.value == value


class Mute:
    def __repr__(self):
        raise RuntimeError("no words")


class Refuses:
    def __float__(self):
        raise AttributeError("no number")


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        (10**400, "The objective returned inf"),
        (Mute(), "of type Mute"),
        (Refuses(), "of type Refuses"),
        (np.bool_(True), "of type bool"),
        (list(range(10**5)), "got [0, 1, 2, 3, 4, 5, ...] of type list"),
        ("x" * 10**6, "of type str"),
    ],
)
def test_what_is_no_value_is_told_in_a_line(returned, told):
    trial = only(lambda _: returned)
    assert trial.state == "failed"
    assert told in trial.error
    assert len(trial.error) < 250
    assert "\n" not in trial.error


def test_one_of_a_batch_that_has_no_value_fails_alone():
    study = run(Batched(lambda trials: [0.5, None, "0.1", True][: len(trials)], 4), 4)
    assert [t.state for t in study.trials] == ["done", "failed", "failed", "failed"]
    assert "got None of type NoneType" in study.trials[1].error


def test_pruning_takes_every_number():
    for value in (np.float32(0.25), torch.tensor(0.25), Fraction(1, 4)):
        trial = only(raising(Pruned(value)))
        assert (trial.state, trial.value) == ("pruned", 0.25)
    with pytest.raises(ValueError, match="Pruned needs a finite value or None, got value='x'"):
        Pruned("x")


# Exceptions


class SpeechlessError(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class UnsendableError(Exception):
    def __init__(self, one, other):
        super().__init__(one)
        self.made = lambda: other


class Exits(BaseException):
    """Some libraries end a function so, and not the process."""


GROUP = ExceptionGroup("two at once", [ValueError("a"), KeyError("lr")])


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError(), "ValueError"),
        (ValueError("so\n\nlong"), "ValueError: so"),
        (RuntimeError(CUDA), "RuntimeError: CUDA error: out of memory"),
        (ValueError("bad \udcff name"), "ValueError: bad \udcff name"),
        (SpeechlessError(), "test_objectives.SpeechlessError: <exception str() failed>"),
        (UnsendableError(1, 2), "test_objectives.UnsendableError: 1"),
        (Exits("now"), "test_objectives.Exits: now"),
        (asyncio.CancelledError(), "asyncio.exceptions.CancelledError"),
        (GeneratorExit("x"), "GeneratorExit: x"),
        (SystemExit(3), "SystemExit: 3"),
        (GROUP, "KeyError: 'lr'"),
        (ValueError("x" * 10**6), f"ValueError: {'x' * (LONGEST - 15)}..."),
    ],
    ids=lambda given: type(given).__name__,
)
def test_every_exception_is_a_failure_whose_cause_is_one_line(error, reason):
    study = run(raising(error))
    assert [t.state for t in study.trials] == ["failed"] * 3
    assert cause(study.trials[0]).endswith(reason)
    assert len(study.trials[0].error) < 10_000
    with pytest.raises(ValueError, match="3 of 3 ended with") as told:
        _ = study.best
    assert len(str(told.value)) < 300


def test_exceptions_of_workers_need_not_travel():
    study = run(raising(UnsendableError(1, 2)), 2, workers=2)
    assert ended(study) == 2
    assert {t.state for t in study.trials} == {"failed"}


def failed(error):
    return Trial(number=0, config={}, seed=0, state="failed", error=error)


def test_causes_that_differ_in_numbers_count_as_one():
    errors = [f"ValueError: no width {width} here" for width in (3, 0.25, 1e-7)]
    errors += ["KeyError: 'lr'", "KeyError: 'lr'", " \n "]
    assert causes(map(failed, errors)) == [
        ("ValueError: no width 3 here (with other numbers too)", 3),
        ("KeyError: 'lr'", 2),
        ("no reason given", 1),
    ]
    study = Study(tuple(map(failed, errors)))
    with pytest.raises(ValueError, match="3 of 6 ended with ValueError: no width 3 here"):
        _ = study.best
