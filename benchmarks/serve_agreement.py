"""Verdicts of `--mode=serve` and of `predict` for the same photographs.

    python -m benchmarks.serve_agreement --workdir=runs/parts --photographs=FOLDER

The checkpoint is exported and served, in float32; every photograph is posted, and predicted from
Python in the dtype of the run. The exit status is 1 if a verdict differs. `--drawn=50` takes
photographs of `benchmarks.photographs`.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import uaps_jax
from benchmarks import photographs
from uaps_jax.evaluation import decision as decision_lib
from uaps_jax.inference import export, exported
from uaps_jax.serving.service import Service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--checkpoint", default="best")
    parser.add_argument("--photographs", type=Path, help="a folder")
    parser.add_argument("--drawn", type=int, default=0, help="photographs to draw")
    parser.add_argument("--height", type=int, default=600, help="of drawn photographs")
    parser.add_argument("--width", type=int, default=1000)
    given = parser.parse_args()
    posted = [_png(number, given.height, given.width) for number in range(given.drawn)]
    if given.photographs:
        posted += [one.read_bytes() for one in sorted(given.photographs.iterdir())]
    model = uaps_jax.load(given.workdir, given.checkpoint)
    exact = uaps_jax.load(given.workdir, given.checkpoint, overrides={"network.dtype": "float32"})
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        export.write(
            file,
            exact.config,
            exact.method,
            exact.variables,
            exact.class_names,
            {},
            "entropy",
            exact.score_rule,
            exact.decision,
        )
        service = Service(exported.open_exported(file), None)
    equal, largest, defective, most = 0, 0.0, 0, 0
    for data in posted:
        answer = service.entries(service.check(data, with_mask=False))
        with Image.open(io.BytesIO(data)) as image:
            predicted = model.predict(np.asarray(image.convert("RGB")))
        equal += answer["verdict"] == (decision_lib.verdict(predicted.not_ok) or None)
        largest = max(largest, abs(answer["score"] - predicted.score))
        defective += bool(predicted.not_ok)
        most = max(most, answer["tiles"])
    print(
        f"{equal} of {len(posted)} verdicts are equal, {defective} of them not OK; up to {most} "
        f"tiles; the scores differ by at most {largest:.1e}; predicted in "
        f"{model.config.network.dtype}"
    )
    sys.exit(equal < len(posted))


def _png(number: int, height: int, width: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photographs.photograph(0, number, height, width)[0]).save(file, "PNG")
    return file.getvalue()


if __name__ == "__main__":
    main()
