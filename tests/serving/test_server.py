"""The HTTP server: answers, refusals, clients, and its end."""

import dataclasses
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests import example_files
from tests.serving import served
from uaps_jax.config import ConfigError
from uaps_jax.local_http import HOST
from uaps_jax.serving import places, receiving, server

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A service, photographs of several sizes, and their results by `predict`."""
    folder = tmp_path_factory.mktemp("served")
    files = served.photographs(folder / "in", [(40, 33), (16, 16), (9, 50)])
    service, expected = served.served(served.config(fit="crop"), folder / "in", folder / "run")
    return service, files, expected


@contextmanager
def running(service):
    """The port of a server in a thread."""
    one = server.Server(service, 0)
    thread = threading.Thread(target=one.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield one.server_port
    finally:
        one.shutdown()
        thread.join()
        one.server_close()


def ask(port, path="/", data=None, method=None, **headers):
    """Status and answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    connection.request(method or ("GET" if data is None else "POST"), path, data, headers)
    response = connection.getresponse()
    assert response.headers["Content-Type"] == "application/json"
    return response.status, json.load(response)


def test_photographs_are_answered_and_others_refused_with_a_sentence(made, monkeypatch):
    service, files, expected = made
    before = service.timings.summary()
    with running(service) as port:
        for file in files:
            status, answer = ask(port, "/?mask=1", file.read_bytes())
            assert (status, answer["verdict"]) == (200, expected[file.stem].verdict)
            assert answer["mask_png"]
        assert "mask_png" not in ask(port, "/", files[0].read_bytes())[1]
        status, about = ask(port, "/health")
        assert (status, about["sha256"]) == (200, service.model.sha256)
        assert about["classes"] == ["background", "dark", "bright"]
        assert (about["height"], about["width"], about["fit"]) == (16, 16, "crop")
        status, numbers = ask(port, "/stats")
        assert numbers["photographs"] - before["photographs"] == len(files) + 1
        assert numbers["p50_ms"] <= numbers["p95_ms"] <= numbers["p99_ms"]

        refusals = []

        def refused(status, text, *given, **headers):
            found, answer = ask(port, *given, **headers)
            assert found == status
            assert text in answer["error"]
            refusals.append(text)

        refused(422, "the photograph is not judged: the file is empty", "/", b"")
        refused(422, "not an image of a format that is read", "/", b"GIF89a")
        refused(422, "cannot be read", "/", files[0].read_bytes()[:99])
        refused(404, "POST a photograph to /", "/predict", b"x" * 2**20)
        refused(404, "there are /health and /stats", "/")
        refused(400, "the only parameter is mask=1", "/?masks=1", b"x")
        refused(411, "Content-Length", "/", iter([b"x"]))
        for name, value in (("Host", "evil.example"), ("Origin", "null"), ("Host", f"{HOST}:1")):
            refused(403, "only programs on this machine", "/health", **{name: value})
            refused(403, "there may be no header Origin", "/", b"x" * 2**20, **{name: value})
        assert ask(port, "/health", Host="localhost")[0] == 200
        refused(501, "PUT: GET /health or /stats, or POST", "/", b"x" * 2**20, "PUT")
        connection = http.client.HTTPConnection(HOST, port, timeout=20)
        connection.request("HEAD", "/health")
        assert connection.getresponse().status == 501
        monkeypatch.setattr(receiving, "BODY_S", 0.2)
        refused(408, "1 of 2 bytes came within 0.2 s", "/", b"x", **{"Content-Length": "2"})
        run = service.model.run
        broken = dataclasses.replace(
            service.model, run=lambda images: {k: v * np.nan for k, v in run(images).items()}
        )
        monkeypatch.setattr(service, "model", broken)
        refused(500, "the score of the photograph is nan", "/", files[0].read_bytes())
        monkeypatch.setattr(server, "MOST_BYTES", 1000)
        refused(413, "has 2000000 bytes; at most 1000 are read", "/", b"x" * 2_000_000)
    assert service.timings.summary()["refused"] - before["refused"] == len(refusals) + 1


HALF = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nxx"
HALF_A_HEADER = b"POST / HTTP/1.1\r\nHost: "


def opened(port, starts):
    """Connections over which these bytes were sent."""
    connections = [socket.create_connection((HOST, port)) for _ in starts]
    for connection, start in zip(connections, starts, strict=True):
        connection.sendall(start)
    return connections


