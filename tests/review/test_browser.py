"""The page in a real browser: ten images decided by keyboard and mouse, and the server killed.

It needs the package playwright, which is not among the requirements, and a Chromium: `CHROMIUM` is
its file, /usr/bin/chromium if unset. `SCREENSHOTS` is a folder for pictures of the page, and
`AXE` the file axe.min.js of the package axe-core, whose rules of accessibility are checked then.
"""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.review import folders, serving
from uaps_jax.annotation_queue import entry
from uaps_jax.datasets.folder import class_map
from uaps_jax.review.decisions import Decisions

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright, which drives a browser, is not installed"
)
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SIZE = (300, 400)
COUNT = 10
VIEWS = {"desktop": (1280, 900), "tablet": (820, 1180), "phone": (390, 844)}


@pytest.fixture
def browser():
    if not CHROMIUM.is_file():
        pytest.skip(f"there is no browser {CHROMIUM}; CHROMIUM names another")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@contextlib.contextmanager
def served(folder, number=signal.SIGINT):
    process, address = serving.start(folder)
    try:
        yield process, address
    finally:
        if process.poll() is None:
            serving.end(process, number)


def opened(browser, address, view="desktop"):
    """The page, and what went wrong in it."""
    width, height = VIEWS[view]
    page = browser.new_page(viewport={"width": width, "height": height}, bypass_csp=True)
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(address)
    return page, errors


def wait_for(page, rank):
    """Until the image of a rank is shown with its mask."""
    page.wait_for_function(
        f"""document.getElementById("place").textContent.startsWith("image {rank} of")
        && document.getElementById("mask").width > 0
        && document.getElementById("photograph").complete"""
    )


def at(page, x, y):
    """The place in the window of a pixel of the image."""
    box = page.locator("#mask").bounding_box()
    return box["x"] + box["width"] * x / SIZE[1], box["y"] + box["height"] * y / SIZE[0]


def drag(page, *places):
    page.mouse.move(*at(page, *places[0]))
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*at(page, *place), steps=5)
    page.mouse.up()


def on_disk(folder):
    return Decisions(entry.read(folder))


def saved_within(folder, rank, is_so, seconds=10):
    """Waits until the decision of an image is as asked, and returns it."""
    file = folder / "decisions" / f"{rank:05d}.json"
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if file.exists() and is_so(json.loads(file.read_text())):
            return on_disk(folder)[rank]
        time.sleep(0.05)
    raise AssertionError(f"image {rank}: {file.read_text() if file.exists() else 'nothing'}")


