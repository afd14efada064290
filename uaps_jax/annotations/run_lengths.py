"""Run lengths of masks, column by column, as COCO has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def of_mask(region: np.ndarray) -> np.ndarray:
    """The lengths of the runs of a region, bool [height, width]; the first counts what is outside.

    Returns:
      int64; 0 first if the region has the first pixel.
    """
    flat = region.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    lengths = np.diff(np.concatenate([[0], changes, [flat.size]]))
    return np.concatenate([[0], lengths]) if flat[0] else lengths


def of_part(part: np.ndarray, left: int, top: int, size: tuple[int, int]) -> np.ndarray:
    """The run lengths of a region in an image; what lies outside of the image is left out.

    Args:
      part: bool [h, w].
      left: column of its first pixel in the image; may be negative, as `top`.
      top: row of it.
      size: height and width of the image.
    """
    height, width = size
    first, last = (min(max(column, 0), width) for column in (left, left + part.shape[1]))
    start, stop = (min(max(row, 0), height) for row in (top, top + part.shape[0]))
    columns = np.zeros((height, last - first), bool)
    columns[start:stop] = part[start - top : stop - top, first - left : last - left]
    lengths = of_mask(columns) if columns.size else np.zeros(1, np.int64)
    lengths[0] += first * height
    after = (width - last) * height
    if len(lengths) % 2:  # It ends outside of the region.
        lengths[-1] += after
        return lengths
    return np.append(lengths, after) if after else lengths


def draw(drawn: np.ndarray, lengths: np.ndarray, value: int) -> bool:
    """Gives the pixels of a region a value, in place; returns whether it has any.

    Args:
      drawn: uint8 [height, width].
      lengths: of the runs of the whole image.
      value: of the pixels.
    """
    height = len(drawn)
    ends = np.cumsum(lengths)
    inside = lengths[1::2] > 0
    if not inside.any():
        return False
    first = int(ends[0:-1:2][inside][0]) // height
    last = -(-int(ends[1::2][inside][-1]) // height)
    # Only the columns that the region has pixels in.
    cut = np.diff(np.clip(ends, first * height, last * height), prepend=first * height)
    drawn[:, first:last][to_mask(cut, height, last - first)] = value
    return True


def to_mask(lengths: Sequence[int] | np.ndarray, height: int, width: int) -> np.ndarray:
    """The region, bool [height, width], of run lengths that have its number of pixels."""
    of_runs = np.arange(len(lengths)) % 2 == 1
    return np.repeat(of_runs, lengths).reshape(width, height).T


def checked(counts: str | Sequence[int], pixels: int) -> np.ndarray:
    """The lengths of runs that a file states, int64.

    Args:
      counts: numbers, or their text form, see `to_text`.
      pixels: of the mask.

    Raises:
      ValueError: they are not run lengths of such a mask.
    """
    lengths = _from_text(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if sum(lengths) != pixels or min(lengths, default=0) < 0:
        raise ValueError(f"run lengths for {sum(lengths)} pixels of a mask that has {pixels}")
    return np.array(lengths, np.int64)


def to_text(lengths: Sequence[int] | np.ndarray) -> str:
    """The text form that pycocotools reads.

    A number has 5 bits a character, the low ones first; 32 says that more follow, and 48 is added.
    From the fourth number on, it is the difference to the number two before.
    """
    characters: list[int] = []
    values = [int(length) for length in lengths]
    for index, value in enumerate(values):
        rest = value - values[index - 2] if index > 2 else value
        while True:
            bits, rest = rest & 31, rest >> 5
            is_last = rest == (-1 if bits & 16 else 0)
            characters.append(48 + bits + (0 if is_last else 32))
            if is_last:
                break
    return bytes(characters).decode("ascii")


def _from_text(text: str) -> list[int]:
    numbers: list[int] = []
    number, shift = 0, 0
    for character in text.encode("ascii"):
        bits = character - 48
        if not 0 <= bits < 64 or shift > 60:
            raise ValueError(f"{chr(character)!r} in run lengths")
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        numbers.append(number + (numbers[-2] if len(numbers) > 2 else 0))
        number, shift = 0, 0
    return numbers
