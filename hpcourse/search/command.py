"""The command ``hpcourse tune``: search for the hyperparameters of an objective."""

import argparse
import difflib
import importlib
import inspect
import shlex
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from hpcourse._check import require, require_count
from hpcourse.search import searchers
from hpcourse.search._yaml import Loader
from hpcourse.search.analysis import study_importance
from hpcourse.search.driver import minimize
from hpcourse.search.searcher import Searcher
from hpcourse.search.space import Box
from hpcourse.search.space_file import read_space
from hpcourse.search.storage import StorageError
from hpcourse.search.study import Study, causes
from hpcourse.search.trial import Batched, Objective

__all__ = ["add_arguments", "named_searchers", "tune"]

INTERRUPTED = 130  # what a shell reports for a command that Ctrl-C ended
SHOWN = 5  # hyperparameters and causes of failure that are listed
JUDGED = 1000  # trials from which the shares of the hyperparameters are computed


def named_searchers() -> dict[str, Callable[..., Searcher]]:
    """Name on the command line to searcher: all exported ones that need nothing but a space.

    Examples:
        >>> "tpe" in named_searchers(), "successive-halving" in named_searchers()
        (True, True)
    """
    exported: dict[str, Any] = {name: getattr(searchers, name) for name in searchers.__all__}
    found = {
        _dashed(name): made
        for name, made in exported.items()
        if isinstance(made, type) and hasattr(made, "ask") and _needs_a_space_alone(made)
    }
    return dict(sorted(found.items()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command to a parser."""
    parser.set_defaults(command=tune)
    add = parser.add_argument
    add("objective", metavar="MODULE:NAME", help="a function of a trial, to be minimised")
    add("--space", type=Path, required=True, metavar="FILE", help="the space, in YAML")
    names = ", ".join(named_searchers())
    add("--searcher", default="auto", metavar="NAME", help=f"{names} (default: auto)")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="settings of the searcher")
    add("--trials", type=int, default=100, metavar="N", help="in all (default: 100)")
    add("--storage", type=Path, metavar="FILE", help="keep the study there, and resume it")
    add("--workers", type=int, default=1, metavar="N", help="calls at a time (default: 1)")
    add("--batch", type=int, metavar="N", help="the objective scores a list of up to N trials")
    add("--seed", type=int, default=0, metavar="N", help="of the search and trials (default: 0)")
    add("--timeout", type=float, metavar="S", help="start no trial after so many seconds")
    add("--trial-timeout", type=float, metavar="S", help="stop a call after so many seconds")


def tune(options: argparse.Namespace) -> int:
    """Run the search and print its report.

    Returns:
        The exit status: 0, 1 if no trial is done, 130 if interrupted.

    Raises:
        ValueError: If the request is bad.
    """
    space = read_space(options.space)
    searcher = _searcher(options, space)
    objective = _objective(options.objective, options.batch)
    try:
        with _interrupts() as interrupts:
            study = minimize(
                objective,
                searcher,
                trials=options.trials,
                workers=options.workers,
                storage=options.storage,
                seed=options.seed,
                timeout=options.timeout,
                trial_timeout=options.trial_timeout,
            )
    except StorageError as error:
        raise ValueError(str(error)) from error
    except KeyboardInterrupt:
        if options.storage is not None:
            raise  # the same command goes on from here
        print("interrupted: nothing is kept without --storage", file=sys.stderr)
        return INTERRUPTED
    _print("\n".join(_report(study, space, options)))
    if interrupts:
        return INTERRUPTED
    return 0 if any(trial.state == "done" for trial in study.trials) else 1


def _print(text: str) -> None:
    """Print, also what the terminal has no letters for."""
    coding = sys.stdout.encoding or "utf-8"
    print(text.encode(coding, "backslashreplace").decode(coding))


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Counts each Ctrl-C, at which `minimize` returns early without a word of it."""
    counted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield counted  # signals reach the main thread alone
        return

    def count(number: int, frame: FrameType | None) -> None:
        counted.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGINT, count)
    try:
        yield counted
    finally:
        signal.signal(signal.SIGINT, before)


def _dashed(name: str) -> str:
    """``SuccessiveHalving`` as ``successive-halving``, ``TPE`` as ``tpe``."""
    inner = (
        f"-{c}" if i and c.isupper() and name[i - 1].islower() else c for i, c in enumerate(name)
    )
    return "".join(inner).lower()


def _needs_a_space_alone(made: Callable[..., object]) -> bool:
    first, *others = inspect.signature(made).parameters.values()
    return first.name == "space" and all(p.default is not p.empty for p in others)


def _searcher(options: argparse.Namespace, space: Box) -> Searcher:
    known = named_searchers()
    name = options.searcher.lower().replace("_", "-")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3) or list(known)
        require(False, f"no such searcher (known: {', '.join(near)})", searcher=options.searcher)
    settings = _settings(options.set)
    try:
        return known[name](space, seed=options.seed, **settings)
    except TypeError as error:
        raise ValueError(f"{name} does not take these settings ({error}), got {settings}") from None