def pictured(page, name):
    """A screenshot, and the serious violations of the rules of axe, if they are asked for."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"review_{name}.png", full_page=True)
    if axe := os.environ.get("AXE"):
        page.add_script_tag(path=axe)
        found = page.evaluate("axe.run()")["violations"]
        assert [(one["id"], one["impact"]) for one in found] == [], name
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def test_a_draft_belongs_to_the_image_that_was_painted(browser, tmp_path):
    folder = folders.write(tmp_path / "queue", 3, SIZE)
    with served(folder) as (_, address):
        page, errors = opened(browser, address)
        wait_for(page, 1)
        page.keyboard.press("b")
        # While the decision is on its way, the stroke is not undone, so that no draft follows it.
        drag(page, (100, 100), (200, 100))
        held = []
        page.route("**/decide/1*", lambda route: held.append(route))
        page.keyboard.press("a")
        page.keyboard.press("z")
        page.locator("#undo").click()
        held[0].continue_()
        page.unroute("**/decide/1*")
        wait_for(page, 2)
        time.sleep(1)
        assert [on_disk(folder)[rank].state for rank in (1, 2)] == ["corrected", "undecided"]
        assert on_disk(folder)[2].version == 0

        # Changed in another tab, with a stroke here that is not saved: that tab counts.
        other, _ = opened(browser, address)
        wait_for(other, 2)
        other.keyboard.press("r")
        wait_for(other, 3)
        drag(page, (100, 100), (200, 100))
        page.keyboard.press("a")
        page.wait_for_function(
            "document.getElementById('message').textContent.includes('another tab')"
        )
        time.sleep(1)
        assert (on_disk(folder)[2].state, on_disk(folder)[2].version) == ("rejected", 1)

        # Strokes without a pause are saved, too.
        page.keyboard.press("n")
        wait_for(page, 3)
        deadline = time.monotonic() + 10
        while on_disk(folder)[3].mask is None:
            assert time.monotonic() < deadline
            drag(page, (100, 100), (200, 100 + 10 * (time.monotonic_ns() % 7)))
        assert on_disk(folder)[3].state == "undecided"
        page.close()
        assert errors == []


def test_ten_images_are_decided_and_a_kill_loses_nothing(browser, tmp_path):
    folder = folders.write(tmp_path / "queue", COUNT, SIZE)
    expected = {}
    with served(folder) as (process, address):
        page, errors = opened(browser, address)
        wait_for(page, 1)
        pictured(page, "first")
        page.keyboard.press("a")
        wait_for(page, 2)
        page.get_by_role("button", name="Accept").click()
        wait_for(page, 3)
        page.get_by_role("button", name="Reject").click()
        wait_for(page, 4)
        page.keyboard.press("c")
        wait_for(page, 5)

        # A stroke, undone, and another one.
        page.keyboard.press("2")
        drag(page, (100, 100), (200, 100))
        saved_within(folder, 5, lambda saved: saved["mask"] is not None)
        page.keyboard.press("z")
        saved_within(folder, 5, lambda saved: saved["mask"] is None)
        drag(page, (50, 200), (150, 200), (150, 250))
        page.keyboard.press("u")
        pictured(page, "painted")
        page.keyboard.press("u")
        page.keyboard.press("a")
        wait_for(page, 6)
        mask = on_disk(folder).mask(5)
        radius = 9 / 2
        y, x = np.mgrid[: SIZE[0], : SIZE[1]] + 0.5
        far = np.minimum(
            np.hypot(x - x.clip(50, 150), y - 200), np.hypot(x - 150, y - y.clip(200, 250))
        )
        assert (mask[far < radius - 1.5] == 2).all()
        proposal = on_disk(folder).proposal(5)
        np.testing.assert_array_equal(mask[far > radius + 1.5], proposal[far > radius + 1.5])
        expected[5] = mask

        # The eraser, zoomed in; then the server is killed before a decision.
        page.keyboard.press("e")
        page.keyboard.press("+")
        page.keyboard.press("+")
        page.evaluate("document.getElementById('stage').scrollTo(0, 0)")
        drag(page, (3, 3), (14, 3))
        page.keyboard.press("a")
        wait_for(page, 7)
        assert on_disk(folder)[6].state == "corrected"
        expected[6] = on_disk(folder).mask(6)
        assert (expected[6] != folders.proposal(6)[3, 8]).any()
        page.keyboard.press("f")
        page.keyboard.press("0")
        drag(page, (300, 50), (300, 250))
        saved_within(folder, 7, lambda saved: saved["mask"] is not None)
        expected[7] = on_disk(folder).mask(7)
        assert expected[7][150, 300] == 255
        serving.end(process, signal.SIGKILL)
        page.keyboard.press("a")
        page.wait_for_function("document.getElementById('message').textContent.includes('again')")
        assert "Not saved. The program does not answer." in page.inner_text("#message")
        page.close()
        assert errors == []
    states = [on_disk(folder)[rank].state for rank in range(1, COUNT + 1)]
    assert states[:6] == ["accepted", "accepted", "rejected", "to_correct", *["corrected"] * 2]
    assert states[6:] == ["undecided"] * 4

    with served(folder) as (_, address):
        page, errors = opened(browser, address)
        wait_for(page, 7)  # the first undecided one, as it was painted
        loaded = page.evaluate(
            """[...document.getElementById("mask").getContext("2d")
            .getImageData(300, 150, 1, 1).data]"""
        )
        assert loaded == [224, 224, 224, 255]
        other, _ = opened(browser, address)
        wait_for(other, 7)
        page.keyboard.press("a")
        wait_for(page, 8)
        other.keyboard.press("r")
        other.wait_for_function(
            "document.getElementById('message').textContent.includes('another tab')"
        )
        assert other.inner_text("#state") == "accepted with a corrected mask"
        other.close()
        page.keyboard.press("n")
        wait_for(page, 9)
        page.keyboard.press("r")
        wait_for(page, 10)
        page.keyboard.press("a")
        wait_for(page, 8)
        page.locator("#images").select_option(index=0)
        wait_for(page, 1)
        page.get_by_role("button", name="Next").click()
        wait_for(page, 2)
        page.locator("#keys").uncheck()
        page.keyboard.press("r")
        page.locator("#keys").check()
        page.locator("#images").select_option(index=7)
        wait_for(page, 8)
        page.keyboard.press("a")
        page.wait_for_function("document.getElementById('message').textContent.includes('All im')")
        for view in VIEWS:
            page.set_viewport_size(dict(zip(("width", "height"), VIEWS[view], strict=True)))
            pictured(page, view)
        page.close()
        assert errors == []
    decisions = on_disk(folder)
    assert [decisions[rank].state for rank in range(1, COUNT + 1)] == [
        *("accepted", "accepted", "rejected", "to_correct", "corrected", "corrected"),
        *("corrected", "accepted", "rejected", "accepted"),
    ]
    classes = class_map.from_file(folder / "annotated" / "classes.yaml")
    masks = sorted((folder / "annotated" / "masks").rglob("*.png"))
    assert len(masks) == len(list((folder / "annotated" / "images").rglob("*.png"))) == 7
    for rank in (1, 2, 5, 6, 7, 8, 10):
        name = decisions.queue.entries[rank - 1].name
        saved = (folder / "annotated" / "masks" / f"{name}.png").read_bytes()
        wanted = expected.get(rank, decisions.proposal(rank))
        np.testing.assert_array_equal(class_map.decode_mask(saved, classes), wanted)
