"""The server of the page: who is answered, what is saved, and what a crash leaves."""

import http.client
import json
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.review import folders, serving
from uaps_jax.annotation_queue import entry
from uaps_jax.datasets.folder import class_map
from uaps_jax.review import server
from uaps_jax.review.decisions import Decisions
from uaps_jax.review.server import Server


@pytest.fixture
def folder(tmp_path):
    return folders.write(tmp_path)


@pytest.fixture
def client(folder):
    opened = Server(Decisions(entry.read(folder)))
    thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
    thread.start()
    yield serving.Client(opened.address)
    opened.shutdown()
    thread.join()
    opened.server_close()


def test_the_page_and_all_that_it_loads_are_served(client):
    status, page = client.ask("")
    assert status == 200
    assert b'<html lang="en">' in page
    loaded = re.findall(rb'(?:src|href)="(?!data:)([^"]+)"', page)
    assert sorted(loaded) == [b"page.css", b"page.js"]
    for name in loaded:
        status, content = client.ask(name.decode())
        assert status == 200
        loaded += re.findall(rb'from "./([^"]+)"', content)
        assert not re.search(rb"https?://(?!www\.w3\.org)", content)
    written = {file.name for file in Path(server.__file__).parent.glob("*.[cj]s*")}
    assert {name.decode() for name in loaded} == written
    state = json.loads(client.ask("state")[1])
    assert [image["image"] for image in state["images"]][1] == "deep/part_02.png"
    assert [one["id"] for one in state["classes"]] == [1, 2, 255]
    for kind in ("photograph", "uncertainty"):
        assert client.ask(f"{kind}/2")[0] == 200
    status, mask = client.ask("mask/2")
    np.testing.assert_array_equal(
        np.frombuffer(mask, np.uint8).reshape(folders.HEIGHT, folders.WIDTH), folders.proposal(2)
    )


def test_only_who_knows_the_address_is_answered(client, folder):
    port = client.url.port
    for token in ("/", "/x/", "", client.url.path[:-2] + "/", client.url.path[:-1]):
        for method in ("GET", "POST"):
            status, text = client.ask("", method, token=token or "/state")
            assert status == 403, token
            assert client.url.path[1:-1].encode() not in text
    assert client.decide(1, "accept", token="/wrong/")[0] == 403
    for name, value in (
        ("Host", f"evil.example:{port}"),
        ("Host", "127.0.0.1:1"),
        ("Origin", "https://evil.example"),
        ("Origin", "null"),
    ):
        assert client.ask("state", headers={name: value}.items())[0] == 403, value
        assert client.decide(1, "accept", headers={name: value}.items())[0] == 403, value
    own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
    assert client.ask("state", headers=own.items())[0] == 200
    assert not (folder / "decisions").exists()


def test_an_address_that_is_none_is_refused(client):
    assert client.ask("", token="x://[a/")[0] == 400


def test_no_path_leads_to_another_file(client):
    for path in (
        "../../etc/passwd",
        "photograph/../queue.jsonl",
        "photograph/0",
        "photograph/5",
        "photograph/-1",
        "photograph/%C2%B2",
        "photograph/1/2",
        "images/1",
        "server.py",
        "mask",
    ):
        status, text = client.ask(path)
        assert status in (403, 404), path
        assert len(text) < 100


def test_masks_that_do_not_fit_are_refused(client, folder):
    good = folders.proposal(1)
    good[0] = 255
    bad = good.copy()
    bad[3, 3] = 3
    for body, reason in (
        (bad, "3 is the id of no class"),
        (good[1:], "a mask of 220 bytes, for 20 x 12 pixels"),
        (np.concatenate([good, good]), "a mask of 480 bytes"),
    ):
        status, text = client.decide(1, "accept", body=body)
        assert (status, reason in text.decode()) == (400, True), text
    assert client.decide(1, "accept", headers={"Content-Length": "1" * 5000}.items())[0] == 411
    assert client.decide(1, "accept", headers={"Content-Length": "-1"}.items())[0] == 411
    assert client.decide(1, "please")[0] == 400
    assert client.decide(1, "accept", version="x")[0] == 400
    assert client.decide(1, "accept", version="1" * 5000)[0] == 400
    assert client.decide(9, "accept")[0] == 404
    assert not (folder / "decisions").exists()
    status, text = client.decide(1, "accept", body=good)
    assert (status, json.loads(text)["state"]) == (200, "corrected")


def test_two_tabs_do_not_overwrite_each_other(client, folder):
    states = []

    def tab(action):
        for rank in range(1, 5):
            states.append((rank, client.decide(rank, action)[0]))

    tabs = [threading.Thread(target=tab, args=(action,)) for action in ("accept", "reject") * 3]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    for rank in range(1, 5):
        assert sorted(s for r, s in states if r == rank) == [200] + [409] * 5
    again = Decisions(entry.read(folder))
    shown = json.loads(client.ask("state")[1])["images"]
    assert [again[rank].state for rank in range(1, 5)] == [image["state"] for image in shown]
    status, text = client.decide(1, "clear")
    assert (status, json.loads(text)["version"]) == (409, 1)


def test_nothing_that_was_decided_is_lost_when_the_server_is_killed(folder):
    process, address = serving.start(folder)
    client = serving.Client(address)
    rng = np.random.default_rng(0)
    masks = {
        rank: rng.choice([0, 1, 2, 255], (folders.HEIGHT, folders.WIDTH)).astype(np.uint8)
        for rank in (2, 3)
    }
    answered = {}
    try:
        assert client.decide(1, "accept")[0] == 200
        assert client.decide(2, "accept", body=masks[2])[0] == 200
        old = client.url.path

        def paint():
            try:
                for version in range(10**6):
                    status, text = client.decide(3, "draft", version, masks[3])
                    assert status == 200
                    answered[3] = json.loads(text)["version"]
            except (OSError, http.client.HTTPException):
                pass  # it was killed

        painting = threading.Thread(target=paint)
        painting.start()
        while answered.get(3, 0) < 5:
            assert painting.is_alive()
    finally:
        serving.end(process, signal.SIGKILL)
    painting.join()
    process, address = serving.start(folder)
    client = serving.Client(address)
    try:
        state = json.loads(client.ask("state")[1])["images"]
        assert [image["state"] for image in state] == [
            "accepted",
            "corrected",
            "undecided",
            "undecided",
        ]
        assert state[2]["version"] >= answered[3]
        for rank, expected in masks.items():
            mask = np.frombuffer(client.ask(f"mask/{rank}")[1], np.uint8)
            np.testing.assert_array_equal(mask.reshape(expected.shape), expected)
        assert client.url.path != old
        assert client.ask("state", token=old)[0] == 403
    finally:
        assert serving.end(process, signal.SIGINT) == 0
    classes = class_map.from_file(folder / "annotated" / "classes.yaml")
    saved = (folder / "annotated" / "masks" / "deep" / "part_02.png").read_bytes()
    np.testing.assert_array_equal(class_map.decode_mask(saved, classes), masks[2])