def _settings(words: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words; values as in the YAML of a space."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        require(bool(equals) and name.isidentifier(), "--set needs NAME=VALUE", set=word)
        found[name] = yaml.load(value, Loader)  # a safe loader of ours
    return found


def _objective(text: str, batch: int | None) -> Objective | Batched:
    """The objective that MODULE:NAME stands for, from this folder or an installed package."""
    module, colon, name = text.partition(":")
    require(bool(module and colon and name), "objective needs MODULE:NAME", objective=text)
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.split(".", maxsplit=1)[0] and error.name != module:
            raise
        raise ValueError(
            f"no module {module!r} here or installed, got objective={text!r}"
        ) from None
    objective = getattr(found, name, None)
    if objective is None:
        near = difflib.get_close_matches(name, dir(found), n=3)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise ValueError(f"{module} has no {name!r}{hint}, got objective={text!r}")
    require(callable(objective), "objective needs to be callable", objective=objective)
    if batch is None:
        return objective  # type: ignore[no-any-return]
    require_count("tune", batch=batch)
    return Batched(objective, batch)


def _report(study: Study, space: Box, options: argparse.Namespace) -> list[str]:
    """What the search found, line by line."""
    states = Counter(trial.state for trial in study.trials)
    told = ", ".join(f"{states[state]} {state}" for state in sorted(states))
    lines = [f"trials: {len(study)} ({told})" if told else "trials: 0"]
    if states["done"]:
        best = study.best
        lines += [f"best: {best.value:.6g} (trial {best.number})"]
        lines += [f"  {line}" for line in _yaml(best.config)]
    lines += _failures(study) + _importance(study, space)
    if options.storage is not None:
        lines += ["to resume, or with more trials:", f"  {_again(options)}"]
    return lines


def _yaml(config: Mapping[str, Any]) -> list[str]:
    text = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=1000)
    return text.strip().splitlines()


def _failures(study: Study) -> list[str]:
    """Causes of failed trials, the most frequent first."""
    failed = [trial for trial in study.trials if trial.state == "failed"]
    if not failed:
        return []
    found = causes(failed)
    lines = [f"failures: {len(failed)} of {len(study)}"]
    lines += [f"  {count} x {reason}" for reason, count in found[:SHOWN]]
    hidden = sum(count for _, count in found[SHOWN:])
    return lines + ([f"  {hidden} x other causes"] if hidden else [])


def _importance(study: Study, space: Box) -> list[str]:
    """The hyperparameters of the largest shares; nothing where too little is known."""
    ended = [trial for trial in study.trials if trial.state != "running"]
    step = -(-len(ended) // JUDGED)  # so many are enough, and more take long
    try:
        found = study_importance(ended[::step], space)
    except ValueError:
        return []  # too few trials, or all values equal
    if not found.oob_r2 > 0:
        return []  # the forest knows no more than the mean
    lines = [f"share of the variance, by a forest with out-of-bag R^2 {found.oob_r2:.2f}:"]
    width = max(map(len, found.order[:SHOWN]))
    return lines + [
        f"  {name.ljust(width)}  {found.main[name]:.2f}" for name in found.order[:SHOWN]
    ]


def _again(options: argparse.Namespace) -> str:
    """The command that goes on with this study."""
    words = ["hpcourse", "tune", options.objective, "--space", str(options.space)]
    words += ["--searcher", options.searcher, "--trials", str(options.trials)]
    words += ["--storage", str(options.storage), "--seed", str(options.seed)]
    if options.workers != 1:
        words += ["--workers", str(options.workers)]
    for name in ("batch", "timeout", "trial_timeout"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name.replace('_', '-')}", f"{value}"]
    if options.set:
        words += ["--set", *options.set]
    return shlex.join(words)
