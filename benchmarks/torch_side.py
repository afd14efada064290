"""PyTorch's side of `benchmarks.train_step`."""

from __future__ import annotations

import abc
import argparse
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import torch_fixmatch, torch_peer
from benchmarks.measuring import seconds
from benchmarks.sides import METHODS, WEIGHTS, serve


def main() -> None:
    """Answers `benchmarks.train_step`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", choices=METHODS, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--way", required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)  # as many as XLA takes
    torch.backends.cudnn.benchmark = arguments.way.startswith("expert")
    peer = PEERS[arguments.method](arguments.batch, arguments.folder, arguments.way)
    serve(
        {"agree": peer.agree, "first": peer.first, "steps": peer.steps, "describe": peer.describe}
    )


class Peer(abc.ABC):
    """A training of a method on the images that our side wrote."""

    def __init__(self, batch: int, folder: Path, auxiliary: int) -> None:
        """Loads images and weights; nothing is compiled yet."""
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        with np.load(folder / "reference.npz") as file:
            self._reference = {name: file[name] for name in file.files}
        self._network = torch_peer.Network(3, 4, auxiliary).to(self._device)
        torch_peer.load(self._network, self._reference)
        labeled, unlabeled = (
            torch.from_numpy(self._reference[name][:batch]).to(self._device)
            for name in ("labeled", "unlabeled")
        )
        self._images = labeled, unlabeled
        labels = torch.from_numpy(self._reference["mask"][:batch])
        self._labels = labels.long().to(self._device)
        self._normalize = torch_peer.normalizer(self._device)

    @abc.abstractmethod
    def _clean(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Logits of the decoders on labeled images, and the loss that our side wrote."""

    @abc.abstractmethod
    def _step(self) -> None:
        """Takes a step."""

    def agree(self) -> dict[str, float]:
        """Largest relative differences of logits and loss from our side's."""
        self._network.eval()
        self._network.perturb = False
        with torch.no_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            labeled, loss = self._clean()
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
        self._step()
        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def _first(self, images: torch.Tensor) -> torch.Tensor:
        """What the network sees, in the published code's layout."""
        return self._normalize(images).contiguous()


class Uaps(Peer):
    """UAPS with three auxiliary decoders."""

    def __init__(self, batch: int, folder: Path, way: str) -> None:
        super().__init__(batch, folder, torch_peer.AUXILIARY)
        self._expert = None
        if way.startswith("expert"):
            self._expert = torch_peer.ExpertStep(
                self._network,
                self._normalize,
                bfloat16="bfloat16" in way,
                compiled="compiled" in way,
            )
        self._optimizer = torch.optim.Adam(self._network.parameters(), lr=1e-3)

    def _clean(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        labeled, unlabeled = (self._network(self._first(x)) for x in self._images)
        beta = torch.from_numpy(self._reference["beta"]).to(self._device)
        return labeled, torch_peer.objective(labeled, unlabeled, self._labels, beta, WEIGHTS)

    def _step(self) -> None:
        if self._expert is None:
            images = self._first(self._images[0]), self._first(self._images[1])
            torch_peer.released_step(self._network, self._optimizer, images, self._labels, WEIGHTS)
        else:
            self._expert(self._images, self._labels, WEIGHTS)


class Fixmatch(Peer):
    """FixMatch with an EMA teacher."""

    def __init__(self, batch: int, folder: Path, way: str) -> None:
        super().__init__(batch, folder, 0)
        self._training: torch_fixmatch.ReleasedStep | torch_fixmatch.ExpertStep
        if way.startswith("expert"):
            self._training = torch_fixmatch.ExpertStep(
                self._network,
                self._normalize,
                bfloat16="bfloat16" in way,
                compiled="compiled" in way,
            )
        else:
            self._training = torch_fixmatch.ReleasedStep(self._network, self._normalize)

    def _clean(self) -> tuple[list[torch.Tensor], torch.Tensor]:
        labeled, unlabeled = (self._first(x) for x in self._images)
        box = torch.from_numpy(self._reference["box"]).to(self._device)
        loss = torch_fixmatch.objective(
            self._network,
            self._training.teacher,
            torch_fixmatch.Views(labeled, unlabeled, unlabeled, box),
            self._labels,
            threshold=float(self._reference["threshold"]),
        )
        return [self._network.main(labeled)], loss

    def _step(self) -> None:
        self._training(self._images, self._labels)


PEERS: dict[str, type[Uaps] | type[Fixmatch]] = {"uaps": Uaps, "fixmatch": Fixmatch}


if __name__ == "__main__":
    main()
