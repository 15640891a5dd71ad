"""The command line on an experiment that costs nothing."""

import importlib
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from toy import CALLS, TOY

from hpcourse import cli
from hpcourse.claims import describe, learning_rate, load, read_ledger, saddle
from hpcourse.cli import main


def broken(profile):
    raise ArithmeticError("no result")


def interrupted(profile):
    raise KeyboardInterrupt


SECOND = replace(TOY, id="new-beats-old-again")


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr("hpcourse.claims.registry.MODULES", ("saddle", "learning_rate"))
    monkeypatch.setattr(saddle, "CLAIMS", (TOY,))
    monkeypatch.setattr(learning_rate, "CLAIMS", (SECOND,))
    monkeypatch.delenv("HPCOURSE_PROFILE", raising=False)
    CALLS.clear()


@pytest.fixture
def folder(tmp_path):
    return ["--folder", str(tmp_path)]


def test_run_measures_all_claims_and_says_so_line_by_line(tmp_path, folder, capsys):
    assert main(["claims", "run", "--profile", "full", *folder]) == 0
    assert CALLS == ["full", "full"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"[1/2] {load('new-beats-old', tmp_path).summary()} (")
    assert lines[1].startswith("[2/2] new-beats-old-again: ")
    assert lines[2] == f"evidence in {tmp_path}"


def test_run_keeps_what_is_current_unless_told_otherwise(folder, capsys):
    one = ["claims", "run", "--only", "new-beats-old", *folder]
    assert main(one) == 0
    assert main(one) == 0
    assert CALLS == ["quick"]
    assert capsys.readouterr().out.splitlines()[2].endswith("(kept)")
    assert main([*one, "--again"]) == 0
    assert CALLS == ["quick", "quick"]
    assert main([*one, "--profile", "full"]) == 0
    assert CALLS == ["quick", "quick", "full"]


def test_an_interrupted_run_goes_on_where_it_stopped(folder, monkeypatch, capsys):
    monkeypatch.setattr(learning_rate, "CLAIMS", (replace(SECOND, experiment=interrupted),))
    assert main(["claims", "run", *folder]) == 130
    assert "the same command goes on" in capsys.readouterr().err
    monkeypatch.setattr(learning_rate, "CLAIMS", (SECOND,))
    assert main(["claims", "run", *folder]) == 0
    assert len(CALLS) == 2  # once for each claim


def test_one_failure_does_not_stop_the_others_but_is_the_status(folder, monkeypatch, capsys):
    monkeypatch.setattr(saddle, "CLAIMS", (replace(TOY, experiment=broken),))
    assert main(["claims", "run", *folder]) == 1
    assert CALLS == ["quick"]
    printed = capsys.readouterr()
    assert "[1/2] new-beats-old: failed" in printed.out
    assert "ArithmeticError: no result" in printed.err
    assert printed.err.splitlines()[-1] == "error: not measured: new-beats-old"


def test_where_somebody_watches_the_claim_is_named_beforehand(folder, monkeypatch, capsys):
    main(["claims", "run", *folder])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    main(["claims", "run", *folder])
    assert capsys.readouterr().err.splitlines()[0] == "[1/2] new-beats-old ..."


def test_jobs_measure_in_processes(folder, monkeypatch):
    asked = []

    def pretend(ids, profile, **options):
        asked.append((list(ids), profile, options["jobs"], options["again"]))
        return iter(())

    monkeypatch.setattr(cli, "measure_in_processes", pretend)
    assert main(["claims", "run", "--jobs", "3", "--again", *folder]) == 0
    assert asked == [(["new-beats-old", "new-beats-old-again"], "quick", 3, True)]


def test_the_profile_comes_from_the_environment(folder, monkeypatch):
    monkeypatch.setenv("HPCOURSE_PROFILE", "full")
    assert main(["claims", "run", "--only", "new-beats-old", *folder]) == 0
    assert CALLS == ["full"]


def test_quick_results_never_replace_the_books_full_ones(tmp_path, monkeypatch, capsys):
    stored = tmp_path / "book" / "evidence"
    stored.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    for profile in ("full", "quick"):
        assert main(["claims", "run", "--profile", profile, "--only", "new-beats-old"]) == 0
    assert load("new-beats-old", stored).profile == "full"
    assert load("new-beats-old", tmp_path / "book/_build/evidence").profile == "quick"


def test_list_has_one_line_a_claim(folder, capsys):
    main(["claims", "run", "--only", "new-beats-old", *folder])
    capsys.readouterr()
    assert main(["claims", "list", *folder]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert " ".join(first.split()) == "new-beats-old holds quick part/page a test"
    assert " ".join(second.split()) == "new-beats-old-again not yet measured part/page a test"
    assert main(["claims", "list", "--only", "new-beats-old", *folder]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_show_describes_the_rows_of_the_ledger(tmp_path, folder, capsys):
    main(["claims", "run", *folder])
    capsys.readouterr()
    assert main(["claims", "show", *folder]) == 0
    rows = read_ledger(tmp_path)
    assert capsys.readouterr().out == f"{describe(rows[0])}\n\n{describe(rows[1])}\n"
    assert main(["claims", "show", "--only", "new-beats-old-again", *folder]) == 0
    assert capsys.readouterr().out == f"{describe(rows[1])}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "--only", "newer"], "no such claim"),
        (["show", "--only", "newer"], "no such claim"),
        (["run", "--only", "new-beats-older"], "did you mean new-beats-old"),
        (["run", "--profile", "fast"], "profile='fast'"),
        (["run", "--jobs", "0"], "jobs=0"),
    ],
)
def test_bad_requests_are_one_line_and_a_status(folder, capsys, arguments, message):
    assert main(["claims", *arguments, *folder]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert CALLS == []


@pytest.mark.parametrize("arguments", [[], ["claims"]])
def test_a_command_is_needed(arguments, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert "required" in capsys.readouterr().err


def test_the_package_is_a_command():
    command = [sys.executable, "-m", "hpcourse", "claims", "list", "--only", "saddle-escape"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert listed.startswith("saddle-escape  ")


def test_the_installed_script_is_this_command_line():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    module, _, name = project["scripts"]["hpcourse"].partition(":")
    assert getattr(importlib.import_module(module), name) is main
