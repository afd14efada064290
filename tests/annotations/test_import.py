"""Annotations of every format as a folder: what was written here, by tools, and what is damaged."""

import hashlib
import json
import random
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.annotations import exports
from uaps_jax.annotations import formats, mask_form
from uaps_jax.annotations.mask_form import MaskForm
from uaps_jax.commands.import_annotations import import_annotations
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import DataError
from uaps_jax.datasets.folder import class_map

TOOLS = sorted(path.stem for path in exports.WRITTEN.glob("*.json"))


def run(given, images, folder):
    import_annotations(
        Request(config=None, workdir=folder, checkpoint="best", input=given, images=images)
    )
    return {
        path.relative_to(folder / "masks").as_posix(): np.asarray(Image.open(path))
        for path in (folder / "masks").rglob("*.png")
    }


def by_mask(masks):
    return {f"{name.rsplit('.', 1)[0]}.png": mask for name, mask in masks.items()}


def check(got, masks, classes=exports.CLASSES, folder=None):
    """Compares masks; with a folder, by the names of the classes that its list has."""
    assert got.keys() == by_mask(masks).keys()
    numbers = {value: value for value in (0, 1, 2, 255)}
    if folder is not None:
        listed = class_map.from_file(folder / "classes.yaml").names
        numbers |= {value: listed.index(name) for value, name in enumerate(classes)}
    for name, mask in by_mask(masks).items():
        expected = np.vectorize(numbers.get)(mask)
        np.testing.assert_array_equal(got[name], expected, err_msg=name)


@pytest.mark.parametrize("kind", formats.WRITERS)
def test_what_is_written_comes_back(kind, tmp_path):
    exports.write_images(tmp_path / "images")
    masks = exports.masks(seed=1)
    given = exports.write(kind, masks, tmp_path / "export")
    # Without a list of classes, they have the order of the alphabet.
    by_name = kind in ("labelme", "label_studio")
    got = run(given, tmp_path / "images", tmp_path / "mine")
    check(got, masks, folder=tmp_path / "mine" if by_name else None)
    made = sorted(path.name for path in (tmp_path / "mine").iterdir())
    assert made == ["classes.yaml", "images", "masks"]


@pytest.mark.parametrize("tool", TOOLS)
def test_what_tools_wrote_is_read(tool, tmp_path):
    given, masks = exports.written_by(tool, tmp_path / "export")
    exports.write_images(tmp_path / "images", {n: mask.shape for n, mask in masks.items()})
    got = run(given, tmp_path / "images", tmp_path / "mine")
    check(got, masks, ("background", "pit", "deep scratch"), tmp_path / "mine")


def test_there_are_files_of_tools():
    assert [
        *("datumaro_coco", "datumaro_cvat", "datumaro_masks", "label_studio", "labelme"),
        "pycocotools",
    ] == TOOLS


