"""Splits by leakage groups: no group is in two parts, and budgets of labels count groups."""

import dataclasses
import hashlib
import json
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uaps_jax.data import grouped, leakage, splits
from uaps_jax.data.protocols import GENERAL
from uaps_jax.datasets.neu_seg import groups as neu_groups

TENTH = splits.Labeled(names=(), count=0, ratio=0.1, seed=0)
NEU_SHARES = {"train": 3085 / 4470, "val": 545 / 4470, "test": 840 / 4470}
SHARES = {"train": 0.7, "val": 0.1, "test": 0.2}
COPIES = ("exclude", "unlabeled")


def labeled(**changes):
    return dataclasses.replace(TENTH, **changes)


def draw(groups, classes, request=TENTH, *, seed=0, copies="exclude", shares=SHARES):
    return grouped.grouped(
        groups, classes, shares=shares, labeled=request, seed=seed, copies=copies
    )


def draw_v1(groups, classes, request=TENTH, *, seed=0, shares=SHARES):
    return grouped.grouped_v1(groups, classes, shares=shares, labeled=request, seed=seed)


def neu(bare=0):
    """Leakage groups of NEU-Seg and invented classes; optionally every fifth image has no mask."""
    groups = neu_groups.groups()
    masked = [name for name in groups if not bare or int(name[-2:]) % bare]
    return groups, {name: frozenset({1 + groups[name] % 3}) for name in masked}


def digest(split):
    return hashlib.sha256(json.dumps(split).encode()).hexdigest()[:16]


def sizes(split):
    return {part: len(names) for part, names in split.items()}


def groups_of(names, groups):
    return {groups[name] for name in names}


@st.composite
def folders(draw_from):
    """name -> group and name -> classes: groups of 1 to 6 images, some without a mask."""
    sizes = draw_from(st.lists(st.integers(1, 6), min_size=12, max_size=50))
    groups = {f"{g}-{i}": g for g, size in enumerate(sizes) for i in range(size)}
    choose = random.Random(draw_from(st.integers(0, 10**6)))
    bare = draw_from(st.sampled_from([0.0, 0.3, 0.7]))
    masked = [name for name in groups if choose.random() >= bare]
    masked += [name for name in ("0-0", "1-0", "2-0", "3-0", "4-0") if name not in masked]
    kinds = draw_from(st.integers(1, 4))
    own = {group: choose.sample(range(kinds), choose.randint(1, kinds)) for group in range(50)}
    classes = {
        name: frozenset(c for c in own[groups[name]] if choose.random() < 0.8) for name in masked
    }
    return groups, classes


REQUESTS = st.one_of(
    st.sampled_from([0.1, 0.3, 0.5, 0.99, 1.0]).map(lambda ratio: labeled(ratio=ratio)),
    st.integers(1, 20).map(lambda count: labeled(ratio=1.0, count=count)),
)


@given(
    folder=folders(), request_=REQUESTS, seed=st.integers(0, 1000), copies=st.sampled_from(COPIES)
)
@settings(deadline=None)
def test_no_group_crosses_and_a_budget_counts_groups(folder, request_, seed, copies):
    groups, classes = folder
    everything = draw(groups, classes, labeled(ratio=1.0), seed=seed, copies=copies)
    pictures = len(groups_of(everything["labeled"], groups))
    # Every mask of the training part is used.
    held_out = groups_of(everything["val"] + everything["test"], groups)
    assert set(everything["labeled"]) == {n for n in classes if groups[n] not in held_out}
    if request_.count > pictures:
        with pytest.raises(ValueError, match=rf"only {pictures} distinct pictures"):
            draw(groups, classes, request_, seed=seed, copies=copies)
        return
    split = draw(groups, classes, request_, seed=seed, copies=copies)
    # Neither val nor test depend on the budget, and no group of theirs is anywhere else.
    assert (split["val"], split["test"]) == (everything["val"], everything["test"])
    both = copies == "unlabeled"
    assert not splits.check(split, groups.keys(), classes.keys(), groups, copies=both)
    trained = split["labeled"] + split["unlabeled"]
    assert not held_out & groups_of(trained, groups)
    assert not groups_of(split["val"], groups) & groups_of(split["test"], groups)
    assert leakage.leaks(split, groups)["train or val"] == leakage.val_leaks(split, groups) == 0
    # One image of each labeled group, so many groups.
    chosen = groups_of(split["labeled"], groups)
    if request_.count or request_.ratio < 1:
        assert len(split["labeled"]) == len(chosen)
    if request_.count:
        assert len(chosen) == request_.count
    # What becomes of the others.
    rest = {name for name in groups if groups[name] in chosen} - set(split["labeled"])
    if copies == "unlabeled":
        assert rest <= set(split["unlabeled"])
        assert set(leakage.copies_of_labeled(split, groups)) == rest
    else:
        assert not rest & {name for names in split.values() for name in names}
        assert not leakage.copies_of_labeled(split, groups)
    # Nothing else is lost.
    left = groups.keys() - set(trained) - set(split["val"]) - set(split["test"])
    assert left == {n for n in groups if groups[n] in held_out and n not in classes} | (
        rest if copies == "exclude" else set()
    )
    counts = leakage.sizes(split, groups)
    assert counts["left out"]["images"] == len(left)
    assert counts["labeled"] == {"images": len(split["labeled"]), "groups": len(chosen)}


