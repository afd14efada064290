"""A served photograph has the verdict, the score, the defects and the mask of `predict`."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.serving import served
from uaps_jax.config import ConfigError
from uaps_jax.data import prepare
from uaps_jax.data.photographs import Photographs
from uaps_jax.inference import defects
from uaps_jax.inference.exported import open_exported
from uaps_jax.inference.exported_input import ExportedInput
from uaps_jax.inference.images import ImageError

SIZES = [(40, 33), (16, 16), (9, 50), (70, 21)]
CASES = {
    "crop": {"fit": "crop"},
    "scaled": {"fit": "crop", "scale": 0.6, "resampling": "area", "transpose": True, "width": 24},
    "grey": {"fit": "crop", "scale": 1.5, "channels": 1, "minimum_area": 6},
    "resize": {"fit": "resize", "minimum_area": 3},
}


@pytest.mark.parametrize("case", CASES)
def test_a_served_photograph_is_judged_as_predict_does(case, tmp_path):
    made = served.config(**CASES[case])
    files = served.photographs(tmp_path / "in", SIZES)
    service, expected = served.served(made, tmp_path / "in", tmp_path / "run")
    assert len({result.verdict for result in expected.values()}) == 2
    assert sum(bool(result.defects) for result in expected.values()) > 1
    for file in files:
        wanted = expected[file.stem]
        answer = service.entries(service.check(file.read_bytes(), with_mask=True))
        assert answer["verdict"] == wanted.verdict
        assert answer["score"] == pytest.approx(wanted.score, abs=1e-5)
        names = service.model.class_names
        assert answer["defects"] == [defects.described(d, names, 0.5) for d in wanted.defects]
        mask = Image.open(io.BytesIO(base64.b64decode(answer["mask_png"])))
        drawn = np.array(Image.open(tmp_path / "run" / "after" / "mask" / f"{file.stem}.png"))
        np.testing.assert_array_equal(np.array(mask), drawn)
        corners = prepare.tile_corners(wanted.size, made.data)
        assert answer["tiles"] == len(corners)
        assert (answer["image_height_px"], answer["image_width_px"]) == wanted.size
        assert set(answer["milliseconds"]) == {"waiting", "decode", "network", "decision", "total"}
    assert service.timings.summary()["photographs"] == len(files)
    if case != "resize":
        assert max(len(prepare.tile_corners(size, made.data)) for size in SIZES) > 3
    if case == "crop":
        more = served.photographs(tmp_path / "more", [(48, 48)])[0].read_bytes()
        with pytest.raises(ImageError, match="truncated|cannot be read"):
            service.check(more[:-200], with_mask=False)
        late = service.entries(service.check(more, with_mask=False, waited=2.0))
        assert "mask_png" not in late
        assert 2000 <= late["milliseconds"]["waiting"] < late["milliseconds"]["total"]
        assert_other_kinds_of_files_are_judged(service, more)


def assert_other_kinds_of_files_are_judged(service, png):
    """CMYK, 16 bits, grey, and a size that the training did not have."""
    known = Photographs(heights=(48, 48), widths=(40, 50), grey=0, colour=9)
    service.model = dataclasses.replace(service.model, photographs=known)
    rgb = Image.open(io.BytesIO(png))
    levels = np.asarray(rgb.convert("L"))
    kinds = {
        "cmyk": (rgb.convert("CMYK"), "JPEG", ["CMYK: converted to RGB"]),
        "deep": (levels.astype(np.uint16) * 257, "PNG", ["16 bits a pixel", "it is grey"]),
        "grey": (levels, "BMP", ["it is grey"]),
        "small": (levels[:9], "TIFF", ["had 40 to 50 x 48 px", "it is grey"]),
        "same": (np.asarray(rgb), "PNG", []),
    }
    found = {}
    for kind, (pixels, suffix, expected) in kinds.items():
        file = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(file, suffix)
        found[kind] = service.entries(service.check(file.getvalue(), with_mask=False))
        assert len(found[kind]["notes"]) == len(expected)
        for note, part in zip(found[kind]["notes"], expected, strict=True):
            assert part in note
    assert found["deep"]["score"] == pytest.approx(found["grey"]["score"])


def test_a_file_that_cannot_be_served_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"none.onnx: cannot be read: No such file"):
        open_exported(tmp_path / "none.onnx")
    (tmp_path / "no.onnx").write_bytes(b"onnx")
    with pytest.raises(ConfigError, match="is not an ONNX file that can be run"):
        open_exported(tmp_path / "no.onnx")


def test_an_input_survives_its_json():
    made = ExportedInput(
        height=3,
        width=4,
        fit="crop",
        scale=0.5,
        resampling="area",
        grey=True,
        white=4095,
        batch_size=8,
    )
    assert ExportedInput.from_json(made.to_json()) == made
    with pytest.raises(ValueError, match="not an input"):
        ExportedInput.from_json(json.dumps({"height": 3}))
