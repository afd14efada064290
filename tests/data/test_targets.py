"""Masks of unlabeled images from folders: what is read, and one report of what is wrong."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands import mine
from tests.data.test_audit import SIZE
from uaps_jax.config import ConfigError, TargetsConfig, validate
from uaps_jax.data import prepare, protocols, resample, source, targets, training_images
from uaps_jax.datasets.common import DataError


def palette_png(file, ids):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids, "P")
    image.putpalette([5, 6, 7] * 256)
    image.save(file)


def mask_of(number):
    return np.random.default_rng(number).integers(0, 3, (SIZE, SIZE), np.uint8)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A user's folder with unlabeled images, its dataset and its split."""
    root = tmp_path_factory.mktemp("of_user") / "mine"
    mine.write_folder(root)
    data = mine.settings(root).data
    data.height, data.width = 24, 40
    dataset = source.open_dataset(data)
    return data, dataset, protocols.make_split(dataset, data)


def with_targets(data, *folders, names="", weights=False, part="unlabeled"):
    chosen = TargetsConfig(
        part=part,
        folders=tuple(map(str, folders)),
        names=str(names),
        weights=weights,
        defect_share=0.0,
    )
    return dataclasses.replace(data, targets=chosen)


def write(folder, names, weights=False):
    for number, name in enumerate(names):
        palette_png(folder / "mask" / f"{name}.png", mask_of(number))
        if weights:
            file = folder / "weight" / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(mask_of(number + 100) * 100).save(file)


def test_masks_and_weights_of_two_folders_are_those_of_the_pool(built, tmp_path):
    data, dataset, split = built
    first, second, *rest = split["unlabeled"]
    assert rest
    write(tmp_path / "a", [second], weights=True)
    write(tmp_path / "b", [first], weights=True)
    data = with_targets(data, tmp_path / "a", tmp_path / "b", weights=True)
    restricted, found = targets.restrict(dataset, data, split)
    assert restricted == split | {"unlabeled": sorted([first, second])}
    pool = source.read(dataset, [second, first], data, found)
    loaded = source.files(dataset, [second, first], data, found).load(first)
    assert pool.fields.keys() == loaded.keys() == {"image", "mask", "weight"}
    for name, values in pool.fields.items():
        np.testing.assert_array_equal(values[1], loaded[name])
    for row in range(2):  # both folders hold the same pictures
        np.testing.assert_array_equal(pool.masks[row], resample.nearest(mask_of(0), 24, 40))
        weight = resample.nearest(mask_of(100) * 100, 24, 40)
        np.testing.assert_array_equal(pool.weights[row], weight)
    truth = source.read(dataset, [second, first], data)
    np.testing.assert_array_equal(truth.images, pool.images)
    assert truth.weights is None


def test_all_training_images_with_a_target_can_be_the_labeled_ones(built, tmp_path):
    data, dataset, split = built
    names = sorted([split["labeled"][0], split["unlabeled"][0]])
    write(tmp_path / "a", [*names, split["val"][0]], weights=True)
    data = with_targets(data, tmp_path / "a", weights=True, part="labeled")
    restricted, found = targets.restrict(dataset, data, split)
    training = {*split["labeled"], *split["unlabeled"]}
    assert restricted["labeled"] == names
    assert restricted["unlabeled"] == sorted(training - set(names))
    assert [restricted[part] for part in ("val", "test")] == [split["val"], split["test"]]
    pools = training_images.read(dataset, {"labeled": names}, data, found).pools
    expected = resample.nearest(mask_of(0), 24, 40)
    np.testing.assert_array_equal(pools["labeled"].masks[0], expected)
    assert pools["labeled"].weights is not None


def test_weights_count_in_the_memory_of_the_unlabeled_images(built, tmp_path):
    data, dataset, split = built
    names = split["unlabeled"][:2]
    write(tmp_path / "a", names, weights=True)
    chosen = with_targets(data, tmp_path / "a", weights=True)
    restricted, found = targets.restrict(dataset, chosen, split)
    pools = {pool: restricted[pool] for pool in ("labeled", "unlabeled")}
    made = training_images.read(dataset, pools, chosen, found)
    arrays = [array for pool in made.pools.values() for array in pool.fields.values()]
    assert made.mebibytes * 2**20 == sum(array.nbytes for array in arrays)


