"""Readers of CVAT and Label Studio, by regions that are worked by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.annotations import exports
from uaps_jax.annotations import brush, image_files, reading, shapes
from uaps_jax.annotations.readers import cvat_masks, label_studio

WIDTH, HEIGHT = 12, 10
VALUES = {"background": 0, "pit": 1, "scratch": 2, "ignore": 255}


def square(rows, columns, value=1):
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[rows, columns] = value
    return expected


def image(folder, name="a.png"):
    exports.write_images(folder, {name: (HEIGHT, WIDTH)})


def mask_of(read):
    assert not read.problems
    [annotated] = read.images
    return shapes.mask(annotated.shapes, (WIDTH, HEIGHT), VALUES)


def ellipse(x, y, a, b, degrees=0.0):
    """The pixels whose centres lie in an ellipse, by complex numbers."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    turned = ((columns - x) + 1j * (rows - y)) * np.exp(-1j * np.deg2rad(degrees))
    return ((turned.real / a) ** 2 + (turned.imag / b) ** 2 < 1).astype(np.uint8)


class TestCvatImages:
    def write(self, folder, regions, labels=("pit", "scratch"), name="a.png", head=""):
        named = "".join(f"<label><name>{label}</name></label>" for label in labels)
        text = (
            f'<?xml version="1.0" encoding="utf-8"?>{head}<annotations><version>1.1</version>'
            "<meta><task><owner><name>no label</name></owner>"
            f"<labels>{named}</labels></task></meta>"
            f'<image id="0" name="{name}" width="{WIDTH}" height="{HEIGHT}">{regions}</image>'
            "</annotations>"
        )
        image(folder / "images")
        (folder / "annotations.xml").write_text(text)
        return reading.read(folder, None, ())

    @pytest.mark.parametrize(
        ("region", "expected"),
        [
            ('<polygon label="pit" points="2,3;5,3;5,6;2,6"/>', square(slice(3, 6), slice(2, 5))),
            (
                '<box label="pit" xtl="2" ytl="3" xbr="5" ybr="4"/>',
                square(3, slice(2, 5)),
            ),
            # Of 4 x 2 pixels, turned by 90 degrees around (4, 4).
            (
                '<box label="pit" xtl="2" ytl="3" xbr="6" ybr="5" rotation="90"/>',
                square(slice(2, 6), slice(3, 5)),
            ),
            (
                '<ellipse label="pit" cx="6" cy="5" rx="4" ry="2" rotation="30"/>',
                ellipse(6, 5, 4, 2, 30),
            ),
            # Row by row in the part of 3 x 2 pixels at (2, 4): 0 1 1 | 0 0 1.
            (
                '<mask label="pit" rle="1, 2, 2, 1" left="2" top="4" width="3" height="2"/>',
                square([4, 4, 5], [3, 4, 4]),
            ),
            ('<tag label="scratch"/>', square([], [])),
        ],
    )
    def test_regions(self, region, expected, tmp_path):
        np.testing.assert_array_equal(mask_of(self.write(tmp_path, region)), expected)

    def test_the_region_in_front_is_drawn_last(self, tmp_path):
        box = '<box label="{}" xtl="0" ytl="0" xbr="{}" ybr="2" z_order="{}"/>'
        read = self.write(tmp_path, box.format("pit", 2, 1) + box.format("scratch", 4, 0))
        assert mask_of(read)[0, :5].tolist() == [1, 1, 2, 2, 0]
        assert read.classes == ["pit", "scratch"]

    @pytest.mark.parametrize(
        ("region", "reason"),
        [
            ('<polygon label="dent" points="2,3;5,3;5,6"/>', "'dent' is not among those"),
            ('<polyline label="pit" points="2,3;5,3;5,6"/>', "a polyline has no area"),
            ('<polygon label="pit" points="2,3;5,nan;5,6"/>', "not pairs of numbers"),
            ('<polygon label="pit" points="22,3;25,3;25,6"/>', "lies outside of the image"),
            ('<ellipse label="pit" cx="6" cy="5" rx="0" ry="2"/>', "has no area"),
            ('<mask label="pit" rle="9" left="2" top="4" width="3" height="2"/>', "run lengths"),
            ('<mask label="pit" rle="6" left="10" top="4" width="3" height="2"/>', "is not in the"),
            ('<mask label="pit" left="1" top="4" width="3" height="2"/>', "has no 'rle'"),
            ("</image><track/><image>", "tracks of a video"),
            ("<polygon", "not well-formed"),
        ],
    )
    def test_what_is_wrong_is_named(self, region, reason, tmp_path):
        problems = self.write(tmp_path, region).problems
        assert reason in problems[0].reason

    @pytest.mark.parametrize(
        "head",
        [
            '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z "&x;&x;&x;">]>',
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE a SYSTEM "http://localhost/x.dtd">',
        ],
    )
    def test_a_document_type_is_refused(self, head, tmp_path):
        [problem] = self.write(tmp_path, "&z;", head=head).problems
        assert "has a document type" in problem.reason

    def test_a_path_out_of_the_images_is_refused(self, tmp_path):
        problems = self.write(tmp_path, "", name="../a.png").problems
        assert "is outside of the folder of the images" in problems[0].reason

    def test_deep_elements_are_read_in_a_loop(self, tmp_path):
        assert mask_of(self.write(tmp_path, "<b>" * 50_000 + "</b>" * 50_000)).max() == 0


