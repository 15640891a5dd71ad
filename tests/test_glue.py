"""What a page hands to its text is what the book's builder expects."""

import myst_nb
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from hpcourse.glue import glue


@pytest.fixture(autouse=True)
def shell():
    """A shell that records what is displayed."""
    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def displayed(show):
    with capture_output() as captured:
        show()
    return [(output.data, output.metadata) for output in captured.outputs]


@pytest.mark.parametrize("value", [0.25, 3, -1e-9, "holds with a caveat"])
def test_a_value_is_stored_as_the_builders_own_function_stores_it(value):
    ours = displayed(lambda: glue({"name": value}))
    assert ours == displayed(lambda: myst_nb.glue("name", value, display=False))
    assert len(ours) == 1


def test_numpy_scalars_become_plain_numbers():
    ours = displayed(lambda: glue({"a": np.float64(0.5), "b": np.int64(2)}))
    assert ours == displayed(lambda: glue({"a": 0.5, "b": 2}))


@pytest.mark.parametrize("value", [None, [1.0], np.array([1.0, 2.0])])
def test_anything_else_is_refused_by_its_name(value):
    with pytest.raises(ValueError, match=r"glue needs a number or a text, got lost="):
        glue({"lost": value})