def test_a_list_chooses_and_the_digest_follows_every_byte(built, tmp_path):
    data, dataset, split = built
    names = split["unlabeled"][:3]
    write(tmp_path / "a", names)
    (tmp_path / "some.txt").write_text(f"{names[2]}\n{names[0]}\n")
    chosen = with_targets(data, tmp_path / "a", names=tmp_path / "some.txt")
    restricted, found = targets.restrict(dataset, chosen, split)
    assert restricted["unlabeled"] == [names[0], names[2]] == list(found.files)
    everything = targets.restrict(dataset, with_targets(data, tmp_path / "a"), split)[1]
    assert list(everything.files) == names
    assert everything.digest != found.digest
    palette_png(tmp_path / "a" / "mask" / f"{names[1]}.png", mask_of(9))
    assert targets.restrict(dataset, chosen, split)[1] == found  # not one of the list
    palette_png(tmp_path / "a" / "mask" / f"{names[0]}.png", mask_of(9))
    changed = targets.restrict(dataset, chosen, split)[1]
    assert changed.digest != found.digest
    old, new = (protocols.record(dataset, data, restricted, t) for t in (found, changed))
    assert protocols.record_differences(old, new) == [
        f"targets: {found.digest} -> {changed.digest}"
    ]
    without = protocols.record(dataset, data, restricted)
    assert protocols.record_differences(without, new) == [f"targets: none -> {changed.digest}"]
    assert protocols.record_differences(new, without) == [f"targets: {changed.digest} -> none"]


def test_padding_has_no_label_and_no_weight(built):
    data = dataclasses.replace(built[0], fit="pad", height=64, width=32)
    ones = np.ones((SIZE, SIZE), np.uint8)
    mask, weight = prepare.mask(ones, data), prepare.weight(ones, data)
    assert mask.shape == weight.shape == (64, 32)
    np.testing.assert_array_equal(mask == 255, weight == 0)
    assert (weight == 1).sum() == SIZE * 32


def test_every_problem_is_one_line_of_one_report(built, tmp_path):
    data, dataset, split = built
    names, folder = split["unlabeled"], tmp_path / "a"
    write(folder, names, weights=True)
    masks = folder / "mask"
    for name in names[:2]:
        palette_png(masks / f"{name}.png", np.full((SIZE, SIZE), 7, np.uint8))
    palette_png(masks / f"{names[2]}.png", mask_of(0)[:, :20])
    (masks / f"{names[3]}.png").write_bytes(b"no image")
    (folder / "weight" / f"{names[4]}.png").unlink()
    palette_png(masks / "typo.png", mask_of(0))
    write(tmp_path / "b", [names[5]])
    both = with_targets(data, folder, tmp_path / "b", weights=True)
    with pytest.raises(DataError) as caught:
        targets.restrict(dataset, both, split)
    lines = str(caught.value).splitlines()
    assert len(lines) == 9, lines
    report = "\n".join(lines)
    for expected in (
        f"b: 1 masks that {folder} has as well: {names[5]}",
        "mask: 1 masks without an image in folder: typo",
        rf"mask: 2 masks hold 7; allowed are the class ids 0\.\.2 and 255: {names[0]}, {names[1]}",
        f"mask: 1 masks have another size than their image: {names[2]}",
        rf"mask: 1 masks cannot be used \(.*damaged one\): {names[3]}",
        rf"a/weight: 1 weights cannot be used \(No such file.*\): {names[4]}",
    ):
        assert re.search(expected, report), (expected, report)


def test_wrong_lists_and_folders_are_refused(built, tmp_path):
    data, dataset, split = built
    names = split["unlabeled"]
    write(tmp_path / "a", names[:1])
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([names[0], names[1], split["labeled"][0], "nothing"]))
    with pytest.raises(DataError) as caught:
        targets.restrict(dataset, with_targets(data, tmp_path / "a", names=listed), split)
    assert [reason for _, reason in caught.value.problems] == [
        f"1 names without a mask in data.targets.folders: {names[1]}",
        f"1 names of images that are not unlabeled in this split: {split['labeled'][0]}",
        "1 names of no image of folder: nothing",
    ]
    with pytest.raises(ConfigError, match=r"nowhere/mask is not a folder; put the masks there"):
        targets.restrict(dataset, with_targets(data, tmp_path / "nowhere"), split)
    write(tmp_path / "of_labeled", split["labeled"])
    with pytest.raises(ConfigError, match=r"none of the \d+ masks is of one of the \d+ unlabeled"):
        targets.restrict(dataset, with_targets(data, tmp_path / "of_labeled"), split)


def test_settings_without_a_folder_are_refused():
    config = mine.settings(Path("nowhere"))
    config.data.targets = TargetsConfig(
        part="unlabeled", folders=(), names="list.txt", weights=True, defect_share=0.5
    )
    with pytest.raises(
        ConfigError, match=r"(?s)targets\.names = .* has no effect.*targets\.wei.*targets\.def"
    ):
        validate(config)
