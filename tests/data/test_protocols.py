"""Every protocol on the names of the real datasets: sizes, lists, and leaks."""

import hashlib
import json
import os
import zipfile
from collections import Counter

import pytest

from uaps_jax.commands import opening
from uaps_jax.config import ConfigError
from uaps_jax.configs import mtiles_uaps, synthetic_uaps
from uaps_jax.data import leakage, protocols, source, splits
from uaps_jax.datasets.dagm import labels
from uaps_jax.datasets.dagm.protocols import PROTOCOLS as DAGM
from uaps_jax.datasets.ksdd2.protocols import PROTOCOLS as KSDD2

SIX = (1, 2, 6, 7, 9, 10)


def request(**changes):
    plain = {"names": (), "count": 0, "ratio": 0.1, "seed": 45}
    return splits.Labeled(**(plain | changes))


def sizes(split):
    return {part: len(names) for part, names in split.items()}


@pytest.fixture(scope="module")
def defective(data_dir):
    """The names of the 1350 defective images of six classes of DAGM, from the official lists."""
    file = data_dir / "DAGM2007_labels.zip"
    if not file.exists():
        pytest.skip(f"{file.name} is not in UAPS_DATA_DIR")
    return defective_of(file, SIX)


@pytest.fixture(scope="module")
def defective_of_ten(data_dir):
    """Likewise, of all ten classes."""
    file = data_dir / "DAGM2007_labels.zip"
    if not file.exists():
        pytest.skip(f"{file.name} is not in UAPS_DATA_DIR")
    return defective_of(file, range(1, 11))


def defective_of(file, numbers):
    names = {}
    with zipfile.ZipFile(file) as archive:
        for number in numbers:
            for folder in ("Train", "Test"):
                rows, _ = labels.parse(archive.read(f"Class{number}/{folder}/Label/Labels.txt"))
                names |= {f"cl{number}_{row.id}": folder.lower() for row in rows if row.defective}
    return names


def test_ppls_lists_of_dagm(defective_of_ten):
    names = defective_of_ten
    parts = DAGM["ppl"].parts(names)
    assert (len(names), len(parts.train)) == (DAGM["ppl"].images, 1046)
    smaller = set()
    for count in (65, 130, 260, 521):
        split = splits.from_parts(parts, names.keys(), request(count=count))
        assert sizes(split) == {
            "labeled": count,
            "unlabeled": 1046 - count,
            "val": 1054,
            "test": 1054,
        }
        assert smaller < set(split["labeled"])
        smaller = set(split["labeled"])
    # The numbers of the smallest list begin with 4, 39, 48, 99; class 1 has 79 of the images.
    first, second = (
        [name for name, half in names.items() if half == "train" and name.startswith(f"cl{n}_")]
        for n in (1, 2)
    )
    listed = sorted(parts.labeled[65])
    assert len(first) == 79
    assert [name for name in listed if name in first] == [first[n - 1] for n in (4, 39, 48)]
    assert next(name for name in listed if name in second) == second[99 - 79 - 1]
    with pytest.raises(ValueError, match="the dataset has 1045"):
        DAGM["ppl"].parts({name: names[name] for name in names if name != parts.train[0]})


def test_dagms_published_division(defective, data_dir):
    parts = DAGM["published"].parts(defective)
    listed = data_dir / "splits" / "dagm" / "published_test_270.txt"
    if listed.exists():
        assert set(parts.test) == set(listed.read_text().split())
    split = splits.from_parts(parts, defective.keys(), request())
    assert sizes(split) == {"labeled": 91, "unlabeled": 827, "val": 162, "test": 270}
    assert not splits.check(split, defective.keys(), defective.keys(), None)
    drawn = Counter(name.split("_")[0] for name in split["labeled"])
    assert drawn == {"cl6": 19, "cl9": 19, "cl7": 16, "cl10": 14, "cl2": 13, "cl1": 10}