@pytest.fixture
def queue(tmp_path):
    """The folder of a queue, as `--mode=queue` writes it, and corrected annotations."""
    folder = tmp_path / "queue"
    exports.write_images(folder / "images")
    formats.WRITERS["png"](exports.proposals(exports.masks()), exports.CLASSES, tmp_path / "p")
    shutil.copyfile(tmp_path / "p" / "classes.yaml", folder / "classes.yaml")
    lines = [
        {
            "rank": rank,
            "image": name,
            "sha256": hashlib.sha256((folder / "images" / name).read_bytes()).hexdigest(),
        }
        for rank, name in enumerate(exports.SIZES, start=1)
    ]
    (folder / "queue.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


class TestQueue:
    @pytest.mark.parametrize("kind", ["labelme", "label_studio"])
    def test_the_classes_have_the_order_of_the_queue(self, kind, queue, tmp_path):
        masks = exports.masks(seed=2)
        given = exports.write(kind, masks, tmp_path / "export")
        check(run(given, queue, tmp_path / "mine"), masks)

    @pytest.mark.parametrize("kind", ["png", "coco", "cvat_masks", "cvat_coco", "labelme"])
    @pytest.mark.parametrize("background", ["good", "Background"])
    def test_any_name_of_the_background_keeps_the_ids(
        self, kind, background, queue, tmp_path, monkeypatch
    ):
        names = (background, *exports.CLASSES[1:])
        monkeypatch.setattr(exports, "CLASSES", names)
        written = "".join(f'"{name}": {value}\n' for value, name in enumerate(names))
        (queue / "classes.yaml").write_text(f"{written}ignore: 255\n")
        masks = exports.masks(seed=2)
        given = exports.write(kind, masks, tmp_path / "export")
        check(run(given, queue, tmp_path / "mine"), masks)
        assert class_map.from_file(tmp_path / "mine" / "classes.yaml").names == names

    @pytest.mark.parametrize("kind", ["labelme", "coco", "png"])
    def test_masks_have_the_values_and_names_of_the_data_set(self, kind, queue, tmp_path):
        """They can be put beside its masks, as those of the review page."""
        values = {"background": 0, "pit": 200, "Kratzer tief": 1, "ignore": 254}
        listed = [(name, [str(value)]) for name, value in values.items()]
        mask_form.write(queue, MaskForm(class_map.parse(listed), "_m"))
        masks = exports.masks(seed=2)
        got = run(exports.write(kind, masks, tmp_path / "export"), queue, tmp_path / "mine")
        table = np.zeros(256, np.uint8)
        table[[0, 1, 2, 255]] = tuple(values.values())
        assert got.keys() == {f"{name.rsplit('.', 1)[0]}_m.png" for name in masks}
        for name, mask in masks.items():
            np.testing.assert_array_equal(got[f"{name.rsplit('.', 1)[0]}_m.png"], table[mask])
        classes = class_map.from_file(tmp_path / "mine" / "classes.yaml")
        assert classes == class_map.parse(listed)

    def test_a_damaged_form_of_masks_is_named(self, queue, tmp_path):
        given = exports.write("coco", exports.masks(), tmp_path / "export")
        (queue / "dataset.json").write_text("{}")
        with pytest.raises(DataError, match=r"dataset.json: does not describe masks"):
            run(given, queue, tmp_path / "mine")
        others = [("background", ["0"]), ("pit", ["1"]), ("ignore", ["9"])]
        mask_form.write(queue, MaskForm(class_map.parse(others), ""))
        with pytest.raises(DataError, match=r"dataset.json has other classes than classes.yaml"):
            run(given, queue, tmp_path / "mine")

    def test_everything_that_does_not_fit_is_named_at_once(self, queue, tmp_path):
        file = tmp_path / "coco.json"
        exports.write("coco", exports.masks(), tmp_path / "export")
        content = json.loads((tmp_path / "export" / "annotations.json").read_text())
        content["categories"][0]["name"] = "dent"
        file.write_text(json.dumps(content))
        exports.write_images(queue / "images", {"good.png": exports.SIZES["good.png"]})
        Image.new("RGB", (9, 9)).save(queue / "images" / "b.bmp")
        content["images"].append({"file_name": "../x.png", "id": 9})
        file.write_text(json.dumps(content))
        lines = (queue / "queue.jsonl").read_text()
        gone = json.dumps({"rank": 4, "image": "gone.png", "sha256": "0"})
        (queue / "queue.jsonl").write_text(f"{lines}{gone}\n")
        with pytest.raises(DataError) as caught:
            run(file, queue, tmp_path / "mine")
        text = str(caught.value)
        assert "b.bmp: is not the image that the queue was made of" in text
        assert "b.bmp: has 9 x 9 pixels, and its annotation is for 11 x 9" in text
        assert "image 9: its file '../x.png' is outside of" in text
        assert "gone: is an image of the queue, and is not there" in text
        assert "has a region with the label 'dent', and the classes of the queue are" in text
        assert not (tmp_path / "mine").exists()

    def test_a_damaged_queue_is_named(self, queue, tmp_path):
        (queue / "queue.jsonl").write_text('{"rank": 1}\n')
        given = exports.write("coco", exports.masks(), tmp_path / "export")
        with pytest.raises(DataError, match="queue.jsonl: has no 'image'"):
            run(given, queue, tmp_path / "mine")


class TestPlaces:
    def test_an_archive_that_has_its_images_and_a_folder_around(self, tmp_path):
        exports.write_images(tmp_path / "i")
        masks = exports.masks(ignored=False)
        given = exports.write("cvat_coco", masks, tmp_path / "export")
        unpacked = exports.unzipped(given.read_bytes())
        files = {f"my task/{name}": data for name, data in unpacked.items()}
        for name in exports.SIZES:
            files[f"my task/images/default/{name}"] = (tmp_path / "i" / name).read_bytes()
        given.write_bytes(exports.zipped(files))
        check(run(given, None, tmp_path / "mine"), masks)

    def test_images_beside_an_archive(self, tmp_path):
        exports.write_images(tmp_path / "export" / "images")
        masks = exports.masks(ignored=False)
        given = exports.write("cvat_masks", masks, tmp_path / "z")
        shutil.move(given, tmp_path / "export" / "a.zip")
        check(run(tmp_path / "export" / "a.zip", None, tmp_path / "mine"), masks)

    def test_messages_name_the_archive_and_not_the_folder_that_it_is_unpacked_into(self, tmp_path):
        exports.write_images(tmp_path / "images")
        given = exports.write("cvat_masks", exports.masks(), tmp_path / "z")
        files = exports.unzipped(given.read_bytes())
        files["SegmentationClass/b.png"] = b"damaged"
        given.write_bytes(exports.zipped(files))
        with pytest.raises(DataError) as caught:
            run(given, tmp_path / "images", tmp_path / "mine")
        assert f"{given}/SegmentationClass/b.png: cannot be read" in str(caught.value)
        assert "unpacked" not in str(caught.value)

    def test_an_unannotated_image_that_cannot_be_opened_is_named(self, tmp_path):
        exports.write_images(tmp_path / "images")
        (tmp_path / "images" / "broken.png").write_bytes(b"broken")
        given = exports.write("coco", exports.masks(), tmp_path / "export")
        with pytest.raises(DataError, match=r"broken.png: cannot be read"):
            run(given, tmp_path / "images", tmp_path / "mine")

    def test_many_equal_problems_are_few_lines(self, tmp_path):
        for number in range(30):
            exports.write_images(tmp_path / "images", {f"{number}.png": (3, 3)})
            (tmp_path / "images" / f"{number}.png").write_bytes(b"broken")
        exports.write_images(tmp_path / "images")
        given = exports.write("coco", exports.masks(), tmp_path / "export")
        with pytest.raises(DataError, match="25 more, such as") as caught:
            run(given, tmp_path / "images", tmp_path / "mine")
        assert len(caught.value.problems) == 6

    def test_an_unknown_format_is_told_what_is_read(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(exports.zipped({"x.txt": b"1"}))
        for given in (tmp_path / "a.zip", tmp_path, tmp_path / "a.txt"):
            with pytest.raises(ConfigError, match='"CVAT for images 1.1"'):
                run(given, None, tmp_path / "mine")
        assert not (tmp_path / "mine").exists()


CVAT_XML = b"""<annotations><meta><labels><label><name>pit</name></label></labels></meta>
<image id="0" name="b.bmp" width="11" height="9"><polygon label="pit" points="1,1;5.5,2;3,6"
 z_order="1"/><box label="pit" xtl="1" ytl="2" xbr="5" ybr="6" rotation="30"/><ellipse label="pit"
 cx="3" cy="3" rx="2" ry="1"/><mask label="pit" rle="1,2,3" left="2" top="3" width="3" height="2"/>
</image></annotations>"""


@pytest.mark.parametrize("kind", [*formats.WRITERS, "cvat_images"])
def test_damaged_exports_are_read_or_refused(kind, tmp_path):
    """With an error that is worded for a person, and nothing written."""
    exports.write_images(tmp_path / "images")
    if kind == "cvat_images":
        name, files = "annotations.xml", {"annotations.xml": CVAT_XML}
    else:
        given = exports.write(kind, exports.masks(), tmp_path / "export")
        name = given.relative_to(tmp_path / "export").as_posix()
        files = {
            path.relative_to(tmp_path / "export").as_posix(): path.read_bytes()
            for path in (tmp_path / "export").rglob("*")
            if path.is_file() and path.name != "labeling_interface.xml"
        }
    outcomes = []
    for seed in range(40):
        generator = random.Random(f"{kind}{seed}")
        chosen = generator.choice(sorted(files))
        data = files[chosen]
        if chosen.endswith(".zip") and seed % 4:
            inner = exports.unzipped(data)
            member = generator.choice(sorted(inner))
            inner[member] = exports.damaged(generator, inner[member])
            data = exports.zipped(inner)
        else:
            data = exports.damaged(generator, data)
        folder = tmp_path / "damaged" / str(seed)
        for at, content in {**files, chosen: data}.items():
            (folder / at).parent.mkdir(parents=True, exist_ok=True)
            (folder / at).write_bytes(content)
        target = tmp_path / "made" / str(seed)
        try:
            run(folder / name, tmp_path / "images", target)
        except (ConfigError, DataError):
            outcomes.append("refused")
        else:
            outcomes.append("read")
        assert target.exists() == (outcomes[-1] == "read")
        assert {path.name for path in (tmp_path / "made").iterdir()} <= set(map(str, range(40)))
    assert "refused" in outcomes
