"""``hpcourse tune``: end to end, in this process and as one of its own."""

import re
import shlex
import signal
import subprocess
import sys
import time
from io import BytesIO, TextIOWrapper

import pytest

from hpcourse.cli import main
from hpcourse.search import Box, Random, Real, Study, command, load_study, minimize, read_space
from hpcourse.search.command import named_searchers

OBJECTIVE = """
import time
from pathlib import Path

def loss(trial):
    with Path("calls.txt").open("a") as calls:
        calls.write(f"{trial.number}\\n")
    x = trial.config["x"]
    if x > 0.8:
        raise ArithmeticError("too large")
    return (x - 0.3) ** 2 + (0.1 * trial.config.get("momentum", 0.5))

def slow(trial):
    time.sleep(0.1)
    return loss(trial)

def hangs(trial):
    time.sleep(60)

def broken(trial):
    raise KeyError("data")

def together(trials):
    with Path("batches.txt").open("a") as batches:
        batches.write(f"{len(trials)}\\n")
    return [trial.config["x"] for trial in trials]

def many(trial):
    raise ValueError(f"CUDA error: no room for {trial.config['x']}\\nCompile with `DSA`.")

def named(trial):
    return trial.config["学习率"]

number = 3
"""
SPACE = """
x: {real: [0, 1]}
optimizer: {choice: [sgd, adam]}
momentum: {real: [0, 0.99], when: {optimizer: sgd}}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "tuned.py").write_text(OBJECTIVE)
    (tmp_path / "space.yaml").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("tuned", None)


def tune(*words, objective="tuned:loss", space="space.yaml"):
    return main(["tune", objective, "--space", space, *map(str, words)])


def numbers(text):
    return [int(word) for word in text.split()]


def test_the_report_tells_what_was_found(folder, capsys):
    assert tune("--trials", 40, "--searcher", "random", "--storage", "study.db", "--seed", 3) == 0
    out = capsys.readouterr().out
    study = load_study("study.db")
    best = study.best
    failed = sum(trial.state == "failed" for trial in study.trials)
    assert failed > 0
    assert f"trials: 40 ({40 - failed} done, {failed} failed)" in out
    assert f"best: {best.value:.6g} (trial {best.number})" in out
    assert f"  x: {best.config['x']}\n" in out
    assert f"failures: {failed} of 40\n  {failed} x ArithmeticError: too large\n" in out
    shares = re.findall(r"^  (x|optimizer|momentum) +(\d\.\d\d)$", out, re.M)
    assert shares[0][0] == "x"
    assert len(shares) == 3
    same = minimize(
        sys.modules["tuned"].loss,
        Random(read_space("space.yaml"), seed=3),
        trials=40,
        seed=3,
        progress=False,
    )
    assert [t.config for t in same.trials] == [t.config for t in study.trials]
    assert [t.seed for t in same.trials] == [t.seed for t in study.trials]


def test_the_printed_command_goes_on_with_the_study(folder, capsys):
    assert (
        tune("--trials", 12, "--storage", "my study.db", "--searcher", "TPE", "--set", "starts=3")
        == 0
    )
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert words[:2] == ["hpcourse", "tune"]
    words[words.index("--trials") + 1] = "15"
    assert main(words[1:]) == 0
    assert numbers((folder / "calls.txt").read_text()) == list(range(15))


def test_an_interrupted_search_resumes_and_equals_one_that_was_not(folder):
    words = ["tuned:slow", "--space", "space.yaml", "--trials", "30", "--workers", "2"]
    command = [sys.executable, "-m", "hpcourse", "tune", *words, "--storage", "study.db"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    calls = folder / "calls.txt"
    while not calls.exists() or len(numbers(calls.read_text())) < 6:
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)
    out, _ = started.communicate(timeout=60)
    assert started.returncode == 130
    assert "to resume, or with more trials:\n  hpcourse tune tuned:slow" in out
    before = load_study("study.db")
    running = {trial.number for trial in before.trials if trial.state == "running"}
    assert len(before) < 30
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "trials: 30 (" in again.stdout
    twice = {n for n in numbers(calls.read_text()) if numbers(calls.read_text()).count(n) > 1}
    assert twice <= running
    assert tune(*words[1:], "--storage", "other.db", objective="tuned:loss") == 0
    resumed, whole = load_study("study.db").trials, load_study("other.db").trials
    assert [(t.config, t.value) for t in resumed] == [(t.config, t.value) for t in whole]


def test_the_printed_command_repeats_every_number_exactly(folder, capsys):
    words = ("--batch", 1234567, "--timeout", 123456.75, "--trial-timeout", 0.1)
    assert tune("--trials", 2, "--storage", "study.db", *words, objective="tuned:together") == 0
    again = capsys.readouterr().out.splitlines()[-1]
    assert "--batch 1234567 --timeout 123456.75 --trial-timeout 0.1" in again


def test_causes_that_differ_in_numbers_are_one_line(folder, capsys):
    assert tune("--trials", 12, "--searcher", "random", objective="tuned:many") == 1
    printed = capsys.readouterr()
    reason = r"ValueError: CUDA error: no room for 0\.\d+ \(with other numbers too\)"
    assert re.search(f"failures: 12 of 12\n  12 x {reason}\n", printed.out)
    assert re.search(f"All of the first 10 trials failed: {reason}\n", printed.err)


def test_a_report_keeps_letters_of_all_languages(folder, capsys, monkeypatch):
    (folder / "space.yaml").write_text("学习率: {real: [0, 1]}\nart: {choice: [grün]}\n")
    assert tune("--trials", 3, objective="tuned:named") == 0
    assert re.search("  学习率: 0\\.\\d+\n  art: grün\n", capsys.readouterr().out)
    narrow = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert tune("--trials", 3, objective="tuned:named") == 0
    narrow.flush()
    assert b"  art: gr\\xfcn\n" in narrow.buffer.getvalue()


def test_shares_that_a_forest_does_not_know_are_not_told(folder, capsys):
    assert tune("--trials", 5, "--searcher", "random") == 0
    assert "share of the variance" not in capsys.readouterr().out


def test_the_shares_of_very_many_trials_take_a_moment(monkeypatch):
    monkeypatch.setattr(command, "JUDGED", 50)
    space = Box({f"x{k}": Real(0.0, 1.0) for k in range(3)})
    many = minimize(lambda t: t.config["x0"], Random(space), trials=200, progress=False)
    few = Study(many.trials[::4])
    assert command._importance(many, space) == command._importance(few, space)
    assert command._importance(few, space)[1].startswith("  x0  ")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing is kept without --storage"),
        (("--storage", "s.db"), "the same command goes on"),
    ],
)
def test_an_interrupt_says_whether_anything_is_kept(folder, capsys, monkeypatch, words, told):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "minimize", interrupted)
    assert tune("--trials", 3, *words) == 130
    assert capsys.readouterr().err.startswith(f"interrupted: {told}")


def test_a_batch_is_one_call(folder):
    assert tune("--trials", 10, "--batch", 4, objective="tuned:together") == 0
    assert numbers((folder / "batches.txt").read_text()) == [4, 4, 2]


def test_a_call_that_hangs_is_stopped_and_counted(folder, capsys):
    words = ("--trials", 1, "--trial-timeout", 0.3)
    assert tune(*words, objective="tuned:hangs") == 1
    assert re.search(r"failures: 1 of 1\n  1 x .*0\.3", capsys.readouterr().out)


def test_no_trial_is_started_after_the_timeout(folder, capsys):
    assert tune("--trials", 10_000, "--timeout", 0.5, objective="tuned:slow") == 0
    assert int(re.search(r"trials: (\d+)", capsys.readouterr().out)[1]) < 10


def test_a_search_without_a_done_trial_is_a_failure(folder, capsys):
    assert tune("--trials", 4, objective="tuned:broken") == 1
    out = capsys.readouterr().out
    assert "trials: 4 (4 failed)" in out
    assert "4 x KeyError: 'data'" in out
    assert "best" not in out


@pytest.mark.parametrize("name", named_searchers())
def test_every_searcher_has_a_name(name):
    made = named_searchers()[name]
    assert name == name.lower()
    assert re.sub("[^a-z]", "", name) == made.__name__.lower()


def test_searchers_that_need_more_than_a_space_have_none():
    assert {"random", "tpe", "gp", "hyperband", "quasi-random"} <= set(named_searchers())
    assert "median-rule" not in named_searchers()


@pytest.mark.parametrize(
    ("words", "given", "message"),
    [
        (
            [],
            {"objective": "tuned.loss"},
            "objective needs MODULE:NAME, got objective=",
        ),
        ([], {"objective": "tune:loss"}, "no module 'tune' here or installed"),
        ([], {"objective": "tuned:los"}, "tuned has no 'los' (did you mean loss"),
        ([], {"objective": "tuned:number"}, "objective needs to be callable, got objective=3"),
        ([], {"space": "none.yaml"}, "none.yaml"),
        ([], {"space": "."}, "Is a directory: '.'"),
        (["--searcher", "hyperbands"], {}, "no such searcher (known: hyperband"),
        (["--set", "starts"], {}, "--set needs NAME=VALUE, got set='starts'"),
        (["--searcher", "tpe", "--set", "start=3"], {}, "tpe does not take these settings"),
        (
            ["--searcher", "tpe", "--set", "starts=0"],
            {},
            "TPE needs an integer starts >= 1, got starts=0",
        ),
        (["--trials", "0"], {}, "minimize needs an integer trials >= 1, got trials=0"),
        (["--workers", "0"], {}, "got workers=0"),
        (["--batch", "0"], {}, "got batch=0"),
        (["--storage", "tuned.py"], {}, "tuned.py"),
        (["--storage", "/proc/study.db"], {}, "/proc/study.db cannot be opened"),
    ],
)
def test_bad_requests_are_one_line_and_a_status(folder, capsys, words, given, message):
    assert tune(*words, **given) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""


def test_a_study_of_another_search_is_not_overwritten(folder, capsys):
    assert tune("--trials", 3, "--storage", "study.db") == 0
    capsys.readouterr()
    assert tune("--trials", 3, "--storage", "study.db", "--searcher", "random") == 2
    assert "of another search" in capsys.readouterr().err
    assert len(load_study("study.db")) == 3
