"""The progress bar shows itself only where somebody watches."""

import io
import sys

import pytest

from hpcourse.training import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "show", "drawn"),
    [(Terminal(), True, True), (Terminal(), False, False), (io.StringIO(), True, False)],
)
def test_drawn_only_on_request_and_in_a_terminal(monkeypatch, stream, show, drawn):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    monkeypatch.setattr(sys, "stderr", stream)
    assert list(progress_bar(range(3), "counting", show=show)) == [0, 1, 2]
    assert ("counting: 100%" in stream.getvalue()) == drawn
