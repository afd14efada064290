"""The end of a training: what its scores are is written before anything is drawn."""

import types

import pytest

from uaps_jax import modes


def test_a_picture_that_fails_costs_no_result(monkeypatch, tmp_path):
    done = []

    class Run:
        predictor = "main"

        def __init__(self, config, directory):
            pass

        def restore(self, which):
            return types.SimpleNamespace(step=1)

        def score(self, model, part, dataset, pool, predictor=""):
            return {}

        def predict(self, model, dataset, pool):
            raise ValueError("a picture failed")

    monkeypatch.setattr(modes, "_Run", Run)
    monkeypatch.setattr(modes.source, "read", lambda *_: None)
    monkeypatch.setattr(modes.checkpoints, "has_best", lambda _: False)
    monkeypatch.setattr(modes.figures, "curves", lambda *_: done.append("curves"))
    monkeypatch.setattr(modes.results, "write", lambda *_: done.append("result"))
    monkeypatch.setattr(modes.workdir, "warnings", lambda _: [])
    request = modes.Request(config=None, workdir=tmp_path, checkpoint="latest", input=None)
    config, method = types.SimpleNamespace(data=None), types.SimpleNamespace(predictors=())
    with pytest.raises(ValueError, match="a picture failed"):
        modes._conclude(request, config, None, method, {"test": []}, {}, 0)
    assert done == ["result", "curves"]
