"""The marginals of pydensecrf for `benchmarks.crf`, in an environment of its own.

    python benchmarks/pydensecrf_side.py IN.npz OUT.npz

IN holds images uint8 `[N, H, W, 3]`, probabilities float32 `[N, H, W, C]`, the settings of the CRF
as numbers, and `channels`: 3 compares colours, 1 the first of them alone. OUT holds the marginals
and the seconds of each image. pip install numpy pydensecrf2
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import numpy as np
from pydensecrf.densecrf import DenseCRF2D
from pydensecrf.utils import create_pairwise_bilateral


def marginals(image: np.ndarray, p: np.ndarray, given: Mapping[str, np.ndarray]) -> np.ndarray:
    """Of one image, `[H, W, C]`."""
    height, width, classes = p.shape
    crf = DenseCRF2D(width, height, classes)
    energy = -np.log(np.clip(p, 1e-5, 1)).transpose(2, 0, 1).reshape(classes, -1)
    crf.setUnaryEnergy(np.ascontiguousarray(energy, np.float32))
    crf.addPairwiseGaussian(
        sxy=float(given["position_sigma"]), compat=float(given["position_weight"])
    )
    sigma, level = float(given["sigma"]), float(given["level_sigma"])
    weight = float(given["bilateral_weight"])
    if given["channels"] == 3:
        crf.addPairwiseBilateral(sxy=sigma, srgb=level, rgbim=image, compat=weight)
    else:
        guide = np.ascontiguousarray(image[..., :1])
        features = create_pairwise_bilateral((sigma, sigma), (level,), guide, chdim=2)
        crf.addPairwiseEnergy(features, compat=weight)
    q = np.array(crf.inference(int(given["iterations"])))
    return q.reshape(classes, height, width).transpose(1, 2, 0)


def main() -> None:
    with np.load(sys.argv[1]) as file:
        given = dict(file)
    results, seconds = [], []
    for image, p in zip(given["images"], given["probabilities"], strict=True):
        started = time.perf_counter()
        results.append(marginals(image, p, given))
        seconds.append(time.perf_counter() - started)
    np.savez(sys.argv[2], marginals=np.stack(results), seconds=seconds)


if __name__ == "__main__":
    main()
