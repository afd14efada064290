"""PyTorch's side of `benchmarks.train_step`."""

from __future__ import annotations

import argparse
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import torch_peer
from benchmarks.measuring import seconds
from benchmarks.sides import WEIGHTS, serve


def main() -> None:
    """Answers `benchmarks.train_step`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--way", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)  # as many as XLA takes
    peer = Peer(arguments.batch, arguments.folder, arguments.way)
    serve(
        {"agree": peer.agree, "first": peer.first, "steps": peer.steps, "describe": peer.describe}
    )


class Peer:
    """A training of UAPS on the images that our side wrote."""

    def __init__(self, batch: int, folder: Path, way: str) -> None:
        """Loads images and weights; nothing is compiled yet."""
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with np.load(folder / "reference.npz") as file:
            self._reference = {name: file[name] for name in file.files}
        self._network = torch_peer.Network(3, 4).to(self._device)
        torch_peer.load(self._network, self._reference)
        self._images = [
            torch.from_numpy(self._reference[name][:batch]).to(self._device)
            for name in ("labeled", "unlabeled")
        ]
        labels = torch.from_numpy(self._reference["mask"][:batch])
        self._labels = labels.long().to(self._device)
        self._normalize = torch_peer.normalizer(self._device)
        self._expert = None
        if way.startswith("expert"):
            self._expert = torch_peer.ExpertStep(
                self._network,
                self._normalize,
                bfloat16="bfloat16" in way,
                compiled="compiled" in way,
            )
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3)

    def agree(self) -> dict[str, float]:
        """Largest relative differences of logits and loss from our side's."""
        self._network.eval()
        self._network.perturb = False
        with torch.no_grad():
            labeled, unlabeled = (self._network(self._first(x)) for x in self._images)
            beta = torch.from_numpy(self._reference["beta"]).to(self._device)
            loss = torch_peer.objective(labeled, unlabeled, self._labels, beta, WEIGHTS)
        self._network.train()
        self._network.perturb = True
        theirs = torch.stack(labeled).movedim(2, -1).cpu().numpy()
        ours, total = self._reference["logits"], float(self._reference["loss"])
        return {
            "logits": float(np.abs(theirs - ours).max() / np.abs(ours).max()),
            "loss": abs(float(loss) - total) / total,
        }

    def first(self) -> float:
        """Seconds of the first step, compilation included."""
        return self.steps(1)[0]

    def steps(self, count: int) -> list[float]:
        """Seconds of each of some steps."""
        return seconds(self._take, count)

    def describe(self) -> dict[str, Any]:
        """What it ran on."""
        cuda = self._device.type == "cuda"
        peak = (
            torch.cuda.max_memory_allocated()
            if cuda
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        )
        return {
            "version": f"torch {torch.__version__}",
            "threads": torch.get_num_threads(),
            "device": torch.cuda.get_device_name() if cuda else "cpu",
            "peak_memory_gib": peak / 2**30,
        }

    def _take(self) -> None:
        if self._expert is None:
            images = self._first(self._images[0]), self._first(self._images[1])
            torch_peer.released_step(self._network, self._optimizer, images, self._labels, WEIGHTS)
        else:
            self._expert((self._images[0], self._images[1]), self._labels, WEIGHTS)
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def _first(self, images: torch.Tensor) -> torch.Tensor:
        """What the network sees, in the published code's layout."""
        return self._normalize(images).contiguous()


if __name__ == "__main__":
    main()
