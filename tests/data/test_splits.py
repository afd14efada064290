"""Splits are pure functions of names and leakage groups, without overlaps."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split as sklearn_split

from tests import oracles
from uaps_jax.data import leakage, splits
from uaps_jax.datasets import protocols as lists
from uaps_jax.datasets.neu_seg import groups as neu_groups
from uaps_jax.datasets.neu_seg import protocols as neu

TENTH = splits.Labeled(names=(), count=0, ratio=0.1, seed=45)


def labeled(**changes):
    return dataclasses.replace(TENTH, **changes)


def neu_names():
    """name -> TFDS split, as the built dataset has them."""
    of = {"training": "train", "test": "test"}
    return {name: of[name.split("/")[0]] for name in neu_groups.groups()}


def neu_split(protocol, request=TENTH):
    names = neu_names()
    return splits.from_parts(neu.PROTOCOLS[protocol].parts(names), names.keys(), request)


def sizes(split):
    return {part: len(names) for part, names in split.items()}


@given(count=st.integers(2, 400), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_train_test_split_is_scikit_learns(count, share, seed):
    names = [f"{i:04d}" for i in range(count)]
    ours = lists.train_test_split(names, share, seed)
    assert [list(part) for part in ours] == [
        list(part) for part in oracles.train_test_split(names, share, seed)
    ]
    try:
        theirs = sklearn_split(names, test_size=share, random_state=seed)
    except ValueError:  # scikit-learn refuses an empty training part
        assert not ours[0]
        return
    assert [list(part) for part in ours] == theirs


@pytest.mark.parametrize(
    ("ratio", "few", "many"),
    [(0.1, 308, 2777), (0.2, 617, 2468), (0.3, 925, 2160), (0.4, 1234, 1851), (0.5, 1542, 1543)],
)
def test_the_published_sizes_of_neu_seg(ratio, few, many):
    split = neu_split("published", labeled(ratio=ratio))
    assert sizes(split) == {"labeled": few, "unlabeled": many, "val": 545, "test": 840}
    names = [name for part in split.values() for name in part]
    assert len(set(names)) == 4470
    assert not splits.check(split, names, names, None)


def test_the_published_labeled_images_of_neu_seg_are_scikit_learns_draw():
    train = sorted(neu.PROTOCOLS["published"].parts(neu_names()).train)
    chosen, rest = sklearn_split(train, test_size=0.9, random_state=45)
    split = neu_split("published")
    assert (split["labeled"], split["unlabeled"]) == (sorted(chosen), sorted(rest))


@pytest.mark.parametrize("count", [363, 726, 1089, 1815])
def test_counts_of_the_whole_training_set_of_neu_seg(count):
    split = neu_split("full", labeled(count=count))
    assert sizes(split) == {"labeled": count, "unlabeled": 3630 - count, "val": 840, "test": 840}
    assert splits.validates_on_test(split)
    assert not splits.check(split, neu_names().keys(), neu_names().keys(), None)


@pytest.mark.parametrize("count", [226, 453, 907, 1815])
def test_ppls_lists_of_neu_seg(count):
    split = neu_split("ppl", labeled(count=count))
    assert sizes(split) == {"labeled": count, "unlabeled": 3630 - count, "val": 840, "test": 840}
    assert split == neu_split("ppl", labeled(count=count, seed=7))
    # As measured on the lists: test images with a rotated twin that is labeled.
    twins = {226: 152, 453: 266, 907: 479, 1815: 707}[count]
    assert leakage.leaks(split, neu_groups.groups())["labeled"] == twins


def test_a_size_that_ppl_does_not_list_is_refused_with_those_it_does():
    with pytest.raises(ValueError, match=r"labeled_count = 0.*226, 453, 907, 1815"):
        neu_split("ppl")


def test_a_dataset_that_lacks_images_of_a_protocol_is_refused():
    names = neu_names()
    del names["training/000201"]
    with pytest.raises(ValueError, match="1 are not in the dataset, training/000201 among them"):
        neu.PROTOCOLS["published"].parts(names)


NAMES = [f"train/{i:03d}" for i in range(100)]
PARTS = lists.Parts(train=NAMES[:80], val=NAMES[80:90], test=NAMES[90:], labeled={})


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (labeled(ratio=0.001), r"labeled_ratio = 0\.001: none of 80"),
        (labeled(count=81), "labeled_count = 81: only 80 training images"),
        (labeled(names=("train/079", "train/080", "nowhere")), "2 of 3 names.*nowhere"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(request_, problem):
    with pytest.raises(ValueError, match=problem):
        splits.from_parts(PARTS, NAMES, request_)


def test_labeled_images_by_ratio_count_and_list():
    by_ratio = splits.from_parts(PARTS, NAMES, labeled(ratio=0.1))
    assert by_ratio == splits.from_parts(PARTS, NAMES, labeled(ratio=1.0, count=8))
    assert sizes(by_ratio) == {"labeled": 8, "unlabeled": 72, "val": 10, "test": 10}
    assert by_ratio != splits.from_parts(PARTS, NAMES, labeled(ratio=0.1, seed=46))
    by_list = splits.from_parts(PARTS, NAMES, labeled(count=8, names=("train/005", "train/001")))
    assert by_list["labeled"] == ["train/001", "train/005"]
    assert len(by_list["unlabeled"]) == 78
    one = splits.from_parts(PARTS, NAMES, labeled(count=1))
    assert sizes(one)["labeled"] == 1
    everything = splits.from_parts(PARTS, NAMES, labeled(ratio=1.0))
    assert sizes(everything)["unlabeled"] == 0


def test_an_image_without_a_mask_is_only_ever_unlabeled():
    masked = [name for name in NAMES if int(name[-3:]) % 4 == 0 or int(name[-3:]) >= 80]
    split = splits.from_parts(PARTS, masked, labeled(ratio=1.0))
    assert sizes(split) == {"labeled": 20, "unlabeled": 60, "val": 10, "test": 10}
    assert not splits.check(split, NAMES, masked, None)
    assert splits.check(split, NAMES, masked[:-1], None) == [f"test: {masked[-1]} has no mask"]
    with pytest.raises(ValueError, match="not training images with a mask, train/001 among"):
        splits.from_parts(PARTS, masked, labeled(names=("train/001",)))


def test_the_check_reports_the_leak_of_the_published_split_of_neu_seg():
    groups = neu_groups.groups()
    split = neu_split("published")
    assert len(splits.check(split, groups.keys(), groups.keys(), groups)) > 810
    train = {groups[n] for n in split["labeled"] + split["unlabeled"] + split["val"]}
    assert sum(groups[name] in train for name in split["test"]) == 810
    assert leakage.leaks(split, groups)["train or val"] == 810
    assert leakage.leaks(neu_split("full"), groups)["unlabeled"] > 700


def test_check_names_what_is_unknown_or_repeated():
    split = {"labeled": ["a"], "unlabeled": ["b", "x"], "val": ["a"], "test": []}
    problems = splits.check(split, ["a", "b"], ["a", "b"], None)
    assert problems == ["unlabeled: x is not in the dataset", "a is in labeled and in val"]
    part_of_test = {"labeled": [], "unlabeled": [], "val": ["a"], "test": ["a", "b"]}
    assert splits.check(part_of_test, ["a", "b"], ["a", "b"], None) == ["a is in val and in test"]
