"""One way to segment photographs, for `benchmarks.inference`: JAX, ONNX Runtime or PyTorch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import seconds
from benchmarks.sides import serve

CLASSES = 4

Segment = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Answers `benchmarks.inference`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    given = parser.parse_args()
    if given.way in ("write", "write-onnx"):
        write(given.folder, given.size, with_onnx=given.way == "write-onnx")
        return
    makers: dict[str, Callable[..., Segment]] = {"jax": ours, "onnx": onnx, "torch": torch_peer}
    kind, _, how = given.way.partition("-")
    segment = makers[kind](given.folder, given.size, how)
    serve(
        {
            "agree": lambda: agree(segment, given.folder),
            "times": timer(segment, given.size),
            "describe": lambda: describe(kind),
        }
    )


def describe(kind: str) -> str:
    """The software and the device of a way."""
    if kind == "jax":
        import jax

        return f"jax {jax.__version__}, {jax.devices()[0].device_kind}"
    if kind == "onnx":
        import onnxruntime

        return f"onnxruntime {onnxruntime.__version__}, cpu"
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return f"torch {torch.__version__}, {device}"


def timer(segment: Segment, size: int) -> Callable[..., list[float]]:
    """Times calls from uint8 images on the host to uint8 masks on the host."""
    random = np.random.default_rng(1)

    def times(batch: int, count: int) -> list[float]:
        images = random.integers(0, 256, (batch, size, size, 3), np.uint8)
        return seconds(lambda: segment(images), count)

    return times


def agree(segment: Segment, folder: Path) -> float:
    """Fraction of pixels with another class than the reference's."""
    with np.load(folder / "reference.npz") as file:
        return float((segment(file["images"]) != file["masks"]).mean())


def _configured(size: int) -> tuple[Any, Any, Any]:
    """The configuration, the method and variables with running statistics as after training."""
    import jax

    from uaps_jax import methods
    from uaps_jax.configs.parts import datasets

    config = datasets.neu_seg()
    config.data.height = config.data.width = size
    method = methods.build(config)
    variables = method.variables(*method.init(0))
    random = np.random.default_rng(0)
    stats = jax.tree.map(
        lambda v: random.uniform(0.1, 0.3, v.shape).astype(np.float32), variables["batch_stats"]
    )
    return config, method, variables | {"batch_stats": stats}


def write(folder: Path, size: int, *, with_onnx: bool) -> None:
    """Writes weights by their published names, images and their masks, and the ONNX file."""
    import jax

    from benchmarks import torch_names

    config, method, variables = _configured(size)
    if with_onnx:
        from uaps_jax.evaluation import image_score
        from uaps_jax.inference import export

        names = [f"class {index}" for index in range(CLASSES)]
        rule = image_score.rule_of(config.evaluation.decision)
        export.write(
            folder / "model.onnx", config, method, variables, names, {}, "entropy", rule, None
        )
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    masks = jax.jit(method.predictor(""))(variables, images).argmax(-1)
    stored: dict[str, Any] = {"images": images, "masks": masks}
    stored |= {f"weights/{n}": v for n, v in torch_names.tensors(variables).items()}
    np.savez(folder / "reference.npz", **stored)


def ours(folder: Path, size: int, how: str) -> Segment:
    """The jitted main decoder, in a compute type."""
    import jax

    from uaps_jax import compiler, methods

    config, _, variables = _configured(size)
    config.network.dtype = how or "float32"
    predictor = methods.build(config).predictor("")
    masks = compiler.jit_optimized(lambda v, x: predictor(v, x).argmax(-1).astype(np.uint8))
    placed = jax.device_put(variables)
    return lambda images: np.asarray(masks(placed, images))


def onnx(folder: Path, size: int, how: str) -> Segment:
    """The exported file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(
        folder / "model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run(["mask"], {"images": images})[0]


def torch_peer(folder: Path, size: int, how: str) -> Segment:
    """PyTorch: channels last, inference mode, compiled if asked for."""
    import torch

    from benchmarks import torch_peer as peer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(os.cpu_count() or 1)
    network = peer.Network(3, CLASSES, auxiliary=0)
    with np.load(folder / "reference.npz") as file:
        peer.load(network, file)
    network = network.eval().to(device)
    peer.channels_last(network)
    normalize = peer.normalizer(device)

    def masks(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled="bfloat16" in how):
            logits = network.main(normalize(images))
        return logits.argmax(1).to(torch.uint8)

    run = torch.compile(masks, dynamic=False) if "compiled" in how else masks

    def segment(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return run(torch.from_numpy(images).to(device)).cpu().numpy()

    return segment


if __name__ == "__main__":
    main()
