"""Independent float64 numpy oracles for the tests.

Nothing here imports the package under test: every function is written from a published
description, plainly, so that a test which compares the two has two opinions to compare.

Sources named in the docstrings:

* UAPS: Sime et al. 2023, "Uncertainty-aware and dynamically-mixed pseudo-labels for
  semi-supervised defect segmentation", Computers in Industry 152, as its released code computes it.
* DUEB: "Uncertainty and energy based loss guided semi-supervised semantic segmentation",
  WACV 2025 (arXiv 2501.01640).
* The PyTorch, OpenCV, albumentations and scikit-learn documentation, for what UAPS takes from them.

Layout: images and features are channels-last ([B, H, W, C]), a leading K is the decoder head,
labels are integers [B, H, W] in which 255 means "ignore", images are floats in 0..255. Only the
whole-network functions (`unet_eval`, `unet_train_no_dropout`) speak PyTorch's NCHW and OIHW.
"""

import math

import numpy as np

IGNORE = 255


# ---------------------------------------------------------------------------------------------
# Softmax and supervised losses
# ---------------------------------------------------------------------------------------------


def log_softmax(logits):
    """Log of the softmax over the last axis, shifted by the maximum (torch.log_softmax)."""
    logits = np.asarray(logits, dtype=np.float64)
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits):
    """Softmax over the last axis (torch.softmax)."""
    logits = np.asarray(logits, dtype=np.float64)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def cross_entropy_map(logits, labels, ignore=IGNORE):
    """Per-pixel cross-entropy, 0 at ignored pixels (torch cross_entropy, reduction="none")."""
    labels = np.asarray(labels)
    log_probabilities = log_softmax(logits)
    values = np.zeros(labels.shape)
    for pixel in np.ndindex(labels.shape):
        if labels[pixel] != ignore:
            values[pixel] = -log_probabilities[pixel][labels[pixel]]
    return values


def cross_entropy(logits, labels, ignore=IGNORE):
    """Mean cross-entropy over the valid pixels of the whole batch; 0.0 where there are none.

    UAPS (Sime et al. 2023): all classes including background, unweighted. The ignore label is
    torch's `ignore_index`; torch gives nan for a batch without a valid pixel, here it is 0.
    """
    valid = np.asarray(labels) != ignore
    if not valid.any():
        return 0.0
    return float(cross_entropy_map(logits, labels, ignore)[valid].mean())


def weighted_cross_entropy(logits, labels, pixel_weights, normalizer, ignore=IGNORE):
    """Cross-entropy with a weight per pixel, divided by the valid pixels or by their weights.

    "labeled": sum w ce / number of valid pixels, as UniMatch divides the loss of the confident
    pixels by all that are valid. "weight": sum w ce / sum w, as torch does it for class weights.
    0.0 where the divisor is 0.
    """
    values, total, count = cross_entropy_map(logits, labels, ignore), 0.0, 0.0
    for pixel in np.ndindex(values.shape):
        if labels[pixel] != ignore:
            total += values[pixel] * pixel_weights[pixel]
            count += 1.0 if normalizer == "labeled" else pixel_weights[pixel]
    return float(total / count) if count else 0.0


def weighted_supervised_loss(logits, labels, pixel_weights, normalizer, ignore=IGNORE):
    """Half the sum of `weighted_cross_entropy` and of Dice with weighted sums."""
    ce = weighted_cross_entropy(logits, labels, pixel_weights, normalizer, ignore)
    return 0.5 * (ce + _dice(softmax(logits), labels, pixel_weights, ignore))


def class_weighted_cross_entropy(logits, labels, class_weights, ignore=IGNORE):
    """Torch's cross_entropy(weight=class_weights, ignore_index): sum w_y ce / sum w_y, or 0.0."""
    log_probabilities = log_softmax(logits)
    total = divisor = 0.0
    for pixel in np.ndindex(np.asarray(labels).shape):
        y = labels[pixel]
        if y != ignore:
            total -= class_weights[y] * log_probabilities[pixel][y]
            divisor += class_weights[y]
    return float(total / divisor) if divisor else 0.0


