"""NNI's tuners in another Python: the protocol with a tuner of our own, and nni itself."""

import json
import os
import sys

import numpy as np
import pytest

from hpcourse.interop.nni import NniSearcher, to_nni
from hpcourse.search import Box, Choice, Integer, List, Normal, Real, Trial, When, minimize

PYTHON = os.environ.get("HPCOURSE_NNI_PYTHON", "")
with_nni = pytest.mark.skipif(
    not PYTHON,
    reason="needs nni, in an environment of its own: `make unit` makes one and sets "
    "HPCOURSE_NNI_PYTHON to its Python",
)
MIXED = Box(
    {
        "lr": Real(1e-4, 1e-1, log=True),
        "depth": Integer(1, 6),
        "width": Integer(8, 256, log=True),
        "rate": Real(0.0, 0.5, step=0.1),
        "decay": Normal(-7.0, 1.0, log=True),
        "drop": Normal(0.15, 0.1, low=0.0, high=0.9),
        "batch": Choice((16, 32, 64), ordered=True),
        "kernel": Choice(([3, 3], [1, 5])),
        "pool": Choice(({"k": 1}, {"k": 2})),
    }
)
CONDITIONAL = Box(
    {
        "optimizer": Choice(("sgd", "adam")),
        "momentum": When("optimizer", "sgd", Real(0.0, 0.99)),
        "layers": Integer(1, 3),
        "units": List(Integer(8, 64, log=True), "layers"),
        "head": Choice(
            (Box({"lr": Real(0.0, 1.0)}), Box({"lr": Real(2.0, 3.0), "b": Choice((1, 2))}))
        ),
    }
)
SPACES = {"mixed": MIXED, "conditional": CONDITIONAL}
FAKE = '''
import sys
import numpy as np

class Middle:
    """Answers with the middle of every range and the last of every choice, nine times."""

    def __init__(self, seed, start=0):
        self.told, self.start = [], start

    def update_search_space(self, space):
        self.space = space

    def generate_parameters(self, number):
        print("a line that is no answer")
        if number == 9:
            raise NoMoreTrialError
        return {name: self.draw(**spec) for name, spec in self.space.items()}

    def draw(self, _type, _value):
        if _type == "choice":
            last = _value[-1]
            if not isinstance(last, dict):
                return last
            return {k: v if k == "_name" else self.draw(**v) for k, v in last.items()}
        if _type == "lognormal":
            return float(np.exp(_value[0]))
        return np.float64((_value[0] + _value[1]) / 2)

    def receive_trial_result(self, number, parameters, value):
        self.told.append((number, value))

    def trial_end(self, number, success):
        self.told.append((number, success))
        print(self.told, file=sys.stderr)
        if number == 3:
            raise RuntimeError(f"told {self.told}")


class NoMoreTrialError(Exception):
    pass


class Dying(Middle):
    def generate_parameters(self, number):
        print("last words", file=sys.stderr)
        sys.exit(3)
'''


