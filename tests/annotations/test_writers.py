"""What is written for other programs, against values worked by hand and definitions."""

import io
import json
import xml.etree.ElementTree as ElementTree
import zipfile

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from tests.annotations import exports
from uaps_jax.annotations import brush, formats, run_lengths, shapes
from uaps_jax.annotations.formats import Proposal
from uaps_jax.annotations.shapes import Shape
from uaps_jax.annotations.writers import coco, cvat, label_studio, labelme
from uaps_jax.datasets.common import DataError
from uaps_jax.datasets.folder import class_map

CLASSES = exports.CLASSES


def of(mask, name="a.png", score=None):
    mask = np.array(mask, np.uint8)
    return Proposal(name=name, size=mask.shape, mask=mask, score=score)


def random_mask(seed):
    """Noise or blobs of up to three classes and of no label, of 1 to 24 pixels a side."""
    random = np.random.default_rng(seed)
    mask = random.integers(0, random.integers(2, 5), random.integers(1, 25, 2)).astype(np.uint8)
    if seed % 2:
        mask = ndimage.median_filter(mask, 3)
    mask[mask == 3] = 255
    return mask


def packed(*bits):
    """Bits as bytes, the high one first."""
    text = "".join(bits)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


class TestRunLengths:
    @pytest.mark.parametrize("seed", range(10))
    def test_a_mask_comes_back(self, seed):
        region = random_mask(seed) == 1
        lengths = run_lengths.of_mask(region)
        np.testing.assert_array_equal(run_lengths.to_mask(lengths, *region.shape), region)
        read = run_lengths.checked(run_lengths.to_text(lengths), region.size)
        np.testing.assert_array_equal(read, lengths)

    @pytest.mark.parametrize("seed", range(30))
    def test_a_part_lies_at_its_place_and_is_drawn_there(self, seed):
        """Over other values, partly or wholly outside of the image."""
        random = np.random.default_rng(seed)
        height, width, h, w = random.integers(1, 9, 4)
        left, top = random.integers(-9, 9, 2)
        part = random.random((h, w)) < 0.5
        padded = np.zeros((height + 40, width + 40), bool)
        padded[20 + top : 20 + top + h, 20 + left : 20 + left + w] = part
        region = padded[20 : 20 + height, 20 : 20 + width]
        lengths = run_lengths.of_part(part, int(left), int(top), (int(height), int(width)))
        np.testing.assert_array_equal(run_lengths.checked(lengths, region.size), lengths)
        np.testing.assert_array_equal(run_lengths.to_mask(lengths, height, width), region)
        drawn = random.integers(0, 5, region.shape).astype(np.uint8)
        expected = np.where(region, 9, drawn)
        assert run_lengths.draw(drawn, lengths, 9) == region.any()
        np.testing.assert_array_equal(drawn, expected)

    def test_the_text_worked_by_hand(self):
        """The fourth number is written as 4 - 3 = 1, the fifth as 3 - 4 = -1; 40 = 8 + 32."""
        assert run_lengths.to_text([1, 3, 4, 4, 3]) == "1341O"
        assert run_lengths.to_text([40]) == "X1"
        # 16 needs a second character, since the highest bit of the last one is the sign.
        assert run_lengths.to_text([16]) == "`0"


class TestBrush:
    head = "00111" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    """Values of 8 bits, and the sizes of the four kinds of counts."""

    def test_the_bits_worked_by_hand(self):
        """Four values of 0, then four of 255: runs of up to 8, so counts of 3 bits."""
        runs = ["1", "00", "011", "00000000", "1", "00", "011", "11111111"]
        expected = packed(f"{8:032b}", self.head, *runs)
        assert brush.encode(np.array([[False, True]])) == expected
        assert brush.decode(expected, 1, 2).tolist() == [[False, True]]

    @pytest.mark.parametrize("seed", range(10))
    def test_a_mask_comes_back(self, seed):
        region = random_mask(seed) == 1
        np.testing.assert_array_equal(brush.decode(brush.encode(region), *region.shape), region)

    def test_runs_longer_than_a_count_are_divided(self):
        region = np.zeros((200, 200), bool)
        region[150:] = True
        np.testing.assert_array_equal(brush.decode(brush.encode(region), 200, 200), region)

    @pytest.mark.parametrize("most", [255, 76])
    def test_values_one_by_one_and_half_opaque_pixels(self, most):
        """A block of twelve different values, which begins within a byte."""
        values = [9, 9, 9, most // 2 - 1, 9, 9, 9, -(-most // 2), 9, 9, 9, most]
        blocks = ["0", "01", "1011", *(f"{value:08b}" for value in values)]
        data = packed(f"{12:032b}", self.head, *blocks)
        assert brush.decode(data, 3, 1).tolist() == [[False], [True], [True]]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "end too early"),
            (brush.encode(np.ones((2, 2), bool)), "16 values for 3 x 1 pixels"),
            (brush.encode(np.ones((1, 3), bool))[:-1], "end too early"),
            (b"\xff" * 20, "a brush of 4294967295 values"),
            (b"\x00\x00\x00\x0c" + b"\x39\xff\xff" + b"\xff" * 20, "more than the 12 values"),
            (b"\x00\x00\x00\x0c" + b"\x01\xff\xff" + b"\xff" * 20, "values of 1 bits"),
        ],
    )
    def test_damaged_bits_are_refused(self, data, reason):
        with pytest.raises(ValueError, match=reason):
            brush.decode(data, 1, 3)