@pytest.mark.parametrize(("ratio", "few"), [(0.2, 183), (0.3, 275), (0.4, 367), (0.5, 459)])
def test_dagms_sizes(ratio, few, defective):
    parts = DAGM["published"].parts(defective)
    split = splits.from_parts(parts, defective.keys(), request(ratio=ratio))
    assert (len(split["labeled"]), len(split["unlabeled"])) == (few, 918 - few)


@pytest.mark.parametrize(("ratio", "few"), [(0.1, 19), (0.2, 39), (0.3, 58), (0.4, 78), (0.5, 98)])
def test_ksdd2s_sizes(ratio, few):
    names = {f"train/{i:05d}": "train" for i in range(246)}
    names |= {f"test/{i:05d}": "test" for i in range(110)}
    parts = KSDD2["reconstructed"].parts(names)
    split = splits.from_parts(parts, names.keys(), request(ratio=ratio))
    assert sizes(split) == {"labeled": few, "unlabeled": 196 - few, "val": 50, "test": 110}
    assert not splits.check(split, names.keys(), names.keys(), None)


@pytest.fixture(scope="module")
def tiles(data_dir, tmp_path_factory):
    """Opens the magnetic tiles as a configuration asks for them, built once."""
    built = tmp_path_factory.mktemp("built")

    def opened(name, **changes):
        data = mtiles_uaps.get_config().data
        data.name, data.data_dir, data.manual_dir = name, str(built), str(data_dir)
        for key, value in changes.items():
            setattr(data, key, value)
        dataset = source.open_dataset(data)
        return dataset, protocols.make_split(dataset, data)

    if not list(data_dir.glob("Magnetic-tile*.zip")):
        pytest.skip("the archive of the magnetic tiles is not in UAPS_DATA_DIR")
    return opened


def test_the_reconstructed_division_of_the_tiles(tiles):
    _, split = tiles("mtiles/defective")
    assert sizes(split) == {"labeled": 124, "unlabeled": 186, "val": 78, "test": 78}
    assert splits.validates_on_test(split)


@pytest.mark.parametrize(("count", "leaks"), [(137, 135), (270, 210), (538, 252)])
def test_ppls_division_of_the_tiles(count, leaks, tiles, caplog):
    dataset, split = tiles("mtiles/all", protocol="ppl", labeled_count=count)
    assert sizes(split) == {"labeled": count, "unlabeled": 1073 - count, "val": 271, "test": 271}
    result = protocols.classes(dataset)
    defects = {name for name in split["test"] if result[name]}
    # 80 of a defect class, one of which has an empty mask.
    assert len(defects) == 79
    train = {dataset.groups[name] for name in split["labeled"] + split["unlabeled"]}
    assert all(dataset.groups[name] in train for name in defects)
    config = mtiles_uaps.get_config()
    config.data.protocol = "ppl"
    opening.log_split(dataset, config, split)
    assert (
        "protocol ppl leaks: of 271 test images, so many show the same thing as an image of "
        f"another part: 271 in train or val, {leaks} in labeled, "
    ) in caplog.text


@pytest.mark.parametrize("name", ["mtiles/all", "mtiles/defective"])
def test_no_tile_crosses_the_grouped_division(name, tiles, monkeypatch):
    decode, decoded = protocols.classes, {}
    monkeypatch.setattr(
        protocols, "classes", lambda dataset: decoded or decoded.update(decode(dataset)) or decoded
    )
    for protocol, copies in (
        ("grouped", "exclude"),
        ("grouped", "unlabeled"),
        ("grouped_v1", "exclude"),
    ):
        dataset, split = tiles(
            name, protocol=protocol, labeled_group_copies=copies, labeled_ratio=0.2
        )
        assert not any(leakage.leaks(split, dataset.groups).values())
        assert leakage.val_leaks(split, dataset.groups) == 0
        counts = leakage.sizes(split, dataset.groups)
        assert (counts["left out"]["images"] == 0) == ((protocol, copies) != ("grouped", "exclude"))
        if protocol == "grouped":
            assert counts["labeled"]["images"] == counts["labeled"]["groups"]
        for part in splits.PARTS:
            assert {c for n in split[part] for c in decoded[n]} == {1, 2, 3, 4, 5}, part


