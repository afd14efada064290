"""U2PL's formulas in numpy, float64, pixel by pixel; no code is shared with the package."""

import math

import numpy as np

IGNORE = 255


def softmax(x):
    x = np.asarray(x, np.float64)
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def entropy(logits):
    p = softmax(logits)
    flat = p.reshape(-1, p.shape[-1])
    h = [-sum(float(q) * math.log(q) for q in row if q > 0) for row in flat]
    return np.array(h).reshape(p.shape[:-1])


def reliable(logits, unreliable, over):
    """Most probable classes, and whether the entropy is at most the percentile."""
    labels, h = np.asarray(logits).argmax(-1), entropy(logits)
    kept = np.zeros(labels.shape, bool)
    for group in range(np.shape(logits)[-1]) if over == "class" else [None]:
        of_group = np.ones(labels.shape, bool) if group is None else labels == group
        if of_group.any():
            limit = np.percentile(h[of_group], 100 * (1 - unreliable))
            kept |= of_group & (h <= limit)
    return labels, kept


def rank(p, c):
    """Number of classes in front of c in a pixel's probabilities; of equal ones the first."""
    order = sorted(range(len(p)), key=lambda k: (-p[k], k))
    return order.index(c)


def sets(p_labeled, labels, p_unlabeled, pseudo, is_reliable, threshold, low, high):
    """For each class: anchors and negatives, as sets of ("labeled" | "unlabeled", pixel).

    Arguments are of single pixels: probabilities [n, C], labels [n].
    """
    classes = np.shape(p_labeled)[-1]
    anchors, negatives = ([set() for _ in range(classes)] for _ in range(2))
    for c in range(classes):
        for j, (p, y) in enumerate(zip(p_labeled, labels, strict=True)):
            if y == c and p[c] > threshold:
                anchors[c].add(("labeled", j))
            if y not in (c, IGNORE) and rank(p, c) < low:
                negatives[c].add(("labeled", j))
        for j, (p, y, sure) in enumerate(zip(p_unlabeled, pseudo, is_reliable, strict=True)):
            if sure and y == c and p[c] > threshold:
                anchors[c].add(("unlabeled", j))
            if not sure and low <= rank(p, c) < high:
                negatives[c].add(("unlabeled", j))
    return anchors, negatives


def cosine(a, b):
    norm = math.sqrt(float(a @ a)) * math.sqrt(float(b @ b))
    return float(a @ b) / norm if norm else 0.0


def contrast(features, drawn, positives, banks, rows, counted, temperature):
    """L_c: features [N, D], drawn [C, M], positives [C, D], banks [C, Q, D], rows [C, M, N']."""
    features = np.asarray(features, np.float64)
    total = 0.0
    for c in range(len(drawn)):
        if not counted[c]:
            continue
        of_class = 0.0
        for i, pixel in enumerate(drawn[c]):
            a = features[pixel]
            positive = math.exp(cosine(a, np.asarray(positives[c], np.float64)) / temperature)
            others = sum(
                math.exp(cosine(a, np.asarray(banks[c][row], np.float64)) / temperature)
                for row in rows[c][i]
            )
            of_class -= math.log(positive / (positive + others))
        total += of_class / len(drawn[c])
    return total / len(drawn)


def unlabeled(logits, labels, form):
    """The mean loss over the pixels with a pseudo-label, times pixels / pixels with one."""
    labels = np.asarray(labels)
    kept = labels != IGNORE
    if not kept.any():
        return 0.0
    p, y = softmax(logits)[kept], labels[kept]
    ce = -np.log(p[np.arange(len(y)), y]).mean()
    overlap = []
    for c in range(p.shape[-1]):
        truth = y == c
        overlap.append(2 * (p[:, c] * truth).sum() / (p[:, c].sum() + truth.sum() + 1e-7))
    dice = 1 - np.mean(overlap)
    value = {"cross_entropy": ce, "dice": dice, "cross_entropy_and_dice": (ce + dice) / 2}[form]
    return labels.size / kept.sum() * value