class TestLabelme:
    @pytest.mark.parametrize("seed", range(20))
    def test_polygons_drawn_in_order_give_the_mask(self, seed):
        mask = random_mask(seed)
        drawn = np.zeros_like(mask)
        for value, points in labelme.polygons(mask):
            assert len(points) >= 3
            shapes.draw(drawn, Shape(label="", polygons=[points]), value)
        np.testing.assert_array_equal(drawn, mask)

    def test_a_hole_is_a_polygon_of_the_background_and_an_island_comes_after_it(self):
        mask = np.zeros((9, 9), np.uint8)
        mask[1:8, 1:8] = 1
        mask[2:7, 2:7] = 0
        mask[4, 4] = 2
        content = json.loads(labelme.content(of(mask, score=0.5), CLASSES))
        labels = [shape["label"] for shape in content["shapes"]]
        assert labels == ["pit", "_background_", "Kratzer tief"]
        assert content["imagePath"] == "a.png"
        assert (content["imageWidth"], content["imageHeight"], content["score"]) == (9, 9, 0.5)

    def test_an_outline_has_few_points_near_the_edge_between_pixels(self):
        """A staircase has the points of a triangle; one pixel, the middles of its four sides."""
        triangle = np.tri(40, dtype=np.uint8)
        [(_, points)] = labelme.polygons(triangle)
        assert len(points) < 8
        single = np.zeros((3, 3), np.uint8)
        single[1, 1] = 1
        [(_, points)] = labelme.polygons(single)
        assert sorted(points.tolist()) == [[1, 1.5], [1.5, 1], [1.5, 2], [2, 1.5]]

    def test_pixels_that_touch_at_a_corner_are_one_polygon(self):
        assert len(labelme.polygons(np.eye(6, dtype=np.uint8))) == 1

    def test_regions_are_divided_at_corners_where_another_class_leaves_a_ring(self):
        """The class 2 inside of the ring of class 1 touches that outside of it at a corner."""
        mask = np.full((6, 6), 2, np.uint8)
        mask[:3, :3] = 1
        mask[1, 1] = mask[2, 2] = 2
        found = labelme.polygons(mask)
        drawn = np.zeros_like(mask)
        for value, points in found:
            shapes.draw(drawn, Shape(label="", polygons=[points]), value)
        np.testing.assert_array_equal(drawn, mask)
        assert len(found) == 3


class TestCoco:
    def test_the_file(self):
        mask = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [2, 0, 255]]
        content = json.loads(coco.content([of(mask, "x/a.jpg", 0.25)], CLASSES))
        assert content["images"] == [
            {"id": 1, "file_name": "x/a.jpg", "width": 3, "height": 4, "score": 0.25}
        ]
        assert [(c["id"], c["name"]) for c in content["categories"]] == [
            (1, "pit"),
            (2, "Kratzer tief"),
            (255, "ignore"),
        ]
        first = content["annotations"][0]
        assert (first["category_id"], first["area"], first["bbox"]) == (1, 2, [0, 0, 2, 2])
        assert run_lengths.checked(first["segmentation"]["counts"], 12).tolist() == [0, 1, 4, 1, 6]
        assert [a["category_id"] for a in content["annotations"]] == [1, 2, 255]


class TestCvat:
    def test_the_first_colours_of_pascal_voc(self):
        assert [cvat.colour(number) for number in (0, 1, 2, 3, 4, 7, 8, 15, 255)] == [
            *((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)),
            *((128, 128, 128), (64, 0, 0), (192, 128, 128), (224, 224, 192)),
        ]
        assert len({cvat.colour(number) for number in range(256)}) == 256

    def test_the_archive_of_masks(self, tmp_path):
        mask = [[0, 1, 1], [255, 0, 2]]
        formats.WRITERS["cvat_masks"](
            [of(mask, "x/a.jpg"), of(np.zeros((2, 2)), "b.png")], CLASSES, tmp_path / "out"
        )
        files = exports.unzipped((tmp_path / "out" / cvat.MASKS_FILE).read_bytes())
        assert sorted(files) == [
            "ImageSets/Segmentation/default.txt",
            "SegmentationClass/x/a.png",
            "SegmentationObject/x/a.png",
            "labelmap.txt",
        ]
        assert files["ImageSets/Segmentation/default.txt"] == b"x/a\nb\n"
        assert files["labelmap.txt"].decode().splitlines()[1:] == [
            "background:0,0,0::",
            "pit:128,0,0::",
            "Kratzer tief:0,128,0::",
            "ignore:128,128,0::",
        ]
        pixels = np.array(Image.open(io.BytesIO(files["SegmentationClass/x/a.png"])))
        assert pixels.tolist() == [
            [[0, 0, 0], [128, 0, 0], [128, 0, 0]],
            [[128, 128, 0], [0, 0, 0], [0, 128, 0]],
        ]

    def test_the_archive_of_coco(self, tmp_path):
        formats.WRITERS["cvat_coco"]([of([[1]])], CLASSES, tmp_path / "out")
        with zipfile.ZipFile(tmp_path / "out" / cvat.COCO_FILE) as archive:
            assert archive.namelist() == ["annotations/instances_default.json"]

    @pytest.mark.parametrize("name", ["a:b", "#1", "pit "])
    def test_class_names_that_its_list_cannot_hold(self, name, tmp_path):
        with pytest.raises(DataError, match="CVAT's list"):
            formats.WRITERS["cvat_masks"]([of([[1]])], ["background", name], tmp_path / "out")
        assert not (tmp_path / "out").exists()


