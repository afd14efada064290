"""Splits are pure functions of names and groups, and nothing slips through them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split as sklearn_split

from datasets.neu_seg import groups as neu_groups
from datasets.neu_seg import protocols
from tests import oracles
from uaps_jax.data import splits


@given(count=st.integers(2, 400), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_train_test_split_is_scikit_learns(count, share, seed):
    names = [f"{i:04d}" for i in range(count)]
    ours = splits.train_test_split(names, share, seed)
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
    ("ratio", "labeled", "unlabeled"),
    [(0.1, 308, 2777), (0.2, 617, 2468), (0.3, 925, 2160), (0.4, 1234, 1851), (0.5, 1542, 1543)],
)
def test_the_published_sizes_of_neu_seg(ratio, labeled, unlabeled):
    lists = protocols.published()
    test = [f"test/{i:06d}" for i in range(1, 841)]
    split = splits.from_lists(lists["train"], lists["val"], test, ratio=ratio, seed=45)
    sizes = {part: len(names) for part, names in split.items()}
    assert sizes == {"labeled": labeled, "unlabeled": unlabeled, "val": 545, "test": 840}
    names = [name for part in split.values() for name in part]
    assert len(set(names)) == 4470
    assert not splits.check(split, names, None)


def test_the_labeled_draw_does_not_depend_on_the_order_of_files():
    names = [f"train/{i:03d}" for i in range(100)]
    assert splits.draw_labeled(names, 0.1, 45) == splits.draw_labeled(names[::-1], 0.1, 45)
    assert splits.draw_labeled(names, 0.1, 45) != splits.draw_labeled(names, 0.1, 46)


def test_a_ratio_that_labels_nothing_is_refused():
    with pytest.raises(ValueError, match="labeled_ratio = 0.001 leaves none of 100"):
        splits.draw_labeled([str(i) for i in range(100)], 0.001, 0)


def neu_grouped(seed=0, ratio=0.1):
    groups = neu_groups.groups()
    classes = {name: frozenset({1 + group % 3}) for name, group in groups.items()}
    return groups, splits.grouped(
        groups, classes, shares=protocols.GROUPED_SHARES, ratio=ratio, seed=seed
    )


def test_no_rotation_of_neu_seg_crosses_the_grouped_split():
    groups, split = neu_grouped()
    assert not splits.check(split, list(groups), groups)
    assert sum(map(len, split.values())) == 4470
    sizes = {part: len(names) for part, names in split.items()}
    assert abs(sizes["test"] - 840) <= 40
    assert abs(sizes["val"] - 545) <= 40
    assert abs(sizes["labeled"] - 308) <= 20
    assert neu_grouped()[1] == split
    assert neu_grouped(seed=1)[1] != split


def test_the_published_split_of_neu_seg_leaks_and_the_check_says_so():
    lists = protocols.published()
    groups = neu_groups.groups()
    test = [name for name in groups if name.startswith("test/")]
    split = splits.from_lists(lists["train"], lists["val"], test, ratio=0.1, seed=45)
    problems = splits.check(split, list(groups), groups)
    assert len(problems) > 810
    train = {groups[n] for n in split["labeled"] + split["unlabeled"] + split["val"]}
    assert sum(groups[name] in train for name in test) == 810


@given(
    sizes=st.lists(st.integers(1, 6), min_size=12, max_size=60),
    seed=st.integers(0, 1000),
    ratio=st.sampled_from([0.1, 0.3, 0.5]),
)
@settings(deadline=None)
def test_grouped_never_divides_a_group(sizes, seed, ratio):
    groups = {f"{g}-{i}": g for g, size in enumerate(sizes) for i in range(size)}
    classes = {name: frozenset({group % 2}) for name, group in groups.items()}
    shares = {"train": 0.7, "val": 0.1, "test": 0.2}
    split = splits.grouped(groups, classes, shares=shares, ratio=ratio, seed=seed)
    assert not splits.check(split, list(groups), groups)
    assert sorted(n for part in split.values() for n in part) == sorted(groups)


def test_classes_are_balanced_over_the_parts():
    groups = {f"{g:03d}-{i}": g for g in range(300) for i in range(4)}
    classes = {name: frozenset({1 + group % 3}) for name, group in groups.items()}
    shares = {"train": 0.7, "val": 0.1, "test": 0.2}
    split = splits.grouped(groups, classes, shares=shares, ratio=0.1, seed=0)
    for part in splits.PARTS:
        counts = [sum(c in classes[n] for n in split[part]) for c in (1, 2, 3)]
        assert max(counts) - min(counts) <= 4, part


def test_check_names_what_is_unknown_or_repeated():
    split = {"labeled": ["a"], "unlabeled": ["b", "x"], "val": ["a"], "test": []}
    problems = splits.check(split, ["a", "b"], None)
    assert problems == ["unlabeled: x is not in the dataset", "a is in labeled and in val"]