@given(folder=folders(), seed=st.integers(0, 1000), copies=st.sampled_from(COPIES))
@settings(deadline=None)
def test_the_order_of_files_plays_no_part(folder, seed, copies):
    groups, classes = folder
    split = draw(groups, classes, labeled(ratio=0.3), seed=seed, copies=copies)
    order = list(groups)
    random.Random(seed).shuffle(order)
    turned = {name: groups[name] for name in order}
    again = {name: classes[name] for name in order if name in classes}
    assert draw(turned, again, labeled(ratio=0.3), seed=seed, copies=copies) == split


@given(folder=folders(), seed=st.integers(0, 1000), copies=st.sampled_from(COPIES))
@settings(deadline=None)
def test_a_list_labels_what_it_names(folder, seed, copies):
    groups, classes = folder
    everything = draw(groups, classes, labeled(ratio=1.0), seed=seed)
    named = tuple(everything["labeled"][:3])  # often of one group
    split = draw(groups, classes, labeled(names=named), seed=seed, copies=copies)
    assert split["labeled"] == sorted(named)
    assert (split["val"], split["test"]) == (everything["val"], everything["test"])
    rest = {n for n in groups if groups[n] in groups_of(named, groups)} - set(named)
    assert rest & set(split["unlabeled"]) == (rest if copies == "unlabeled" else set())


@given(
    count=st.integers(10, 80),
    seed=st.integers(0, 1000),
    request_=REQUESTS,
    copies=st.sampled_from(COPIES),
)
@settings(deadline=None)
def test_with_a_group_for_each_image_the_lists_are_those_of_version_1(
    count, seed, request_, copies
):
    choose = random.Random(seed)
    groups = {f"{i:03d}": i for i in range(count)}
    classes = {
        name: frozenset(choose.sample(range(1, 5), choose.randint(0, 2)))
        for name in groups
        if choose.random() < 0.8 or int(name) < 10
    }
    try:
        before = draw_v1(groups, classes, request_, seed=seed)
    except ValueError:
        with pytest.raises(ValueError, match="distinct pictures"):
            draw(groups, classes, request_, seed=seed, copies=copies)
        return
    now = draw(groups, classes, request_, seed=seed, copies=copies)
    if request_.count in (0, len(before["labeled"])):
        assert now == before
    else:  # Version 1 meets a count to within a group.
        assert len(now["labeled"]) == request_.count


def test_the_labeled_image_of_a_group_does_not_depend_on_the_budget_and_holds_its_classes():
    groups = {f"{g:03d}-{i}": g for g in range(200) for i in range(4)}
    # Image 2 alone has both classes of its group; images 0, 1 and 3 one, or none.
    classes = {
        name: frozenset({1, 2} if name.endswith("2") else {1} if name.endswith("1") else ())
        for name in groups
        if int(name[:3]) % 2
    }
    classes |= {name: frozenset({3}) for name in groups if int(name[:3]) % 2 == 0}
    few, many = (set(draw(groups, classes, labeled(count=n))["labeled"]) for n in (20, 100))
    assert all(name.endswith("2") for name in few | many if groups[name] % 2)
    drawn = Counter(name[-1] for name in many if groups[name] % 2 == 0)
    assert len(drawn) == 4  # equal ones take their turns
    shared = groups_of(few, groups) & groups_of(many, groups)
    assert shared
    assert {n for n in few if groups[n] in shared} == {n for n in many if groups[n] in shared}
    other = draw(groups, classes, labeled(count=100), seed=1)["labeled"]
    both = groups_of(other, groups) & groups_of(many, groups)
    assert {n for n in other if groups[n] in both} != {n for n in many if groups[n] in both}


