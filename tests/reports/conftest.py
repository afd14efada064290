"""What the tests of pictures share."""

import pytest
from matplotlib import pyplot


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved, kept open until the test ends."""
    figures = []
    monkeypatch.setattr(pyplot, "close", figures.append)
    yield figures
    monkeypatch.undo()
    for figure in figures:
        pyplot.close(figure)
