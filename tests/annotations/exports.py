"""Small exports of every format, for tests: proposals of masks as annotations, and their damage."""

from __future__ import annotations

import base64
import copy
import io
import json
import random
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from uaps_jax.annotations import formats, run_lengths
from uaps_jax.annotations.formats import Proposal

CLASSES = ("background", "pit", "Kratzer tief")
SIZES = {"line 1/a.png": (12, 10), "b.bmp": (9, 11), "good.png": (7, 8)}
"""Height and width."""

WRITTEN = Path(__file__).parent / "written_by"


def masks(seed: int = 0, ignored: bool = True) -> dict[str, np.ndarray]:
    """A mask of each image: blocks of every class, pixels on diagonals; the last has no defect."""
    generator = np.random.default_rng(seed)
    made = {}
    for name, (height, width) in SIZES.items():
        coarse = generator.integers(0, 3, (-(-height // 2), -(-width // 2)), np.uint8)
        mask = coarse.repeat(2, 0).repeat(2, 1)[:height, :width].copy()
        noise = generator.random(mask.shape) < 0.1
        mask[noise] = generator.integers(0, 3, noise.sum(), np.uint8)
        made[name] = mask
    if ignored:
        made["b.bmp"][:2, :3] = 255
    made["good.png"][:] = 0
    return made


def proposals(of: Mapping[str, np.ndarray]) -> list[Proposal]:
    scores = (0.2, 0.9, 0.5)
    return [
        Proposal(name=name, size=mask.shape, mask=mask, score=score)
        for (name, mask), score in zip(of.items(), scores, strict=True)
    ]


def write_images(folder: Path, sizes: Mapping[str, tuple[int, int]] = SIZES) -> None:
    for seed, (name, size) in enumerate(sizes.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(pixels).save(path)


def annotated(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks of Label Studio whose predictions were accepted."""
    done = copy.deepcopy(tasks)
    for number, task in enumerate(done, start=1):
        results = [prediction["result"] for prediction in task["predictions"]]
        task["id"] = number
        task["annotations"] = [
            {"id": 1, "result": result, "created_at": "2026-01-01T08:00:00Z"} for result in results
        ]
    return done


def write(kind: str, of: Mapping[str, np.ndarray], folder: Path) -> Path:
    """Writes masks as annotations; the file or folder to import."""
    formats.WRITERS[kind](proposals(of), CLASSES, folder)
    if kind == "label_studio":
        file = folder / "tasks.json"
        file.write_text(json.dumps(annotated(json.loads(file.read_text()))))
        return file
    return next(folder.glob("*.zip"), folder)


def written_by(tool: str, folder: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Unpacks what a tool wrote; the file or folder to import, and the masks that it stands for.

    `benchmarks/annotation_round_trips.py` has written it.
    """
    content = json.loads((WRITTEN / f"{tool}.json").read_text())
    for name, packed in content["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b64decode(packed)))
    made = {}
    for name, described in content["masks"].items():
        height, width = described["size"]
        made[name] = np.zeros((height, width), np.uint8)
        for value, text in described["runs"].items():
            counts = run_lengths.checked(text, height * width)
            made[name][run_lengths.to_mask(counts, height, width)] = int(value)
    return folder / content["given"], made


def zipped(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 7, 10**30, 1e300, float("nan"), float("inf"), "", "x", "../x", "\0"),
    *([], [[]], [1, 2], {}, {"a": 1}, "9" * 30, [None], "/etc/passwd", [[1e9, 1e9]] * 3),
)


def swapped(generator: random.Random, content: Any) -> Any:
    """JSON content with another value, or none, at a random place."""
    changed = copy.deepcopy(content)
    at, key, above = changed, None, None
    while isinstance(at, dict | list) and at and (above is None or generator.random() < 0.85):
        above = at
        key = generator.choice(list(at) if isinstance(at, dict) else range(len(at)))
        at = at[key]
    if above is None or key is None:
        return generator.choice(VALUES)
    if generator.random() < 0.15:
        del above[key]
    else:
        above[key] = copy.deepcopy(generator.choice(VALUES))
    return changed


def damaged(generator: random.Random, data: bytes) -> bytes:
    """Bytes that are cut off, flipped, repeated or replaced; or, if it is JSON, another value."""
    kind = generator.choice(("cut", "flip", "repeat", "swap", "swap", "swap", "word"))
    if kind == "swap":
        try:
            return json.dumps(swapped(generator, json.loads(data))).encode()
        except ValueError:
            kind = "word"
    start = generator.randrange(len(data))
    if kind == "cut":
        return data[:start]
    if kind == "repeat":
        return data[:start] + data[max(0, start - 20) :]
    if kind == "flip":
        changed = bytearray(data)
        for _ in range(generator.randint(1, 8)):
            changed[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        return bytes(changed)
    end = start + generator.randint(0, 6)
    words = (b"<", b"&a;", b"-1", b"9" * 20, b"nan", b",", b";", b'"', b"../", b"\xff", b":", b"\n")
    return data[:start] + generator.choice(words) + data[end:]
