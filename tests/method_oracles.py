"""Independent float64 numpy oracles for the comparison methods, their augmentations and reports.

A second volume of `oracles`, on the same terms: nothing here imports the package under test, and
every function is written plainly from a description of what a released code computes.

Sources named in the docstrings:

* UAPS: Sime et al. 2023 (see `oracles`); its repository also holds the methods it is compared
  with, and those versions, which differ from the methods' own papers, are the ones meant here.
* CPCL: "Semi-supervised semantic segmentation with conservative-progressive collaborative
  learning", IEEE TIP 2023, as its released code computes it.
* DUEB: WACV 2025 (arXiv 2501.01640), whose code adds two terms to CPCL's.
* Kendall and Gal 2017, "What uncertainties do we need in Bayesian deep learning?".
* The albumentations, OpenCV and torchvision documentation, for the augmentations.

Layout as in `oracles`: logits are [B, H, W, C], labels are integers [B, H, W] with 255 for
"ignore", and a leading axis of 2 or K is the network, branch or head, number 1 at index 0. Loss
weights arrive already ramped.
"""

import colorsys
import math

import numpy as np

from tests import oracles
from tests.oracles import IGNORE

# ---------------------------------------------------------------------------------------------
# Mean Teacher and uncertainty-aware Mean Teacher
# ---------------------------------------------------------------------------------------------


def ema_decay(step, ceiling=0.99):
    """Share of the old teacher kept at a step counted from 0: min(1 - 1/(t + 1), ceiling) (UAPS).

    The first update (t = 0) replaces the teacher by the student.
    """
    return min(1.0 - 1.0 / (step + 1), ceiling)


def ema(teacher, student, decay):
    """New teacher decay * teacher + (1 - decay) * student, for one array (UAPS)."""
    teacher = np.asarray(teacher, dtype=np.float64)
    return decay * teacher + (1.0 - decay) * np.asarray(student, dtype=np.float64)


def probability_mse(p, q):
    """Mean over batch, pixels and classes of (p - q)^2, for probability maps (UAPS)."""
    p, q = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
    if p.shape != q.shape:
        raise ValueError(f"shapes differ: {p.shape} and {q.shape}")
    return float(((p - q) ** 2).mean())


def mean_teacher(labeled, labels, student, teacher, weight):
    """Mean Teacher from logits: supervised loss and the MSE of the softmax maps (UAPS).

    `student` and `teacher` are the two networks' logits on the unlabelled batch.
    """
    supervised = oracles.supervised_loss(labeled, labels)
    consistency = probability_mse(oracles.softmax(student), oracles.softmax(teacher))
    return {
        "supervised": supervised,
        "consistency": consistency,
        "total": supervised + weight * consistency,
    }


def ua_mt_threshold(weight):
    """Entropy under which UA-MT keeps a pixel: (0.75 + 2.5 w) ln 2, w the ramped weight (UAPS)."""
    return (0.75 + 2.5 * weight) * math.log(2.0)


def ua_mt(labeled, labels, student, teacher, samples, weight, threshold):
    """Uncertainty-aware Mean Teacher from logits (UAPS).

    H is the entropy -sum_c p ln(p + 1e-6) of the mean of the softmax of `samples` [T,B,H,W,C],
    and a pixel is kept where H < threshold. The consistency is the squared difference summed over
    the kept pixels and all classes, over 2 * (number kept) + 1e-16: the 2 stays 2 however many
    classes there are. `kept` is the share of the pixels which are kept.
    """
    p_student, p_teacher = oracles.softmax(student), oracles.softmax(teacher)
    p_mean = np.mean([oracles.softmax(sample) for sample in samples], axis=0)
    uncertainty = -(p_mean * np.log(p_mean + 1e-6)).sum(axis=-1)
    mask = uncertainty < threshold
    total = 0.0
    for pixel in np.ndindex(mask.shape):
        if mask[pixel]:
            total += ((p_student[pixel] - p_teacher[pixel]) ** 2).sum()
    supervised = oracles.supervised_loss(labeled, labels)
    consistency = float(total / (2.0 * mask.sum() + 1e-16))
    return {
        "supervised": supervised,
        "consistency": consistency,
        "kept": float(mask.mean()),
        "total": supervised + weight * consistency,
    }


