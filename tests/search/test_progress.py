"""What a search writes while it runs, with and without somebody who watches."""

import sys
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from hpcourse.search import Box, Random, Real, driver, minimize

LINE = Box({"x": Real(0.0, 1.0)})


def search(objective, trials, **options):
    return minimize(objective, Random(LINE), trials=trials, **options)


def failing_first(count):
    def objective(trial):
        if trial.number < count:
            raise ValueError(f"no such width {trial.config['x']}")
        return float(trial.number)

    return objective


@pytest.mark.parametrize(("trials", "first"), [(12, 10), (3, 3), (1, 1)])
def test_the_reason_is_shown_though_each_trial_words_it_otherwise(capsys, trials, first):
    search(failing_first(trials), trials)
    told = f"All of the first {first} trials failed: ValueError: no such width 0.6369616873214543"
    assert told in capsys.readouterr().err


def test_the_most_frequent_of_several_reasons_is_shown(capsys):
    def objective(trial):
        raise (KeyError("lr") if trial.number % 3 else ArithmeticError("diverged"))

    search(objective, 10)
    told = "All of the first 10 trials failed, 6 of them with: KeyError: 'lr'"
    assert told in capsys.readouterr().err


def test_nothing_is_said_when_one_trial_did_not_fail(capsys):
    search(failing_first(9), 12)
    search(failing_first(0), 3)
    assert capsys.readouterr().err == ""


def test_a_bar_counts_failures(capsys, monkeypatch):
    monkeypatch.setattr(driver, "_watched", lambda: True)
    search(failing_first(2), 5)
    shown = capsys.readouterr().err
    assert "5/5" in shown
    assert "best=2, failed=2" in shown


def test_without_a_terminal_there_is_a_line_at_times(capsys, monkeypatch):
    search(failing_first(1), 4)
    assert capsys.readouterr().err == ""  # a search that is soon over is silent
    monkeypatch.setattr(driver, "QUIET", 0.0)
    search(failing_first(1), 4)
    assert capsys.readouterr().err.splitlines() == [
        "Running: 1 of 4 trials have ended, failed 1",
        "Running: 2 of 4 trials have ended, best 1, failed 1",
        "Running: 3 of 4 trials have ended, best 1, failed 1",
        "Running: 4 of 4 trials have ended, best 1, failed 1",
    ]
    search(failing_first(1), 4, progress=False)
    assert capsys.readouterr().err == ""


def test_an_interrupt_is_told(capsys):
    def objective(trial):
        if trial.number == 2:
            raise KeyboardInterrupt
        return 0.5

    assert len(search(objective, 7)) == 3
    assert "Interrupted: 2 of 7 trials have ended, best 0.5" in capsys.readouterr().err
    search(objective, 7, progress=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("shell", "shown"),
    [(SimpleNamespace(kernel=1), True), (SimpleNamespace(), False), (None, False)],
)
def test_a_bar_is_for_notebooks_not_for_programs_that_import_ipython(
    capsys, monkeypatch, shell, shown
):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(driver, "tqdm", tqdm)
    search(failing_first(0), 3)
    assert ("3/3" in capsys.readouterr().err) == shown
