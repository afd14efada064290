"""The sides of `benchmarks.train_step` compute the same, and its results name the method."""

import sys

import pytest

from benchmarks import jax_side, sides, train_step

SIZE, BATCH = 16, 3


class FakeSide:
    """Answers at once, with figures of its own making."""

    started: list[str] = []

    def __init__(self, module, arguments):
        self.started.append(f"{module} {arguments[0]}")

    def ask(self, name, **values):
        agreement = {"logits": 0.0, "loss": 0.0}
        answers = {"agree": agreement, "first": 1.0, "steps": [0.5], "describe": {}}
        return answers.get(name)

    def close(self):
        pass


@pytest.mark.parametrize(
    ("given", "method", "title"),
    [([], "uaps", "UAPS"), (["--method=fixmatch"], "fixmatch", "FixMatch")],
)
def test_the_results_name_the_method(given, method, title, monkeypatch, capsys):
    recorded = {}
    monkeypatch.setattr(train_step, "Side", FakeSide)
    monkeypatch.setattr(train_step, "record", recorded.__setitem__)
    monkeypatch.setattr(FakeSide, "started", [])
    monkeypatch.setattr(sys, "argv", ["train_step", "--peers", "released", *given])
    train_step.main()
    assert recorded["train_step"]["method"] == method
    started = [f"benchmarks.{side} --method={method}" for side in ("jax_side", "torch_side")]
    assert FakeSide.started == started
    assert capsys.readouterr().out.startswith(f"{title} train step, 128 px")


@pytest.mark.parametrize("method", sides.METHODS)
def test_the_sides_agree(method, tmp_path):
    pytest.importorskip("torch")
    from benchmarks import torch_side

    ours = jax_side.Ours(method, SIZE, BATCH, tmp_path, "float32", deterministic=False)
    ours.write()
    for way in ("released", "expert"):
        peer = torch_side.PEERS[method](BATCH, tmp_path, way)
        assert max(peer.agree().values()) < train_step.AGREEMENT
