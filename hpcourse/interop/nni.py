"""NNI, archived in 2024: its tuners as searchers, each in an environment of its own.

NNI pins libraries that a reader may need newer, so it is not imported here. It stays in another
environment, whose Python is named, and is spoken to in lines of JSON:

    python -m venv nni-env && nni-env/bin/pip install nni==3.0
    NniSearcher(space, "nni-env/bin/python", "TPE", seed=1)
"""

import json
import os
import subprocess
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from hpcourse._check import require
from hpcourse.interop import _nni_server
from hpcourse.interop._axes import labels, walk
from hpcourse.search import Choice, Integer, Normal, Real, Space, Suggestion, Trial
from hpcourse.search.domains import Domain, middles

__all__ = ["TUNERS", "NniSearcher", "to_nni"]

TUNERS = {
    "TPE": "nni.algorithms.hpo.tpe_tuner.TpeTuner",
    "Random": "nni.algorithms.hpo.random_tuner.RandomTuner",
    "GridSearch": "nni.algorithms.hpo.gridsearch_tuner.GridSearchTuner",
    "Evolution": "nni.algorithms.hpo.evolution_tuner.EvolutionTuner",
    "Metis": "nni.algorithms.hpo.metis_tuner.MetisTuner",
    "GP": "nni.algorithms.hpo.gp_tuner.GPTuner",
}
"""Tuners of nni by the name that nni gives them."""