@contextmanager
def trickling(port, starts):
    """Clients that send these bytes, and then one at a time."""
    connections, ended = opened(port, starts), threading.Event()

    def send():
        while not ended.wait(0.05):
            for connection in connections:
                with suppress(OSError):
                    connection.send(b"x")

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for connection in connections:
            connection.close()


def test_clients_that_go_away_stop_nothing_and_are_counted_once(made):
    service, files, _ = made

    def refused():
        return service.timings.summary()["refused"]

    before = refused()
    with running(service) as port:
        for connection in opened(port, [HALF] * places.AT_ONCE):
            connection.close()
        assert ask(port, "/", files[0].read_bytes())[0] == 200
        end = time.monotonic() + 20
        while refused() < before + places.AT_ONCE and time.monotonic() < end:
            time.sleep(0.02)
        assert ask(port, "/health")[0] == 200
        assert refused() == before + places.AT_ONCE


def test_clients_that_send_slowly_do_not_keep_their_places(made, monkeypatch):
    service, files, _ = made
    photograph = files[0].read_bytes()
    monkeypatch.setattr(receiving, "BODY_S", 2.0)
    monkeypatch.setattr(places, "PLACE_S", 0.1)
    with running(service) as port, trickling(port, [HALF] * places.AT_ONCE):
        time.sleep(0.5)  # until they have their places
        status, answer = ask(port, "/", photograph)
        assert (status, "4 other photographs" in answer["error"]) == (503, True)
        monkeypatch.setattr(places, "PLACE_S", 20)
        status, answer = ask(port, "/", photograph)
        assert status == 200
        assert answer["milliseconds"]["waiting"] > 100


def test_the_end_waits_for_photographs_that_were_received_up_to_a_limit(monkeypatch, caplog):
    taken, ended = places.Places(), threading.Event()

    def answer():
        with taken.received():
            ended.wait(20)

    thread = threading.Thread(target=answer)
    thread.start()
    monkeypatch.setattr(places, "END_S", 0.1)
    while "photographs that are not answered: 1" not in caplog.text:
        taken.finish()
    monkeypatch.setattr(places, "END_S", 20)
    threading.Timer(0.2, ended.set).start()
    taken.finish()
    assert ended.is_set()
    thread.join()


def test_a_port_in_use_is_said(made):
    with running(made[0]) as port, pytest.raises(ConfigError, match=f"--port={port}: .*in use"):
        server.Server(made[0], port)


@pytest.fixture(scope="module")
def process(made):
    """A server as a person starts it, and its port."""
    service, _, _ = made
    command = [sys.executable, "run.py", "--mode=serve", f"--input={service.model.file}"]
    started = subprocess.Popen(
        [*command, "--port=0", "--mm_per_pixel=0.5"],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"UAPS_JAX_STARTED": "1"},
    )
    try:
        line = started.stdout.readline()
        assert line.startswith("serving on http://127.0.0.1:"), line + started.stderr.read()
        yield started, line.rstrip("/\n").rpartition(":")[2]
    finally:
        started.kill()
        started.communicate()


def test_the_clients_get_the_verdicts_of_predict_and_the_server_ends(made, process, tmp_path):
    _, files, expected = made
    started, port = process
    verdicts = [expected[file.stem].verdict for file in files]
    assert set(verdicts) == {"OK", "not OK"}
    client = [sys.executable, example_files.EXAMPLES / "serve_client.py", port, *files]
    printed = subprocess.run(client, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split(" ", 1)[1].split(",")[0] for line in printed] == verdicts
    if compiler := shutil.which("c++") or shutil.which("g++"):
        program = tmp_path / "serve_client"
        source = example_files.EXAMPLES / "serve_client.cpp"
        flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror")
        subprocess.run([compiler, *flags, "-o", program, source], check=True)
        for file, verdict in zip(files, verdicts, strict=True):
            done = subprocess.run([program, port, file], capture_output=True, text=True)
            assert json.loads(done.stdout)["verdict"] == verdict
            assert done.returncode == ["OK", "not OK"].index(verdict)
        assert subprocess.run([program, port, tmp_path / "none"]).returncode == 2
    with trickling(int(port), [HALF, HALF_A_HEADER]):
        time.sleep(0.3)
        started.send_signal(signal.SIGTERM)
        output, errors = started.communicate(timeout=30)
    assert started.returncode == 0, errors
    assert "stopped: photographs" in output
    assert "not OK, score" in errors
    if compiler is None:
        pytest.skip("no C++ compiler: the C++ client was not tried")
