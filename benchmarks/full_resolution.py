"""Photographs with small defects trained in several ways at equal time: resized, padded, cropped.

    python -m benchmarks.photographs --out=photographs --count=240
    python -m benchmarks.full_resolution --photographs=photographs --minutes=20

Each way is a process of its own, which trains for the given minutes (`train.minutes`, evaluations
included). Every way is scored alike, on the photographs at their own
size: `uaps_jax.load(...).predict` on the test split; a photograph's score is the mean of its
`TOP_PIXELS` largest probabilities of a defect; the threshold is the lowest at which no more than
`FALSE_ALARMS` of the good validation photographs are above. Prints a line for each way and adds it
to `benchmarks/results/full_resolution.jsonl`: found defective parts, false alarms, area under the
ROC curve, `image_iou`, steps, seconds, and the peak memory of the process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import uaps_jax
from benchmarks.measuring import record
from uaps_jax.config import Config
from uaps_jax.configs import train
from uaps_jax.data import source
from uaps_jax.data.source import Dataset
from uaps_jax.evaluation import metrics
from uaps_jax.inference import TrainedModel
from uaps_jax.models.unet import UNetConfig

WAYS: dict[str, dict[str, Any]] = {
    "resized": {"fit": "resize"},
    "resized_area": {"fit": "resize", "resampling": "area"},
    "pad": {"fit": "pad"},
    "crops": {"fit": "crop", "defect_share": 0.5},
    "crops_uniform": {"fit": "crop"},
}
TOP_PIXELS = 25
FALSE_ALARMS = 0.05


class Scored(NamedTuple):
    """The photographs of a part of the split.

    Attributes:
      scores: float64 `[N]`.
      is_defective: bool `[N]`.
      confusions: `[N, C, C]` (truth, prediction), at their own size.
    """

    scores: np.ndarray
    is_defective: np.ndarray
    confusions: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photographs", required=True, type=Path, help="a folder of them")
    parser.add_argument("--out", type=Path, default=Path("runs/full_resolution"))
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--minutes", type=float, default=20, help="of training")
    parser.add_argument("--size", type=int, default=256, help="of the network's input")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--evaluations", type=int, default=4, help="in these minutes")
    parser.add_argument(
        "--widths", type=int, nargs=5, help="channels of the U-Net; UAPS's if left out"
    )
    parser.add_argument("--method", default="supervised")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(run(given, given.ways[0])))
        return
    for way in given.ways:
        rest = {k: v for k, v in vars(given).items() if k not in ("ways", "widths", "child")}
        options = [f"--{k}={v}" for k, v in rest.items()]
        options += ["--widths", *map(str, given.widths)] if given.widths else []
        command = [sys.executable, "-m", "benchmarks.full_resolution", *options, "--child"]
        child = subprocess.run([*command, "--ways", way], check=True, stdout=subprocess.PIPE)
        line = json.loads(child.stdout.decode().splitlines()[-1])
        print(json.dumps(line), flush=True)
        record("full_resolution", line)


def run(given: argparse.Namespace, way: str) -> dict[str, Any]:
    """Trains and scores one way; its work directory is below `given.out`."""
    started = time.perf_counter()
    model = uaps_jax.train(configuration(given, way), given.out / f"{way}_seed_{given.seed}")
    seconds = time.perf_counter() - started
    dataset = source.open_dataset(model.config.data)
    parts = {part: scored(model, dataset, model.record[part]) for part in ("val", "test")}
    return {
        "way": way,
        "photographs": len(dataset.position),
        "size": given.size,
        "batch": given.batch,
        "widths": given.widths,
        "method": given.method,
        "seed": given.seed,
        "minutes": given.minutes,
        "steps": model.config.train.steps,
        "seconds_from_start_to_test_scores": seconds,
        "device": jax.devices()[0].device_kind,
        "peak_host_memory_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "peak_device_memory_gib": _device_memory(),
    } | decisions(parts["val"], parts["test"], dataset.class_names)


def configuration(given: argparse.Namespace, way: str) -> Config:
    """The settings of a way."""
    config = train.build(dataset="folder", method=given.method)
    config.data.manual_dir = str(given.photographs)
    config.data.data_dir = str(given.out / "built")
    config.data.height = config.data.width = given.size
    if given.widths:
        assert isinstance(config.network, UNetConfig)
        config.network.widths = tuple(given.widths)
    for name, value in WAYS[way].items():
        setattr(config.data, name, value)
    config.train.minutes, config.train.seed = given.minutes, given.seed
    config.train.batch_labeled = config.train.batch_unlabeled = given.batch
    config.train.eval_every = config.train.steps // given.evaluations
    config.checkpoint.every = config.train.eval_every
    return config


def scored(model: TrainedModel, dataset: Dataset, names: Sequence[str]) -> Scored:
    """Scores and confusion matrices of photographs, one after another."""
    scores, defective, confusions = [], [], []
    for name in names:
        pixels, truth = source.decoded(dataset, name)
        prediction = model.predict(pixels)
        scores.append(score(1 - prediction.probabilities[..., 0]))
        matrix = metrics.confusion(truth, prediction.mask, len(dataset.class_names))
        defective.append(matrix[1:].sum() > 0)
        confusions.append(matrix)
    return Scored(np.array(scores), np.array(defective), np.stack(confusions))


def score(defect: np.ndarray) -> float:
    """The mean of the largest probabilities of a defect in an image `[H, W]`."""
    count = min(TOP_PIXELS, defect.size)
    return float(np.partition(defect.ravel(), -count)[-count:].mean())


def threshold(good: np.ndarray) -> float:
    """The lowest score that no more than `FALSE_ALARMS` of some good photographs exceed."""
    ordered = np.sort(good)[::-1]
    return float(ordered[int(FALSE_ALARMS * len(ordered))])


def decisions(val: Scored, test: Scored, class_names: Sequence[str]) -> dict[str, Any]:
    """Counts at the threshold of the validation photographs, and scores without one."""
    limit = threshold(val.scores[~val.is_defective])
    alarms = test.scores > limit
    good, bad = test.scores[~test.is_defective], test.scores[test.is_defective]
    higher = (bad[:, None] > good).mean() + 0.5 * (bad[:, None] == good).mean()
    values = metrics.scores(test.confusions, class_names)
    return {
        "threshold": limit,
        "good_validation_images": int((~val.is_defective).sum()),
        "found": int((alarms & test.is_defective).sum()),
        "defective": int(test.is_defective.sum()),
        "false_alarms": int((alarms & ~test.is_defective).sum()),
        "good": int((~test.is_defective).sum()),
        "auroc": 100 * float(higher),
        "image_iou": values["image_iou"],
        "dataset_iou_foreground": values["dataset_iou_foreground"],
    }


def _device_memory() -> float | None:
    statistics_of = jax.local_devices()[0].memory_stats() or {}
    peak = statistics_of.get("peak_bytes_in_use")
    return None if peak is None else peak / 2**30


if __name__ == "__main__":
    main()