@pytest.fixture(name="fake")
def _fake(tmp_path, monkeypatch):
    (tmp_path / "fake_tuners.py").write_text(FAKE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda name, space: NniSearcher(space, sys.executable, f"fake_tuners.{name}", seed=1)


@pytest.fixture(params=SPACES, name="space")
def _space(request):
    return SPACES[request.param]


def done(number, config, value=1.5):
    return Trial(number=number, config=config, seed=0, state="done", value=value)


def near(one, other):
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return one == pytest.approx(other, rel=1e-9) if isinstance(one, float) else one == other


def test_a_space_in_nnis_words():
    assert to_nni(MIXED) == json.loads(json.dumps(to_nni(MIXED)))
    words = to_nni(MIXED)
    assert words["lr"] == {"_type": "loguniform", "_value": [1e-4, 1e-1]}
    assert words["depth"] == {"_type": "quniform", "_value": [1, 6, 1]}
    assert words["kernel"] == {"_type": "choice", "_value": [[3, 3], [1, 5]]}
    branches = to_nni(CONDITIONAL)["head"]["_value"]
    assert [sorted(branch) for branch in branches] == [
        ["_name", "head.lr<0>"],
        ["_name", "head.b", "head.lr<1>"],
    ]
    lengths = to_nni(CONDITIONAL)["layers"]["_value"]
    assert [len(branch) - 1 for branch in lengths] == [1, 2, 3]


def test_what_a_tuner_draws_becomes_a_configuration(fake):
    with fake("Middle", CONDITIONAL) as searcher:
        config = searcher.ask().config
    assert config["optimizer"] == "adam"
    assert config["head"] == {"lr": 2.5, "b": 2}
    assert config["units"] == [36, 36, 36]
    with fake("Middle", MIXED) as searcher:
        config = searcher.ask().config
    assert config["decay"] == pytest.approx(np.exp(-7.0))
    assert config["drop"] == pytest.approx(MIXED.decode(np.full(9, 0.5))["drop"])
    assert (config["batch"], config["kernel"], config["pool"]) == (32, [1, 5], {"k": 2})


def test_a_search_by_ask_and_tell(fake):
    with fake("Middle", MIXED) as searcher:
        configs = [searcher.ask().config for _ in range(4)]
        searcher.tell(done(0, configs[0]))
        failed = Trial(number=2, config=configs[2], seed=0, state="failed", error="diverged")
        searcher.tell(failed)
        with pytest.raises(ValueError, match="a trial that it waits for, got Trial"):
            searcher.tell(failed)
        with pytest.raises(ValueError, match="needs an ended trial, got number=1"):
            searcher.tell(Trial(number=1, config=configs[1], seed=0))
        told = r"told \[\(0, 1.5\), \(0, True\), \(2, False\), \(3, 2.5\), \(3, True\)\]"
        with pytest.raises(ValueError, match=told):
            searcher.tell(done(3, configs[3], 2.5))
        with pytest.raises(ValueError, match="is closed, got request='ask'"):
            searcher.ask()


def test_a_tuner_without_more_ends_the_search(fake):
    with fake("Middle", MIXED) as searcher:
        found = [searcher.ask() for _ in range(11)]
    assert found[9:] == [None, None]
    assert None not in found[:9]


def test_a_process_that_dies_says_why(fake):
    searcher = fake("Dying", MIXED)
    with pytest.raises(ValueError, match=r"ended with 3\n(.*\n)*last words"):
        searcher.ask()


def test_what_cannot_start_is_named(fake, tmp_path):
    with pytest.raises(ValueError, match="No module named 'nothing'"):
        NniSearcher(MIXED, sys.executable, "nothing.Tuner")
    with pytest.raises(ValueError, match="needs a Python that has nni, got python="):
        NniSearcher(MIXED, tmp_path / "python")
    with pytest.raises(ValueError, match=r"nni has tuners .*, got tuner='TPS'"):
        NniSearcher(MIXED, sys.executable, "TPS")
    with pytest.raises(ValueError, match="seed >= 0, got seed=-1"):
        NniSearcher(MIXED, sys.executable, seed=-1)


def loss(config):
    text = json.dumps(config, sort_keys=True)
    return (sum(ord(letter) * (3 + place % 7) for place, letter in enumerate(text)) % 997) / 997


@with_nni
@pytest.mark.parametrize("tuner", ["TPE", "Random", "Evolution"])
def test_nni_itself(space, tuner):
    with NniSearcher(space, PYTHON, tuner, seed=2) as searcher:
        study = minimize(lambda trial: loss(trial.config), searcher, trials=30, progress=False)
    assert {trial.state for trial in study.trials} == {"done"}
    for trial in study.trials:
        assert near(space.decode(space.encode(trial.config)), dict(trial.config))


@with_nni
def test_nnis_tpe_listens_and_has_a_seed():
    space = Box({"x": Real(-5.0, 5.0)})

    def run(slope):
        with NniSearcher(space, PYTHON, "TPE", seed=1) as searcher:
            steep = minimize(
                lambda trial: slope * trial.config["x"], searcher, trials=40, progress=False
            )
        return [trial.config["x"] for trial in steep.trials]

    down, again, up = run(1.0), run(1.0), run(-1.0)
    assert down == again
    assert down[:20] == up[:20]  # random at first
    assert np.mean(down[20:]) < np.mean(up[20:]) - 1


@with_nni
def test_nnis_grid_ends():
    space = Box({"a": Choice((1, 2, 3)), "b": Choice(("x", "y"))})
    with NniSearcher(space, PYTHON, "GridSearch") as searcher:
        study = minimize(lambda trial: loss(trial.config), searcher, trials=20, progress=False)
    assert len(study) == 6
