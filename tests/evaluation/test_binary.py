"""Precision, recall and F1 of a single defect class, against distances of all pairs of pixels."""

import jax.numpy as jnp
import numpy as np
import pytest

from tests import tiny
from uaps_jax.data.source import Pool
from uaps_jax.evaluation import binary, evaluate
from uaps_jax.labels import IGNORE


def counted(truth, prediction):
    """Pixels of a prediction with a true one at most 2 px away, and the other way round."""
    true, predicted = np.argwhere(truth), np.argwhere(prediction)
    far = np.linalg.norm(predicted[:, None] - true[None], axis=-1)
    far = np.pad(far, ((0, 1), (0, 1)), constant_values=np.inf)
    return [(far.min(1)[:-1] <= 2).sum(), (far.min(0)[:-1] <= 2).sum()]


@pytest.mark.parametrize("xp", [np, jnp])
def test_pixels_have_a_counterpart_within_two_pixels(xp):
    random = np.random.default_rng(0)
    shares = ((0.02, 0.02), (0.2, 0.01), (0, 0.1), (0.1, 0), (0, 0), (1, 1))
    truth, prediction = (
        np.stack([random.uniform(size=(11, 17)) < pair[side] for pair in shares]) for side in (0, 1)
    )
    expected = [counted(*pair) for pair in zip(truth, prediction, strict=True)]
    known = xp.ones(truth.shape, bool)
    found = binary.near_counts(xp.asarray(truth), xp.asarray(prediction), known)
    np.testing.assert_array_equal(found, expected)


def test_a_crack_that_is_predicted_beside_its_place_counts_with_the_tolerance_alone():
    truth, prediction = np.zeros((2, 1, 20, 20), bool)
    truth[0, :, 4] = prediction[0, :10, 6] = True  # 2 px away, half as long
    prediction[0, :5, 15] = True
    confusions = np.array([[[400 - 20 - 15, 15], [20, 0]]])
    known = np.ones(truth.shape, bool)
    found = binary.scores(confusions, binary.near_counts(truth, prediction, known))
    assert tuple(found) == binary.NAMES
    exact = {name: 0.0 for name in ("dataset_precision", "dataset_recall", "dataset_f1")}
    precision, recall = 100 * 10 / 15, 100 * 10 / 20
    near = {
        "dataset_precision_2px": precision,
        "dataset_recall_2px": recall,
        "dataset_f1_2px": 2 * precision * recall / (precision + recall),
    }
    assert found == pytest.approx(exact | near)


def test_a_prediction_beside_the_crack_where_nothing_is_labeled_finds_it_and_is_not_counted():
    truth, prediction, known = np.zeros((3, 9, 9), bool)
    truth[:, 4], prediction[:, 5], known[:] = True, True, True
    known[:, 5] = False
    assert binary.near_counts(truth, prediction, known).tolist() == [0, 9]


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        ([[8, 0], [0, 0]], (np.nan, np.nan, np.nan)),
        ([[5, 3], [0, 0]], (0, np.nan, 0)),
        ([[5, 0], [3, 0]], (np.nan, 0, 0)),
        ([[4, 1], [2, 3]], (75, 60, 200 / 3)),
    ],
)
def test_what_is_not_defined_is_not_a_number(confusion, expected):
    counts = np.array([[confusion[1][1]] * 2])
    found = binary.scores(np.array([confusion]), counts)
    assert list(found.values()) == pytest.approx([*expected, *expected], nan_ok=True)


def test_an_evaluation_has_them_where_there_is_one_defect_class():
    random = np.random.default_rng(1)
    masks = (random.uniform(size=(5, 12, 12)) < 0.05).astype(np.uint8)
    images = np.repeat((random.uniform(size=masks.shape) < 0.1)[..., None], 3, -1).astype(np.uint8)
    masks[:, :3] = IGNORE

    def predictor(variables, batch):
        return jnp.stack([1 - batch[..., 0], batch[..., 0]], -1) * variables

    pool = Pool(names=tuple("abcde"), images=images, masks=masks)
    function = evaluate.make_measure_function(predictor, 2, tiny.SCORE)
    found = evaluate.evaluate(function, jnp.float32(1), pool, ("background", "crack"), 2)
    truth, everywhere, known = masks == 1, images[..., 0] == 1, masks != IGNORE
    prediction = everywhere & known
    both, predicted, true = (truth & prediction).sum(), prediction.sum(), truth.sum()
    near = sum(counted(*pair)[0] for pair in zip(truth, prediction, strict=True))
    reached = sum(counted(*pair)[1] for pair in zip(truth, everywhere, strict=True))
    expected = {
        "dataset_precision": both / predicted,
        "dataset_recall": both / true,
        "dataset_f1": 2 * both / (predicted + true),
        "dataset_precision_2px": near / predicted,
        "dataset_recall_2px": reached / true,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(100 * value), name
    assert found["dataset_f1"] < found["dataset_f1_2px"]
    of_three = evaluate.make_measure_function(
        lambda variables, batch: jnp.pad(predictor(variables, batch), ((0, 0),) * 3 + ((0, 1),)),
        3,
        tiny.SCORE,
    )
    names = ("background", "crack", "dent")
    assert set(binary.NAMES).isdisjoint(evaluate.evaluate(of_three, jnp.float32(1), pool, names, 2))
