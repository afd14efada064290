"""The metrics and their confusion matrices against numpy, and cases worked by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests import oracles, tiny
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import binary, evaluate, metrics
from uaps_jax.labels import IGNORE

NAMES = ("background", "inclusion", "patch", "scratch")
confusion = jax.jit(evaluate.confusion, static_argnums=2)


def maps(kind, classes=4, count=9, seed=0):
    """Integer truth and prediction `[N, H, W]` of one of the special cases."""
    rng = np.random.default_rng(seed)
    truth, prediction = rng.integers(classes, size=(2, count, 5, 4)).astype(np.uint8)
    if kind == "ignore":
        truth[rng.uniform(size=truth.shape) < 0.3] = IGNORE
    elif kind == "absent":  # no class 2 anywhere, no class 3 in the truth, few classes an image
        truth[truth >= 2] = 0
        prediction[prediction == 2] = 0
        truth[:4] = np.minimum(truth[:4], 0)
    elif kind == "clean":
        truth[:] = 0
        prediction[3:] = 0
    elif kind == "perfect":
        prediction = truth.copy()
    elif kind == "nothing":
        truth[:] = IGNORE
    return truth, prediction


def scored(truth, prediction, names=NAMES):
    return metrics.scores(np.asarray(confusion(truth, prediction, len(names))), names)


def expected_scores(truth, prediction, names=NAMES):
    classes = len(names)
    iou, counted, left_out = oracles.image_iou(truth, prediction, classes)
    dice, _, _ = oracles.image_dice(truth, prediction, classes)
    every, foreground, per_class = oracles.dataset_iou(truth, prediction, classes)
    result = {
        "image_iou": iou,
        "image_dice": dice,
        "dataset_iou": every,
        "dataset_iou_foreground": foreground,
        "pixel_accuracy": oracles.pixel_accuracy(truth, prediction),
        "clean_image_false_positive_rate": oracles.clean_false_positive_rate(truth, prediction),
    }
    for c, name in enumerate(names):
        result[f"dataset_iou/{name}"] = per_class[c]
        if c:  # of one class alone: the others are background
            only = [np.where(m == IGNORE, IGNORE, m == c) for m in (truth, prediction)]
            result[f"image_iou/{name}"] = oracles.image_iou(*only, 2)[0]
    result = {name: 100 * value for name, value in result.items()}
    return result | {"images": counted + left_out, "images_without_defect": left_out}


@pytest.mark.parametrize("kind", ["plain", "ignore", "absent", "clean", "perfect", "nothing"])
@pytest.mark.parametrize("classes", [2, 4])
def test_scores_equal_the_oracles(kind, classes):
    names = NAMES[:classes]
    truth, prediction = maps(kind, classes)
    result, expected = scored(truth, prediction, names), expected_scores(truth, prediction, names)
    assert set(result) == set(expected)
    assert result == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("kind", ["plain", "ignore", "absent"])
@pytest.mark.parametrize("classes", [4, 7])
def test_confusion_counts_every_image_by_truth_and_prediction(kind, classes):
    truth, prediction = maps(kind, classes)
    result = confusion(truth, prediction, classes)
    assert result.dtype == jnp.int32
    expected = [oracles.confusion(t, p, classes) for t, p in zip(truth, prediction, strict=True)]
    assert_array_equal(result, expected)


def test_confusion_by_hand():
    truth = np.array([[[0, 1], [1, IGNORE]]])
    prediction = np.array([[[1, 1], [0, 1]]])
    # Truth 0 taken for 1; of truth 1 one right, one taken for 0; the ignored pixel in no cell.
    assert_array_equal(confusion(truth, prediction, 2), [[[0, 1], [1, 1]]])


def test_scores_by_hand():
    # Image 1: 2 defect pixels of which 1 found, 1 false one: IoU 1/3, Dice 1/2.
    # Image 2: 1 of 1 found: IoU 1, Dice 1. Image 3: clean, one false pixel.
    confusions = np.array([[[0, 1], [1, 2]], [[3, 0], [0, 1]], [[3, 1], [0, 0]]])
    confusions[0] = [[1, 1], [1, 1]]
    result = metrics.scores(confusions, ("background", "defect"))
    assert result["image_iou"] == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert result["image_dice"] == pytest.approx(100 * (1 / 2 + 1) / 2)
    # All images: background 7 right, 2 + 1 wrong; defect 2 right, 2 + 1 wrong.
    assert result["dataset_iou/background"] == pytest.approx(100 * 7 / 10)
    assert result["dataset_iou/defect"] == pytest.approx(100 * 2 / 5)
    assert result["dataset_iou"] == pytest.approx(100 * (0.7 + 0.4) / 2)
    assert result["dataset_iou_foreground"] == pytest.approx(100 * 0.4)
    assert result["image_iou/defect"] == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert result["pixel_accuracy"] == pytest.approx(100 * 9 / 12)
    assert result["clean_image_false_positive_rate"] == 100
    assert result["images"] == 3
    assert result["images_without_defect"] == 1


def test_a_false_positive_of_a_class_absent_from_the_image_does_not_change_image_iou():
    one = np.array([[[2, 0, 0], [0, 2, 0], [0, 0, 0]]])
    two = np.array([[[1, 0, 1], [0, 2, 0], [0, 0, 0]]])
    names = NAMES[:3]
    assert metrics.scores(one, names)["image_iou"] == metrics.scores(two, names)["image_iou"] == 100
    assert metrics.scores(two, names)["dataset_iou"] < 100
    assert np.isnan(metrics.scores(two, names)["image_iou/patch"])


def test_image_scores_average_images_and_dataset_scores_pixels():
    small, large = [[97, 0], [2, 1]], [[20, 0], [0, 80]]
    result = metrics.scores(np.array([small, large]), NAMES[:2])
    assert result["image_iou"] == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert result["dataset_iou_foreground"] == pytest.approx(100 * 81 / 83)


def test_a_missed_defect_scores_almost_zero_by_the_published_epsilon():
    overlap, dice = metrics.overlap_per_image(np.array([[[8, 0], [2, 0]]]))
    assert overlap[0, 1] == pytest.approx(1e-10 / 2, rel=1e-6)
    assert dice[0, 1] == pytest.approx(2e-10 / 2, rel=1e-6)


@pytest.mark.parametrize(("alarmed", "rate"), [(0, 0), (1, 25), (4, 100)])
def test_clean_false_positive_rate_counts_clean_images_with_any_alarm(alarmed, rate):
    truth = np.zeros((5, 3, 3), int)
    prediction = np.zeros((5, 3, 3), int)
    truth[4, 0, 0] = 1  # the defective image does not count, found or not
    prediction[:alarmed, 1, 1] = 2
    result = scored(truth, prediction)
    assert result["clean_image_false_positive_rate"] == rate
    assert result["images_without_defect"] == 4


def test_a_false_positive_on_an_ignored_pixel_is_not_counted():
    truth = np.array([[[0, IGNORE]]])
    assert scored(truth, np.array([[[0, 1]]]))["clean_image_false_positive_rate"] == 0
    assert scored(truth, np.array([[[1, 0]]]))["clean_image_false_positive_rate"] == 100


def test_what_cannot_be_measured_is_nan():
    defective = scored(np.ones((2, 2, 2), int), np.ones((2, 2, 2), int))
    assert np.isnan(defective["clean_image_false_positive_rate"])
    assert np.isnan(defective["image_iou/patch"])
    clean = scored(np.zeros((2, 2, 2), int), np.zeros((2, 2, 2), int))
    assert np.isnan(clean["image_iou"])
    assert np.isnan(clean["image_dice"])
    assert np.isnan(clean["dataset_iou_foreground"])
    assert clean["dataset_iou"] == 100


# A pool, in batches


def pool(count):
    rng = np.random.default_rng(0)
    masks = rng.integers(4, size=(count, 3, 3)).astype(np.uint8)
    images = np.repeat(masks[..., None], 3, -1)
    images[rng.uniform(size=images.shape[:3]) < 0.4] = 2
    return Pool(names=tuple(f"{i}" for i in range(count)), images=images, masks=masks)


def one_hot_of_the_image(variables, images):
    return jax.nn.one_hot(images[..., 0], 4) * variables


@pytest.mark.parametrize("size", [1, 2, 5, 8])
def test_the_last_batch_is_filled_up_and_its_filling_not_counted(size):
    data = pool(5)
    function = evaluate.make_measure_function(one_hot_of_the_image, 4, tiny.SCORE)
    result = evaluate.evaluate(function, jnp.float32(1), data, NAMES, size)
    assert result["images"] == 5
    prediction = data.images[..., 0]
    expected = expected_scores(data.masks, prediction)
    images = {name: result.pop(name) for name in ("auroc", "average_precision", "dice_and_auroc")}
    assert result == pytest.approx(expected, rel=1e-9, nan_ok=True)
    assert np.isnan([images["auroc"], images["average_precision"]]).all()  # none is good
    assert images["dice_and_auroc"] == result["image_dice"]
    shapes = {images.shape for images, _, _ in evaluate.batches(data, size)}
    assert shapes == {(size, 3, 3, 3)}
    assert sum(count for _, _, count in evaluate.batches(data, size)) == 5


def test_dice_and_auroc_is_their_mean_and_image_dice_without_good_images():
    defective, good = [[2, 0], [1, 1]], [[4, 0], [0, 0]]  # Dice 2/3
    measured = evaluate.Measured(
        confusions=np.array([defective, good, good]),
        image_scores=np.array([0.5, 0.7, 0.1]),
        near_counts=np.array([[1, 2], [0, 0], [0, 0]]),
    )
    result = evaluate.scores(measured, NAMES[:2])
    assert result["auroc"] == 50
    assert result["dice_and_auroc"] == pytest.approx((100 * 2 / 3 + 50) / 2)
    alone = evaluate.Measured(
        confusions=np.array([defective]),
        image_scores=np.array([0.5], np.float32),
        near_counts=np.array([[1, 2]]),
    )
    assert evaluate.scores(alone, NAMES[:2])["dice_and_auroc"] == pytest.approx(100 * 2 / 3)


def test_pixels_without_a_label_have_no_part_in_the_score_of_an_image():
    data = pool(3)
    masks = data.masks.copy()
    masks[:, 0] = IGNORE
    known = Pool(names=data.names, images=data.images, masks=masks)
    function = evaluate.make_measure_function(one_hot_of_the_image, 4, tiny.SCORE)
    found = evaluate.measure(function, jnp.float32(1), known, 3).image_scores
    is_defect = (data.images[:, 1:, :, 0] > 0).sum((1, 2))
    np.testing.assert_allclose(found, np.minimum(is_defect, 5) / 5)


def test_scores_of_which_more_is_better_have_their_names_without_an_image():
    names = ("background", "crack")
    random = np.random.default_rng(0)
    found = metrics.scores(random.integers(1, 9, (3, 2, 2)), names)
    others = {"images", "images_without_defect", "clean_image_false_positive_rate"}
    assert set(metrics.growing(names)) == set(found) - others | set(binary.NAMES)
    assert set(metrics.growing(NAMES)).isdisjoint(binary.NAMES)
