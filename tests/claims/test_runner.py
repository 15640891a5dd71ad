"""Profiles, and where evidence is found and put, on an experiment that costs nothing."""

from pathlib import Path

import pytest
from toy import CALLS, TOY, experiment

from hpcourse.claims import (
    evidence_folder,
    judge,
    learning_rate,
    load,
    profile,
    results_folder,
    run,
    runner,
)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setattr(learning_rate, "CLAIMS", (TOY,))
    CALLS.clear()


def test_run_is_the_experiment_judged():
    evidence = run("new-beats-old", "full")
    assert CALLS == ["full"]
    assert evidence == judge(TOY, "full", experiment("full"))
    assert {"python", "hpcourse", "numpy", "scipy", "torch"} == set(evidence.versions)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("new-beats-older",), "did you mean new-beats-old"),
        (("new-beats-old", "fast"), "profile='fast'"),
    ],
)
def test_bad_requests_are_refused_before_any_work(arguments, message):
    with pytest.raises(ValueError, match=message):
        run(*arguments)
    assert CALLS == []


@pytest.mark.parametrize(("value", "expected"), [(None, "quick"), ("", "quick"), ("full", "full")])
def test_profile_follows_the_environment(monkeypatch, value, expected):
    monkeypatch.delenv("HPCOURSE_PROFILE", raising=False)
    if value is not None:
        monkeypatch.setenv("HPCOURSE_PROFILE", value)
    assert profile() == expected


def test_unknown_profile_in_the_environment(monkeypatch):
    monkeypatch.setenv("HPCOURSE_PROFILE", "slow")
    with pytest.raises(ValueError, match="HPCOURSE_PROFILE='slow'"):
        profile()


def test_load_reads_what_was_written(tmp_path):
    evidence = run("new-beats-old")
    evidence.write(tmp_path)
    assert load("new-beats-old", tmp_path) == evidence
    with pytest.raises(FileNotFoundError, match="saddle-escape"):
        load("saddle-escape", tmp_path)
    with pytest.raises(ValueError, match="no such claim"):
        load("../new-beats-old", tmp_path)


def test_load_finds_the_repository_around_the_working_directory(tmp_path, monkeypatch):
    chapter = tmp_path / "book" / "training"
    chapter.mkdir(parents=True)
    evidence = run("new-beats-old")
    evidence.write(tmp_path / "book" / "evidence")
    monkeypatch.chdir(chapter)
    assert evidence_folder() == tmp_path / "book" / "evidence"
    assert load("new-beats-old") == evidence


def test_evidence_of_an_installed_package_is_found_and_none_is_an_error(tmp_path, monkeypatch):
    module = tmp_path / "site" / "hpcourse" / "claims" / "runner.py"
    monkeypatch.setattr(runner, "__file__", str(module))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="pass the folder"):
        evidence_folder()
    stored = module.parent / "stored"
    stored.mkdir(parents=True)
    assert evidence_folder() == stored


def test_full_results_go_to_the_book_and_quick_ones_beside_it(tmp_path, monkeypatch):
    stored = tmp_path / "book" / "evidence"
    stored.mkdir(parents=True)
    (stored.parent / "training").mkdir()
    monkeypatch.chdir(stored.parent / "training")
    assert results_folder("full") == stored
    assert results_folder("quick") == tmp_path / "book" / "_build" / "evidence"


def test_results_outside_a_repository_stay_out_of_the_installed_package(tmp_path, monkeypatch):
    module = tmp_path / "site" / "hpcourse" / "claims" / "runner.py"
    (module.parent / "stored").mkdir(parents=True)
    monkeypatch.setattr(runner, "__file__", str(module))
    monkeypatch.chdir(tmp_path)
    assert results_folder("full") == Path("evidence/full")
    assert results_folder("quick") == Path("evidence/quick")
