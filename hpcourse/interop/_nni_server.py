"""Runs a tuner of nni for `hpcourse.interop.nni`, inside an environment that has nni.

It reads one JSON object a line and answers with one. It imports nothing of this package, so that
the environment needs nni alone.
"""

from __future__ import annotations  # nni's environment may be an older Python

import contextlib
import importlib
import inspect
import json
import os
import random
import sys
import traceback
from typing import Any


def main() -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # nni logs to the standard output, which is ours
    tuner: Any = None
    answer: dict[str, Any]
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request["do"] == "start":
                tuner = start(request)
                answer = {}
            else:
                answer = {"ask": ask, "tell": tell}[request["do"]](tuner, request)
        except Exception as error:  # told to the other side, which knows what to do
            end = type(error).__name__ == "NoMoreTrialError"
            answer = {"end": True} if end else {"error": traceback.format_exc()}
        answers.write(json.dumps(answer, default=plain) + "\n")
        answers.flush()


def start(request: dict[str, Any]) -> Any:
    """The tuner, with the search space."""
    random.seed(request["seed"])
    with contextlib.suppress(ImportError):
        importlib.import_module("numpy").random.seed(request["seed"])
    module, name = request["tuner"].rsplit(".", 1)
    make = getattr(importlib.import_module(module), name)
    known = inspect.signature(make).parameters
    given = {"seed": request["seed"], "optimize_mode": "minimize"}
    arguments = {key: value for key, value in given.items() if key in known}
    tuner = make(**{**arguments, **request["arguments"]})
    tuner.update_search_space(request["space"])
    return tuner


def ask(tuner: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The next parameters."""
    return {"parameters": tuner.generate_parameters(request["id"])}


def tell(tuner: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Take note of a value, or of a failure where it is null."""
    if request["value"] is not None:
        tuner.receive_trial_result(request["id"], request["parameters"], request["value"])
    tuner.trial_end(request["id"], request["value"] is not None)
    return {}


def plain(value: Any) -> Any:
    """A NumPy scalar as Python's."""
    return value.item()


if __name__ == "__main__":
    del sys.path[0]  # beside this file lies one called nni.py
    main()