def test_classes_are_balanced_over_the_parts():
    groups = {f"{g:03d}-{i}": g for g in range(300) for i in range(4)}
    classes = {name: frozenset({1 + group % 3}) for name, group in groups.items()}
    for request in (TENTH, labeled(count=30), labeled(count=90)):
        split = draw(groups, classes, request)
        for part in splits.PARTS:
            counts = [sum(c in classes[n] for n in split[part]) for c in (1, 2, 3)]
            assert max(counts) - min(counts) <= (1 if part == "labeled" else 4), part


def test_rare_classes_are_labeled_first():
    groups = {f"{g:03d}-{i}": g for g in range(200) for i in range(3)}
    for seed in range(10):
        rare = set(random.Random(seed).sample(range(200), 8))
        classes = {n: frozenset({2, 1} if g in rare else {1}) for n, g in groups.items()}
        split = draw(groups, classes, labeled(count=5), seed=seed)
        for part in ("labeled", "val", "test"):
            assert any(2 in classes[name] for name in split[part]), (seed, part)


@pytest.mark.parametrize("count", [1, 7, 30])
@pytest.mark.parametrize("strata", [1, 3, 15])
def test_a_count_is_met_exactly(count, strata):
    groups = {f"{g:03d}-{i}": g for g in range(200) for i in range(3)}
    classes = {name: frozenset({1 + group % strata}) for name, group in groups.items()}
    split = draw(groups, classes, labeled(count=count))
    assert len(split["labeled"]) == len(groups_of(split["labeled"], groups)) == count
    assert abs(len(groups_of(split["val"], groups)) - 20) <= 1
    assert abs(len(groups_of(split["test"], groups)) - 40) <= 1
    with pytest.raises(
        ValueError, match=r"labeled_count = 150: .* only 140 distinct pictures.* 420"
    ):
        draw(groups, classes, labeled(count=150))


@pytest.mark.parametrize("classes", [1, 3, 5])
def test_thirty_annotated_images_fill_every_part(classes):
    for seed in range(20):
        choose = random.Random(seed)
        groups = {f"{i:03d}": i for i in range(200)}
        sets = {
            f"{i:03d}": frozenset(choose.sample(range(1, classes + 1), choose.randint(1, classes)))
            for i in range(30)
        }
        split = draw(groups, sets, labeled(ratio=1.0), seed=seed)
        assert sizes(split) == {"labeled": 21, "unlabeled": 170, "val": 3, "test": 6}


def test_five_annotated_images_leave_no_part_empty():
    groups = {f"{i}": i for i in range(5)}
    classes = {name: frozenset({1}) for name in groups}
    for seed in range(20):
        assert all(draw(groups, classes, labeled(ratio=0.5), seed=seed).values())


def test_further_photographs_of_a_labeled_part_stay():
    """A folder in which every image without a mask shows a part that has one."""
    groups = {f"{g:02d}-{i}": g for g in range(31) for i in range(3)}
    classes = {name: frozenset({1}) for name in groups if name.endswith("0")}
    lost = draw(groups, classes, labeled(ratio=1.0), copies="exclude")
    assert not lost["unlabeled"]
    kept = draw(groups, classes, labeled(ratio=1.0), copies="unlabeled")
    assert len(kept["unlabeled"]) == 2 * len(kept["labeled"]) > 40
    assert leakage.leaks(kept, groups)["train or val"] == 0


def test_a_listed_image_that_is_tested_on_is_refused():
    groups = {f"{i:03d}": i for i in range(50)}
    classes = {name: frozenset({1}) for name in groups}
    listed = labeled(names=(draw(groups, classes)["test"][0],))
    for divide in (draw, draw_v1):
        with pytest.raises(ValueError, match="not training images"):
            divide(groups, classes, listed)