class TestLabelStudio:
    def test_the_image_that_gains_most_has_the_lowest_score(self):
        assert label_studio.confidence([3.0, None, 5.0, 4.0]) == [1.0, None, 0.0, 0.5]
        assert label_studio.confidence([2.0, 2.0]) == [0.0, 0.0]
        assert label_studio.confidence([]) == []

    def test_the_files(self, tmp_path):
        folder = tmp_path / "out"
        proposals = [of([[1, 0], [0, 2]], "x/ä b.png", 0.7), of([[0]], "c.png", 0.2)]
        formats.WRITERS["label_studio"](proposals, CLASSES, folder)
        first, second = json.loads((folder / "tasks.json").read_text())
        assert first["data"] == {
            "image": "/data/local-files/?d=images/x/%C3%A4%20b.png",
            "rank": 1,
            "gain": 0.7,
        }
        [prediction] = first["predictions"]
        assert prediction["score"] == 0.0
        assert second["predictions"] == [{"model_version": "uaps_jax", "result": [], "score": 1.0}]
        result = prediction["result"][1]
        assert (result["type"], result["value"]["brushlabels"]) == ("brushlabels", ["Kratzer tief"])
        region = brush.decode(bytes(result["value"]["rle"]), 2, 2)
        assert region.tolist() == [[False, False], [False, True]]
        view = ElementTree.parse(folder / "labeling_interface.xml").getroot()
        [control] = view.iter("BrushLabels")
        assert (control.get("name"), control.get("toName")) == (
            result["from_name"],
            result["to_name"],
        )
        assert [label.get("value") for label in control] == ["pit", "Kratzer tief", "ignore"]

    def test_names_of_classes_are_escaped(self):
        text = label_studio.interface(["background", 'a "<&>'])
        [label, _] = ElementTree.fromstring(text).iter("Label")
        assert label.get("value") == 'a "<&>'


class TestEvery:
    def test_index_masks_are_what_the_folder_dataset_reads(self, tmp_path):
        mask = np.array([[0, 1, 2], [255, 2, 0]], np.uint8)
        formats.WRITERS["png"]([of(mask, "x/a.jpg")], CLASSES, tmp_path / "out")
        known = class_map.from_file(tmp_path / "out" / "classes.yaml")
        assert known.names == CLASSES
        read = class_map.decode_mask((tmp_path / "out/masks/x/a.png").read_bytes(), known)
        np.testing.assert_array_equal(read, mask)

    @pytest.mark.parametrize(
        ("names", "classes", "reason"),
        [
            (["../a.png"], CLASSES, "no path of an image"),
            (["/a.png"], CLASSES, "no path of an image"),
            (["a"], CLASSES, "no path of an image"),
            (["a\n.png"], CLASSES, "no path of an image"),
            (["a.png", "a.jpg"], CLASSES, "share its file of annotations with a.png"),
            (["a.png"], ["background", "pit", "pit"], "comes 2 times"),
            (["a.png"], ["background", "ignore"], "no name of a class"),
        ],
    )
    def test_names_that_no_format_can_hold(self, names, classes, reason, tmp_path):
        for writer in formats.WRITERS.values():
            with pytest.raises(DataError, match=reason):
                writer([of([[1]], name) for name in names], classes, tmp_path / "out")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kind", formats.WRITERS)
    def test_nothing_is_left_if_a_mask_is_wrong(self, kind, tmp_path):
        def fails():
            raise OSError("cannot be read")

        for mask, error in ((np.ones((3, 3), np.uint8), "a mask of"), (fails, "cannot be read")):
            wrong = Proposal(name="b.png", size=(2, 2), mask=mask)
            with pytest.raises((ValueError, OSError), match=error):
                formats.WRITERS[kind]([of([[1]]), wrong], CLASSES, tmp_path / "out")
        with pytest.raises(ValueError, match="the mask holds 7"):
            formats.WRITERS[kind]([of([[7]])], CLASSES, tmp_path / "out")
        assert not list(tmp_path.iterdir())

    def test_a_folder_with_files_is_not_touched(self, tmp_path):
        (tmp_path / "mine.txt").write_text("mine")
        with pytest.raises(DataError, match="has files already"):
            formats.WRITERS["png"]([of([[1]])], CLASSES, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