# ---------------------------------------------------------------------------------------------
# CCT, CPS, DCT, UCC
# ---------------------------------------------------------------------------------------------


def cct(labeled, unlabeled, labels, weight):
    """CCT from the logits of K >= 2 heads, the main one first (UAPS).

    The supervised losses of all heads are averaged; the consistency is the mean over the
    auxiliary heads of the MSE between their softmax and the main head's.
    """
    supervised = float(np.mean([oracles.supervised_loss(head, labels) for head in labeled]))
    main = oracles.softmax(unlabeled[0])
    distances = [probability_mse(main, oracles.softmax(head)) for head in unlabeled[1:]]
    consistency = float(np.mean(distances))
    return {
        "supervised": supervised,
        "consistency": consistency,
        "total": supervised + weight * consistency,
    }


def cps(labeled, unlabeled, labels, weight):
    """Cross pseudo-supervision of two networks, from logits (UAPS).

    Each network learns from the other's argmax, on the unlabelled and on the labelled images; all
    terms are sums over the two networks. The pseudo-labels of the labelled images cover every
    pixel, those which the true labels ignore too.
    """

    def cross(first, second):
        hard_first = np.asarray(first).argmax(axis=-1)
        hard_second = np.asarray(second).argmax(axis=-1)
        return oracles.supervised_loss(first, hard_second) + oracles.supervised_loss(
            second, hard_first
        )

    supervised = sum(oracles.supervised_loss(network, labels) for network in labeled)
    cross_unlabeled = cross(*unlabeled)
    cross_labeled = cross(*labeled)
    return {
        "supervised": supervised,
        "cross_unlabeled": cross_unlabeled,
        "cross_labeled": cross_labeled,
        "total": supervised + weight * cross_unlabeled + weight * cross_labeled,
    }


def dct(labeled, labels, plain, turned, k, weight):
    """UAPS's "DCT", which is a rotation consistency: MSE(softmax f(R u), R softmax f(u)).

    R turns by k quarters against the clock. `plain` is f(u) [B, H, W, C]; `turned` is f(R u), of
    the turned shape.
    """
    expected = np.stack([oracles.rot90(image, k) for image in oracles.softmax(plain)])
    supervised = oracles.supervised_loss(labeled, labels)
    consistency = probability_mse(oracles.softmax(turned), expected)
    return {
        "supervised": supervised,
        "consistency": consistency,
        "total": supervised + weight * consistency,
    }