def ohem_cross_entropy(logits, labels, threshold, min_kept, ignore=IGNORE):
    """Cross-entropy of the hard pixels (U2PL's OhemCrossEntropy2dTensor, from CPS).

    Probabilities of the true classes, sorted from below. With fewer valid pixels than min_kept all
    are kept; else those up to the threshold, or up to the min_kept-th probability if that is
    larger. Mean over what is kept, 0.0 if nothing is.
    """
    probabilities = softmax(logits)
    actual = [
        probabilities[pixel][labels[pixel]]
        for pixel in np.ndindex(np.asarray(labels).shape)
        if labels[pixel] != ignore
    ]
    if len(actual) >= min_kept:
        limit = threshold
        if min_kept > 0:
            limit = max(threshold, sorted(actual)[min_kept - 1])
        actual = [p for p in actual if p <= limit]
    return float(np.mean([-np.log(p) for p in actual])) if actual else 0.0


def _dice(probabilities, labels, pixel_weights, ignore):
    """Soft Dice loss of probabilities with one weight per pixel (1 everywhere: the plain loss)."""
    labels = np.asarray(labels)
    valid = labels != ignore
    classes = probabilities.shape[-1]
    score = 0.0
    for c in range(classes):
        p = probabilities[..., c][valid]
        y = (labels[valid] == c).astype(np.float64)
        w = pixel_weights[valid]
        intersection = (w * p * y).sum()
        total = (w * (p + y)).sum()
        score += 2.0 * intersection / (total + 1e-7)
    return float(1.0 - score / classes)


def dice_loss(logits, labels, ignore=IGNORE):
    """Batch-level soft Dice loss over all classes, background included.

    UAPS (Sime et al. 2023): 1 - (1/C) sum_c 2 I_c / (S_c + 1e-7), I_c = sum p_c y_c and
    S_c = sum (p_c + y_c), the sums over the pixels of the whole batch. Ignored pixels are in none
    of the sums, so a batch of ignored pixels only has the loss 1.
    """
    return _dice(softmax(logits), labels, np.ones(np.asarray(labels).shape), ignore)


def supervised_loss(logits, labels, ignore=IGNORE):
    """Half the sum of cross-entropy and Dice, for one head (UAPS, Sime et al. 2023)."""
    return 0.5 * (cross_entropy(logits, labels, ignore) + dice_loss(logits, labels, ignore))


# ---------------------------------------------------------------------------------------------
# UAPS: dynamic mixing, uncertainty, rectified pseudo-supervision
# ---------------------------------------------------------------------------------------------


