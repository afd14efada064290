"""Independent float64 numpy oracles for the CRF and for learning from rough masks.

Sources:

* Krahenbuhl and Koltun 2011, "Efficient inference in fully connected CRFs with Gaussian edge
  potentials"; the symmetric normalisation is that of its released code.
* URN (AAAI 2022), PMM (ICCV 2021) and SEAM (CVPR 2020), as their released code computes them.
"""

import numpy as np


def softmax(logits):
    logits = np.exp(logits - logits.max(-1, keepdims=True))
    return logits / logits.sum(-1, keepdims=True)


def energies(probabilities):
    return -np.log(np.clip(np.asarray(probabilities, np.float64), 1e-5, 1))


def kernel_matrix(guide, sigma, level_sigma=None):
    """exp(-|f_i - f_j|^2 / 2) between all pixels, row by row, `[N, N]`."""
    height, width = guide.shape[:2]
    features = [[y / sigma, x / sigma] for y in range(height) for x in range(width)]
    if level_sigma is not None:
        levels = np.asarray(guide, np.float64).reshape(height * width, -1) / level_sigma
        features = [place + list(level) for place, level in zip(features, levels, strict=True)]
    features = np.array(features)
    matrix = np.zeros((len(features),) * 2)
    for row, feature in enumerate(features):
        matrix[row] = np.exp(-((features - feature) ** 2).sum(1) / 2)
    return matrix


def mean_field(energy, matrices, weights, iterations):
    """Parallel updates with symmetrically normalised matrices."""
    shape = energy.shape
    energy = energy.reshape(-1, shape[-1])
    q = softmax(-energy)
    for _ in range(iterations):
        logits = -energy
        for matrix, weight in zip(matrices, weights, strict=True):
            mass = np.sqrt(matrix.sum(1))
            logits = logits + weight * (matrix / mass[:, None] / mass[None]) @ q
        q = softmax(logits)
    return q.reshape(shape)


def crf(guide, probabilities, settings):
    """The marginals with the settings of a `CRFConfig`; `guide` is what it compares."""
    return mean_field(
        energies(probabilities),
        crf_matrices(guide, settings),
        (settings.position_weight, settings.bilateral_weight),
        settings.iterations,
    )


def crf_matrices(guide, settings):
    sigma = settings.bilateral_sigma * max(guide.shape[:2])
    return (
        kernel_matrix(guide, settings.position_sigma),
        kernel_matrix(guide, sigma, settings.level_sigma),
    )


def scaled_responses(probabilities, refine, scales, examined=None):
    """Mask and variance; `examined` classes, or those of the mask if None.

    Args:
      probabilities: `[H, W, C]`.
      refine: probabilities of some classes to scores of them.
      scales: powers.
      examined: class ids.
    """
    p = np.asarray(probabilities, np.float64)
    if examined is None:
        mask = refine(p).argmax(-1)
        examined = np.unique(mask)
    else:
        examined = np.asarray(examined)
        mask = examined[refine(p[..., examined]).argmax(-1)]
    variances = np.zeros((len(examined), *mask.shape))
    for row in range(len(examined)):
        chosen = []
        for scale in scales:
            some = p[..., examined].copy()
            some[..., row] **= scale
            chosen.append(refine(some).argmax(-1) == row)
        variances[row] = np.var(np.array(chosen, np.float64), axis=0)
    return mask, variances.max(0)


def smoothed(maps):
    result = np.zeros(maps.shape)
    for k in range(maps.shape[-1]):
        v = maps[..., k].astype(np.float64)
        counted = v[v > 0.05]
        factor = 0.3 * counted.std() / counted.mean() if counted.size else 0
        v[v < 0.05] = 0
        result[..., k] = v ** (1 - factor)
    return result


def proportional_mask(maps, is_foreground):
    height, width, classes = maps.shape
    mask = np.zeros((height, width), int)
    mass = [maps[..., k][is_foreground[..., k]].sum() for k in range(classes)]
    for y in range(height):
        for x in range(width):
            best = -1.0
            for k in range(classes):
                value = maps[y, x, k] / (1 + mass[k])
                if is_foreground[y, x, k] and value > best:
                    mask[y, x], best = k + 1, value
    return mask


def pixel_correlation(maps, features):
    result = np.zeros(maps.shape)
    for image in range(len(maps)):
        x = features[image].reshape(-1, features.shape[-1]).astype(np.float64)
        x = x / (np.linalg.norm(x, axis=1, keepdims=True) + 1e-5)
        similar = np.maximum(x @ x.T, 0)
        similar = similar / (similar.sum(0, keepdims=True) + 1e-5)
        flat = maps[image].reshape(len(x), -1)
        result[image] = (similar.T @ flat).reshape(maps.shape[1:])
    return result


def cross_regularization(maps, others, refined, refined_others):
    total = 0.0
    for target, prediction in ((others, refined), (maps, refined_others)):
        target = target.copy()
        for image, y, x in np.ndindex(target.shape[:3]):
            classes = target[image, y, x, 1:]
            classes[classes != classes.max()] = 0
        differences = np.abs(target - prediction).reshape(len(target), -1)
        count = int(differences.shape[1] * 0.2)
        total += np.sort(differences, axis=1)[:, -count:].mean()
    return total


def low_activation(maps):
    flat = np.sort(maps[..., 1:].max(-1).reshape(len(maps), -1), axis=1)
    return np.maximum(flat[:, : flat.shape[1] // 4], 0).mean()
