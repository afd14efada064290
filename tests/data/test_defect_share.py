"""A share of a batch's labeled images has a defect, in memory and from disk."""

import copy
import dataclasses

import numpy as np
import pytest

from tests.commands import mine
from tests.data.test_audit import defect, save, texture
from uaps_jax.config import ConfigError
from uaps_jax.data import order, source, streams, training_images
from uaps_jax.methods.one_network import both_streams

DEFECTIVE = (3, 8)
STEPS = 100


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """Ten annotated images, two of them with a defect, and four without a mask."""
    root = tmp_path_factory.mktemp("share") / "mine"
    for index in range(14):
        mask = defect() * (index in DEFECTIVE) if index < 10 else None
        save(root, f"part_{index:02d}", texture(index), mask)
    (root / "classes.yaml").write_text("background: 0\nscratch: 1\n")
    config = mine.settings(root)
    return config, source.open_dataset(config.data)


def rows(opened, share, *, resident=True, labeled=range(10)):
    """The rows of both streams in the first steps, `[steps, batch]`."""
    config, dataset = opened
    config.data.defect_share, config.data.resident_mib = share, 64 if resident else 0
    names = {"labeled": [*labeled], "unlabeled": range(10, 14)}
    names = {pool: [f"part_{index:02d}" for index in listed] for pool, listed in names.items()}
    pools = training_images.read(dataset, names, config.data).pools
    made = [streams.batch_rows(config, both_streams(config), pools, step) for step in range(STEPS)]
    return {stream: np.stack([one[stream] for one in made]) for stream in ("labeled", "unlabeled")}


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("resident", [True, False])
def test_the_share_of_a_batch(opened, share, resident):
    found = rows(opened, share, resident=resident)["labeled"]
    batch = found.shape[1]
    of_all = STEPS * batch * (1 - share) * len(DEFECTIVE) / 10  # those drawn of all images
    assert np.isin(found, DEFECTIVE).sum() == pytest.approx(STEPS * batch * share + of_all, abs=2)
    assert np.isin(found, DEFECTIVE).sum(1).min() >= int(batch * share)
    counts = np.bincount(found.ravel(), minlength=10)
    assert np.ptp(counts[list(DEFECTIVE)]) <= 2
    assert np.ptp(np.delete(counts, DEFECTIVE)) <= 1
    plain = rows(opened, 0.0)
    np.testing.assert_array_equal(rows(opened, share)["unlabeled"], plain["unlabeled"])


@dataclasses.dataclass
class PseudoLabels:
    """Defects of some unlabeled images, in place of files."""

    defective: tuple[str, ...]

    def read(self, name):
        return defect() * (name in self.defective), None


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("defective", [("part_11",), ()])
def test_the_share_of_unlabeled_images_by_their_pseudo_labels(opened, defective, resident, caplog):
    config, dataset = copy.deepcopy(opened[0]), opened[1]
    config.data.defect_share, config.data.targets.defect_share = 0.0, 0.5
    config.data.resident_mib = 64 if resident else 0
    names = {"labeled": ["part_03", "part_04"], "unlabeled": [f"part_{i}" for i in range(10, 14)]}
    with caplog.at_level("INFO", logger="absl"):
        read = training_images.read(dataset, names, config.data, PseudoLabels(defective))
    assert f"{len(defective)} of 4 unlabeled images have a defect" in caplog.text
    made = [
        streams.batch_rows(config, both_streams(config), read.pools, step) for step in range(STEPS)
    ]
    rows = np.stack([one["unlabeled"] for one in made])
    expected = 0.5 + 0.5 / 4 if defective else 1 / 4
    assert (rows == 1).mean() == pytest.approx(expected, abs=0.02)
    labeled = np.stack([one["labeled"] for one in made])
    assert (labeled == 0).mean() == pytest.approx(0.5, abs=0.02)


def test_a_share_of_0_is_the_plain_order(opened):
    found = rows(opened, 0.0)["labeled"]
    seed, batch = opened[0].train.seed, found.shape[1]
    for step in (0, 7):
        plain = order.batch_indices(seed=seed, stream="labeled", step=step, batch=batch, size=10)
        np.testing.assert_array_equal(found[step], plain)


@pytest.mark.parametrize("resident", [True, False])
def test_there_is_no_defect_to_draw(opened, resident):
    with pytest.raises(ConfigError, match=r"data\.defect_share = 0\.5: none of the 3 labeled"):
        rows(opened, 0.5, resident=resident, labeled=range(3))