def mix_probabilities(probabilities, beta):
    """Convex combination sum_k beta_k p_k of the heads' probabilities (UAPS, Sime et al. 2023)."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    mixed = np.zeros(probabilities.shape[1:])
    for weight, head in zip(np.asarray(beta, dtype=np.float64), probabilities, strict=True):
        mixed += weight * head
    return mixed


def pseudo_label(logits, beta):
    """Hard label of the mixed softmax maps, no threshold (UAPS, Sime et al. 2023)."""
    return mix_probabilities(softmax(logits), beta).argmax(axis=-1)


def kl_to_mean(logits):
    """D_k = KL(p_bar || p_k) per head and pixel, [K, B, H, W] (UAPS, Sime et al. 2023).

    p_bar is the plain mean of the heads' softmax maps, whatever the mixing weights are; the
    logarithm is natural and the classes are summed.
    """
    log_p = log_softmax(logits)
    mean = np.exp(log_p).mean(axis=0)
    # A logarithm of the mean which stays finite where every head's probability underflows.
    highest = log_p.max(axis=0)
    log_mean = highest + np.log(np.exp(log_p - highest).mean(axis=0))
    return np.stack([(mean * (log_mean - head)).sum(axis=-1) for head in log_p])


def uaps_losses(labeled_logits, unlabeled_logits, labels, beta, w1, w2, rectify="scalar"):
    """All loss terms of one UAPS step (Sime et al. 2023) from logits [K, B, H, W, C].

    rectify="scalar" is what the released code computes: a head's pseudo-supervision, one number,
    times the mean of exp(-D_k). rectify="pixel" weights every pixel by itself: the mean over
    pixels of 0.5 CE_k(x) exp(-D_k(x)), plus 0.5 times the Dice whose intersection and sums weight
    each pixel by exp(-D_k(x)). `ps` is the unweighted pseudo-supervision in both.
    """
    if rectify not in ("scalar", "pixel"):
        raise ValueError(f"rectify must be 'scalar' or 'pixel', not {rectify!r}")
    labeled_logits = np.asarray(labeled_logits, dtype=np.float64)
    unlabeled_logits = np.asarray(unlabeled_logits, dtype=np.float64)
    ce = np.array([cross_entropy(head, labels) for head in labeled_logits])
    dice = np.array([dice_loss(head, labels) for head in labeled_logits])
    l_sup = float((0.5 * (ce + dice)).mean())

    kl_maps = kl_to_mean(unlabeled_logits)
    hard = pseudo_label(unlabeled_logits, beta)
    ps = np.array([supervised_loss(head, hard) for head in unlabeled_logits])
    rectified = []
    for head, divergence, plain in zip(unlabeled_logits, kl_maps, ps, strict=True):
        certainty = np.exp(-divergence)
        if rectify == "scalar":
            rectified.append(plain * certainty.mean())
        else:
            weighted_ce = (cross_entropy_map(head, hard) * certainty).mean()
            weighted_dice = _dice(softmax(head), hard, certainty, IGNORE)
            rectified.append(0.5 * weighted_ce + 0.5 * weighted_dice)
    l_ups = float(np.mean(rectified))
    l_un = float(kl_maps.mean())
    return {
        "ce": ce,
        "dice": dice,
        "l_sup": l_sup,
        "kl_maps": kl_maps,
        "pseudo_label": hard,
        "ps": ps,
        "l_ups": l_ups,
        "l_un": l_un,
        "total": float(l_sup + w1 * l_ups + w2 * l_un),
    }


def numeric_gradient(f, x, indices, h=1e-5):
    """Central differences of the scalar function f at the given flat indices of x."""
    x = np.array(x, dtype=np.float64)
    slopes = []
    for index in indices:
        above, below = x.copy(), x.copy()
        above.reshape(-1)[index] += h
        below.reshape(-1)[index] -= h
        slopes.append((float(f(above)) - float(f(below))) / (2.0 * h))
    return np.array(slopes)


def ramp_up(step, stair, length):
    """Staircase ramp exp(-5 (1 - min(step // stair, length) / length)^2) (UAPS)."""
    level = min(step // stair, length)
    return math.exp(-5.0 * (1.0 - level / length) ** 2)


# ---------------------------------------------------------------------------------------------
# Energies (DUEB) and uncertainty maps
# ---------------------------------------------------------------------------------------------


def _logsumexp(values, axis):
    """Stable log of the sum of exponentials along one axis."""
    highest = values.max(axis=axis, keepdims=True)
    total = np.exp(values - highest).sum(axis=axis, keepdims=True)
    return np.squeeze(highest + np.log(total), axis=axis)


def energy_released(logits, labels, ignore=IGNORE):
    """Energy term as DUEB's code computes it, less the constant ln(number of valid pixels).

    The log-sum-exp runs over the valid pixels of the batch, of the softmax probability of each
    pixel's label class; 0.0 where no pixel is valid. (DUEB, WACV 2025.)
    """
    labels = np.asarray(labels)
    probabilities = softmax(logits)
    actual = [
        probabilities[pixel][labels[pixel]]
        for pixel in np.ndindex(labels.shape)
        if labels[pixel] != ignore
    ]
    if not actual:
        return 0.0
    return float(_logsumexp(np.array(actual), axis=0) - math.log(len(actual)))


def free_energy(logits):
    """Free energy -logsumexp_c f_c of every pixel, temperature 1 (the energy of JEM)."""
    return -_logsumexp(np.asarray(logits, dtype=np.float64), axis=-1)


def energy_hinge(logits, inside, outside, m_in, m_out):
    """Squared hinge on the free energy: low on `inside` pixels, high on `outside` pixels.

    mean over inside of relu(E - m_in)^2 + mean over outside of relu(m_out - E)^2; an empty mask
    contributes 0.
    """
    energy = free_energy(logits)
    total = 0.0
    for mask, gap in ((inside, energy - m_in), (outside, m_out - energy)):
        chosen = gap[np.asarray(mask, dtype=bool)]
        if chosen.size:
            total += (np.maximum(chosen, 0.0) ** 2).mean()
    return float(total)


def entropy(probabilities):
    """Natural-log entropy over the last axis, with 0 ln 0 = 0."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    logs = np.log(np.where(probabilities > 0.0, probabilities, 1.0))
    return -(probabilities * logs).sum(axis=-1)


def head_variance(probabilities):
    """Mean over the classes of the (population) variance over the heads, [K,...,C] -> [...]."""
    probabilities = np.asarray(probabilities, dtype=np.float64)
    mean = probabilities.mean(axis=0)
    return ((probabilities - mean) ** 2).mean(axis=0).mean(axis=-1)


def vote_disagreement(stack):
    """One minus the share of heads whose argmax is the modal class, [K,...,C] -> [...].

    The stack may hold logits or probabilities: only each head's argmax counts (ties within a head
    go to the lowest class).
    """
    stack = np.asarray(stack)
    votes = stack.argmax(axis=-1)
    result = np.zeros(votes.shape[1:])
    for pixel in np.ndindex(result.shape):
        counts = np.bincount(votes[(slice(None), *pixel)], minlength=stack.shape[-1])
        result[pixel] = 1.0 - counts.max() / len(stack)
    return result


# ---------------------------------------------------------------------------------------------
# Layers
# ---------------------------------------------------------------------------------------------


def batch_norm_train(x, mean, var, scale, bias, momentum=0.1, eps=1e-5):
    """Training-mode torch.nn.BatchNorm2d on [N, H, W, C]: (y, new running mean and variance).

    The batch is normalised by its biased variance; the running variance takes the unbiased one,
    and `momentum` is the share of the new statistic (torch docs).
    """
    x = np.asarray(x, dtype=np.float64)
    count = x.shape[0] * x.shape[1] * x.shape[2]
    if count < 2:
        raise ValueError("more than one value per channel is needed in training (as in torch)")
    batch_mean = x.mean(axis=(0, 1, 2))
    biased = ((x - batch_mean) ** 2).mean(axis=(0, 1, 2))
    unbiased = biased * count / (count - 1)
    y = (x - batch_mean) / np.sqrt(biased + eps) * scale + bias
    new_mean = (1.0 - momentum) * np.asarray(mean, dtype=np.float64) + momentum * batch_mean
    new_var = (1.0 - momentum) * np.asarray(var, dtype=np.float64) + momentum * unbiased
    return y, new_mean, new_var


def batch_norm_eval(x, mean, var, scale, bias, eps=1e-5):
    """Evaluation-mode torch.nn.BatchNorm2d: running statistics, over the last axis (torch docs)."""
    x = np.asarray(x, dtype=np.float64)
    return (x - mean) / np.sqrt(np.asarray(var, dtype=np.float64) + eps) * scale + bias


def conv3x3(x, kernel, bias):
    """3x3 cross-correlation with one pixel of zero padding (torch.nn.Conv2d, padding=1).

    x [N, H, W, ci], kernel [3, 3, ci, co], bias [co].
    """
    x = np.asarray(x, dtype=np.float64)
    kernel = np.asarray(kernel, dtype=np.float64)
    n, height, width, _ = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = np.zeros((n, height, width, kernel.shape[3]))
    for i in range(3):
        for j in range(3):
            y += padded[:, i : i + height, j : j + width, :] @ kernel[i, j]
    return y + np.asarray(bias, dtype=np.float64)


def conv1x1(x, kernel, bias):
    """1x1 convolution (torch.nn.Conv2d); the kernel is [ci, co] or [1, 1, ci, co]."""
    kernel = np.asarray(kernel, dtype=np.float64)
    kernel = kernel.reshape(kernel.shape[-2:])
    return np.asarray(x, dtype=np.float64) @ kernel + np.asarray(bias, dtype=np.float64)


def max_pool2(x):
    """2x2 maximum with stride 2; an odd last row or column is dropped (torch.nn.MaxPool2d(2))."""
    x = np.asarray(x, dtype=np.float64)
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    x = x[:, :height, :width]
    top = np.maximum(x[:, 0::2, 0::2], x[:, 0::2, 1::2])
    bottom = np.maximum(x[:, 1::2, 0::2], x[:, 1::2, 1::2])
    return np.maximum(top, bottom)


def _upsample_rows(x):
    """Double axis 1 by linear interpolation whose end points are the input's end points."""
    size = x.shape[1]
    rows = []
    for i in range(2 * size):
        position = i * (size - 1) / (2 * size - 1)
        low = min(int(position), size - 1)
        high = min(low + 1, size - 1)
        share = position - low
        rows.append((1.0 - share) * x[:, low] + share * x[:, high])
    return np.stack(rows, axis=1)


def upsample_align_corners_x2(x):
    """Bilinear x2 upsampling of [N, H, W, C] (torch.nn.Upsample, align_corners=True).

    Output i samples the source at i (H - 1) / (2H - 1), along each axis.
    """
    x = _upsample_rows(np.asarray(x, dtype=np.float64))
    return _upsample_rows(x.swapaxes(1, 2)).swapaxes(1, 2)


def leaky_relu(x, slope=0.01):
    """torch.nn.LeakyReLU with its default slope."""
    x = np.asarray(x, dtype=np.float64)
    return np.where(x >= 0.0, x, slope * x)


# ---------------------------------------------------------------------------------------------
# The whole network, on PyTorch's names
# ---------------------------------------------------------------------------------------------


class _Network:
    """UAPS's shared encoder and its decoders (Sime et al. 2023), channels-last inside.

    With train=True batch statistics normalise and `after` gathers the running statistics that one
    forward leaves behind; dropout is off in both modes.
    """

    def __init__(self, weights, train):
        self.weights = {k: np.asarray(v, dtype=np.float64) for k, v in weights.items()}
        self.train = train
        self.after = {}

    def heads(self):
        """List the decoders' names, the main one first."""
        names = ["main_decoder"]
        while f"aux_decoder{len(names)}.out_conv.weight" in self.weights:
            names.append(f"aux_decoder{len(names)}")
        return names

    def conv(self, name, x):
        """Apply a convolution; OIHW becomes HWIO."""
        kernel = self.weights[name + ".weight"].transpose(2, 3, 1, 0)
        apply = conv1x1 if kernel.shape[0] == 1 else conv3x3
        return apply(x, kernel, self.weights[name + ".bias"])

    def norm(self, name, x):
        mean = self.weights[name + ".running_mean"]
        var = self.weights[name + ".running_var"]
        scale, bias = self.weights[name + ".weight"], self.weights[name + ".bias"]
        if not self.train:
            return batch_norm_eval(x, mean, var, scale, bias)
        y, new_mean, new_var = batch_norm_train(x, mean, var, scale, bias)
        self.after[name + ".running_mean"] = new_mean
        self.after[name + ".running_var"] = new_var
        return y

    def block(self, name, x):
        """Conv, BN, LeakyReLU, (dropout, index 3 in PyTorch), conv, BN, LeakyReLU."""
        x = leaky_relu(self.norm(name + ".conv_conv.1", self.conv(name + ".conv_conv.0", x)))
        return leaky_relu(self.norm(name + ".conv_conv.5", self.conv(name + ".conv_conv.4", x)))

    def encode(self, x):
        """Compute the five levels of features, finest first."""
        features = [self.block("encoder.in_conv", x)]
        for level in range(1, 5):
            pooled = max_pool2(features[-1])
            features.append(self.block(f"encoder.down{level}.maxpool_conv.1", pooled))
        return features

    def decode(self, name, features):
        """One decoder's logits; the skip's channels come before the upsampled ones."""
        x = features[4]
        for step in range(1, 5):
            x = upsample_align_corners_x2(self.conv(f"{name}.up{step}.conv1x1", x))
            x = np.concatenate([features[4 - step], x], axis=-1)
            x = self.block(f"{name}.up{step}.conv", x)
        return self.conv(name + ".out_conv", x)


def _to_last(x):
    """NCHW to NHWC."""
    return np.asarray(x, dtype=np.float64).transpose(0, 2, 3, 1)


def _to_first(x):
    """NHWC to NCHW."""
    return x.transpose(0, 3, 1, 2)


def unet_eval(weights, x):
    """UAPS's network in evaluation mode: (features 0..4, logits of each head), all NCHW.

    `weights` maps PyTorch state-dict names to arrays (OIHW kernels); x is NCHW. Every head,
    auxiliary ones too, decodes the clean features. (Sime et al. 2023; torch docs for the layers.)
    """
    network = _Network(weights, train=False)
    features = network.encode(_to_last(x))
    logits = [_to_first(network.decode(name, features)) for name in network.heads()]
    return [_to_first(f) for f in features], logits


def unet_train_no_dropout(weights, x):
    """One training-mode forward of encoder and main decoder with all dropout rates 0.

    Returns the main head's logits (NCHW) and the running statistics afterwards, by PyTorch name.
    """
    network = _Network(weights, train=True)
    logits = network.decode("main_decoder", network.encode(_to_last(x)))
    return _to_first(logits), network.after


# ---------------------------------------------------------------------------------------------
# Feature perturbations
# ---------------------------------------------------------------------------------------------


def feature_noise(z, noise):
    """FeatureNoise z * (1 + noise), one noise [H, W, C] for a whole batch (Sime et al. 2023)."""
    z = np.asarray(z, dtype=np.float64)
    return z * (1.0 + np.asarray(noise, dtype=np.float64))


def feature_dropout(z, u):
    """Zero the most active pixels of [B, H, W, C], all channels (UAPS, Sime et al. 2023).

    A is the mean over the channels, tau_b = u * max A_b for each image, and a pixel is kept, not
    rescaled, where A < tau_b.
    """
    z = np.asarray(z, dtype=np.float64)
    kept = np.zeros_like(z)
    for b, image in enumerate(z):
        activity = image.mean(axis=-1)
        threshold = u * activity.max()
        kept[b] = image * (activity < threshold)[..., None]
    return kept


def dropout(z, keep_mask, p):
    """Elementwise inverted dropout with a given mask: kept values are scaled by 1 / (1 - p)."""
    return np.asarray(z, dtype=np.float64) * np.asarray(keep_mask) / (1.0 - p)


# ---------------------------------------------------------------------------------------------
# Image transforms, [H, W, C] in 0..255
# ---------------------------------------------------------------------------------------------


def brightness_contrast(image, alpha, beta):
    """clip(alpha * image + 255 * beta, 0, 255) (albumentations, as UAPS uses it)."""
    return np.clip(alpha * np.asarray(image, dtype=np.float64) + 255.0 * beta, 0.0, 255.0)


def _reflect_101(index, size):
    """Source index by OpenCV's BORDER_REFLECT_101 (gfedcb|abcdefgh|gfedcba)."""
    if size == 1:
        return 0
    while not 0 <= index < size:
        index = -index if index < 0 else 2 * size - 2 - index
    return index


def box_blur(image, k):
    """Normalised k x k box filter, k odd, with reflect-101 borders (cv2.blur); not rounded."""
    image = np.asarray(image, dtype=np.float64)
    height, width = image.shape[:2]
    radius = k // 2
    offsets = range(-radius, radius + 1)
    total = np.zeros_like(image)
    for i in range(height):
        for j in range(width):
            for di in offsets:
                for dj in offsets:
                    total[i, j] += image[_reflect_101(i + di, height), _reflect_101(j + dj, width)]
    return total / (k * k)


def gauss_noise(image, noise):
    """Add a given noise and clip to 0..255 (albumentations.GaussNoise)."""
    return np.clip(np.asarray(image, dtype=np.float64) + noise, 0.0, 255.0)


def nearest_resize(image, size):
    """Nearest resize of [H, W, ...] to (h, w), source = floor(dst * in / out), exactly.

    OpenCV's INTER_NEAREST (no half-pixel shift); the division is done in integers.
    """
    image = np.asarray(image)
    rows = [i * image.shape[0] // size[0] for i in range(size[0])]
    columns = [j * image.shape[1] // size[1] for j in range(size[1])]
    return image[rows][:, columns]


def hflip(x):
    """Mirror left and right of [H, W, ...]."""
    return np.asarray(x)[:, ::-1]


def vflip(x):
    """Mirror top and bottom of [H, W, ...]."""
    return np.asarray(x)[::-1]


def rot90(x, k):
    """Turn [H, W, ...] by k quarters against the clock, as numpy.rot90."""
    x = np.asarray(x)
    for _ in range(k % 4):
        # The last column becomes the first row.
        x = x.swapaxes(0, 1)[::-1]
    return x


def normalize(image, mean, std):
    """(image / 255 - mean) / std over the channels (torchvision and albumentations Normalize)."""
    image = np.asarray(image, dtype=np.float64)
    return (image / 255.0 - np.asarray(mean)) / np.asarray(std)


# ---------------------------------------------------------------------------------------------
# Metrics on integer maps
# ---------------------------------------------------------------------------------------------


def confusion(truth, prediction, classes, ignore=IGNORE):
    """Count the pixels by (true class, predicted class), ignored pixels left out."""
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError(f"shapes differ: {truth.shape} and {prediction.shape}")
    counts = np.zeros((classes, classes), dtype=np.int64)
    for t, p in zip(truth.reshape(-1).tolist(), prediction.reshape(-1).tolist(), strict=True):
        if t == ignore:
            continue
        if not (0 <= t < classes and 0 <= p < classes):
            raise ValueError(f"label {t} or prediction {p} is not one of {classes} classes")
        counts[t, p] += 1
    return counts


def _image_score(truths, predictions, classes, ignore, score_of_class):
    """Mean over images of the mean over the foreground classes present in each truth."""
    scores = []
    left_out = 0
    for truth, prediction in zip(truths, predictions, strict=True):
        counts = confusion(truth, prediction, classes, ignore)
        of_image = []
        for c in range(1, classes):
            in_truth, in_prediction = counts[c, :].sum(), counts[:, c].sum()
            if in_truth > 0:
                of_image.append(score_of_class(counts[c, c], in_truth, in_prediction))
        if of_image:
            scores.append(np.mean(of_image))
        else:
            left_out += 1
    score = float(np.mean(scores)) if scores else math.nan
    return score, len(scores), left_out


def image_iou(truths, predictions, classes, ignore=IGNORE):
    """Image-averaged foreground IoU, UAPS's reported mIoU: (score, images counted, left out).

    Per image (|P and G| + 1e-10) / (|P or G| + 1e-10), averaged over the foreground classes
    present in its truth; images without any are left out. nan if none is counted. (UAPS code.)
    """

    def iou(both, in_truth, in_prediction):
        return (both + 1e-10) / (in_truth + in_prediction - both + 1e-10)

    return _image_score(truths, predictions, classes, ignore, iou)


def image_dice(truths, predictions, classes, ignore=IGNORE):
    """Image-averaged foreground Dice, UAPS's mDice: (score, images counted, left out).

    As `image_iou`, with 2 (|P and G| + 1e-10) / (|P| + |G| + 1e-10). (UAPS code.)
    """

    def dice(both, in_truth, in_prediction):
        return 2.0 * (both + 1e-10) / (in_truth + in_prediction + 1e-10)

    return _image_score(truths, predictions, classes, ignore, dice)


def _nan_mean(values):
    """Mean of the values that are not nan; nan if there are none."""
    kept = [v for v in values if not math.isnan(v)]
    return sum(kept) / len(kept) if kept else math.nan


def dataset_iou(truths, predictions, classes, ignore=IGNORE):
    """IoU from one confusion matrix over all images: (mean, foreground mean, per class).

    A class in neither truth nor prediction is nan, and the means skip it. The usual mIoU of
    semantic segmentation, background included in the first mean.
    """
    counts = np.zeros((classes, classes), dtype=np.int64)
    for truth, prediction in zip(truths, predictions, strict=True):
        counts += confusion(truth, prediction, classes, ignore)
    per_class = []
    for c in range(classes):
        union = counts[c, :].sum() + counts[:, c].sum() - counts[c, c]
        per_class.append(float(counts[c, c] / union) if union > 0 else math.nan)
    return _nan_mean(per_class), _nan_mean(per_class[1:]), per_class


def pixel_accuracy(truths, predictions, ignore=IGNORE):
    """Share of the valid pixels of all images that are right, background included; nan if none."""
    right = valid = 0
    for truth, prediction in zip(truths, predictions, strict=True):
        counted = np.asarray(truth) != ignore
        valid += int(counted.sum())
        right += int((np.asarray(truth) == np.asarray(prediction))[counted].sum())
    return right / valid if valid else math.nan


def clean_false_positive_rate(truths, predictions, ignore=IGNORE):
    """Share of the images without foreground in truth that have a foreground pixel predicted.

    Ignored pixels count neither way; nan if there is no such image.
    """
    clean = alarmed = 0
    for truth, prediction in zip(truths, predictions, strict=True):
        counted = np.asarray(truth) != ignore
        if (np.asarray(truth)[counted] > 0).any():
            continue
        clean += 1
        alarmed += int((np.asarray(prediction)[counted] > 0).any())
    return alarmed / clean if clean else math.nan


# ---------------------------------------------------------------------------------------------
# Optimisation and splits
# ---------------------------------------------------------------------------------------------


def plateau(values, lr, factor, patience, threshold, min_lr):
    """Learning rate after each value: torch's ReduceLROnPlateau, mode max, relative threshold.

    A value improves iff it exceeds best * (1 + threshold); after more than `patience` values in
    a row that do not, lr becomes max(lr * factor, min_lr), unless that changes it by no more than
    1e-8 (torch's default eps), and the count starts again. (torch docs.)
    """
    best = -math.inf
    bad = 0
    rates = []
    for value in values:
        if value > best * (1.0 + threshold):
            best = value
            bad = 0
        else:
            bad += 1
        if bad > patience:
            reduced = max(lr * factor, min_lr)
            if lr - reduced > 1e-8:
                lr = reduced
            bad = 0
        rates.append(lr)
    return rates


def adam(params, grads, lr, b1=0.9, b2=0.999, eps=1e-8):
    """Plain torch.optim.Adam (no weight decay): the list of parameters after each gradient.

    `params` is one array, `grads` a sequence of arrays like it. eps is added to the
    bias-corrected root (torch docs).
    """
    params = np.array(params, dtype=np.float64)
    first = np.zeros_like(params)
    second = np.zeros_like(params)
    history = []
    for step, raw in enumerate(grads, start=1):
        grad = np.asarray(raw, dtype=np.float64)
        first = b1 * first + (1.0 - b1) * grad
        second = b2 * second + (1.0 - b2) * grad**2
        corrected_first = first / (1.0 - b1**step)
        corrected_second = second / (1.0 - b2**step)
        params = params - lr * corrected_first / (np.sqrt(corrected_second) + eps)
        history.append(params)
    return history


def train_test_split(names, test_size, random_state):
    """scikit-learn's train_test_split with shuffling: (train, test) lists.

    One permutation by RandomState(random_state); the first ceil(n * test_size) are the test part
    and all the others, in the permutation's order, the training part. (scikit-learn docs.)
    """
    order = np.random.RandomState(random_state).permutation(len(names))
    count = math.ceil(len(names) * test_size)
    test = [names[i] for i in order[:count]]
    train = [names[i] for i in order[count:]]
    return train, test
