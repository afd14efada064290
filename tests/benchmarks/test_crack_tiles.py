"""CrackForest in tiles."""

import numpy as np
import pytest
import scipy.io
from PIL import Image

from benchmarks import crack_tiles


def test_tiles_do_not_overlap_and_leave_the_edge():
    array = np.arange(5 * 7 * 3).reshape(5, 7, 3)
    tiles = crack_tiles.cut(array, 2)
    assert len(tiles) == 6
    np.testing.assert_array_equal(tiles[4], array[2:4, 2:4])


@pytest.fixture
def crackforest(tmp_path):
    """Two photographs of 64 x 128, the first with a crack in its right half, one not annotated."""
    folder = tmp_path / "raw" / "CrackForest-dataset"
    for kind in ("image", "groundTruth"):
        (folder / kind).mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("001", "002"):
        pixels = random.integers(0, 256, (64, 128, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "image" / f"{name}.jpg")
    values = np.ones((64, 128), np.uint8)
    values[10, 70:100] = 2
    truth = np.zeros((1, 1), [("Segmentation", object)])
    truth["Segmentation"][0, 0] = values
    scipy.io.savemat(folder / "groundTruth" / "001.mat", {"groundTruth": truth})
    return tmp_path / "raw"


def test_a_folder_of_images_and_masks_is_written(crackforest, tmp_path):
    out = tmp_path / "tiles"
    assert crack_tiles.write(crackforest, out, 64) == (1, 1)
    names = ["001_0.png", "001_1.png", "002_0.png", "002_1.png"]
    assert sorted(file.name for file in (out / "images").iterdir()) == names
    masks = sorted((out / "masks").iterdir())
    assert [file.name for file in masks] == names[:2]
    cracked = [int(np.asarray(Image.open(file)).sum()) for file in masks]
    assert cracked == [0, 30]
