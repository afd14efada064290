"""How well the uncertainty of a trained model finds its wrong pixels, on the test images.

    python -m benchmarks.uncertainty runs/a runs/b --data_dir=data

For each work directory: the share of wrong pixels, the expected calibration error of the confidence
(the largest probability), and, for the entropy of the prediction and for the uncertainty of the
method where that is another one, the AUROC for a wrong pixel and the share of all wrong pixels that
the 5 % most uncertain ones hold. Pixels are those of the network's input. The lines go to
`benchmarks/results/uncertainty.jsonl`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import uaps_jax
from benchmarks.measuring import record
from uaps_jax.data import source
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import ranking
from uaps_jax.inference import TrainedModel, pools
from uaps_jax.labels import IGNORE

LEVELS = 2**15  # bit patterns of a float16 that is not negative, whose order is that of the values
BINS = 15
SHARE = 0.05


class Ranked:
    """Counts of right and wrong pixels by their uncertainty, in steps of a float16."""

    def __init__(self) -> None:
        self._counts = np.zeros((2, LEVELS), np.int64)

    def add(self, uncertainty: np.ndarray, wrong: np.ndarray) -> None:
        """Counts pixels: uncertainties `[N]` of at least 0, and bool `[N]`."""
        level = np.maximum(uncertainty, 0).astype(np.float16).view(np.uint16)
        for kind in (0, 1):
            self._counts[kind] += np.bincount(level[wrong == bool(kind)], minlength=LEVELS)

    def auroc(self) -> float:
        """For a wrong pixel."""
        levels = np.arange(LEVELS)
        return ranking.auroc(
            np.concatenate([levels, levels]),
            np.repeat([False, True], LEVELS),
            self._counts.reshape(-1),
        )

    def found(self, share: float) -> float:
        """The share of all wrong pixels that the most uncertain pixels hold.

        Of the level at which the share is reached, the part that is needed counts.
        """
        right, wrong = self._counts[:, ::-1]
        needed = share * self._counts.sum()
        seen = (right + wrong).cumsum()
        last = int(np.searchsorted(seen, needed))
        before = seen[last - 1] if last else 0
        part = (needed - before) / (right[last] + wrong[last])
        return float((wrong[:last].sum() + part * wrong[last]) / wrong.sum())


class Calibration:
    """Confidence and accuracy in bins of equal width (Guo et al. 2017, Eq. 3)."""

    def __init__(self) -> None:
        self._sums = np.zeros((3, BINS))

    def add(self, confidence: np.ndarray, right: np.ndarray) -> None:
        """Counts pixels: the largest probability `[N]`, and bool `[N]`."""
        row = np.minimum((confidence * BINS).astype(int), BINS - 1)
        for number, weights in enumerate((np.ones_like(confidence), confidence, right)):
            self._sums[number] += np.bincount(row, weights.astype(np.float64), BINS)

    def error(self) -> float:
        """The mean over the pixels of |accuracy - confidence| of their bin."""
        count, confidence, right = self._sums
        return float(np.abs(right - confidence).sum() / count.sum())

    def wrong(self) -> float:
        """The share of wrong pixels."""
        count, _, right = self._sums
        return float(1 - right.sum() / count.sum())


def predicted(
    model: TrainedModel, pool: Pool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Probabilities, uncertainties and masks of the pool, a batch at a time."""
    predict = pools.make_predictor(model.config, model.method, model.score_rule, soft=True)
    size = model.config.evaluation.batch_size
    for number, start in enumerate(range(0, len(pool.names), size)):
        rows = slice(start, start + size)
        part = Pool(names=pool.names[rows], images=pool.images[rows], masks=pool.masks[rows])
        found = predict(model.variables, part, first=number, batch_size=size)
        yield found.values, found.uncertainty, part.masks


def measure(model: TrainedModel, limit: int) -> dict[str, Any]:
    """The figures of a model on the test images of its split, or on the first ones."""
    data = model.config.data
    names = model.record["test"][: limit or None]
    pool = source.read(source.open_dataset(data), names, data)
    ranked = {"entropy": Ranked()}
    if model.method.uncertainty is not None:
        ranked[model.uncertainty_name] = Ranked()
    calibration = Calibration()
    for probabilities, uncertainty, masks in predicted(model, pool):
        seen = masks != IGNORE
        p, wrong = probabilities[seen], probabilities[seen].argmax(-1) != masks[seen]
        logarithm = np.log(p, where=p > 0, out=np.zeros_like(p))
        ranked["entropy"].add(-(p * logarithm).sum(-1), wrong)
        if model.method.uncertainty is not None:
            ranked[model.uncertainty_name].add(uncertainty[seen], wrong)
        calibration.add(p.max(-1), ~wrong)
    return {
        "images": len(names),
        "wrong": calibration.wrong(),
        "expected_calibration_error": calibration.error(),
        "uncertainties": {
            name: {"auroc": one.auroc(), f"found_in_{SHARE:.0%}": one.found(SHARE)}
            for name, one in ranked.items()
        },
    }


def line(figures: dict[str, Any]) -> str:
    """Rows of the table, one for each uncertainty."""
    rows = []
    for name, one in figures["uncertainties"].items():
        cells = [
            f"{figures['run']} ({figures['predictor']})",
            f"{100 * figures['wrong']:.2f}",
            f"{100 * figures['expected_calibration_error']:.2f}",
            name,
            *(f"{100 * value:.1f}" for value in one.values()),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", nargs="+", type=Path, help="work directories")
    parser.add_argument("--checkpoint", default="latest")
    parser.add_argument("--predictor", default="", help="the run's own if it is not given")
    parser.add_argument("--data_dir", required=True, help="built data sets")
    parser.add_argument("--limit", type=int, default=0, help="number of test images; 0 for all")
    given = parser.parse_args()
    print("| run (predictor) | wrong, % | calibration error, % | uncertainty | AUROC | found, % |")
    print("|---|---|---|---|---|---|")
    overrides = {"data.data_dir": given.data_dir, "network.dtype": "float32"}
    for run in given.runs:
        model = uaps_jax.load(run, given.checkpoint, predictor=given.predictor, overrides=overrides)
        about = {
            "run": "/".join(run.parts[-3:]),
            "method": model.config.method.name,
            "step": model.step,
            "predictor": model.predictor,
            "build": model.record["build"],
            "protocol": model.record["protocol"],
            "labeled": len(model.record["labeled"]),
            "height": model.config.data.height,
            "seed": model.config.train.seed,
        }
        figures = about | measure(model, given.limit)
        print(line(figures), flush=True)
        record("uncertainty", figures)


if __name__ == "__main__":
    main()