def test_an_image_of_no_known_group_is_refused():
    groups = {f"{i}": i - 1 for i in range(20)}
    with pytest.raises(ValueError, match="leakage group of 1 images is unknown, 0 among them"):
        draw(groups, {name: frozenset({1}) for name in groups})


@pytest.mark.parametrize("copies", COPIES)
def test_thirty_labels_of_neu_seg_are_thirty_pictures(copies):
    groups, classes = neu()
    split = draw(groups, classes, labeled(count=30), copies=copies, shares=NEU_SHARES)
    counts = leakage.sizes(split, groups)
    assert counts["labeled"] == {"images": 30, "groups": 30}
    assert Counter(c for n in split["labeled"] for c in classes[n]) == {1: 10, 2: 10, 3: 10}
    assert (counts["left out"]["images"] > 80) == (copies == "exclude")
    assert (abs(len(split["test"]) - 840), abs(len(split["val"]) - 545)) == (0, 0)
    assert draw(groups, classes, labeled(count=30), copies=copies, shares=NEU_SHARES) == split
    other = draw(groups, classes, labeled(count=30), copies=copies, shares=NEU_SHARES, seed=1)
    assert other != split


def test_the_lists_are_those_of_their_version():
    """Other lists need another version in `protocols.GENERAL`, which identifies them in runs."""
    groups, classes = neu()
    thirty = [
        digest(draw(groups, classes, labeled(count=30), copies=copies, shares=NEU_SHARES))
        for copies in COPIES
    ]
    assert (GENERAL["grouped"], thirty) == (
        ("grouped", 2),
        ["75c31b67f3df9b4e", "e711186311eaa225"],
    )


# Digests of what "grouped" drew before it counted groups: with every image masked, and with every
# fifth one bare. (ratio, count): lists, labeled images, their groups.
VERSION_1 = {
    (0, 0): {
        (0.1, 0): ("3f0b1da11a9dcaf1", 309, 77),
        (1.0, 30): ("65d823e45704e6df", 32, 8),
        (1.0, 0): ("bda9f377f12f1d67", 3085, 778),
    },
    (0, 5): {
        (0.1, 0): ("ade104c206f48c10", 247, 65),
        (1.0, 30): ("658b589c931e9f36", 30, 9),
        (1.0, 0): ("7dba8e024c35c6af", 2468, 632),
    },
    (1, 0): {
        (0.1, 0): ("08e36c654b5e862d", 308, 77),
        (1.0, 30): ("89b7acb98f8b9730", 30, 9),
        (1.0, 0): ("fe3193e4bdc72c4a", 3085, 771),
    },
    (45, 5): {
        (0.1, 0): ("37889ea973413ce6", 247, 64),
        (1.0, 30): ("256b925512b1cd4f", 30, 9),
        (1.0, 0): ("f6ad0cddb387d475", 2468, 629),
    },
}


@pytest.mark.parametrize(("seed", "bare"), VERSION_1)
def test_version_1_draws_what_it_did(seed, bare):
    groups, classes = neu(bare)
    for (ratio, count), expected in VERSION_1[seed, bare].items():
        request = labeled(ratio=ratio, count=count)
        split = draw_v1(groups, classes, request, seed=seed, shares=NEU_SHARES)
        labels = split["labeled"]
        assert (digest(split), len(labels), len(groups_of(labels, groups))) == expected
        assert not splits.check(split, groups.keys(), classes.keys(), groups)
        # The division is the same in both versions.
        now = draw(groups, classes, request, seed=seed, shares=NEU_SHARES)
        assert (now["val"], now["test"]) == (split["val"], split["test"])
    if bare:
        listed = labeled(names=tuple(split["labeled"][5:9]))
        split = draw_v1(groups, classes, listed, seed=seed, shares=NEU_SHARES)
        assert digest(split) == {0: "0cc415b32221c27b", 45: "9ae3e76d0a20c274"}[seed]
        # A list is the same in both.
        assert draw(groups, classes, listed, seed=seed, shares=NEU_SHARES) == split
    with pytest.raises(ValueError, match="labeled_count = 4000: only .* training images have"):
        draw_v1(groups, classes, labeled(count=4000), shares=NEU_SHARES)