def kl_map(p_logits, q_logits):
    """KL(p || q) = sum_c p (ln p - ln q) of every pixel, p and q the softmax of the logits."""
    log_p, log_q = oracles.log_softmax(p_logits), oracles.log_softmax(q_logits)
    return (np.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def ucc(labeled, labels, weak, strong, weight):
    """UCC, simplified as in UAPS's repository: two heads, a weak and a strong view.

    y_1 = argmax p_2(weak), y_2 = argmax p_1(weak); D_1 = KL(p_2(strong) || p_1(weak)) and
    D_2 = KL(p_2(weak) || p_1(strong)). `pseudo` sums over the heads the loss of f_i(strong) on
    y_i times the mean of exp(-D_i), `uncertainty` the means of D_i.
    """
    hard = [np.asarray(weak[1]).argmax(axis=-1), np.asarray(weak[0]).argmax(axis=-1)]
    divergence = [kl_map(strong[1], weak[0]), kl_map(weak[1], strong[0])]
    pseudo = 0.0
    uncertainty = 0.0
    for head in range(2):
        discount = np.exp(-divergence[head]).mean()
        pseudo += float(oracles.supervised_loss(strong[head], hard[head]) * discount)
        uncertainty += float(divergence[head].mean())
    supervised = sum(oracles.supervised_loss(head, labels) for head in labeled)
    return {
        "supervised": supervised,
        "pseudo": pseudo,
        "uncertainty": uncertainty,
        "total": supervised + weight * (pseudo + uncertainty),
    }


# ---------------------------------------------------------------------------------------------
# CPCL
# ---------------------------------------------------------------------------------------------


def disagreement_weights(counts):
    """CPCL's class-wise disagreement indicator from a [C, C] count of (l_1, l_2) pairs.

    The identity is added to the counts, so that every class occurs; then
    w_c = (1 - N_cc / column sum) + (1 - N_cc / row sum), divided by sum w + 1e-6. (CPCL code.)
    """
    counts = np.asarray(counts, dtype=np.float64)
    counts = counts + np.eye(len(counts))
    raw = []
    for c in range(len(counts)):
        raw.append(
            (1.0 - counts[c, c] / counts[:, c].sum()) + (1.0 - counts[c, c] / counts[c].sum())
        )
    return np.array(raw) / (sum(raw) + 1e-6)


def cpcl_pseudo_labels(teacher):
    """Pseudo-labels of two branches: (inter, union, omega_inter, omega_union, class weights).

    Where the argmaxes l_1 and l_2 agree, that is the label in both maps and omega is the mean of
    the two confidences. Where they do not, `inter` ignores the pixel (omega_inter is still the
    mean), and `union` takes the label whose class has the larger disagreement indicator, l_2 on a
    tie, with the confidence of the branch which proposed it. (CPCL code.)
    """
    first, second = oracles.softmax(teacher[0]), oracles.softmax(teacher[1])
    l_1, l_2 = first.argmax(axis=-1), second.argmax(axis=-1)
    q_1, q_2 = first.max(axis=-1), second.max(axis=-1)
    counts = np.zeros((first.shape[-1], first.shape[-1]))
    for pixel in np.ndindex(l_1.shape):
        counts[l_1[pixel], l_2[pixel]] += 1
    w = disagreement_weights(counts)

    inter, union = l_2.copy(), l_2.copy()
    omega_inter = (q_1 + q_2) / 2.0
    omega_union = omega_inter.copy()
    for pixel in np.ndindex(l_1.shape):
        if l_1[pixel] == l_2[pixel]:
            continue
        inter[pixel] = IGNORE
        if w[l_1[pixel]] > w[l_2[pixel]]:
            union[pixel], omega_union[pixel] = l_1[pixel], q_1[pixel]
        else:
            union[pixel], omega_union[pixel] = l_2[pixel], q_2[pixel]
    return inter, union, omega_inter, omega_union, w


def cpcl(labeled, labels, teacher, mixed, weight):
    """CPCL from the logits of two branches, with UAPS's supervised loss for each branch.

    `teacher` holds the mixed logits of the unmixed images, `mixed` the logits on the mixed
    images. Branch 1 learns from the intersection, branch 2 from the union; both terms are means
    over all pixels, ignored ones counting as 0, of cross-entropy times omega. (CPCL code.)
    """
    inter, union, omega_inter, omega_union, _ = cpcl_pseudo_labels(teacher)
    supervised = sum(oracles.supervised_loss(branch, labels) for branch in labeled)
    intersection_loss = float((oracles.cross_entropy_map(mixed[0], inter) * omega_inter).mean())
    union_loss = float((oracles.cross_entropy_map(mixed[1], union) * omega_union).mean())
    return {
        "supervised": supervised,
        "intersection": intersection_loss,
        "union": union_loss,
        "total": supervised + weight * (intersection_loss + union_loss),
    }


# ---------------------------------------------------------------------------------------------
# DUEB
# ---------------------------------------------------------------------------------------------


def _elu(x):
    """ELU with alpha 1 of one number: x above 0, exp(x) - 1 below."""
    return x if x > 0.0 else math.expm1(x)


def aleatoric_released(logits, variance, labels, noise):
    """Aleatoric term A(f, v, y) as DUEB's code computes it, one number.

    CE * mean_t(-ELU(CE - CE_t)) + CE + mean(e^v - 1). CE and each CE_t, of the logits plus
    sqrt(v) * noise_t, are means over the valid pixels of the batch (0 if there are none); the last
    mean is over all pixels, ignored ones too. `noise` is standard normal, [T, B, H, W, C].
    """
    logits = np.asarray(logits, dtype=np.float64)
    variance = np.asarray(variance, dtype=np.float64)
    plain = oracles.cross_entropy(logits, labels)
    factors = []
    for draw in np.asarray(noise, dtype=np.float64):
        disturbed = logits + np.sqrt(variance)[..., None] * draw
        factors.append(-_elu(plain - oracles.cross_entropy(disturbed, labels)))
    return float(plain * np.mean(factors) + plain + np.expm1(variance).mean())


def aleatoric_repaired(logits, log_variance, labels, noise, weight=None):
    """Per-pixel attenuated likelihood: -ln (1/T) sum_t softmax(f + sigma eps_t)_y.

    sigma = exp(s / 2) with the log variance s clipped to [-7, 3]. The values, times the pixel
    weights [B, H, W] if any, are summed over the valid pixels and divided by the number of those;
    0.0 if there are none. (Kendall and Gal 2017, eq. 12, in place of DUEB's term.)
    """
    logits = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(labels)
    noise = np.asarray(noise, dtype=np.float64)
    sigma = np.exp(0.5 * np.clip(np.asarray(log_variance, dtype=np.float64), -7.0, 3.0))
    weight = np.ones(labels.shape) if weight is None else np.asarray(weight, dtype=np.float64)
    total, count = 0.0, 0
    for pixel in np.ndindex(labels.shape):
        if labels[pixel] == IGNORE:
            continue
        logs = np.array(
            [
                oracles.log_softmax(logits[pixel] + sigma[pixel] * draw[pixel])[labels[pixel]]
                for draw in noise
            ]
        )
        highest = logs.max()
        log_mean = highest + math.log(np.exp(logs - highest).sum()) - math.log(len(logs))
        total += weight[pixel] * -log_mean
        count += 1
    return float(total / count) if count else 0.0


def dueb(
    labeled,
    labeled_variance,
    labels,
    teacher,
    mixed,
    mixed_variance,
    noise_labeled,
    noise_mixed,
    weight_unlabeled,
    aleatoric_labeled=0.5,
    aleatoric_unlabeled=1.0,
    energy_labeled=0.5,
    energy_unlabeled=1.0,
):
    """DUEB's objective in its released form: CPCL plus aleatoric and energy terms (DUEB code).

    Every array but `labels` has the two branches on its first axis: logits [2, B, H, W, C],
    variances [2, B, H, W], noise [2, T, B, H, W, C]. The parts are sums over the branches without
    their coefficients. On unlabelled images branch 1's target is the intersection and branch 2's
    the union, and neither omega nor `weight_unlabeled` touches the aleatoric and energy terms.
    Energies come without ln N; the supervised part is UAPS's in place of plain cross-entropy.
    """
    base = cpcl(labeled, labels, teacher, mixed, weight_unlabeled)
    inter, union, _, _, _ = cpcl_pseudo_labels(teacher)
    parts = {
        "supervised": base["supervised"],
        "intersection": base["intersection"],
        "union": base["union"],
        "aleatoric_labeled": 0.0,
        "energy_labeled": 0.0,
        "aleatoric_unlabeled": 0.0,
        "energy_unlabeled": 0.0,
    }
    for b, target in enumerate((inter, union)):
        parts["aleatoric_labeled"] += aleatoric_released(
            labeled[b], labeled_variance[b], labels, noise_labeled[b]
        )
        parts["energy_labeled"] += oracles.energy_released(labeled[b], labels)
        parts["aleatoric_unlabeled"] += aleatoric_released(
            mixed[b], mixed_variance[b], target, noise_mixed[b]
        )
        parts["energy_unlabeled"] += oracles.energy_released(mixed[b], target)
    parts["total"] = (
        base["total"]
        + aleatoric_labeled * parts["aleatoric_labeled"]
        + energy_labeled * parts["energy_labeled"]
        + aleatoric_unlabeled * parts["aleatoric_unlabeled"]
        + energy_unlabeled * parts["energy_unlabeled"]
    )
    return parts


# ---------------------------------------------------------------------------------------------
# Augmentations
# ---------------------------------------------------------------------------------------------


def weak_to_strong(labeled, labels, strong, targets, kept, weight, form):
    """UniMatch's released losses on strong views: pixels that are not kept are left out.

    The cross entropy of kept pixels is divided by the number of all pixels; Dice sees labels that
    are "ignore" where a pixel is not kept (its medical code).
    """
    total = 0.0
    for logits, target, keep in zip(strong, targets, kept, strict=True):
        ce = (oracles.cross_entropy_map(logits, target) * (keep > 0)).sum() / target.size
        dice = oracles.dice_loss(logits, np.where(keep > 0, target, IGNORE))
        losses = {"cross_entropy": ce, "dice": dice, "cross_entropy_and_dice": (ce + dice) / 2}
        total += losses[form] / len(strong)
    return oracles.supervised_loss(labeled, labels) + weight * total


def pixel_loss(logits, target, keep, form):
    """Cross entropy of kept pixels over the number of all, or Dice of kept pixels (UniMatch)."""
    if form == "cross_entropy":
        return (oracles.cross_entropy_map(logits, target) * (keep > 0)).sum() / target.size
    return oracles.dice_loss(logits, np.where(keep > 0, target, IGNORE))


def unimatch(strong, strong_targets, dropped, target, form):
    """UniMatch's unlabeled loss, its terms 1/4, 1/4, 1/2 times 2; targets are (labels, kept)."""
    views = [pixel_loss(s, *t, form) for s, t in zip(strong, strong_targets, strict=True)]
    return sum(views) / 2 + pixel_loss(dropped, *target, form)


def bcp(first, second, labels, pseudo, outside, alpha):
    """BCP's loss: truth and pseudo-labels in complementary regions of two mixed images."""

    def region(logits, target, mask):
        target = np.where(mask, target, IGNORE)
        return oracles.supervised_loss(logits, target)

    truth = region(first, labels, outside) + region(second, labels, ~outside)
    return truth + alpha * (region(first, pseudo, ~outside) + region(second, pseudo, outside))


def certainty(probabilities):
    """(1 - H / ln C) max_c p_c of each pixel, H = -sum_c p ln(p + 1e-10) (PPL and AugSeg code)."""
    p = np.asarray(probabilities, dtype=np.float64)
    entropy = -(p * np.log(p + 1e-10)).sum(axis=-1)
    return (1.0 - entropy / math.log(p.shape[-1])) * p.max(axis=-1)


def mean_iou_of_maps(prediction, reference, classes):
    """Mean IoU of two class maps over the classes that either of them has (PPL, ST++ code)."""
    values = []
    for label in range(classes):
        one, other = np.asarray(prediction) == label, np.asarray(reference) == label
        if (one | other).any():
            values.append((one & other).sum() / (one | other).sum())
    return float(np.mean(values))


def sir(probabilities):
    """Stability and certainty of each image from K checkpoints [K, B, H, W, C] (PPL code).

    Stability is the mean over the earlier checkpoints of their mean IoU with the last one;
    certainty the mean over the pixels of the last one's.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    stability, sure = [], []
    for image in range(p.shape[1]):
        maps = p[:, image].argmax(axis=-1)
        ious = [mean_iou_of_maps(h, maps[-1], p.shape[-1]) for h in maps[:-1]]
        stability.append(sum(ious) / len(ious))
        sure.append(certainty(p[-1, image]).mean())
    return np.array(stability), np.array(sure)


def def_up(strong, pseudo, images, labels, first, second, draws, kappa):
    """PPL's mixed images and labels, one image after another (PPL code).

    `first` and `second` are the masks [H, W] of the whole batch, `draws` and `kappa` numbers of
    each image. An image whose draw is above its kappa gets pixels of the labeled image of its
    place; every image gets pixels of the next image, which the labeled pixels came into before.
    """
    count = len(strong)
    injected = []
    for i in range(count):
        picture, target = np.array(strong[i]), np.array(pseudo[i])
        if draws[i] > kappa[i]:
            picture[first == 1], target[first == 1] = images[i][first == 1], labels[i][first == 1]
        injected.append((picture, target))
    mixed_images, mixed_labels = [], []
    for i in range(count):
        picture, target = np.array(strong[i]), np.array(pseudo[i])
        from_image, from_target = injected[(i + 1) % count]
        picture[second == 1], target[second == 1] = (
            from_image[second == 1],
            from_target[second == 1],
        )
        mixed_images.append(picture)
        mixed_labels.append(target)
    return np.stack(mixed_images), np.stack(mixed_labels)


def ppl(labeled, labels, mixed, targets, form):
    """PPL's loss over all pixels with a label of both halves together; CE is their mean."""
    loss = {
        "cross_entropy": oracles.cross_entropy,
        "dice": oracles.dice_loss,
        "cross_entropy_and_dice": oracles.supervised_loss,
    }[form]
    both = np.concatenate([labeled, mixed]), np.concatenate([labels, targets])
    return {
        "supervised": loss(labeled, labels),
        "pseudo": loss(mixed, targets),
        "total": loss(*both),
    }


def cutmix_mask(boxes, height, width):
    """CutMix mask [H, W] of one sample: boxes (y0, x0, y1, x1), half open, joined by XOR.

    A pixel is 1 where an odd number of boxes covers it. (CPCL and DUEB code.)
    """
    mask = np.zeros((height, width), dtype=np.int64)
    for y0, x0, y1, x1 in np.asarray(boxes).reshape(-1, 4).tolist():
        for i in range(height):
            for j in range(width):
                if y0 <= i < y1 and x0 <= j < x1:
                    mask[i, j] ^= 1
    return mask


def unimatch_boxes(random, count, size, area, aspect):
    """CutMix boxes of square images, [count, 4]: height, width, top, left.

    The share of the image is drawn once; then aspect = height / width and the corner until the box
    lies inside; sides are rounded down. (UniMatch code, obtain_cutmix_box.)
    """
    boxes = []
    for _ in range(count):
        pixels = random.uniform(*area) * size * size
        while True:
            ratio = random.uniform(*aspect)
            width, height = int(math.sqrt(pixels / ratio)), int(math.sqrt(pixels * ratio))
            left, top = random.integers(0, size), random.integers(0, size)
            if left + width <= size and top + height <= size:
                break
        boxes.append((height, width, top, left))
    return np.array(boxes)


def grid_distortion_axis(size, steps, factors):
    """Coordinate map of albumentations' GridDistortion along one axis, [size].

    The axis is cut into cells of size // steps pixels, each stretched by its factor and sampled
    from its first to its last coordinate inclusive; a cell cut short by the border ends at `size`.
    There are steps + 1 factors. (albumentations docs.)
    """
    step = size // steps
    coordinates = np.zeros(size)
    prev = 0.0
    for index, start in enumerate(range(0, size, step)):
        end = start + step
        if end > size:
            end = size
            cur = float(size)
        else:
            cur = prev + step * factors[index]
        coordinates[start:end] = np.linspace(prev, cur, end - start)
        prev = cur
    return coordinates


def remap_reflect101(image, rows, columns, nearest):
    """Sample [H, W] or [H, W, C] at (rows[i], columns[j]), with reflect-101 borders (cv2.remap).

    Bilinear in float64, or the nearest pixel floor(x + 0.5) in the image's own type. The integer
    positions of the taps are found first and then reflected into the image.
    """
    image = np.asarray(image)
    height, width = image.shape[:2]

    def taps(position):
        if nearest:
            return [(math.floor(position + 0.5), 1.0)]
        low = math.floor(position)
        return [(low, 1.0 - (position - low)), (low + 1, position - low)]

    shape = (len(rows), len(columns), *image.shape[2:])
    out = np.zeros(shape, dtype=image.dtype if nearest else np.float64)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            for y, share_y in taps(row):
                for x, share_x in taps(column):
                    pixel = image[oracles._reflect_101(y, height), oracles._reflect_101(x, width)]
                    if nearest:
                        out[i, j] = pixel
                    else:
                        out[i, j] += share_y * share_x * pixel
    return out


def _grey(image):
    """Luma of [H, W, 3], not rounded (ITU-R BT.601, as torchvision's grayscale)."""
    return 0.299 * image[..., 0] + 0.587 * image[..., 1] + 0.114 * image[..., 2]


def color_jitter(image, brightness, contrast, saturation, hue):
    """Brightness, contrast, saturation and hue in that order, on [H, W, 3] in 0..255.

    The first three blend the image with black, with the mean of its grey image, and with its grey
    image, by the factor, and clip to 0..255; hue is a share of the full turn added to the H of
    HSV. (torchvision's ColorJitter, in a fixed order and in floats.)
    """
    image = np.clip(np.asarray(image, dtype=np.float64) * brightness, 0.0, 255.0)
    image = np.clip(contrast * image + (1.0 - contrast) * _grey(image).mean(), 0.0, 255.0)
    grey = _grey(image)[..., None]
    image = np.clip(saturation * image + (1.0 - saturation) * grey, 0.0, 255.0)
    out = np.zeros_like(image)
    for pixel in np.ndindex(image.shape[:2]):
        h, s, v = colorsys.rgb_to_hsv(*(image[pixel] / 255.0).tolist())
        out[pixel] = 255.0 * np.array(colorsys.hsv_to_rgb((h + hue) % 1.0, s, v))
    return out


def pixel_dropout(image, keep):
    """Zero all channels of [H, W, C] where keep [H, W] is False (albumentations PixelDropout)."""
    out = np.array(image, dtype=np.float64)
    out[~np.asarray(keep, dtype=bool)] = 0.0
    return out


# ---------------------------------------------------------------------------------------------
# Reports
# ---------------------------------------------------------------------------------------------


def pseudo_label_health(target, kept, student, truth, classes):
    """How good and how used a batch's pseudo-labels are, in percent; all maps are [B, H, W].

    `share` lists per class the kept pixels with that target among all pixels; `accuracy` is the
    share of right targets among the kept pixels whose truth is not 255, nan if there are none;
    `agreement` is the share of all pixels at which the student predicts the target.
    """
    target, student, truth = np.asarray(target), np.asarray(student), np.asarray(truth)
    kept = np.asarray(kept, dtype=bool)
    of_class = [0] * classes
    right = judged = agreed = 0
    for pixel in np.ndindex(target.shape):
        agreed += int(student[pixel] == target[pixel])
        if not kept[pixel]:
            continue
        if target[pixel] < classes:
            of_class[target[pixel]] += 1
        if truth[pixel] != IGNORE:
            judged += 1
            right += int(target[pixel] == truth[pixel])
    return {
        "share": [100.0 * count / target.size for count in of_class],
        "accuracy": 100.0 * right / judged if judged else math.nan,
        "agreement": 100.0 * agreed / target.size,
    }


def macs_unet(channels, classes, auxiliary, size, widths):
    """Multiply-accumulates of the convolutions of UAPS's U-Net for one size x size image.

    One encoder and 1 + `auxiliary` decoders. A block is two 3x3 convolutions; an up-step is a 1x1
    convolution at the coarse size, then a block on the skip and the upsampled features; the output
    is a 3x3 convolution. Norms, activations and interpolation are not counted. (Sime et al. 2023.)
    """

    def block(side, before, after):
        return side * side * 9 * (before * after + after * after)

    sides = [size // 2**level for level in range(len(widths))]
    encoder = block(sides[0], channels, widths[0])
    for level in range(1, len(widths)):
        encoder += block(sides[level], widths[level - 1], widths[level])
    decoder = sides[0] ** 2 * 9 * widths[0] * classes
    for level in range(1, len(widths)):
        coarse, fine = widths[level], widths[level - 1]
        decoder += sides[level] ** 2 * coarse * fine
        decoder += block(sides[level - 1], 2 * fine, fine)
    return encoder + (1 + auxiliary) * decoder