class NniSearcher:
    """A tuner of nni as a searcher.

    It suggests what the tuner suggests, the same configuration twice if the tuner does. It holds a
    process, so it cannot be pickled; `close` ends the process, as does leaving a ``with``.

    Args:
        space: Where configurations live; conditional ones become nested choices, which of nni's
            tuners only TPE, Random and GridSearch know.
        python: The Python of an environment that has nni.
        tuner: A name of `TUNERS`, or the path of a tuner's class.
        seed: Seed of the tuner, if it takes one; nni's Evolution takes none.
        arguments: Further arguments of the tuner.

    Raises:
        ValueError: If there is no such Python, or the tuner does not start; quotes its error.
    """

    def __init__(
        self,
        space: Space,
        python: str | Path,
        tuner: str = "TPE",
        *,
        seed: int = 0,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        require(type(seed) is int and seed >= 0, "NniSearcher needs a seed >= 0", seed=seed)
        require(Path(python).exists(), "NniSearcher needs a Python that has nni", python=python)
        require(tuner in TUNERS or "." in tuner, f"nni has tuners {sorted(TUNERS)}", tuner=tuner)
        self._space = space
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115  # lives as long as the process
        self._process = subprocess.Popen(
            [str(python), _nni_server.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        self._finish = weakref.finalize(self, _end, self._process, self._log)
        self._running: dict[int, tuple[Suggestion, Any]] = {}
        self._asked = 0
        self._send(
            do="start",
            tuner=TUNERS.get(tuner, tuner),
            arguments=dict(arguments or {}),
            seed=seed,
            space=to_nni(space),
        )

    def __enter__(self) -> "NniSearcher":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the tuner's process."""
        self._finish()

    def ask(self) -> Suggestion | None:
        """The tuner's next configuration; None where it says that it has no more."""
        answer = self._send(do="ask", id=self._asked)
        if answer.get("end"):
            return None
        found = dict(_flat(answer["parameters"]))
        names = labels(self._space)
        parents = _parents(self._space)

        def place(column: int) -> float:
            return _place(self._space.axes[column].domain, found[names[column]], column in parents)

        suggestion = Suggestion(config=self._space.decode(walk(self._space, place)))
        self._running[self._asked] = (suggestion, answer["parameters"])
        self._asked += 1
        return suggestion

    def tell(self, trial: Trial) -> None:
        """Tell the tuner of an ended trial.

        Raises:
            ValueError: If the trial still runs, or was not asked for, or was told before.
        """
        require(trial.state != "running", "tell needs an ended trial", number=trial.number)
        suggestion, parameters = self._running.get(trial.number, (None, None))
        if suggestion is None or suggestion.config != trial.config:
            raise ValueError(f"NniSearcher needs a trial that it waits for, got {trial!r}")
        self._send(do="tell", id=trial.number, parameters=parameters, value=trial.value)
        del self._running[trial.number]

    def _send(self, **request: Any) -> dict[str, Any]:
        """One line there, one line back."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise ValueError("NniSearcher has no pipes to its process")
        require(self._finish.alive, "NniSearcher is closed", request=request["do"])
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        answer: dict[str, Any] = json.loads(line) if line else {"error": self._last_words()}
        if "error" in answer:
            self.close()
            raise ValueError(f"nni's tuner failed at {request['do']!r}:\n{answer['error']}")
        return answer

    def _last_words(self) -> str:
        self._process.wait()
        self._log.seek(0)
        return f"its process ended with {self._process.returncode}\n{self._log.read()[-2000:]}"


def to_nni(space: Space) -> dict[str, Any]:
    """A space as nni's search space, ready for JSON.

    What others depend on is a nested choice: ``"_name"`` is the number of the value. What nni
    cannot draw, such as a normal number between ends or on a grid, is drawn as its quantile.

    Examples:
        >>> from hpcourse.search import Box
        >>> to_nni(Box({"lr": Real(0.001, 0.1, log=True)}))
        {'lr': {'_type': 'loguniform', '_value': [0.001, 0.1]}}
    """
    # A parameter stands below the last of its conditions, which itself stands below the others.
    below: dict[tuple[int, int] | None, list[int]] = {}
    for column, axis in enumerate(space.axes):
        if not axis.conditions:
            below.setdefault(None, []).append(column)
        else:
            parent, codes = max(axis.conditions)
            for code in codes:
                below.setdefault((parent, code), []).append(column)
    names, parents = labels(space), _parents(space)

    def spec(column: int) -> dict[str, Any]:
        domain = space.axes[column].domain
        if column not in parents:
            return _leaf(domain)
        branches = [
            {"_name": str(k)} | {names[c]: spec(c) for c in below.get((column, k), [])}
            for k in range(domain.levels)
        ]
        return {"_type": "choice", "_value": branches}

    return {names[column]: spec(column) for column in below.get(None, [])}


def _end(process: "subprocess.Popen[str]", log: IO[str]) -> None:
    """End the process: it stops when its input does."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    log.close()


def _flat(parameters: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every label with its value; a nested choice gives the name of its branch."""
    for label, value in parameters.items():
        if isinstance(value, dict):
            # Tuners that are older than nested names answer with index and value.
            yield label, value.get("_name", value.get("_index"))
            inside = value.get("_value", value)
            yield from _flat({k: v for k, v in inside.items() if not k.startswith("_")})
        else:
            yield label, value


def _parents(space: Space) -> frozenset[int]:
    """Axes that others depend on."""
    return frozenset(other for axis in space.axes for other, _ in axis.conditions)


def _leaf(domain: Domain) -> dict[str, Any]:
    """What draws a parameter that nothing depends on."""
    if _is_listed(domain):
        return {"_type": "choice", "_value": [domain.decode(u) for u in middles(domain).tolist()]}
    if isinstance(domain, Normal) and _is_free(domain):
        kind = "lognormal" if domain.log else "normal"
        return {"_type": kind, "_value": [domain.mean, domain.std]}
    if isinstance(domain, Real) and domain.step is None:
        kind = "loguniform" if domain.log else "uniform"
        return {"_type": kind, "_value": [domain.low, domain.high]}
    if isinstance(domain, Integer) and domain.step == 1:
        kind = "qloguniform" if domain.log else "quniform"
        return {"_type": kind, "_value": [domain.low, domain.high, 1]}
    return {"_type": "uniform", "_value": [0.0, 1.0]}


def _place(domain: Domain, found: Any, parent: bool) -> float:
    """The place of what nni drew for a parameter."""
    if parent:
        return float(middles(domain, int(found)))
    if isinstance(domain, Integer) and domain.step == 1:
        return domain.encode(round(found))
    if isinstance(domain, Real) and domain.step is None:
        # Rounding of exp(log(high)) may fall outside.
        return domain.encode(min(max(float(found), domain.low), domain.high))
    exact = _is_listed(domain) or (isinstance(domain, Normal) and _is_free(domain))
    return domain.encode(found) if exact else float(found)


def _is_listed(domain: Domain) -> bool:
    """Whether nni chooses among the values themselves; it knows no order, and takes dicts apart."""
    if not isinstance(domain, Choice) or domain.ordered:
        return False
    return not any(isinstance(value, dict) for value in domain.values)


def _is_free(domain: Normal) -> bool:
    return domain.low is None and domain.high is None and domain.step is None
