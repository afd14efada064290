"""A user's own images: every accepted kind, and every kind of bad file."""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image, ImageOps

from uaps_jax.datasets.common import DataError, UnreadableError
from uaps_jax.datasets.folder import class_map, folder_dataset_builder, images
from uaps_jax.datasets.folder import scan as scanning
from uaps_jax.datasets.folder.scan import Settings

Builder = folder_dataset_builder.Builder
HEIGHT, WIDTH = 12, 10


def encode(array, kind="PNG", mode=None, **options):
    image = Image.fromarray(array)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind, **options)
    return file.getvalue()


def picture(seed=0, size=(HEIGHT, WIDTH)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def ids(size=(HEIGHT, WIDTH)):
    array = np.zeros(size, np.uint8)
    array[:4, :3], array[6:, 5:] = 1, 2
    return array


def write(root, files):
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def settings(root, **changes):
    plain = Settings(
        root=root,
        images="",
        masks="",
        mask_suffix="",
        table="",
        classes=(),
        group="",
        white=2**16 - 1,
    )
    return dataclasses.replace(plain, **changes)


def build(root, data_dir, **changes):
    config = folder_dataset_builder.configure(settings(root, **changes))
    builder = Builder(config=config, data_dir=data_dir)
    builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=str(root)))
    return builder


def examples(builder):
    return {e["name"].decode(): e for s in builder.as_data_source().values() for e in s}


