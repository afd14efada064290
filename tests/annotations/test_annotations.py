"""Annotations of labelme and COCO, and the folder that they become."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from uaps_jax.annotations import dataset_folder, reading, run_lengths, shapes
from uaps_jax.annotations.shapes import Annotated
from uaps_jax.commands.import_annotations import import_annotations
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.configs import train
from uaps_jax.data import source
from uaps_jax.datasets.common import DataError

WIDTH, HEIGHT = 12, 10


def save(path, seed=0, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def labelme_file(*drawn, width=WIDTH, height=HEIGHT):
    return json.dumps({"imageWidth": width, "imageHeight": height, "shapes": list(drawn)})


def drawn(label, points, kind="polygon", **more):
    return {"label": label, "points": points, "shape_type": kind, **more}


SQUARE = [[2, 3], [5, 3], [5, 6], [2, 6]]


def bitmap(region):
    png = io.BytesIO()
    Image.fromarray(255 * region).save(png, "PNG")
    return base64.b64encode(png.getvalue()).decode()


BITMAP = bitmap(np.ones((2, 3), np.uint8))


def square():
    """Its pixels have their centres at 2.5, 3.5, 4.5 and 3.5, 4.5, 5.5."""
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[3:6, 2:5] = True
    return expected


def request(given, folder, images=None):
    return Request(config=None, workdir=folder, checkpoint="best", input=given, images=images)


def read(given, images=None):
    return reading.read(given, images, ())


class TestLabelme:
    @pytest.mark.parametrize(
        ("points", "kind"),
        [
            (SQUARE, "polygon"),
            (SQUARE, "oriented_rectangle"),
            ([[5, 6], [2, 3]], "rectangle"),
        ],
    )
    def test_pixels_with_their_centre_inside_belong_to_a_region(self, points, kind, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "a.json").write_text(labelme_file(drawn("pit", points, kind)))
        [image], _, problems = read(tmp_path)
        assert not problems
        mask = shapes.mask(image.shapes, image.size, {"background": 0, "pit": 7})
        np.testing.assert_array_equal(mask, 7 * square())

    def test_a_circle_has_a_centre_and_a_point(self, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "a.json").write_text(labelme_file(drawn("pit", [[5, 5], [5, 8]], "circle")))
        [image], _, _ = read(tmp_path)
        mask = shapes.mask(image.shapes, image.size, {"background": 0, "pit": 1})
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        np.testing.assert_array_equal(mask, np.hypot(x + 0.5 - 5, y + 0.5 - 5) < 3)

    def test_a_bitmap_lies_at_its_corner(self, tmp_path):
        region = np.array([[1, 0, 1], [1, 1, 0]], np.uint8)
        save(tmp_path / "a.png")
        (tmp_path / "a.json").write_text(
            labelme_file(drawn("pit", [[4, 2], [6, 3]], "mask", mask=bitmap(region)))
        )
        [image], _, problems = read(tmp_path)
        assert not problems
        expected = np.zeros((HEIGHT, WIDTH), np.uint8)
        expected[2:4, 4:7] = region
        mask = shapes.mask(image.shapes, image.size, {"background": 0, "pit": 1})
        np.testing.assert_array_equal(mask, expected)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("{", "is no annotation of labelme"),
            ('{"shapes": NaN}', "NaN is no number"),
            ("[]", "is no annotation of labelme"),
            (labelme_file(drawn("a", [[1, 1], [2, 2]], "line")), "has no area"),
            (labelme_file(drawn("a", [[1, 1], [2, 2]])), "a polygon of 2 points has no area"),
            (labelme_file(drawn("a", [[-9, -9], [-8, -9], [-8, -8]])), "lies outside of the image"),
            (labelme_file(drawn(None, SQUARE)), "the label None"),
            (labelme_file(drawn("a", [[1, 1], [2, None], [3, 3]])), "is no annotation"),
            (labelme_file(drawn("a", [[1, 1, 1]] * 3)), "not pairs of numbers"),
            (labelme_file(drawn("a", [[1, 1], [2, 2]], "mask", mask="?")), "cannot be read"),
            (labelme_file(drawn("a", [[1e300, 1], [2, 2]], "mask", mask=BITMAP)), "lies outside"),
            (labelme_file(drawn("a", [[1e300, 1], [2, 2], [3, 1]])), "lies outside"),
            (labelme_file(width=10**9, height=10**9), "an image of 1000000000"),
            ("[" * 100_000, "nested too deeply"),
        ],
    )
    def test_damaged_files_are_named(self, text, reason, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "a.json").write_text(text)
        _, _, [problem] = read(tmp_path)
        assert reason in problem.reason
        assert problem.path == str(tmp_path / "a.json")

    def test_files_without_an_image_are_named(self, tmp_path):
        save(tmp_path / "a.png")
        (tmp_path / "b.json").write_text(labelme_file())
        _, _, [problem] = read(tmp_path)
        assert "that are not in" in problem.reason
        assert problem.reason.endswith("such as b. Give the folder that has them, --images=FOLDER")


@pytest.mark.parametrize("seed", range(20))
def test_a_polygon_has_the_pixels_from_which_a_ray_leaves_an_odd_number_of_times(seed):
    """Any order of corners, with crossing edges, partly outside of the image."""
    random = np.random.default_rng(seed)
    corners = random.uniform(-5, 45, (random.integers(3, 9), 2)).round(3)
    y, x = np.mgrid[:40, :30] + 0.5
    mask = shapes.mask(
        [shapes.Shape(label="a", polygons=[corners])], (30, 40), {"background": 0, "a": 1}
    )
    turns = np.zeros(x.shape)
    for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
        is_crossed = (ay > y) != (by > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            turns += is_crossed & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    np.testing.assert_array_equal(mask, turns % 2)


class TestCoco:
    def content(self, *regions):
        images = [{"id": 7, "file_name": "x/a.png", "width": WIDTH, "height": HEIGHT}]
        categories = [{"id": 3, "name": "pit"}, {"id": 1, "name": "scratch"}]
        made = [{"id": n, "image_id": 7, **region} for n, region in enumerate(regions)]
        return {"images": images, "categories": categories, "annotations": made}

    def read(self, tmp_path, content):
        save(tmp_path / "x" / "a.png")
        save(tmp_path / "x" / "b.png", 1)
        (tmp_path / "coco.json").write_text(json.dumps(content))
        return read(tmp_path / "coco.json")

    def test_polygons_categories_and_images_that_are_not_listed(self, tmp_path):
        outline = [np.ravel(SQUARE).tolist()]
        content = self.content({"category_id": 3, "segmentation": outline})
        images, classes, problems = self.read(tmp_path, content)
        assert not problems
        assert classes == ["scratch", "pit"]
        assert [(i.name, i.shapes is None) for i in images] == [("x/a", False), ("x/b", True)]
        mask = shapes.mask(images[0].shapes, images[0].size, shapes.values(classes, "background"))
        np.testing.assert_array_equal(mask, 2 * square())

    def test_run_lengths_worked_by_hand(self):
        """Column by column: 0 1 1 | 1 0 0 | 0 0 1 | 1 1 1 | 0 0 0, the runs 1 3 4 4 3."""
        expected = np.array([[0, 1, 0, 1, 0], [1, 0, 0, 1, 0], [1, 0, 1, 1, 0]], bool)
        # The fourth number is written as 4 - 3 = 1, the fifth as 3 - 4 = -1.
        assert run_lengths.checked("1341O", 15).tolist() == [1, 3, 4, 4, 3]
        assert run_lengths.checked([1, 3, 4, 4, 3], 15).tolist() == [1, 3, 4, 4, 3]
        shape = shapes.Shape(label="a", runs=run_lengths.checked("1341O", 15))
        mask = shapes.mask([shape], (5, 3), {"background": 0, "a": 1})
        np.testing.assert_array_equal(mask, expected)
        # 40 takes two characters: 40 = 8 + 32, 8 | 32 more -> 'X', 1 -> '1'.
        assert run_lengths.checked("X1", 40).tolist() == [40]

    @pytest.mark.parametrize(
        ("counts", "reason"),
        [([1, 2], "run lengths for 3"), ([-1, 16], "run lengths"), ("~", "in run lengths")],
    )
    def test_wrong_run_lengths_are_refused(self, counts, reason):
        with pytest.raises(ValueError, match=reason):
            run_lengths.checked(counts, 15)

    @pytest.mark.parametrize("name", ["images/x/a.png", "x/a.png", "x\\a.png", "x/../x/a.png"])
    @pytest.mark.parametrize("place", ["here.json", "annotations/here.json"])
    def test_images_are_found_where_exports_have_them(self, name, place, tmp_path):
        save(tmp_path / "images" / "x" / "a.png")
        content = self.content({"category_id": 3, "segmentation": [np.ravel(SQUARE).tolist()]})
        content["images"][0]["file_name"] = name
        (tmp_path / "annotations").mkdir()
        (tmp_path / place).write_text(json.dumps(content))
        images, _, problems = read(tmp_path / place)
        if place.startswith("annotations") and name.startswith("images"):
            assert "that are not in" in problems[0].reason
        else:
            assert not problems
            assert [len(image.shapes) for image in images] == [1]

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda c: c.pop("images"), "is no annotation file of COCO"),
            (lambda c: c["annotations"].append({"image_id": 8}), "of an image that is not listed"),
            (lambda c: c["images"].append(dict(c["images"][0])), "images: id 7 comes 2 times"),
            (lambda c: c["images"][0].update(id=float("inf")), "Infinity is no number"),
            (lambda c: c["images"][0].update(file_name="../a.png"), "is outside of"),
            (lambda c: c["images"][0].update(file_name="x/z.png"), "that are not in"),
            (lambda c: c["images"][0].update(width="a"), "image 7"),
            (
                lambda c: c["annotations"].append(
                    {"image_id": 7, "category_id": 3, "segmentation": []}
                ),
                "export polygons or masks, not boxes",
            ),
            (
                lambda c: c["annotations"].append(
                    {
                        "image_id": 7,
                        "category_id": 3,
                        "segmentation": {"size": [10**6, 10**6], "counts": [10**12]},
                    }
                ),
                "a region of 1000000 x 1000000",
            ),
        ],
    )
    def test_damaged_files_are_named(self, change, reason, tmp_path):
        content = self.content()
        change(content)
        _, _, problems = self.read(tmp_path, content)
        assert reason in problems[0].reason


class TestFolder:
    def test_what_is_imported_can_be_trained_on(self, tmp_path):
        export = tmp_path / "export"
        for name in ("good", "bad", "unknown"):
            save(export / "line 1" / f"{name}.png", len(name))
        (export / "line 1" / "good.json").write_text(labelme_file())
        (export / "line 1" / "bad.json").write_text(
            labelme_file(
                drawn("Kratzer: #1", SQUARE), drawn("__ignore__", [[7, 7], [11, 7], [11, 10]])
            )
        )
        folder = tmp_path / "mine"
        import_annotations(request(export, folder))

        config = train.build(dataset="folder", method="supervised")
        config.data.manual_dir, config.data.data_dir = str(folder), str(tmp_path / "built")
        dataset = source.open_dataset(config.data)
        assert list(dataset.class_names) == ["background", "Kratzer: #1"]
        assert set(dataset.position) == {f"line 1/{n}" for n in ("good", "bad", "unknown")}
        assert len(dataset.masked) == 2
        mask = np.asarray(Image.open(folder / "masks" / "line 1" / "bad.png"))
        assert set(np.unique(mask)) == {0, 1, 255}
        np.testing.assert_array_equal(mask == 1, square())
        copied = folder / "images" / "line 1" / "bad.png"
        assert copied.read_bytes() == (export / "line 1" / "bad.png").read_bytes()

    def test_nothing_is_written_if_an_image_does_not_fit(self, tmp_path):
        save(tmp_path / "export" / "a.png", size=(WIDTH, HEIGHT))
        (tmp_path / "export" / "a.json").write_text(labelme_file())
        with pytest.raises(
            DataError, match="has 10 x 12 pixels, and its annotation is for 12 x 10"
        ):
            import_annotations(request(tmp_path / "export", tmp_path / "mine"))
        assert [path.name for path in tmp_path.iterdir()] == ["export"]

    def test_a_folder_with_files_is_not_touched(self, tmp_path):
        save(tmp_path / "export" / "a.png")
        (tmp_path / "export" / "a.json").write_text(labelme_file())
        with pytest.raises(ConfigError, match="has files already"):
            import_annotations(request(tmp_path / "export", tmp_path / "export"))

    @pytest.mark.parametrize("given", ["nothing", "export", None])
    def test_an_input_that_is_none_is_refused(self, given, tmp_path):
        save(tmp_path / "export" / "a.png")
        with pytest.raises(ConfigError, match="input"):
            import_annotations(request(given and tmp_path / given, tmp_path / "mine"))
        assert not (tmp_path / "mine").exists()

    @pytest.mark.parametrize(("count", "fits"), [(253, True), (254, False)])
    def test_no_more_classes_are_written_than_training_reads(self, count, fits, tmp_path):
        save(tmp_path / "a.png")
        image = Annotated("a", tmp_path / "a.png", (WIDTH, HEIGHT), [])
        names = [str(number) for number in range(count)]
        folder = tmp_path / "made"
        folder.mkdir()
        if fits:
            written = dataset_folder.write([image], names, [], folder, "x", "background")
            assert written.classes[-1] == "252"
        else:
            with pytest.raises(DataError, match="at most 254"):
                dataset_folder.write([image], names, [], folder, "x", "background")
            assert not list(folder.iterdir())

    def test_an_image_that_viewers_rotate_is_refused(self, tmp_path):
        save(tmp_path / "export" / "a.jpg")
        with Image.open(tmp_path / "export" / "a.jpg") as image:
            exif = image.getexif()
            exif[0x0112] = 6
            image.save(tmp_path / "export" / "a.jpg", exif=exif)
        (tmp_path / "export" / "a.json").write_text(labelme_file(drawn("pit", SQUARE)))
        with pytest.raises(DataError, match=r"orientation 6\).*save it upright"):
            import_annotations(request(tmp_path / "export", tmp_path / "mine"))

    def test_damaged_exif_data_are_named(self, tmp_path):
        save(tmp_path / "export" / "a.png")
        with Image.open(tmp_path / "export" / "a.png") as image:
            image.save(tmp_path / "export" / "a.png", exif=b"Exif\0\0no TIFF header")
        (tmp_path / "export" / "a.json").write_text(labelme_file(drawn("pit", SQUARE)))
        with pytest.raises(DataError, match=r"a.png: cannot be read: its EXIF data are damaged"):
            import_annotations(request(tmp_path / "export", tmp_path / "mine"))

    def test_regions_without_a_pixel_are_counted(self, tmp_path):
        save(tmp_path / "a.png")
        tiny = drawn("pit", [[2.1, 2.1], [2.2, 2.1], [2.2, 2.2]])
        (tmp_path / "a.json").write_text(labelme_file(tiny, drawn("pit", SQUARE), tiny))
        images, _, _ = read(tmp_path)
        folder = tmp_path / "made"
        folder.mkdir()
        assert dataset_folder.write(images, [], [], folder, "x", "background").lost == ("a", "a")

    def test_an_image_that_lost_all_of_its_regions_is_no_good_part(self, tmp_path):
        save(tmp_path / "export" / "a.png")
        tiny = drawn("pit", [[2.1, 2.1], [2.2, 2.1], [2.2, 2.2]])
        (tmp_path / "export" / "a.json").write_text(labelme_file(tiny, tiny))
        with pytest.raises(DataError, match=r"a.png: none of its regions has a pixel"):
            import_annotations(request(tmp_path / "export", tmp_path / "mine"))
        assert not (tmp_path / "mine").exists()

    def test_without_images_there_is_no_folder(self, tmp_path):
        with pytest.raises(DataError, match="no images found"):
            dataset_folder.write([], ["pit"], [], tmp_path, "x", "background")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Background", "background"),
        ("__ignore__", "ignore"),
        ("_background_", "background"),
        (" Pit ", "Pit"),
        ("IGNORE", "ignore"),
    ],
)
def test_labels_have_one_spelling(text, expected):
    assert shapes.label(text) == expected
