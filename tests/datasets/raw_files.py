"""Raw data for the tests of builders: encoded pictures, folders and archives of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tensorflow_datasets.core import dataset_metadata

from uaps_jax.datasets.common import DataError


def encode(array: np.ndarray, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind)
    return file.getvalue()


def picture(seed: int, size: tuple[int, int] = (24, 20), kind: str = "PNG") -> bytes:
    """A grey picture of noise; its size is (height, width)."""
    return encode(np.random.default_rng(seed).integers(0, 256, size, np.uint8), kind)


def mask_of(rows: Mapping[int, int], size: tuple[int, int] = (24, 20)) -> bytes:
    """A mask of zeros with a few whole rows of other values."""
    values = np.zeros(size, np.uint8)
    for row, value in rows.items():
        values[row] = value
    return encode(values)


def write_files(root: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_zip(path: Path, files: Mapping[str, bytes], prefix: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)


def snapshot(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*")}


def build(builder, manual_dir: Path):
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    builder.download_and_prepare(download_config=config)
    return builder


def read(builder) -> dict[str, dict[str, dict]]:
    """Split -> name -> example; the mask without its channel axis."""
    return {
        split: {e["name"].decode(): e | {"mask": e["mask"][:, :, 0]} for e in source}
        for split, source in builder.as_data_source().items()
    }


def failure(builder, manual_dir: Path) -> DataError:
    """The report of a build that has to fail without writing a dataset."""
    data_dir = Path(builder.data_path).parents[2]
    with pytest.raises(DataError) as caught:
        build(builder, manual_dir)
    # TFDS keeps a list of the configs before it builds any.
    left = [p for p in data_dir.rglob("*") if p.is_file() and p.parent.name != ".config"]
    assert left == [], left
    with pytest.raises(KeyError, match="has not been generated"):
        builder.as_data_source("train")
    return caught.value


def reasons(error: DataError) -> dict[str, str]:
    """File name -> reason; a file has one problem only."""
    result = {Path(problem.path).name: problem.reason for problem in error.problems}
    assert len(result) == len(error.problems), error
    return result


def assert_reasons(error: DataError, expected: Mapping[str, str]) -> None:
    """Exactly these files have problems, and the reasons hold these words."""
    result = reasons(error)
    assert result.keys() == expected.keys(), error
    for name, words in expected.items():
        assert words in result[name], error


def warnings(caplog) -> list[str]:
    return [r.getMessage() for r in caplog.records if "data set" in r.getMessage()]


def assert_package(package: Path) -> None:
    """The folder has what TFDS expects."""
    assert not (package / "checksums.tsv").read_text()
    tags = (package / "TAGS.txt").read_text().split()
    assert tags
    assert set(tags) <= set(dataset_metadata.valid_tags())
    assert (package / "CITATIONS.bib").read_text().startswith("@")
    assert "icence" in (package / "README.md").read_text()
