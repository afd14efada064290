"""One way to segment photographs, for `benchmarks.inference`: JAX, ONNX Runtime or PyTorch."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import seconds
from benchmarks.sides import serve

CLASSES = 4

Segment = Callable[[np.ndarray], np.ndarray]
"""uint8 images to masks; some ways compute an uncertainty as well, which is dropped."""


def main() -> None:
    """Answers `benchmarks.inference`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--way", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--uncertainties", nargs="*", default=[])
    given = parser.parse_args()
    if given.way == "write":
        write(given.folder, given.network, given.size, given.uncertainties)
        return
    makers: dict[str, Callable[..., Segment]] = {"jax": ours, "onnx": onnx, "torch": torch_peer}
    kind, _, how = given.way.partition("-")
    segment = makers[kind](given.folder, given.network, given.size, how)
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


def _configured(folder: Path, network: str, size: int) -> tuple[Any, Any, Any]:
    """The configuration, the method and variables with running statistics as after training."""
    if network != "unet":
        from benchmarks import network_reference

        return network_reference.ours(folder, network, size)
    import jax

    from uaps_jax import methods
    from uaps_jax.configs.parts import datasets
    from uaps_jax.configs.parts import methods as presets

    config = presets.uaps(datasets.neu_seg())
    config.data.height = config.data.width = size
    method = methods.build(config)
    variables = method.variables(*method.init(0))
    random = np.random.default_rng(0)
    stats = jax.tree.map(
        lambda v: random.uniform(0.1, 0.3, v.shape).astype(np.float32), variables["batch_stats"]
    )
    return config, method, variables | {"batch_stats": stats}


def write(folder: Path, network: str, size: int, uncertainties: Sequence[str]) -> None:
    """Writes weights by their published names, images and their masks, and ONNX files.

    There is one ONNX file for each of `uncertainties`, "entropy" or "method".
    """
    import jax

    from benchmarks import torch_names

    if network != "unet":
        from benchmarks import network_reference

        network_reference.write(folder, network)
    config, method, variables = _configured(folder, network, size)
    for uncertainty in uncertainties:
        from uaps_jax.evaluation import image_score
        from uaps_jax.inference import export

        names = [f"class {index}" for index in range(CLASSES)]
        rule = image_score.rule_of(config.evaluation.decision)
        path = folder / f"{uncertainty}.onnx"
        export.write(path, config, method, variables, names, {}, uncertainty, rule, None)
    images = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    masks = jax.jit(method.predictor(""))(variables, images).argmax(-1)
    stored: dict[str, Any] = {"images": images, "masks": masks}
    if network == "unet":
        stored |= {f"weights/{n}": v for n, v in torch_names.tensors(variables).items()}
    np.savez(folder / "reference.npz", **stored)


def ours(folder: Path, network: str, size: int, how: str) -> Segment:
    """The jitted main decoder, in a compute type."""
    import jax

    from uaps_jax import compiler, methods

    config, _, variables = _configured(folder, network, size)
    config.network.dtype = how or "float32"
    predictor = methods.build(config).predictor("")
    masks = compiler.jit_optimized(lambda v, x: predictor(v, x).argmax(-1).astype(np.uint8))
    placed = jax.device_put(variables)
    return lambda images: np.asarray(masks(placed, images))


def onnx(folder: Path, network: str, size: int, how: str) -> Segment:
    """The exported file in ONNX Runtime: the mask alone, or with an uncertainty as well."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    session = onnxruntime.InferenceSession(
        folder / f"{how or 'entropy'}.onnx", options, providers=["CPUExecutionProvider"]
    )
    outputs = ["mask", "uncertainty"] if how else ["mask"]
    return lambda images: session.run(outputs, {"images": images})[0]


def torch_peer(folder: Path, network: str, size: int, how: str) -> Segment:
    """PyTorch: channels last, inference mode, compiled if asked for."""
    import torch

    from benchmarks import torch_peer as peer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(os.cpu_count() or 1)
    if network == "unet":
        unet = peer.Network(3, CLASSES, auxiliary=0)
        with np.load(folder / "reference.npz") as file:
            peer.load(unet, file)
        unet = unet.eval().to(device)
        peer.channels_last(unet)
        logits_of = unet.main
    else:
        from benchmarks import network_reference

        deep = network_reference.theirs(folder, network).to(device)
        logits_of = deep.to(memory_format=torch.channels_last)
    normalize = peer.normalizer(device)

    def masks(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled="bfloat16" in how):
            logits = logits_of(normalize(images))
        return logits.argmax(1).to(torch.uint8)

    run = torch.compile(masks, dynamic=False) if "compiled" in how else masks

    def segment(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return run(torch.from_numpy(images).to(device)).cpu().numpy()

    return segment


if __name__ == "__main__":
    main()