class TestCvatMasks:
    def write(self, folder, pixels, labels="background:0,0,0::\npit:128,0,0::\n", listed="a\n"):
        image(folder / "JPEGImages")
        (folder / "SegmentationClass").mkdir()
        Image.fromarray(np.array(pixels, np.uint8)).save(folder / "SegmentationClass" / "a.png")
        (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
        (folder / "ImageSets" / "Segmentation" / "default.txt").write_text(listed)
        (folder / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + labels)
        return reading.read(folder, None, ())

    @pytest.mark.parametrize("is_grey", [False, True])
    def test_colours_and_numbers_of_classes(self, is_grey, tmp_path):
        expected = square(slice(3, 6), slice(2, 5))
        pixels = expected if is_grey else expected[..., None] * np.array([128, 0, 0])
        np.testing.assert_array_equal(mask_of(self.write(tmp_path, pixels)), expected)

    def test_black_is_background_also_if_it_is_not_listed(self, tmp_path):
        pixels = np.zeros((HEIGHT, WIDTH, 3))
        pixels[0] = (0, 128, 0)
        pixels[1] = (128, 0, 0)
        read = self.write(tmp_path, pixels, "background:0,128,0::\npit:128,0,0::\n")
        np.testing.assert_array_equal(mask_of(read), square(1, slice(None)))

    @pytest.mark.parametrize(
        ("labels", "reason"),
        [
            ("", "has no classes"),
            ("pit:128,0,0\n", "has not four fields"),
            ("pit:128,0,300::\n", "is no colour"),
            ("pit:1,0,0::\ndent:1,0,0::\n", "repeats a colour or a class"),
            ("pit:1,0,0::\npit:2,0,0::\n", "repeats a colour or a class"),
            ("pit:1,0,0::\n", "holds colours that are not in labelmap.txt: 1, such as #800000"),
        ],
    )
    def test_what_is_wrong_is_named(self, labels, reason, tmp_path):
        pixels = np.zeros((HEIGHT, WIDTH, 3))
        pixels[0, 0] = (128, 0, 0)
        assert reason in self.write(tmp_path, pixels, labels).problems[0].reason

    def test_masks_that_are_not_listed_are_named(self, tmp_path):
        problems = self.write(tmp_path, square([], []), listed="b\n").problems
        assert [problem.reason.split(":")[0] for problem in problems] == [
            "is not listed in ImageSets/Segmentation",
            "images that it annotates, and that are not in " + str(tmp_path),
        ]

    def test_fields_of_the_list(self):
        text = "# a comment\n\nbackground:0,0,0::\nperson:192,128,128:head,foot:jumping\n"
        assert cvat_masks.labels(text) == {(0, 0, 0): "background", (192, 128, 128): "person"}


def result(kind, value, **more):
    return {
        "type": kind,
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": {kind: ["pit"], **value},
        **more,
    }


BRUSHED = square(slice(3, 6), slice(2, 5))
BRUSH = {"format": "rle", "rle": list(brush.encode(BRUSHED > 0))}


class TestLabelStudio:
    def read(self, folder, *results, annotation=None, address="/data/upload/1/0a1b2c3d-a.png"):
        image(folder)
        annotations = [annotation or {"result": list(results)}]
        task = {"id": 7, "data": {"image": address}, "annotations": annotations}
        (folder / "tasks.json").write_text(json.dumps([task]))
        return reading.read(folder / "tasks.json", None, ())

    @pytest.mark.parametrize(
        ("region", "expected"),
        [
            (result("brushlabels", BRUSH), BRUSHED),
            # In percent of 12 x 10 pixels.
            (
                result("polygonlabels", {"points": [[25, 30], [50, 30], [50, 60], [25, 60]]}),
                square(slice(3, 6), slice(3, 6)),
            ),
            (
                result("rectanglelabels", {"x": 25, "y": 30, "width": 25, "height": 30}),
                square(slice(3, 6), slice(3, 6)),
            ),
            # Turned by 90 degrees around its first corner, (6, 3): 3 px wide, 2 px high.
            (
                result(
                    "rectanglelabels",
                    {"x": 50, "y": 30, "width": 25, "height": 20, "rotation": 90},
                ),
                square(slice(3, 6), slice(4, 6)),
            ),
            (
                result(
                    "ellipselabels",
                    {"x": 50, "y": 50, "radiusX": 25, "radiusY": 20, "rotation": 30},
                ),
                ellipse(6, 5, 3, 2, 30),
            ),
            (result("labels", {"x": 0, "y": 0, "width": 25, "height": 10}), square(0, [0, 1, 2])),
            ({"type": "choices", "value": {"choices": ["bad light"]}}, square([], [])),
        ],
    )
    def test_regions(self, region, expected, tmp_path):
        np.testing.assert_array_equal(mask_of(self.read(tmp_path, region)), expected)

    def test_a_region_whose_label_is_a_result_of_its_own(self, tmp_path):
        bare = {**result("brush", BRUSH, id="x"), "value": BRUSH}
        labelled = result("labels", BRUSH, id="x")
        np.testing.assert_array_equal(mask_of(self.read(tmp_path, bare, labelled)), BRUSHED)

    @pytest.mark.parametrize(
        ("region", "reason"),
        [
            (result("keypointlabels", {"x": 1, "y": 1}), "a region of the kind 'keypointlabels'"),
            ({**result("brush", BRUSH), "value": BRUSH}, "a region of the kind 'brush'"),
            (result("brushlabels", BRUSH) | {"image_rotation": 90}, "rotated by 90 degrees"),
            (result("brushlabels", {**BRUSH, "brushlabels": ["a", "b"]}), "not with one"),
            (result("brushlabels", {"rle": [300]}), "range(0, 256)"),
            (result("brushlabels", {"rle": 10**12}), "no list of numbers"),
            (result("brushlabels", {"rle": [1, 2]}), "end too early"),
            (result("brushlabels", BRUSH) | {"original_width": 13}, "480 values for 13 x 10"),
            (result("brushlabels", BRUSH) | {"original_width": 10**9}, "an image of 1000000000"),
            (result("polygonlabels", {"points": [[200, 0], [300, 0], [300, 9]]}), "lies outside"),
            (result("ellipselabels", {"x": 1, "y": 1, "radiusX": 0, "radiusY": 1}), "no area"),
        ],
    )
    def test_what_is_wrong_is_named(self, region, reason, tmp_path):
        [problem] = self.read(tmp_path, region).problems
        assert problem.reason.startswith("task 7: ")
        assert reason in problem.reason

    def test_the_annotation_that_was_changed_last_counts_without_skipped_ones(self, tmp_path):
        image(tmp_path)
        times = ["2026-01-01T10:00:00.5Z", "2026-01-01T11:00:00+00:00", "2026-01-01T12:00:00Z"]
        annotations = [
            {"result": [], "updated_at": times[0]},
            {"result": [result("brushlabels", BRUSH)], "created_at": times[1]},
            {"result": [], "updated_at": times[2], "was_cancelled": True},
        ]
        for order in (annotations, annotations[::-1]):
            task = {"data": {"image": "a.png"}, "annotations": order}
            (tmp_path / "tasks.json").write_text(json.dumps([task]))
            np.testing.assert_array_equal(
                mask_of(reading.read(tmp_path / "tasks.json", None, ())), BRUSHED
            )

    def test_predictions_are_no_annotations(self, tmp_path):
        image(tmp_path)
        task = {
            "data": {"image": "a.png"},
            "predictions": [{"result": [result("brushlabels", BRUSH)]}],
        }
        (tmp_path / "tasks.json").write_text(json.dumps([task]))
        [problem] = reading.read(tmp_path / "tasks.json", None, ()).problems
        assert "has an annotation that was submitted" in problem.reason

    def test_the_short_export_is_refused(self, tmp_path):
        (tmp_path / "tasks.json").write_text(json.dumps([{"image": "a.png", "brush": []}]))
        [problem] = reading.read(tmp_path / "tasks.json", None, ()).problems
        assert "export as JSON, not JSON-MIN" in problem.reason

    @pytest.mark.parametrize(
        ("address", "names"),
        [
            ("/data/local-files/?d=x%20y/a.png", ["x y/a.png", "a.png"]),
            ("s3://bucket/x/a.png", ["x/a.png", "a.png"]),
            ("https://example.org/x/%C3%A4.png?token=1", ["x/ä.png", "ä.png"]),
            ("x\\a.png", ["x/a.png", "a.png"]),
        ],
    )
    def test_addresses_of_images(self, address, names):
        assert label_studio.image_names(address)[-2:] == names

    def test_uploaded_images_have_lost_their_folder_and_some_signs(self, tmp_path):
        for name in ("line 1/a (2).png", "line 1/b.png", "line 2/b.png"):
            image(tmp_path / "images", name)
        tasks = [
            {"data": {"image": f"/data/upload/3/0a1b2c3d-{name}"}, "annotations": [{"result": []}]}
            for name in ("a_2.png", "b.png")
        ]
        (tmp_path / "tasks.json").write_text(json.dumps(tasks[:1]))
        read = reading.read(tmp_path / "tasks.json", None, ())
        assert [i.name for i in read.images if i.shapes is not None] == ["line 1/a (2)"]
        assert not read.problems
        (tmp_path / "tasks.json").write_text(json.dumps(tasks))
        [problem] = reading.read(tmp_path / "tasks.json", None, ()).problems
        assert "data/upload/3/0a1b2c3d-b.png" in problem.reason

    def test_a_bare_name_of_two_images_is_that_of_none(self, tmp_path):
        tasks = [
            {"data": {"image": f"s3://parts/{line}/a.png"}, "annotations": [{"result": []}]}
            for line in ("line 1", "line 2")
        ]
        (tmp_path / "tasks.json").write_text(json.dumps(tasks))
        image(tmp_path / "images", "a.png")
        first, second = reading.read(tmp_path / "tasks.json", None, ()).problems
        assert first.reason.startswith("line 1/a.png and line 2/a.png have one file name")
        assert second.reason.startswith("line 2/a.png and line 1/a.png have one file name")
        for line in ("line 1", "line 2"):
            image(tmp_path / "images", f"{line}/a.png")
        read = reading.read(tmp_path / "tasks.json", None, ())
        assert not read.problems
        annotated = [i.name for i in read.images if i.shapes is not None]
        assert annotated == ["line 1/a", "line 2/a"]

    def test_an_address_out_of_the_images_is_refused(self, tmp_path):
        address = "/data/local-files/?d=../../etc/a.png"
        [problem] = self.read(tmp_path, address=address).problems
        assert "is no address of an image" in problem.reason


class TestImageFiles:
    def test_links_out_of_the_folder_are_refused(self, tmp_path):
        image(tmp_path / "elsewhere", "secret.png")
        image(tmp_path / "images", "a.png")
        (tmp_path / "images" / "b.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
        (tmp_path / "images" / "c.png").symlink_to(tmp_path / "images" / "a.png")
        problems = []
        found = image_files.found(tmp_path / "images", problems)
        assert sorted(found) == ["a", "c"]
        assert "is a link to" in problems[0].reason

    def test_two_annotations_of_one_image_are_refused(self, tmp_path):
        image(tmp_path)
        task = {"data": {"image": "a.png"}, "annotations": [{"result": []}]}
        (tmp_path / "tasks.json").write_text(json.dumps([task, task]))
        [problem] = reading.read(tmp_path / "tasks.json", None, ()).problems
        assert problem.reason == "annotates a, like another entry"