def _sixteen_bit_rgb(array):
    """A PNG that Pillow can read and cannot write."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, _ = array.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in array)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


CLASSES = b"background: 0\nscratch: 1\ndent: 2\n"


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "line 4"
    write(folder, {"classes.yaml": CLASSES})
    return folder


class TestImages:
    @pytest.mark.parametrize(
        ("name", "kind", "mode"),
        [
            ("a.png", "PNG", None),
            ("a.bmp", "BMP", None),
            ("a.tif", "TIFF", None),
            ("a.TIFF", "TIFF", None),
            ("a.png", "PNG", "RGBA"),
            ("a.png", "PNG", "L"),
            ("a.png", "PNG", "LA"),
            ("a.png", "PNG", "1"),
            ("a.jpg", "JPEG", None),
            ("a.JPEG", "JPEG", "L"),
        ],
    )
    def test_every_format_gives_eight_bit_rgb(self, name, kind, mode, root, tmp_path):
        data = encode(picture(), kind, mode)
        write(root, {f"images/{name}": data, "masks/a.png": encode(ids())})
        (example,) = examples(build(root, tmp_path / "built")).values()
        expected = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
        stored = example["image"]
        assert stored.dtype == np.uint8
        np.testing.assert_array_equal(np.broadcast_to(stored, expected.shape), expected)

    def test_palette_image(self, root, tmp_path):
        image = Image.fromarray(picture()).quantize(16)
        file = io.BytesIO()
        image.save(file, "PNG")
        write(root, {"images/a.png": file.getvalue()})
        (example,) = examples(build(root, tmp_path / "built")).values()
        np.testing.assert_array_equal(example["image"], np.array(image.convert("RGB")))
        assert example["has_mask"] == 0
        assert (example["mask"] == 255).all()

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bits_are_scaled_by_their_white(self, kind):
        deep = np.array([[0, 2048, 4095], [16, 8190, 65535]], np.uint16)
        data = encode(deep, kind)
        of_12 = images.read_any_image(data, 4095)[..., 0]
        assert of_12.tolist() == [[0, 128, 255], [1, 255, 255]]
        of_16 = images.read_any_image(data, 65535)
        assert of_16[..., 0].tolist() == [[0, 8, 16], [0, 32, 255]]
        assert of_16.shape == (2, 3, 3)

    def test_sixteen_bit_colours_are_not_cut_off(self):
        deep = _sixteen_bit_rgb(np.full((4, 4, 3), 4095, np.uint16))
        with pytest.raises(UnreadableError, match="16 bits per channel and is not plain grey"):
            images.read_any_image(deep, 4095)
        with pytest.raises(UnreadableError, match="16 bits per channel"):
            class_map.decode_mask(_sixteen_bit_rgb(np.ones((4, 4, 3), np.uint16)), THREE)

    @pytest.mark.parametrize("turn", range(1, 9))
    def test_every_orientation_is_turned_as_pillow_turns_it(self, turn):
        exif = Image.Exif()
        exif[0x0112] = turn
        data = encode(picture(), exif=exif)
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(images.read_any_image(data, 255), np.array(upright))
        assert images.orientation(data) == turn

    def test_an_undefined_orientation_is_none(self):
        exif = Image.Exif()
        exif[0x0112] = 0
        assert images.orientation(encode(picture(), "JPEG", exif=exif)) == 1

    @pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"MM"])
    def test_damaged_exif_data_are_named(self, exif, root, tmp_path):
        data = encode(picture(), exif=exif)
        with pytest.raises(UnreadableError, match="its EXIF data are damaged"):
            images.read_any_image(data, 255)
        write(root, {"images/a.png": data})
        with pytest.raises(DataError, match=r"images/a\.png: its EXIF data are damaged"):
            build(root, tmp_path / "built")

    def test_grey_values_beyond_sixteen_bits_are_clipped(self):
        data = encode(np.array([[-5, 0, 128, 70000]], np.int32), "TIFF")
        assert images.read_any_image(data, 255)[0, :, 0].tolist() == [0, 0, 128, 255]

    def test_a_stack_is_not_read_as_its_first_page(self):
        pages = [Image.fromarray(picture(i)) for i in range(3)]
        file = io.BytesIO()
        pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:])
        with pytest.raises(UnreadableError, match="holds 3 images"):
            images.read_any_image(file.getvalue(), 255)

    def test_floating_point_has_no_white(self):
        with pytest.raises(UnreadableError, match="more than 8 bits"):
            images.read_any_image(encode(np.zeros((4, 4), np.float32), "TIFF"), 65535)

    def test_names_with_spaces_letters_and_folders(self, root, tmp_path):
        write(root, {"images/Straße 1/teil ü.png": encode(picture())})
        write(root, {"masks/Straße 1/teil ü.png": encode(ids())})
        result = examples(build(root, tmp_path / "built"))
        assert list(result) == ["Straße 1/teil ü"]
        assert result["Straße 1/teil ü"]["has_mask"] == 1

    def test_a_camera_held_sideways(self, root, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = encode(picture(), "JPEG", exif=exif)
        write(root, {"images/a.jpg": data})
        (example,) = examples(build(root, tmp_path / "built")).values()
        assert example["image"].shape == (WIDTH, HEIGHT, 3)
        write(root, {"masks/a.png": encode(ids())})
        with pytest.raises(DataError, match=r"a\.jpg: .*EXIF orientation 6"):
            build(root, tmp_path / "built")

    def test_a_scan_held_upside_down(self, root, tmp_path):
        """Pillow rotates a TIFF itself, so that its mask would not fit."""
        file = io.BytesIO()
        Image.fromarray(picture()).save(file, "TIFF", tiffinfo={0x0112: 3})
        write(root, {"images/a.tif": file.getvalue(), "masks/a.png": encode(ids())})
        with pytest.raises(DataError, match=r"a\.tif: .*EXIF orientation 3"):
            build(root, tmp_path / "built")


def classes(*entries):
    return class_map.from_settings(entries)


THREE = classes("background=0", "scratch=1", "dent=2")
COLOURS = classes("background=#000000", "scratch=#ff0000", "dent=#00ff00,#00ee00")


class TestMasks:
    @pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
    def test_ids(self, kind):
        np.testing.assert_array_equal(class_map.decode_mask(encode(ids(), kind), THREE), ids())

    def test_grey_saved_as_rgb_or_with_a_full_alpha(self):
        grey = np.repeat(ids()[..., None], 3, 2)
        for mode in ("RGB", "RGBA"):
            result = class_map.decode_mask(encode(grey, mode=mode), THREE)
            np.testing.assert_array_equal(result, ids())
        result = class_map.decode_mask(encode(ids(), mode="LA"), THREE)
        np.testing.assert_array_equal(result, ids())

    def test_palette_indices(self):
        image = Image.fromarray(ids())
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
        file = io.BytesIO()
        image.save(file, "PNG")
        np.testing.assert_array_equal(class_map.decode_mask(file.getvalue(), THREE), ids())
        np.testing.assert_array_equal(class_map.decode_mask(file.getvalue(), COLOURS), ids())

    def test_black_and_white(self):
        two = classes("background=0", "defect=255")
        for mode in ("L", "1"):
            data = encode((ids() > 0).astype(np.uint8) * 255, mode=mode)
            np.testing.assert_array_equal(class_map.decode_mask(data, two), ids() > 0)

    def test_sixteen_bit_values(self):
        many = classes("background=0", "scratch=1000", "dent=2000")
        data = encode(ids().astype(np.uint16) * 1000)
        np.testing.assert_array_equal(class_map.decode_mask(data, many), ids())

    def test_colours_some_of_which_share_a_class(self):
        table = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 238, 0]], np.uint8)
        painted = ids()
        painted[-1, -1] = 3
        result = class_map.decode_mask(encode(table[painted]), COLOURS)
        np.testing.assert_array_equal(result, ids())

    def test_ignore(self):
        with_border = classes("background=0", "scratch=1", "dent=2", "ignore=255")
        array = ids()
        array[0] = 255
        np.testing.assert_array_equal(class_map.decode_mask(encode(array), with_border), array)
        assert with_border.names == ("background", "scratch", "dent")

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (encode(ids() + 5), r"no class: 5 \(.* pixels\), 6 .*, 7 .*; known are 0, 1, 2"),
            (encode(ids(), "JPEG"), "is a JPEG"),
            (encode(ids(), "MPO", save_all=True, append_images=[Image.new("L", (9, 9))]), "a JPEG"),
            (encode(np.array([[70000]], np.int32), "TIFF"), "values 70000 to 70000, known are 0"),
            (encode(picture()), "coloured, but the class map holds numbers"),
            (encode(picture(), mode="CMYK", kind="TIFF"), "mode 'CMYK'"),
            (encode(np.zeros((4, 4, 4), np.uint8)), "transparent"),
            (encode(ids())[:50], "cannot be read"),
            (b"", "is empty"),
        ],
    )
    def test_class_maps_that_are_invalid_are_refused_with_the_reason(self, data, reason):
        with pytest.raises(UnreadableError, match=reason):
            class_map.decode_mask(data, THREE)

    def test_unknown_colours_are_named_as_colours(self):
        array = np.zeros((4, 4, 3), np.uint8)
        array[:2, :, 2] = 255
        with pytest.raises(UnreadableError, match=r"no class: #0000ff \(8 pixels\)"):
            class_map.decode_mask(encode(array), COLOURS)

    def test_a_large_mask_takes_a_few_bytes_a_pixel(self):
        array = np.zeros((2000, 2000), np.uint8)
        array[5:], array[7] = 1, 2
        for data, known, times in (
            (encode(array), THREE, 6),
            (encode(np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)[array]), COLOURS, 12),
        ):
            tracemalloc.start()
            result = class_map.decode_mask(data, known)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            np.testing.assert_array_equal(result, array)
            assert peak < times * array.size


class TestClassMap:
    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            (("background=0",), "at least one class of defect"),
            (("background=0", "ignore=1"), "at least one class of defect"),
            (("background=0", "dent=0"), "value 0 stands for two"),
            (("dent=1", "background=0"), "background must come first"),
            (("dent=1", "plain=0"), "background must come first.*value 0 stands for 'plain'"),
            (("background=0", "dent=1", "dent=2"), "'dent' comes twice"),
            (("background=0", "dent=#ff0000"), "all numbers or all colours"),
            (("background=0", "dent=red"), "'red' is neither"),
            (("background=0", "dent"), "not of the form name=value"),
            (("background=0", "dent=70000"), "'70000' is neither"),
            (("background=0", "dent\n=1", "de\x1bnt=2"), "holds control characters"),
            (tuple(f"c{i}={i}" for i in range(255)), "has 255 classes; at most 254 are possible"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, entries, reason):
        with pytest.raises(class_map.ClassMapError, match=reason):
            class_map.from_settings(entries)

    def test_the_largest_number_of_classes_is_read(self):
        most = classes("ignore=300", *(f"c{i}={i}" for i in range(254)))
        values = np.array([[*range(254), 300]], np.uint16)
        assert class_map.decode_mask(encode(values), most).tolist() == [[*range(254), 255]]
        with pytest.raises(UnreadableError, match=r"no class: 254 \(1 .* 0, 1.* and 247 more"):
            class_map.decode_mask(encode(values + 1), most)

    def test_yaml_and_settings_say_the_same(self, tmp_path):
        file = tmp_path / "classes.yaml"
        file.write_text('background: "#000000"\nscratch: "#ff0000"\ndent: ["#00ff00", "#00ee00"]\n')
        assert class_map.from_file(file) == COLOURS

    @pytest.mark.parametrize("text", ["[1, 2]", "a: b: c", "", "background"])
    def test_another_yaml_is_refused(self, text, tmp_path):
        (tmp_path / "classes.yaml").write_text(text)
        with pytest.raises(class_map.ClassMapError, match=r"cannot be read|must map class names"):
            class_map.from_file(tmp_path / "classes.yaml")

    def test_a_missing_class_map_is_reported_with_the_values_in_the_masks(self, root, tmp_path):
        (root / "classes.yaml").unlink()
        write(root, {"images/a.png": encode(picture()), "masks/a.png": encode(ids() * 100)})
        with pytest.raises(DataError, match=r"(?s)background: 0\n  defect_1: 100\n  defect_2: 200"):
            build(root, tmp_path / "built")


class TestPaths:
    def test_two_folders(self, tmp_path):
        write(tmp_path, {"here/a.png": encode(picture()), "there/a.png": encode(ids())})
        named = {"images": "here", "masks": str(tmp_path / "there")}
        entries = ("background=0", "scratch=1", "dent=2")
        result = examples(build(tmp_path, tmp_path / "built", classes=entries, **named))
        np.testing.assert_array_equal(result["a"]["mask"][..., 0], ids())

    def test_masks_beside_the_images(self, tmp_path):
        mask = encode(ids(), "BMP")
        files = {f"shop/part_{n}.jpg": encode(picture(n), "JPEG") for n in (1, 2, 12)}
        write(tmp_path, files | {"shop/part_1_label.bmp": mask, "shop/part_12_label.bmp": mask})
        entries = ("background=0", "scratch=1", "dent=2")
        named = {"images": "shop", "masks": "shop", "mask_suffix": "_label"}
        result = examples(build(tmp_path, tmp_path / "built", classes=entries, **named))
        assert {n: e["has_mask"] for n, e in result.items()} == {
            "part_1": 1,
            "part_2": 0,
            "part_12": 1,
        }
        np.testing.assert_array_equal(result["part_12"]["mask"][..., 0], ids())

    def test_masks_with_a_suffix_in_a_folder_of_their_own(self, tmp_path):
        write(tmp_path, {f"images/{n}.png": encode(picture()) for n in "ab"})
        write(tmp_path, {"masks/a-gt.png": encode(ids()), "masks/b.png": encode(ids())})
        entries, problems = scanning.scan(settings(tmp_path, mask_suffix="-gt"))
        assert [entry.mask and entry.mask.name for entry in entries] == ["a-gt.png", None]
        assert [problem.reason for problem in problems] == ["its name does not end in -gt"]

    def test_a_suffix_of_masks_is_proposed(self, tmp_path):
        write(tmp_path, {f"images/x/p_{n}.png": encode(picture(n)) for n in (1, 2, 3, 10)})
        write(tmp_path, {f"masks/x/p_{n}_seg.png": encode(ids()) for n in (1, 2, 10)})
        write(tmp_path, {"masks/x/p_11.png": encode(ids())})
        _, problems = scanning.scan(settings(tmp_path))
        assert [problem.reason for problem in problems] == [
            "3 masks, such as p_10_seg.png, have the name of an image and _seg: "
            "--config.data.folder.mask_suffix=_seg",
            f"no image of this name, x/p_11.*, in {tmp_path / 'images'}",
        ]

    def test_masks_among_the_images_are_noticed(self, tmp_path):
        write(tmp_path, {f"images/p_{n}.png": encode(picture(n)) for n in (1, 2, 3)})
        write(tmp_path, {f"images/p_{n}.mask.png": encode(ids()) for n in (1, 2)})
        _, [problem] = scanning.scan(settings(tmp_path))
        assert problem.reason.endswith(
            "If they are masks: --config.data.folder.masks=images "
            "--config.data.folder.mask_suffix=.mask"
        )
        entries, problems = scanning.scan(settings(tmp_path, masks="images", mask_suffix=".mask"))
        assert not problems
        assert [entry.name for entry in entries if entry.mask] == ["p_1", "p_2"]

    def test_one_folder_of_both_needs_a_suffix(self, tmp_path):
        write(tmp_path, {"images/a.png": encode(picture())})
        _, [problem] = scanning.scan(settings(tmp_path, masks="images"))
        assert "tell them apart by --config.data.folder.mask_suffix" in problem.reason

    def test_a_mask_without_an_image_is_a_problem_beside_the_images_too(self, tmp_path):
        names = ("images/a.png", "images/a_label.png", "images/b_label.png")
        write(tmp_path, {name: encode(ids()) for name in names})
        _, [problem] = scanning.scan(settings(tmp_path, masks="images", mask_suffix="_label"))
        assert problem.reason == f"no image of this name, b.*, in {tmp_path / 'images'}"

    def test_numbers_and_sides_are_no_suffix_of_masks(self, tmp_path):
        write(tmp_path, {f"images/p_{n}.png": encode(picture(n)) for n in (1, 2, 10, 11, 20, 21)})
        write(tmp_path, {f"images/p_{n}_back.png": encode(picture(n)) for n in (1, 2, 10)})
        assert not scanning.scan(settings(tmp_path))[1]

    def test_a_table(self, root, tmp_path):
        rows = ["image,mask,split,group", "x/a.png,m/a.png,train,p1", "x/b.png,,,p1"]
        table = "\n".join([*rows, "x/c.png,m/a.png,test,"])
        write(root, {f"x/{n}.png": encode(picture(i)) for i, n in enumerate("abc")})
        write(root, {"m/a.png": encode(ids()), "list.csv": table.encode()})
        builder = build(root, tmp_path / "built", table="list.csv")
        result = examples(builder)
        assert {s: len(v) for s, v in builder.as_data_source().items()} == {"train": 2, "test": 1}
        assert {n: e["has_mask"] for n, e in result.items()} == {"x/a": 1, "x/b": 0, "x/c": 1}
        assert result["x/a"]["group"] == result["x/b"]["group"] != result["x/c"]["group"]

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ("image,mask\na.png,none.png\n", r"missing mask: expected .*none\.png"),
            ("image\nb.png\n", r"b\.png: missing image"),
            ("image\na.png\na.png\n", "line 3: a is in line 2"),
            ("image,split\na.png,dev\n", "line 2: split 'dev' must be one of train, val, test"),
            ("picture\na.png\n", "has the columns picture"),
            ("image,labels\na.png,1\n", "has the columns image, labels"),
            ("image,mask\n,x.png\n", "line 2: names no image"),
            ("image\n.\n", "line 2: names no image"),
            ("image\n", "has no rows"),
            ("image;mask\na.png;b.png\n", "has the columns image;mask; .*with commas"),
            ("image,image\na.png,b.png\n", "has the columns image, image; .*each once"),
            ("image,mask\na.png,,a.png,x\n", "line 2: has 2 cells more than there are columns"),
            ("image\na\0.png\n", r"line 2: 'a\\x00\.png': its name holds control"),
            ("image,mask\na.png,\x1b.png\n", "line 2: .* its name holds control"),
            ("image\n/..\n", "line 2: names no image"),
            ("image\n../\n", "line 2: names no image"),
            ("image\nnone/..\n", "line 2: names no image"),
            ("image\nfolder\n", "line 2: folder cannot be read: it is a folder"),
            ('image,group\na.png,"x\ny"\n,z\n', "line 4: names no image"),
            (f"image\n{'x' * 300}.png\n", "File name too long"),
        ],
    )
    def test_a_bad_table_is_reported(self, table, reason, root, tmp_path):
        write(root, {"a.png": encode(picture()), "list.csv": table.encode(), "folder/b": b""})
        with pytest.raises(DataError, match=reason):
            build(root, tmp_path / "built", table="list.csv")
        assert not list((tmp_path / "built").rglob("*.array_record*"))

    def test_parts_by_pattern_and_by_equal_bytes(self, root, tmp_path):
        names = ["p1_a", "p1_b", "p2_a", "other", "copy"]
        write(root, {f"images/{n}.png": encode(picture(i)) for i, n in enumerate(names)})
        write(root, {"images/copy.png": encode(picture(2))})
        result = examples(build(root, tmp_path / "built", group=r"^(p\d+)_"))
        group = {name: int(example["group"]) for name, example in result.items()}
        assert group["p1_a"] == group["p1_b"]
        assert group["p2_a"] == group["copy"]
        assert len(set(group.values())) == 3

    def test_a_table_names_files_by_whole_and_upward_paths_below_the_root(self, root, tmp_path):
        write(root, {"images/a.png": encode(picture()), "b.png": encode(picture(1))})
        rows = ["image", "../images/a.png", str(root / "b.png")]
        write(root, {"tables/list.csv": "\n".join(rows).encode()})
        names = set(examples(build(root, tmp_path / "built", table="tables/list.csv")))
        assert names == {"images/a", "b"}
        (tmp_path / "linked").symlink_to(root)
        again = build(tmp_path / "linked", tmp_path / "built", table=str(root / "tables/list.csv"))
        assert set(examples(again)) == names

    @pytest.mark.parametrize("column", ["image", "mask"])
    def test_files_of_a_table_outside_of_the_root_are_refused(self, column, root, tmp_path):
        write(tmp_path, {"elsewhere/a.png": encode(picture()), "line 42/a.png": encode(picture())})
        write(root, {"b.png": encode(picture())})
        (root / "link.png").symlink_to(tmp_path / "elsewhere/a.png")
        places = ["../elsewhere/a.png", str(tmp_path / "line 42/a.png"), "link.png", "x/../../none"]
        rows = [place if column == "image" else f"b.png,{place}" for place in places]
        columns = "image" if column == "image" else "image,mask"
        write(root, {"list.csv": "\n".join([columns, *rows]).encode()})
        with pytest.raises(DataError) as caught:
            build(root, tmp_path / "built", table="list.csv")
        outside = [p for p in caught.value.problems if "is outside of" in p.reason]
        assert [p.path for p in outside] == [f"{root / 'list.csv'}, line {i}" for i in range(2, 6)]

    def test_links_are_followed_below_the_folders_that_were_named(self, root, tmp_path):
        write(tmp_path, {"elsewhere/a.png": encode(picture()), "other/b.png": encode(picture(1))})
        write(root, {"store/c.png": encode(picture(2))})
        (root / "images").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere/c.png").symlink_to(root / "store/c.png")
        (tmp_path / "elsewhere/d.png").symlink_to("a.png")
        assert set(examples(build(root, tmp_path / "built"))) == {"a", "c", "d"}
        (tmp_path / "elsewhere/b.png").symlink_to(tmp_path / "other/b.png")
        with pytest.raises(DataError, match=r"b\.png: is a link to .*other/b\.png, which is out"):
            build(root, tmp_path / "built")

    def test_masks_below_the_images_are_no_images(self, root, tmp_path):
        write(root, {"a.png": encode(picture()), "masks/a.png": encode(ids())})
        result = examples(build(root, tmp_path / "built", images="."))
        assert list(result) == ["a"]
        assert result["a"]["has_mask"] == 1

    def test_a_pattern_whose_group_does_not_take_part(self, root, tmp_path):
        write(root, {f"{n}.png": encode(picture(i)) for i, n in enumerate(("p1", "x2", "x2b"))})
        write(root, {"list.csv": b"image\np1.png\nx2.png\nx2b.png\n"})
        result = examples(build(root, tmp_path / "built", table="list.csv", group=r"^(x\d+)?"))
        assert result["x2"]["group"] == result["x2b"]["group"] != result["p1"]["group"]

    def test_a_pattern_without_a_match_is_refused(self, root, tmp_path):
        write(root, {"images/p1.png": encode(picture())})
        with pytest.raises(DataError, match="matches none of the 1 names, such as .p1."):
            build(root, tmp_path / "built", group=r"^teil_(\d+)")

    def test_files_of_formats_that_are_not_read_are_not_passed_over(self, root, tmp_path):
        write(root, {"images/a.png": encode(picture()), "masks/a.gif": encode(ids(), "GIF")})
        write(root, {"images/b.webp": b"x", "images/readme.txt": b"x"})
        with pytest.raises(DataError) as caught:
            build(root, tmp_path / "built")
        named = {Path(problem.path).name for problem in caught.value.problems}
        assert named == {"a.gif", "b.webp"}

    def test_names_that_no_list_or_terminal_can_hold_are_problems(self, root, tmp_path):
        strange = ("new\nline.png", "esc\x1b[2J.png", "next\x85.png", os.fsdecode(b"latin\xe9.png"))
        write(root, {f"images/{name}": encode(picture()) for name in strange})
        write(root, {"images/in\ta/b.png": encode(picture()), "images/ok.png": encode(picture(1))})
        with pytest.raises(DataError) as caught:
            build(root, tmp_path / "built")
        named = {Path(problem.path).name for problem in caught.value.problems}
        escaped = {r"new\nline.png", r"esc\x1b[2J.png", r"next\x85.png", r"latin\udce9.png"}
        assert named == escaped | {r"in\ta"}
        assert all("rename it" in problem.reason for problem in caught.value.problems)

    def test_a_name_whose_result_another_result_would_lie_in_is_a_problem(self, root, tmp_path):
        write(root, {"images/b.jpg": encode(picture(), "JPEG"), "images/b.png/y.png": b""})
        with pytest.raises(DataError, match=r"b\.png/y\.png: its result would be in b\.png, that"):
            build(root, tmp_path / "built")

    @pytest.mark.parametrize("kind", ["images", "masks"])
    def test_what_is_no_file_is_not_waited_for(self, kind, root, tmp_path):
        write(root, {"images/a.png": encode(picture()), "masks/a.png": encode(ids())})
        (root / kind / "a.png").unlink()
        os.mkfifo(root / kind / "a.png")
        with (root / kind / "b.png").open("wb") as file:
            file.truncate(2**40)
        with pytest.raises(DataError) as caught:
            build(root, tmp_path / "built")
        result = {os.path.relpath(p.path, root): p.reason for p in caught.value.problems}
        assert result[f"{kind}/a.png"] == "cannot be read: it is a pipe, not a file"
        assert "at most 2147483648 are read" in result[f"{kind}/b.png"]

    @pytest.mark.parametrize("name", ["classes.yaml", "list.csv", "images/a.png"])
    def test_no_pipe_is_waited_for_by_name(self, name, root, tmp_path):
        table = "" if name == "classes.yaml" else "list.csv"
        write(root, {"images/a.png": encode(picture()), "list.csv": b"image\nimages/a.png\n"})
        (root / name).unlink()
        os.mkfifo(root / name)
        with pytest.raises(DataError, match="cannot be read: it is a pipe, not a file"):
            build(root, tmp_path / "built", table=table)

    def test_a_file_that_turned_into_a_pipe_has_no_digest(self, root):
        write(root, {"a.png": b""})
        (root / "a.png").unlink()
        os.mkfifo(root / "a.png")
        entry = scanning.Entry("a", root / "a.png", None, "train", "")
        assert scanning.digest_files([entry]) == {root / "a.png": ""}


class TestFingerprint:
    def name(self, root, **changes):
        return folder_dataset_builder.configure(settings(root, **changes)).name

    def test_changes_with_whatever_was_built(self, root):
        write(root, {"images/a.png": encode(picture()), "masks/a.png": encode(ids())})
        names = [self.name(root), self.name(root, white=4095), self.name(root, group="a")]
        write(root, {"masks/a.png": encode(ids()[::-1])})
        names.append(self.name(root))
        write(root, {"images/b.png": encode(picture(1))})
        names.append(self.name(root))
        write(root, {"classes.yaml": CLASSES.replace(b"dent", b"bump")})
        names.append(self.name(root))
        assert len(set(names)) == len(names)
        (root / "images/b.png").touch()
        assert self.name(root) == names[-1]

    def test_a_problem_that_comes_later_is_reported(self, root, tmp_path):
        write(root, {"images/a.png": encode(picture())})
        build(root, tmp_path / "built")
        write(root, {"masks/a_mask.png": encode(ids())})
        with pytest.raises(DataError, match=r"a_mask\.png: no image of this name"):
            build(root, tmp_path / "built")

    def test_a_changed_folder_is_built_anew(self, root, tmp_path):
        write(root, {"images/a.png": encode(picture())})
        assert len(examples(build(root, tmp_path / "built"))) == 1
        write(root, {"images/b.png": encode(picture(1))})
        assert len(examples(build(root, tmp_path / "built"))) == 2


def corpus(root):
    """Every kind of bad file in one folder; returns file name -> part of its reason."""
    good, mask = encode(picture()), encode(ids())
    exif = Image.Exif()
    exif[0x0112] = 6
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    border = ids()
    border[0] = 255
    pairs = {
        "orphan": (None, mask, "orphan.png", "no image of this name"),
        "size": (good, encode(ids((5, 6))), "masks/size.png", "6x5"),
        "id": (good, encode(ids() + 5), "masks/id.png", "no class: 5"),
        "border": (good, encode(border), "masks/border.png", "no class: 255"),
        "rgba": (good, encode(rgba), "masks/rgba.png", "transparent"),
        "zero_255": (good, encode(255 * (ids() > 0).astype(np.uint8)), "masks/zero_255.png", "255"),
        "cut": (encode(picture(), "PNG")[:150], mask, "images/cut.png", "cannot be read"),
        "nothing": (b"", mask, "images/nothing.png", "is empty"),
        "text": (b"not an image at all", mask, "images/text.png", "not an image"),
    }
    reasons = {}
    for name, (image, label, where, reason) in pairs.items():
        if image is not None:
            write(root, {f"images/{name}.png": image})
        write(root, {f"masks/{name}.png": label})
        reasons[where] = reason
    photo = encode(picture(), "JPEG")
    write(root, {"images/jpeg.jpg": photo, "masks/jpeg.jpg": encode(ids(), "JPEG")})
    reasons["masks/jpeg.jpg"] = "is a JPEG"
    whole = encode(picture(size=(64, 64)), "JPEG")
    write(root, {"images/half.jpg": whole[: len(whole) // 2]})
    reasons["images/half.jpg"] = "cannot be read"
    write(
        root, {"images/turned.jpg": encode(picture(), "JPEG", exif=exif), "masks/turned.png": mask}
    )
    reasons["images/turned.jpg"] = "EXIF orientation 6"
    write(root, {"images/twice.jpg": photo, "images/twice.png": good})
    reasons["images/twice.png"] = "a second file of this name"
    (root / "images/loop.png").symlink_to(root / "images/loop.png")
    reasons["images/loop.png"] = "cannot be read"
    (root / "images/around").symlink_to(root / "images")
    reasons["images/around"] = "a link to a folder"
    (root / "images/elsewhere.png").symlink_to("/proc/self/mem")
    reasons["images/elsewhere.png"] = "is outside of"
    (root / "images/gone.png").symlink_to(root / "images/none.png")
    reasons["images/gone.png"] = "cannot be read"
    # And files that are as good as others.
    write(root, {"images/grün und gut.png": good, "masks/grün und gut.png": mask})
    write(root, {"images/unlabeled.png": good, "images/.hidden.png": b"", "images/notes.txt": b"x"})
    write(root, {"images/deep.png": encode(np.zeros((HEIGHT, WIDTH), np.uint16))})
    return reasons


def test_every_bad_file_is_in_one_report_and_nothing_is_written(root, tmp_path):
    reasons = corpus(root)
    with pytest.raises(DataError) as caught:
        build(root, tmp_path / "built")
    result = {os.path.relpath(p.path, root): p.reason for p in caught.value.problems}
    assert result.keys() == {w if "/" in w else f"masks/{w}" for w in reasons}
    for where, reason in reasons.items():
        assert reason in result[where if "/" in where else f"masks/{where}"]
    built = tmp_path / "built"
    assert not built.exists() or not [p for p in built.rglob("*") if p.is_file()]


@pytest.mark.parametrize("made", [(), ("images",), ("masks",)])
def test_a_folder_without_images_is_explained(made, tmp_path):
    for name in made:
        (tmp_path / name).mkdir()
    write(tmp_path, {"classes.yaml": CLASSES})
    with pytest.raises(DataError, match=r"(?s)images.*Put your images into a folder `images`"):
        build(tmp_path, tmp_path / "built")


def test_package_has_what_tfds_expects():
    package = Path(folder_dataset_builder.__file__).parent
    assert not (package / "checksums.tsv").read_text()
    assert (package / "README.md").read_text()
