"""PyTorch's side of `benchmarks.train_step`."""

from __future__ import annotations

import argparse
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import torch_peer
from benchmarks.sides import serve

WEIGHTS = (0.1, 0.1)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
        prefix = "weights/"
        torch_peer.load(
            self._network,
            {n.removeprefix(prefix): v for n, v in self._reference.items() if n.startswith(prefix)},
        )
        self._images = [
            torch.from_numpy(self._reference[name][:batch]).to(self._device)
            for name in ("labeled", "unlabeled")
        ]
        labels = torch.from_numpy(self._reference["mask"][:batch])
        self._labels = labels.long().to(self._device)
        self._mean, self._std = (torch.tensor(v, device=self._device) for v in (MEAN, STD))
        self._expert = None
        if way.startswith("expert"):
            self._expert = torch_peer.ExpertStep(
                self._network, self._last, bfloat16="bfloat16" in way, compiled="compiled" in way
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
        times = []
        for _ in range(count):
            started = time.perf_counter()
            if self._expert is None:
                images = self._first(self._images[0]), self._first(self._images[1])
                torch_peer.released_step(
                    self._network, self._optimizer, images, self._labels, WEIGHTS
                )
            else:
                self._expert((self._images[0], self._images[1]), self._labels, WEIGHTS)
            if self._device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - started)
        return times

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

    def _last(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 `[B, H, W, C]` as the network sees it, channels last in memory."""
        return ((images.float() / 255 - self._mean) / self._std).movedim(-1, 1)

    def _first(self, images: torch.Tensor) -> torch.Tensor:
        """The same in the published code's layout."""
        return self._last(images).contiguous()


if __name__ == "__main__":
    main()
