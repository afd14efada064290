"""PyTorch's FixMatch has the settings, the views and the teacher of ours."""

import copy
import functools
import random

import jax
import numpy as np
import pytest
from numpy.testing import assert_allclose

from uaps_jax.configs import train
from uaps_jax.configs.parts.views import view
from uaps_jax.transforms import build, mixing, photometric
from uaps_jax.transforms import views as view_lib

torch = pytest.importorskip("torch")

from benchmarks import torch_fixmatch, torch_peer  # noqa: E402
from benchmarks import torch_strong_views as theirs  # noqa: E402

SIZE = 16


def test_the_constants_are_those_of_the_configuration():
    options = train.build(dataset="neu", method="fixmatch").method
    strong = options.strong
    assert strong.jitter_random_order
    probabilities = strong.jitter, strong.grayscale, strong.gaussian_blur, options.cutmix
    assert probabilities == (theirs.JITTER, theirs.GRAYSCALE, theirs.BLUR, theirs.CUTMIX)
    assert (strong.jitter_limits, strong.gaussian_sigma) == (theirs.LIMITS, theirs.SIGMA)
    boxes = options.cutmix_area, mixing.CUTMIX_ASPECT, mixing.TRIES
    assert boxes == (theirs.AREA, theirs.ASPECT, theirs.TRIES)
    assert (options.threshold, options.ema_decay) == (torch_fixmatch.TAU, torch_fixmatch.EMA_DECAY)
    assert (options.weight, options.unlabeled_loss) == (1, "cross_entropy_and_dice")


def test_jitter_in_any_order_equals_ours():
    rng = np.random.default_rng(0)
    count = 24
    images = rng.uniform(0, 255, (count, 6, 5, 3)).astype(np.float32)
    factors = rng.uniform(0.5, 1.5, (count, 3)).astype(np.float32)
    turns = rng.uniform(-0.25, 0.25, count).astype(np.float32)
    order = np.stack([rng.permutation(4) for _ in range(count)])
    expected = jax.jit(jax.vmap(photometric.jitter))(images, *factors.T, turns, order)

    planar = torch.from_numpy(images).movedim(-1, 1)
    each = [
        theirs.jitter_one(image, list(f), float(t), list(o))
        for image, f, t, o in zip(planar, factors, turns, order, strict=True)
    ]
    given = (torch.from_numpy(x) for x in (factors, turns, order))
    for result in (torch.stack(each), theirs.jitter_batch(planar, *given)):
        assert_allclose(result.movedim(1, -1), expected, atol=1e-2)


def test_blur_equals_ours():
    images = np.random.default_rng(0).uniform(0, 255, (3, 9, 8, 3)).astype(np.float32)
    sigmas = np.array([0.1, 1.3, 2.0], np.float32)
    blur = functools.partial(photometric.gaussian_blur, reach=theirs.REACH)
    expected = jax.jit(jax.vmap(blur))(images, sigmas)
    taps = theirs.gaussian_taps(torch.from_numpy(sigmas))
    result = theirs.blur(torch.from_numpy(images).movedim(-1, 1), taps)
    assert_allclose(result.movedim(1, -1), expected, atol=1e-3)


def view_statistics(images, views):
    """Shares of grey and of unchanged images; of all, spread of brightness, and sharpness."""
    views, images = np.asarray(views), images.astype(np.float32)
    grey = (np.ptp(views, axis=-1) < 1e-2).all((1, 2)).mean()
    same = (np.abs(views - images) < 1e-1).all((1, 2, 3)).mean()
    spread = views.mean((1, 2, 3)).std() / 128
    return grey, same, spread, np.abs(np.diff(views, axis=2)).mean() / 128


def test_strong_views_have_our_distribution():
    images = np.random.default_rng(0).integers(0, 256, (800, 14, 14, 3), np.uint8)
    options = train.build(dataset="neu", method="fixmatch").method
    ours = functools.partial(view_lib.draw, view=build.view(view(), options.strong))
    drawn = jax.jit(ours)(jax.random.key(0), {"image": images})["image"]
    expected = view_statistics(images, drawn)
    torch.manual_seed(0)
    given = torch.from_numpy(images)
    for result in (theirs.one_by_one(given, random.Random(0)), theirs.at_once(given)):
        assert_allclose(view_statistics(images, result.movedim(1, -1)), expected, atol=0.05)


def box_statistics(masks):
    """Share of images with a box; of these, mean share and centre, and spread of the height."""
    masks = np.asarray(masks)
    some = masks[masks.any((1, 2))]
    rows = some.any(2)
    centre = (rows * np.arange(rows.shape[1])).sum(1) / rows.sum(1)
    return (
        len(some) / len(masks),
        some.mean(),
        centre.mean() / rows.shape[1],
        rows.mean(1).std(),
    )


def test_boxes_have_our_distribution():
    count, size = 2000, (20, 24)
    draw = functools.partial(
        mixing.random_rectangle, size=size, area=theirs.AREA, aspect=theirs.ASPECT
    )
    ours = jax.jit(lambda key: mixing.boxes(key, count, draw, theirs.CUTMIX))(jax.random.key(0))
    torch.manual_seed(0)
    host = theirs.boxes_one_by_one(count, size, random.Random(0))
    device = theirs.boxes_at_once(count, size, torch.device("cpu"))
    for boxes in (host, device):
        assert_allclose(box_statistics(boxes), box_statistics(ours), atol=0.04)


@pytest.mark.parametrize("way", ["released", "expert"])
def test_the_teacher_averages_the_student(way):
    torch.manual_seed(0)
    network, normalize = torch_peer.Network(3, 4, 0), torch_peer.normalizer(torch.device("cpu"))
    if way == "released":
        step = torch_fixmatch.ReleasedStep(network, normalize)
    else:
        step = torch_fixmatch.ExpertStep(network, normalize, bfloat16=False, compiled=False)
    images = torch.randint(0, 256, (2, 2, SIZE, SIZE, 3), dtype=torch.uint8)
    labels = torch.randint(0, 4, (2, SIZE, SIZE))
    students = []
    for weights in ((1,), (0.5, 0.5)):  # of the students so far
        assert torch.isfinite(step((images[0], images[1]), labels))
        students.append(copy.deepcopy(torch_fixmatch.averaged(network)))
        for mean, *so_far in zip(torch_fixmatch.averaged(step.teacher), *students, strict=True):
            expected = sum(w * x for w, x in zip(weights, so_far, strict=True))
            assert_allclose(mean.detach(), expected.detach(), rtol=1e-5, atol=1e-6)
    moved = [(a - b).abs().max() for a, b in zip(*students, strict=True)]
    assert max(moved) > 1e-4