@pytest.mark.parametrize(
    ("seed", "count", "digest", "counts"),
    [
        (0, 30, "18e0483bd36368f2", (30, 5)),
        (45, 30, "a5789f2e822c076c", (30, 5)),
        (45, 0, "6fc772b5180adc3d", (108, 19)),
    ],
)
def test_the_first_grouped_division_of_the_tiles_by_its_name(seed, count, digest, counts, tiles):
    """As drawn before a budget counted groups."""
    asked = {"split_seed": seed, "labeled_count": count}
    dataset, split = tiles("mtiles/defective", protocol="grouped_v1", **asked)
    assert hashlib.sha256(json.dumps(split).encode()).hexdigest()[:16] == digest
    labeled = leakage.sizes(split, dataset.groups)["labeled"]
    assert (labeled["images"], labeled["groups"]) == counts


def test_a_written_split_is_read_as_it_is(tmp_path):
    split = {part: [f"{part} ü", f"{part}#"] for part in splits.PARTS}
    (tmp_path / "split.json").write_text(json.dumps(split | {"version": 1}))
    assert protocols.read_split(str(tmp_path / "split.json")) == split


WHOLE = '"labeled": ["a"], "unlabeled": [], "val": [], "test": []'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 200_000, "RecursionError"),
        (f'{{{WHOLE}, "test": ["b"]}}', "a key is repeated"),
        (f"{{{WHOLE.replace('[]', '{}', 1)}}}", "'unlabeled' must be a list of names"),
        (f"{{{WHOLE.replace(chr(34) + 'a' + chr(34), '1')}}}", "'labeled' must be a list of names"),
        (f"{{{WHOLE.replace('[]', 'null', 1)}}}", "'unlabeled' must be a list of names"),
        ('{"labeled": []}', "KeyError: 'unlabeled'"),
        ("[1]", "TypeError"),
        ("1" * 5000, "ValueError"),
        ("\udcff", "UnicodeDecodeError"),
    ],
)
def test_an_invalid_split_is_reported(text, reason, tmp_path):
    (tmp_path / "mine.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ConfigError, match=rf"mine\.json: is not a split\.json.*{reason}") as caught:
        protocols.read_split(str(tmp_path / "mine.json"))
    assert len(str(caught.value)) < 1000


def test_no_pipe_is_waited_for_and_no_strangers_home(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="it is a pipe, not a file"):
        protocols.read_split(str(tmp_path / "pipe"))
    with pytest.raises(ConfigError, match=r"data\.split_file = '~nosuchuser/x': .* whole path"):
        protocols.read_split("~nosuchuser/x")


def test_a_list_of_labeled_images_holds_names_like_comments(tmp_path):
    places = {"# 1": "train", "#2": "train", "c": "train", "v": "val", "t": "test"}
    dataset = source.Dataset(
        name="folder",
        build="folder/state_0/1.0.0",
        class_names=("background", "dent"),
        records={"train": (), "val": (), "test": ()},
        position={name: (part, 0) for name, part in places.items()},
        groups=dict.fromkeys(places, -1),
        masked=frozenset(places),
    )
    data = synthetic_uaps.get_config().data
    data.protocol, data.labeled_list = "native", str(tmp_path / "labeled.txt")
    (tmp_path / "labeled.txt").write_text("# 1\n# 3\n#2\n")
    assert protocols.make_split(dataset, data)["labeled"] == ["# 1", "#2"]
    for name, reason in (("~nosuchuser/x", "write the whole path"), ("/dev/zero", "a device")):
        data.labeled_list = name
        with pytest.raises(ConfigError, match=rf"data\.labeled_list = '{name}'.*{reason}"):
            protocols.make_split(dataset, data)
