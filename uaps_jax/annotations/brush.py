"""The run lengths of Label Studio's brush, those of thi.ng's package rle-pack.

A stream of bits, the high one of a byte first: 32 bits, the number of values; 5 bits, the bits of a
value less 1; four times 4 bits, the bits of a count less 1. Then blocks: 1 bit, whether the values
of the block are equal; 2 bits, which of the four sizes its count has; the number of values less 1;
and its one value, or all of its values. The values are those of the image row by row, red, green,
blue and alpha of each pixel. https://github.com/thi-ng/umbrella (packages/rle-pack)
"""

from __future__ import annotations

import numpy as np

SIZES = (3, 4, 8, 16)
"""Bits of the counts that are written."""

WORD = 8


def encode(region: np.ndarray) -> bytes:
    """The bits of a region, bool [height, width], whose pixels have 255 in all four channels."""
    flat = region.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], changes])
    lengths = 4 * np.diff(np.concatenate([starts, [flat.size]]))
    head = [f"{4 * flat.size:032b}", f"{WORD - 1:05b}", *(f"{size - 1:04b}" for size in SIZES)]
    blocks = [
        _block(count, 255 * bool(flat[start]))
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        for count in _parts(length, 2 ** SIZES[-1])
    ]
    bits = "".join([*head, *blocks])
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def decode(data: bytes, height: int, width: int) -> np.ndarray:
    """The region, bool [height, width]: the pixels at least half as opaque as the most opaque one.

    A brush has a soft edge, and the layer that it is drawn on may be transparent.

    Raises:
      ValueError: these are not the bits of a mask of that size.
    """
    bits = _Bits(data)
    number = bits.read(32)
    if number != 4 * height * width:
        raise ValueError(f"a brush of {number} values for {width} x {height} pixels of 4 values")
    if (word := bits.read(5) + 1) != WORD:
        raise ValueError(f"a brush with values of {word} bits, not of {WORD}")
    sizes = [bits.read(4) + 1 for _ in range(4)]
    values = np.empty(number, np.uint8)
    done = 0
    while done < number:
        is_run = bits.read(1)
        count = bits.read(sizes[bits.read(2)]) + 1
        if done + count > number:
            raise ValueError(f"a brush with more than the {number} values that it states")
        values[done : done + count] = bits.read(WORD) if is_run else bits.words(count)
        done += count
    alpha = values[3::4].reshape(height, width)
    return np.asarray((alpha >= alpha.max() / 2) & (alpha > 0))


def _parts(length: int, most: int) -> list[int]:
    return [most] * (length // most) + [length % most] * (length % most > 0)


def _block(count: int, value: int) -> str:
    index = next(index for index, size in enumerate(SIZES) if count <= 2**size)
    return f"1{index:02b}{count - 1:0{SIZES[index]}b}{value:0{WORD}b}"


class _Bits:
    """Reads numbers from a stream of bits."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, size: int) -> int:
        """The next number of `size` bits."""
        end = self._advance(size)
        piece = self._data[(end - size) // 8 : (end + 7) // 8]
        return int.from_bytes(piece, "big") >> -end % 8 & (1 << size) - 1

    def words(self, count: int) -> np.ndarray:
        """The next numbers of 8 bits each, uint8 [count]."""
        end = self._advance(WORD * count)
        start, shift = divmod(end - WORD * count, 8)
        piece = np.frombuffer(self._data[start : (end + 7) // 8], np.uint8)
        if not shift:
            return piece
        return (piece[:-1] << shift) | (piece[1:] >> (8 - shift))

    def _advance(self, size: int) -> int:
        self._at += size
        if self._at > 8 * len(self._data):
            raise ValueError("a brush whose bits end too early")
        return self._at
