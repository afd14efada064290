"""PyTorch's side of `benchmarks.network_step`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch

from benchmarks import network_parity, torch_peer
from benchmarks.measuring import seconds
from benchmarks.network_step import NETWORKS
from benchmarks.sides import serve


def main() -> None:
    """Answers `benchmarks.network_step`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--network", choices=NETWORKS, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)  # as many as XLA takes
    side = Torch(arguments.network, arguments.size, arguments.batch, arguments.folder)
    serve(
        {"write": side.write, "first": side.first, "steps": side.steps, "describe": side.describe}
    )


class Torch:
    """A training on random images."""

    def __init__(self, network: str, size: int, batch: int, folder: Path) -> None:
        torch.manual_seed(0)
        case = network_parity.case_of(network)
        self._folder = folder
        self._network = case.torch().to(memory_format=torch.channels_last)
        random = np.random.default_rng(0)
        self._images = random.normal(size=(batch, size, size, 3)).astype(np.float32)
        self._masks = random.integers(0, network_parity.CLASSES, (batch, size, size), np.uint8)
        self._inputs = torch.from_numpy(self._images).permute(0, 3, 1, 2)
        self._labels = torch.from_numpy(self._masks).long()
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3, fused=True)

    def write(self) -> None:
        """Writes images, masks, weights, and the logits in evaluation mode."""
        self._network.eval()
        with torch.no_grad():
            logits = self._network(self._inputs).permute(0, 2, 3, 1).numpy()
        self._network.train()
        state = {f"state/{n}": v.numpy() for n, v in self._network.state_dict().items()}
        np.savez(
            self._folder / "torch.npz",
            images=self._images,
            masks=self._masks,
            logits=logits,
            **state,
        )

    def first(self) -> float:
        """Seconds of the first step."""
        return self.steps(1)[0]

    def steps(self, count: int) -> list[float]:
        """Seconds of each of some steps."""
        return seconds(self._step, count)

    def describe(self) -> str:
        """What it runs on."""
        return f"torch {torch.__version__}"

    def _step(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        loss = torch_peer.supervised(self._network(self._inputs), self._labels)
        loss.backward()
        self._optimizer.step()


if __name__ == "__main__":
    main()
