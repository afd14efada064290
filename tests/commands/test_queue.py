"""The queue of a folder: what is chosen, what is written, what is refused."""

import csv
import dataclasses
import hashlib
import html.parser
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests import tiny
from tests.commands.mine import write_folder
from tests.inference.test_ensemble import by_brightness
from tests.inference.test_predict_images import model_of
from uaps_jax.acquisition import cost, terms, uncertainty
from uaps_jax.annotation_queue import entry
from uaps_jax.annotations.formats import WRITERS
from uaps_jax.commands import loading
from uaps_jax.commands.predictions import UnpredictedFiles
from uaps_jax.commands.queue import queue
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import DataError
from uaps_jax.datasets.folder import class_map
from uaps_jax.inference import ensemble
from uaps_jax.reports import queue_page
from uaps_jax.review.decisions import Decisions
from uaps_jax.training import workdir


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A request for the queue of a folder of ten annotated and six other images."""
    write_folder(tmp_path / "mine")
    config = tiny.config()
    config.data.height = config.data.width = 48  # that of the images
    model = model_of(config, None, {}, tmp_path / "run")
    model.__dict__.update(record=tiny.record(), decision=None)
    monkeypatch.setattr(type(model), "predictor", "main")
    monkeypatch.setattr(loading, "load", lambda request, checkpoint: model)
    monkeypatch.setattr(ensemble, "make", lambda *_, **__: by_brightness(2))
    return Request(
        config=None, workdir=tmp_path / "run", checkpoint="best", input=tmp_path / "mine"
    )


def folder_of(request):
    [folder] = (request.workdir / "queue" / "step_0").glob("images-*")
    return folder


def test_a_queue_has_lists_copies_pictures_and_a_page(asked, capsys):
    (asked.input / "images" / "part_11.png").write_bytes(b"")
    deep = asked.input / "images" / "deep" / "part.png"
    deep.parent.mkdir()
    shutil.move(asked.input / "images" / "part_12.png", deep)
    with pytest.raises(UnpredictedFiles, match=r"(?s)1 file could not.*part_11.png: the file is"):
        queue(dataclasses.replace(asked, count=3))
    folder = folder_of(asked)
    read = entry.read(folder)
    assert read.class_names == tiny.CLASS_NAMES
    assert len(read.entries) == 3
    left = {"deep/part", *(f"part_{n}" for n in (10, 13, 14, 15))}
    assert {one.name for one in read.entries} <= left
    for rank, one in enumerate(read.entries, start=1):
        source = asked.input / "images" / one.image
        assert (one.rank, one.path) == (rank, str(source.absolute()))
        assert one.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert (folder / "images" / one.image).read_bytes() == source.read_bytes()
        with Image.open(source) as file:
            pixels = np.array(file.convert("RGB"))
        assert (one.height, one.width) == pixels.shape[:2]
        members = by_brightness(2)({}, pixels[None]).members[:, 0]
        entropy = uncertainty.entropy(members)
        expected = terms.of_top_share(entropy, uncertainty.bald(members), 0.05)
        found = (one.score, one.ambiguity, one.disagreement)
        wanted = (expected.score, expected.ambiguity, expected.disagreement)
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        mask = members[0].argmax(-1).astype(np.uint8)
        with Image.open(folder / "mask" / f"{one.name}.png") as file:
            np.testing.assert_array_equal(np.array(file), mask)
        with Image.open(folder / "uncertainty" / f"{one.name}.png") as file:
            grey = np.array(file).astype(int)
        assert np.abs(grey - 255 * entropy.clip(0, 1)).max() <= 1
        assert one.minutes == pytest.approx(cost.DEFAULT.minutes(mask))
        shares = np.bincount(mask.reshape(-1), minlength=3) / mask.size
        np.testing.assert_allclose(list(one.shares.values()), shares)
        assert 0 <= one.distance <= 2  # from the annotated ones
    paths = (folder / "queue.txt").read_text().splitlines()
    assert paths == [one.path for one in read.entries]
    with (folder / "queue.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [e.image for e in read.entries]
    formats = folder / "pre_annotations"
    assert {path.name for path in formats.iterdir()} == set(WRITERS)
    for one in read.entries:
        with Image.open(formats / "png" / "masks" / f"{one.name}.png") as proposal:
            drawn = np.array(proposal)
        with Image.open(folder / "mask" / f"{one.name}.png") as mask:
            np.testing.assert_array_equal(drawn, np.array(mask))
    assert "3 images to annotate, in an estimated" in capsys.readouterr().out
    check_page((folder / "queue.html").read_text(), read.entries)

    # The same again is the same; with a decision of a person it is refused.
    lines = (folder / "queue.jsonl").read_text()
    (asked.input / "images" / "part_11.png").unlink()
    queue(dataclasses.replace(asked, input=asked.input / "images", count=3))
    again = [json.loads(line) for line in (folder / "queue.jsonl").read_text().splitlines()]
    assert [one["name"] for one in again] == [
        json.loads(line)["name"] for line in lines.splitlines()
    ]
    (folder / "decisions").mkdir()
    with pytest.raises(ConfigError, match="has written decisions into this queue"):
        queue(asked)


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def of(self, wanted):
        return [attributes for tag, attributes in self.tags if tag == wanted]


def check_page(text, entries):
    page = Page()
    page.feed(text)
    pictures = page.of("img")
    assert len(pictures) == 3 * len(entries)
    assert all(picture["src"].startswith("data:image/jpeg;base64,") for picture in pictures)
    assert [picture["alt"] for picture in pictures[:3]] == [
        f"{what} of {entries[0].image}" for what in ("Image", "Proposal", "Uncertainty")
    ]
    assert all(cell.get("scope") in ("row", "col") for cell in page.of("th"))
    assert len(page.of("main")) == len(page.of("h1")) == len(page.of("title")) == 1
    assert "part_11.png" in text
    assert "the file is empty" in text


def test_all_images_are_queued_if_there_are_fewer(asked):
    images = asked.input / "images"
    shutil.rmtree(asked.input / "masks")
    for number in range(3, 16):
        (images / f"part_{number:02d}.png").unlink()
    # The values of masks are not the ids of the classes.
    list_of_classes = asked.input / "classes.yaml"
    list_of_classes.write_text("background: 0\ndark: 255\nbright: 1\nignore: 7\n")
    queue(dataclasses.replace(asked, input=images))
    entries = entry.read(folder_of(asked)).entries
    decisions = Decisions(entry.read(folder_of(asked)))
    proposal = decisions.proposal(1)
    proposal[:2] = 255
    decisions.change(1, "accept", 0, proposal)
    annotated = folder_of(asked) / "annotated"
    mask = (annotated / "masks" / f"{entries[0].name}.png").read_bytes()
    classes = class_map.from_file(list_of_classes)
    np.testing.assert_array_equal(class_map.decode_mask(mask, classes), proposal)
    assert class_map.from_file(annotated / "classes.yaml") == classes
    assert sorted(one.name for one in entries) == ["part_00", "part_01", "part_02"]
    assert [one.distance is None for one in entries] == [True, False, False]


def test_masks_are_found_where_the_training_found_them(asked, monkeypatch):
    """Beside the images, with an ending; what is turned by its EXIF data is not proposed for."""
    folder = loading.load(asked, "best").config.data.folder
    monkeypatch.setattr(folder, "images", "photos")
    monkeypatch.setattr(folder, "masks", "photos")
    monkeypatch.setattr(folder, "mask_suffix", "_m")
    photos = shutil.move(asked.input / "images", asked.input / "photos")
    for mask in (asked.input / "masks").iterdir():
        mask.rename(photos / f"{mask.stem}_m.png")
    (asked.input / "masks").rmdir()
    with Image.open(photos / "part_15.png") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(photos / "part_15.png", exif=exif)
    with pytest.raises(
        UnpredictedFiles, match=r"part_15.png: .*\(orientation 6\).*save it upright"
    ):
        queue(asked)
    [made] = (asked.workdir / "queue" / "step_0").glob("photos-*")
    names = {one.name for one in entry.read(made).entries}
    assert names == {f"part_{number}" for number in range(10, 15)}


def test_decisions_that_are_made_meanwhile_are_kept(asked, monkeypatch):
    queue(dataclasses.replace(asked, count=2))
    folder = folder_of(asked)
    decided = folder / "decisions" / "00001.json"

    def render(page):
        decided.parent.mkdir()
        decided.write_text("of a person")
        return ""

    with monkeypatch.context() as patched:
        patched.setattr(queue_page, "render", render)
        with pytest.raises(ConfigError, match="has written decisions into this queue"):
            queue(dataclasses.replace(asked, count=3))
    assert decided.read_text() == "of a person"
    shutil.rmtree(decided.parent)
    with workdir.locked(folder), pytest.raises(ConfigError, match="in use by another process"):
        queue(dataclasses.replace(asked, count=3))
    assert len(entry.read(folder).entries) == 2


def test_what_makes_no_queue_is_said(asked):
    with pytest.raises(ConfigError, match="--mode=queue needs --input"):
        queue(dataclasses.replace(asked, input=None))
    for number in range(10, 16):
        (asked.input / "images" / f"part_{number}.png").unlink()
    with pytest.raises(ConfigError, match="10 images, and all have a mask in .*masks: nothing is"):
        queue(asked)
    bad = asked.input.parent / "bad"
    bad.mkdir()
    (bad / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)nothing was written.*a.png: the file is empty"):
        queue(dataclasses.replace(asked, input=bad))
    assert not list(asked.workdir.rglob("queue.*"))
