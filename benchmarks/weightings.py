"""The weightings of URN's recipe compared: rough masks, cyclic ones, and their weights.

    python -m benchmarks.weightings --data=FOLDER --out=runs/weightings
    python -m benchmarks.weightings --data=FOLDER --out=runs/weightings --kinds box --seeds 0

For each kind of rough masks and each seed, one recipe (`configs/neu_urn.py:small`) trains phase 1
once and a phase 2 for every weighting, all for the same steps; the seed is that of the training and
of the rough masks. A command that was interrupted goes on where it stopped, and seeds or kinds that
are added later are trained alone. Prints, for each kind, the test scores without and with the CRF,
mean and standard deviation over the seeds, and how well the uncertainties find wrong pixels.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uaps_jax.recipes import scores, uncertainty_report
from uaps_jax.recipes.weightings import WEIGHTINGS

PROJECT = Path(__file__).resolve().parents[1]
METRIC = "dataset_iou"


def folder_of(out: Path, dataset: str, variant: str, kind: str, seed: int) -> Path:
    """The work directory of a recipe."""
    return out / f"{dataset}_{variant}_{kind}_seed_{seed}"


def run(given: argparse.Namespace, kind: str, seed: int) -> Path:
    """Runs a recipe, or what is left of it; its work directory."""
    folder = folder_of(given.out, given.dataset, given.variant, kind, seed)
    command = [
        sys.executable,
        "run.py",
        f"--config=configs/{given.dataset}_urn.py:{given.variant}",
        f"--config.base.data.manual_dir={given.data.resolve()}",
        f"--config.base.data.rough.kind={kind}",
        f"--config.base.data.rough.seed={seed}",
        f"--config.base.train.seed={seed}",
        f"--config.weightings={tuple(given.weightings)!r}",
        *given.more,
        f"--workdir={folder.resolve()}",
    ]
    print(" ".join(command), flush=True)
    subprocess.run(command, cwd=PROJECT, check=True)
    return folder


def score_lines(folders: Sequence[Path]) -> list[str]:
    """A line for each model: its scores without and with the CRF, over the seeds."""
    found: dict[tuple[str, bool], list[float]] = {}
    for folder in folders:
        for row in json.loads((folder / "scores" / scores.DETAILS).read_text()):
            found.setdefault((row["model"], row["crf"]), []).append(row[METRIC])
    models = dict.fromkeys(model for model, _ in found)
    return [f"| model | {METRIC} | with the CRF |", "|---|---|---|"] + [
        f"| {model} | {spread(found[model, False])} | {spread(found.get((model, True), []))} |"
        for model in models
    ]


def uncertainty_lines(folders: Sequence[Path]) -> list[str]:
    """The quality of the masks, and AUROC and average precision for a wrong pixel, over seeds."""
    read = [
        json.loads((folder / "targets" / "cyclic" / uncertainty_report.SUMMARY).read_text())
        for folder in folders
    ]

    def over_seeds(*keys: str) -> str:
        values: list[Any] = read
        for key in keys:
            values = [value[key] for value in values]
        return spread([value for value in values if value is not None])

    lines = [
        f"{what} masks, {METRIC}: {over_seeds('quality', what, METRIC)}"
        for what in ("rough", "cyclic")
    ]
    for what in uncertainty_report.LEVELS:
        auroc = over_seeds("uncertainty", what, "auroc")
        precision = over_seeds("uncertainty", what, "average_precision")
        lines.append(f"{what}: AUROC {auroc}, average precision {precision}")
    parts = ", ".join(
        f"{name} {over_seeds('uncertainty', name)}"
        for name in ("wrong", "share", "precision", "recall")
    )
    return [*lines, f"pixels that hard weights count less: {parts}"]


def spread(values: Sequence[float]) -> str:
    """Mean and, of several values, standard deviation."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the raw data")
    parser.add_argument("--out", type=Path, required=True, help="folder of the recipes")
    parser.add_argument("--dataset", default="neu", choices=["neu", "mtiles"])
    parser.add_argument("--variant", default="small", choices=["small", "medium"])
    parser.add_argument("--kinds", nargs="+", default=["ellipse"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--weightings", nargs="+", default=list(WEIGHTINGS), choices=WEIGHTINGS)
    parser.add_argument("more", nargs="*", help="flags for run.py, behind --")
    given = parser.parse_args(arguments)
    for kind in given.kinds:
        folders = [run(given, kind, seed) for seed in given.seeds]
        print(f"\n{given.dataset}:{given.variant}, {kind}, seeds {given.seeds}")
        print("\n".join([*score_lines(folders), *uncertainty_lines(folders)]), flush=True)


if __name__ == "__main__":
    main()
