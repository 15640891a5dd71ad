"""What the libraries do, observed; a change of theirs shows here and on the page."""

import os
import subprocess
import sys

import pytest

for peer in ("hyperopt", "keras_tuner", "optuna"):
    pytest.importorskip(peer, reason="needs the extra `search`")

from hpcourse.interop.habits import habits  # noqa: E402

pytestmark = [
    # KerasTuner 1.4.8 asks for the thread by names that Python 3.10 deprecates.
    pytest.mark.filterwarnings("ignore:currentThread:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:getName:DeprecationWarning"),
]


def test_the_habits_of_four_libraries():
    table = habits(12)
    assert set(table["same seed"]) == {"yes"}
    assert (table.loc[["keras-tuner", "hpcourse"], "different"] == 6).all()
    assert (table.loc[["keras-tuner", "hpcourse"], "tried"] == 6).all()
    assert (table.loc[["hyperopt", "optuna"], "tried"] == 12).all()
    # By default an exception ends a search of hyperopt and of optuna.
    assert table["after a failure"].to_dict() == {
        "hyperopt": 2,
        "optuna": 2,
        "keras-tuner": 6,
        "hpcourse": 6,
    }


def test_it_says_nothing():
    code = "from hpcourse.interop.habits import habits; habits(3)"
    command = [sys.executable, "-W", "ignore", "-c", code]
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == ""
