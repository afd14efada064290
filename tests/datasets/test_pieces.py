"""Large arrays in pieces."""

import tracemalloc

import numpy as np

from uaps_jax.datasets import pieces


def test_pieces_cover_everything_once_and_in_order(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 4)
    for count in (0, 1, 4, 9):
        rows = [row for part in pieces.pieces(count) for row in np.arange(count)[part]]
        assert rows == list(range(count))
    assert [len(np.arange(9)[part]) for part in pieces.pieces(9)] == [4, 4, 1]


def test_values_are_counted_over_all_pieces(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 7)
    array = np.random.default_rng(0).integers(0, 5, (6, 9), np.uint8)
    expected = [(array == value).sum() for value in range(8)]
    assert pieces.count_values(array.T, 8).tolist() == expected


def test_counting_takes_no_eight_bytes_a_pixel():
    array = np.ones((2000, 2000), np.uint8)
    tracemalloc.start()
    assert pieces.count_values(array, 256)[1] == array.size
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * array.size
