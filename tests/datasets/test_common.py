"""Strict decoding, and one report of all problems."""

from __future__ import annotations

import io
import os
import pickle
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from uaps_jax.datasets import common
from uaps_jax.datasets.common import (
    IGNORE,
    DataError,
    UnreadableError,
    check_pair,
    read_image,
    read_mask,
)


def encode(array: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
    image = Image.fromarray(array)
    file = io.BytesIO()
    (image.convert(mode) if mode else image).save(file, kind)
    return file.getvalue()


def claiming(width: int, height: int) -> bytes:
    """A grey PNG that states a size and has no pixels of it."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)


@pytest.fixture
def ids() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4, (40, 30), np.uint8)


class TestDataError:
    def test_names_every_file_and_reason_and_what_to_do(self):
        error = DataError([("a.png", "is empty"), ("b.jpg", "is truncated")], "Do this.")
        assert str(error).splitlines() == [
            "2 problems in the files; nothing was written.",
            "  a.png: is empty",
            "  b.jpg: is truncated",
            "Do this.",
        ]

    def test_leaves_no_problem_out_of_a_long_report(self):
        report = str(DataError([(f"{i}.png", "bad") for i in range(5000)]))
        assert report.count(": bad") == 5000

    def test_survives_pickling(self):
        error = DataError([("a.png", "is empty")], "Do this.")
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)
        assert copy.problems == error.problems

    def test_gives_no_control_character_to_a_terminal(self):
        error = DataError([("a\x1b[2J\n.png", "is\x9bodd"), ("b\udcff.png", "see:\n  0: 1")])
        lines = str(error).split("\n")
        assert lines[1:4] == [r"  a\x1b[2J\n.png: is\x9bodd", r"  b\udcff.png: see:", "  0: 1"]
        str(error).encode()
        assert error.problems[1].path == r"b\udcff.png"

    def test_needs_a_problem(self):
        with pytest.raises(ValueError, match="at least one"):
            DataError([])


class TestReadImage:
    def test_png_is_exact_from_path_and_bytes(self, picture, tmp_path):
        path = tmp_path / "a.png"
        path.write_bytes(encode(picture))
        for source in (path, str(path), path.read_bytes()):
            image = read_image(source)
            assert image.dtype == np.uint8
            np.testing.assert_array_equal(image, picture)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
    def test_every_8_bit_mode_becomes_rgb(self, picture, mode):
        assert read_image(encode(picture, mode=mode)).shape == (40, 30, 3)

    def test_grey_is_repeated(self, ids):
        image = read_image(encode(ids))
        np.testing.assert_array_equal(image, np.repeat(ids[:, :, None], 3, axis=2))

    def test_16_bits_are_refused_not_clipped(self, ids):
        with pytest.raises(UnreadableError, match="more than 8 bits"):
            read_image(encode(ids.astype(np.uint16) * 1000))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
    def test_truncated_files_are_refused(self, picture, kind, share):
        data = encode(picture, kind)
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_image(data[: int(len(data) * share)])

    def test_jpeg_with_a_tail_of_zeros_is_refused(self, picture):
        data = encode(picture, "JPEG")
        half = len(data) // 2
        with pytest.raises(UnreadableError, match="truncated JPEG"):
            read_image(data[:half] + bytes(len(data) - half))

    def test_jpeg_with_bytes_after_its_end_is_read(self, picture):
        assert read_image(encode(picture, "JPEG") + bytes(10)).shape == (40, 30, 3)

    def test_png_with_a_flipped_bit_is_refused(self, picture):
        data = bytearray(encode(picture))
        data[len(data) // 2] ^= 1
        with pytest.raises(UnreadableError, match="cannot be read"):
            read_image(bytes(data))

    def test_empty_and_foreign_files_are_refused(self):
        with pytest.raises(UnreadableError, match="empty"):
            read_image(b"")
        with pytest.raises(UnreadableError, match="not an image"):
            read_image(b"<html>404</html>")

    @pytest.mark.parametrize("kind", ["GIF", "EPS", "PPM", "WEBP", "ICO", "TGA"])
    def test_no_other_format_is_opened_whatever_the_file_is_called(self, picture, kind, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(picture, kind))
        with pytest.raises(UnreadableError, match="not an image of a format that is read"):
            read_image(tmp_path / "a.png")

    @pytest.mark.parametrize(
        ("width", "height"), [(9450, 9450), (90_000_000, 1), (20_000, 20_000), (2**31 - 1, 2**20)]
    )
    def test_too_many_pixels_are_refused_by_their_header(self, width, height):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(
                UnreadableError, match=rf"{width}x{height} .*at most 89\.0 are read"
            ):
                read_image(claiming(width, height))

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
    def test_the_limit_is_ours_and_pillows_stays_what_it_was(self, picture, kind, monkeypatch):
        before = Image.MAX_IMAGE_PIXELS
        assert before is not None
        assert before > common.MOST_PIXELS
        monkeypatch.setattr(common, "MOST_PIXELS", picture[..., 0].size)
        assert read_image(encode(picture, kind)).shape == picture.shape
        monkeypatch.setattr(common, "MOST_PIXELS", picture[..., 0].size - 1)
        with pytest.raises(UnreadableError, match="30x40 pixels"):
            read_image(encode(picture, kind))
        assert before == Image.MAX_IMAGE_PIXELS

    def test_a_small_tiff_of_huge_tiles_is_refused(self):
        # Width, height, bits, deflate, black is 0, then the tiles: width, height, place, bytes.
        tags = {256: 4, 257: 4, 258: 8, 259: 8, 262: 1, 322: 32768, 323: 32768, 324: 8, 325: 8}
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        data = struct.pack("<2sHIQH", b"II", 42, 16, 0, len(tags)) + entries + bytes(4)
        with pytest.raises(UnreadableError, match="32768x32768 pixels"):
            read_image(data)

    def test_a_jpeg_of_several_pictures_is_read_if_it_has_an_end(self, picture):
        file = io.BytesIO()
        more = [Image.fromarray(picture[::-1])]
        Image.fromarray(picture).save(file, "MPO", save_all=True, append_images=more)
        data = file.getvalue()
        assert Image.open(io.BytesIO(data)).format == "MPO"
        assert read_image(data).shape == (40, 30, 3)
        with pytest.raises(UnreadableError, match="truncated JPEG"):
            read_image(data[:-200] + bytes(200))

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "a.png")
        with pytest.raises(UnreadableError, match="it is a pipe, not a file"):
            read_image(tmp_path / "a.png")

    def test_missing_file_is_refused(self, tmp_path):
        with pytest.raises(UnreadableError, match="No such file"):
            read_image(tmp_path / "none.png")


class TestReadMask:
    def test_is_exact(self, ids):
        mask = read_mask(encode(ids))
        assert mask.dtype == np.uint8
        np.testing.assert_array_equal(mask, ids)

    def test_palette_indices_are_ids(self, ids):
        image = Image.fromarray(ids)
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
        file = io.BytesIO()
        image.save(file, "PNG")
        np.testing.assert_array_equal(read_mask(file.getvalue()), ids)

    @pytest.mark.parametrize("mode", ["1", "LA", "RGB", "RGBA"])
    def test_other_modes_are_refused(self, ids, mode):
        with pytest.raises(UnreadableError, match="not single-channel 8-bit"):
            read_mask(encode(ids, mode=mode))


class TestCheckPair:
    def check(self, image, mask):
        return check_pair(image, mask, 4, image_path="i.jpg", mask_path="m.png")

    def test_good_pair_has_no_problem(self, picture, ids):
        ids[0, 0] = IGNORE
        assert self.check(encode(picture), encode(ids)) == []

    def test_missing_mask(self, picture):
        assert self.check(encode(picture), None) == [("i.jpg", "missing mask: expected m.png")]

    def test_missing_image(self, ids):
        (problem,) = self.check(None, encode(ids))
        assert problem.path == "m.png"
        assert problem.reason == "missing image: this mask belongs to i.jpg"

    def test_both_missing(self):
        assert [problem.path for problem in self.check(None, None)] == ["i.jpg", "m.png"]

    def test_an_image_that_needs_no_mask(self, picture):
        def check(image):
            return check_pair(image, None, 4, image_path="i.jpg", mask_path=None)

        assert check(encode(picture)) == []
        assert check(None) == [("i.jpg", "missing image")]
        assert [problem.path for problem in check(encode(picture)[:50])] == ["i.jpg"]

    def test_decoders_are_the_callers(self, picture, ids):
        def colours(data):
            return (np.array(Image.open(io.BytesIO(data))) == (255, 0, 0)).all(-1).astype(np.uint8)

        problems = check_pair(
            encode(picture),
            encode(np.repeat(ids[:20, :, None], 3, 2)),
            2,
            image_path="i.jpg",
            mask_path="m.png",
            decode_mask=colours,
        )
        (problem,) = problems
        assert "30x20" in problem.reason

    def test_both_unreadable(self, picture, ids):
        problems = self.check(encode(picture)[:50], encode(ids)[:50])
        assert [problem.path for problem in problems] == ["i.jpg", "m.png"]

    def test_a_size_mismatch_is_reported_with_both_sizes(self, picture, ids):
        (problem,) = self.check(encode(picture), encode(ids[:20]))
        assert problem.path == "m.png"
        assert "30x20" in problem.reason
        assert "30x40" in problem.reason

    def test_mask_of_wrong_mode(self, picture):
        (problem,) = self.check(encode(picture), encode(picture))
        assert problem.path == "m.png"
        assert "'RGB'" in problem.reason

    def test_wrong_values_are_named(self, picture, ids):
        ids[0, :3] = 4, 7, IGNORE
        (problem,) = self.check(encode(picture), encode(ids))
        assert "values 4, 7;" in problem.reason
        assert "0..3 and 255" in problem.reason

    def test_many_wrong_values_are_counted(self, picture, ids):
        ids[:, :] = np.arange(30) + 100
        (problem,) = self.check(encode(picture), encode(ids))
        assert "and 22 more" in problem.reason

    def test_wrong_size_and_wrong_values_are_both_reported(self, picture, ids):
        ids[0, 0] = 9
        assert len(self.check(encode(picture), encode(ids[:20]))) == 2
