"""Fixtures of the tests of pictures."""

import pytest

from uaps_jax.reports import canvas


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were saved."""
    figures, save = [], canvas.save

    def keep(figure, target, *, dpi):
        figures.append(figure)
        save(figure, target, dpi=dpi)

    monkeypatch.setattr(canvas, "save", keep)
    return figures
