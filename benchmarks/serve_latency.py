"""From a photograph to its verdict, asked over HTTP as a program on the machine does.

    python -m benchmarks.serve_latency --network=efficientnet_lite0 --fit=crop

Exports a network without training, whose output layer says background everywhere, since noise would
make thousands of defects; starts `--mode=serve` with it, and posts photographs of
`benchmarks.photographs` as JPEGs, one after another. The times are those of the client, from the
bytes of the file to the answer. A real file and real photographs: `--model=FILE.onnx
--photographs=FOLDER`. The results go to `benchmarks/results/serve_latency.jsonl`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image

from benchmarks import photographs
from benchmarks.measuring import record
from uaps_jax.inference.exported import processors
from uaps_jax.serving.timings import percentiles

PROJECT = Path(__file__).resolve().parents[1]
CLASS_NAMES = ("background", "pit", "scratch")
DIFFERENT = 8
"""Photographs that are posted in turns."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--network", default="efficientnet_lite0")
    parser.add_argument("--size", type=int, default=256, help="side of the network's input")
    parser.add_argument("--fit", choices=("resize", "crop"), default="resize")
    parser.add_argument("--height", type=int, default=600, help="of the photographs")
    parser.add_argument("--width", type=int, default=1000)
    parser.add_argument("--warm_up", type=int, default=5, help="requests that are not timed")
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--model", type=Path, help="an exported file, in place of --network")
    parser.add_argument("--photographs", type=Path, help="a folder, in place of drawn ones")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = given.model or write_untrained(
            Path(folder) / "untrained.onnx", given.network, given.size, given.fit
        )
        posted = (
            [one.read_bytes() for one in sorted(given.photographs.iterdir())]
            if given.photographs
            else drawn(given.height, given.width)
        )
        with serving(file) as port:
            for number in range(given.warm_up):
                ask(port, posted[number % len(posted)])
            answers = [timed(port, posted[n % len(posted)]) for n in range(given.requests)]
    client = percentiles([milliseconds for milliseconds, _ in answers])
    parts = {
        part: percentiles([answer["milliseconds"][part] for _, answer in answers])["p50_ms"]
        for part in answers[0][1]["milliseconds"]
    }
    about = {name: answers[0][1][name] for name in ("image_width_px", "image_height_px", "tiles")}
    figures = vars(given) | about | client | {"parts_p50_ms": parts}
    figures |= {"processors": processors(), "onnxruntime": onnxruntime.__version__}
    print(", ".join(f"{name} {value}" for name, value in figures.items() if value is not None))
    record("serve_latency", {k: str(v) if isinstance(v, Path) else v for k, v in figures.items()})


def write_untrained(file: Path, network: str, size: int, fit: str) -> Path:
    """Exports a network with initial weights, an output layer for background, and a decision."""
    import jax

    from uaps_jax import config as config_lib
    from uaps_jax import methods
    from uaps_jax.configs import train
    from uaps_jax.evaluation import image_score
    from uaps_jax.evaluation.decision import Decision, Target
    from uaps_jax.inference.onnx_file import model as onnx_model

    config = train.build(dataset="folder", method="supervised", network=network)
    config.network.pretrained = ""
    config.data.height = config.data.width = size
    config.data.fit, config.data.classes = fit, len(CLASS_NAMES)  # type: ignore[assignment]
    config = config_lib.validate(config)
    rule = image_score.rule_of(config.evaluation.decision)
    decision = Decision(
        rule=rule,
        threshold=0.5,
        target=Target(aim="false_alarms", rate=0.05),
        good=1,
        defective=1,
        false_alarms=0,
        found=0,
    )
    method = methods.build(config)
    variables = jax.tree.map(_silenced, method.variables(*method.init(0)))
    predictor = method.predictor("")
    model = onnx_model.to_onnx(config, predictor, None, variables, CLASS_NAMES, {}, rule, decision)
    file.write_bytes(model.SerializeToString())
    return file


def _silenced(array: Any) -> Any:
    """An array of the output layer, whose last axis is the classes, for background everywhere."""
    if array.ndim == 0 or array.shape[-1] != len(CLASS_NAMES):
        return array
    return np.where(np.arange(len(CLASS_NAMES)) == 0, 5.0 * (array.ndim == 1), 0.0) * np.ones_like(
        array
    )


def drawn(height: int, width: int) -> list[bytes]:
    """Photographs as the bytes of JPEGs."""
    files = []
    for number in range(DIFFERENT):
        file = io.BytesIO()
        pixels, _ = photographs.photograph(0, number, height, width)
        Image.fromarray(pixels).convert("RGB").save(file, "JPEG", quality=95)
        files.append(file.getvalue())
    return files


@contextlib.contextmanager
def serving(file: Path) -> Iterator[int]:
    """The port of a server, which is a process of its own."""
    command = [sys.executable, "run.py", "--mode=serve", f"--input={file.resolve()}", "--port=0"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(
        command,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("serving on "):
            raise SystemExit(f"the server did not start: {line}")
        try:
            yield int(line.strip().rstrip("/").rpartition(":")[2])
        finally:
            process.terminate()


def ask(port: int, photograph: bytes) -> dict[str, Any]:
    """The answer about a photograph."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/", photograph)
    answer: dict[str, Any] = json.load(connection.getresponse())
    if "error" in answer:
        raise SystemExit(answer["error"])
    return answer


def timed(port: int, photograph: bytes) -> tuple[float, dict[str, Any]]:
    """Milliseconds of the client, and the answer."""
    started = time.perf_counter()
    answer = ask(port, photograph)
    return 1000 * (time.perf_counter() - started), answer


if __name__ == "__main__":
    main()
