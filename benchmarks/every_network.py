"""Every method on every network: a run that trains, resumes, predicts and is exported.

    python -m benchmarks.every_network --folder=runs/every_network

Each pair trains two steps of 64 px on eight images of the embedded surfaces and is evaluated;
from the checkpoint of its first step it is resumed to the second, which must be the same to the
bit; its last checkpoint predicts an image and is exported as ONNX, which is compared with the
checkpoint before it is written. Networks have their published size, their weights are random.
A line for each pair is added to `FOLDER/pairs.jsonl`; pairs that have one are left out, so a run
that was stopped goes on. XLA's optimisations are off: this shows that things work, not how fast.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import uaps_jax
from uaps_jax.config import Config
from uaps_jax.configs import train
from uaps_jax.configs.parts.methods import METHODS
from uaps_jax.configs.parts.networks import NETWORKS
from uaps_jax.inference import export, load
from uaps_jax.training import checkpoints
from uaps_jax.trees import named_leaves

SIZE, BATCH = 64, 2
NAMES = {"labeled": 3, "unlabeled": 5, "val": 2, "test": 2}
"""Images of each part: `train/00000` to `train/00007`, and the first ones of the others."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    without_optimisations(folder / "compiled")
    lines = folder / "pairs.jsonl"
    done = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for network in arguments.networks:
        for method in arguments.methods:
            if not any((row["method"], row["network"]) == (method, network) for row in done):
                done.append(tried(method, network, folder))
                with lines.open("a") as out:
                    out.write(json.dumps(done[-1]) + "\n")
    print(table(done))


def without_optimisations(compiled: Path) -> None:
    """The fastest compilation; the programs of the resumed run are those of the first."""
    for option, value in {
        "jax_disable_most_optimizations": True,
        "jax_compilation_cache_dir": str(compiled),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }.items():
        jax.config.update(option, value)
    if jax.__version_info__ < (0, 11):
        os.environ["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"


def tried(method: str, network: str, folder: Path) -> dict[str, Any]:
    """What a pair of method and network does, or the error that it ends with."""
    started = time.perf_counter()
    row: dict[str, Any] = {"method": method, "network": network, "jax": jax.__version__}
    whole = folder / "whole"
    try:
        row |= checked(configured(method, network, folder), whole, folder / "resumed")
    except Exception as error:  # a pair that fails is a line of the table
        row["error"] = f"{type(error).__name__}: {error}"
    row["seconds"] = round(time.perf_counter() - started, 1)
    jax.clear_caches()
    shutil.rmtree(folder / "compiled", ignore_errors=True)
    return row


def configured(method: str, network: str, folder: Path) -> Config:
    """Two steps of a pair, checkpoints of both."""
    config = train.build(dataset="synthetic", method=method, network=network)
    config.network.pretrained = ""
    config.data.protocol, config.data.split_file = "file", str(split(folder))
    config.data.labeled_ratio = 1.0
    config.train.steps = 2
    config.train.batch_labeled = config.train.batch_unlabeled = BATCH
    config.train.eval_every, config.checkpoint.every, config.checkpoint.keep_every = 2, 1, 1
    config.evaluation.batch_size, config.evaluation.probe_images = BATCH, BATCH
    config.method.scale_ramps(2, 0.5)
    return config


def split(folder: Path) -> Path:
    """The file of the images of all pairs."""
    file = folder / "split.json"
    number = dict.fromkeys(("train", "val", "test"), 0)
    parts: dict[str, list[str]] = {}
    for part, count in NAMES.items():
        source = part if part in number else "train"
        first = number[source]
        parts[part] = [f"{source}/{row:05d}" for row in range(first, first + count)]
        number[source] += count
    file.write_text(json.dumps(parts))
    return file


def checked(config: Config, whole: Path, resumed: Path) -> dict[str, Any]:
    """Trains, resumes, evaluates, predicts, exports.

    Raises:
      ValueError: a resumed run differs, or what is predicted is no probability.
    """
    for directory in (whole, resumed):
        shutil.rmtree(directory, ignore_errors=True)
    model = uaps_jax.train(config, whole)
    scores = json.loads((whole / "result.json").read_text())["scores"]["latest"]
    shutil.copytree(whole, resumed, ignore=shutil.ignore_patterns("2", "result.json"))
    uaps_jax.train(config, resumed)
    differing = differences(whole, resumed)
    if differing:
        raise ValueError(f"a resumed run differs in {len(differing)} arrays: {differing[:3]}")
    image = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    probabilities = model.predict(image).probabilities
    if not np.allclose(probabilities.sum(-1), 1, atol=1e-5):
        raise ValueError("the probabilities of a pixel do not add up to 1")
    exact = load(whole, "latest")
    found = export.write(
        whole / "export.onnx",
        exact.config,
        exact.method,
        exact.variables,
        exact.class_names,
        {},
        "entropy",
        exact.score_rule,
        exact.decision,
    )
    return {
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(exact.variables)),
        "image_iou": scores["image_iou"],
        "resumed": "bit-identical",
        "onnx_difference": float(found.probabilities),
    }


def differences(first: Path, second: Path) -> list[str]:
    """Names of the arrays of the last checkpoints that differ in a bit."""
    name = str(checkpoints.find_step(first, "latest"))
    states = [
        named_leaves(checkpoints.read_arrays(checkpoints.folder(run) / name / "state"))
        for run in (first, second)
    ]
    if states[0].keys() != states[1].keys():
        raise ValueError("a resumed run has other arrays")
    return [key for key, value in states[0].items() if not _same(value, states[1][key])]


def _same(a: Any, b: Any) -> bool:
    return np.asarray(a).tobytes() == np.asarray(b).tobytes()


def table(rows: list[dict[str, Any]]) -> str:
    """A row a method and a column a network: the largest difference of the exported file."""
    found = {(row["method"], row["network"]): row for row in rows}
    networks = list(dict.fromkeys(row["network"] for row in rows))
    lines = ["| | " + " | ".join(networks) + " |", "|---" * (1 + len(networks)) + "|"]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [_cell(found.get((method, network))) for network in networks]
        lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    if row is None:
        return ""
    return "failed" if "error" in row else f"{row['onnx_difference']:.0e}"


if __name__ == "__main__":
    main()
