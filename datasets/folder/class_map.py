"""From the values of a mask, grey levels or colours, to class ids."""

from __future__ import annotations

import dataclasses
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from uaps_jax.datasets.common import LOSSY, SIXTEEN_BIT_GREY, UnreadableError, decode
from uaps_jax.datasets.folder import class_file
from uaps_jax.datasets.pieces import pieces
from uaps_jax.datasets.plain_text import is_plain
from uaps_jax.datasets.regular_files import read_regular
from uaps_jax.labels import IGNORE

IGNORE_NAME = "ignore"
CLASSES_FILE = "classes.yaml"

Value = int | tuple[int, int, int]
"""A grey level or palette index, or a colour."""

MOST_CLASSES = 254
"""Ids are 8-bit; one is for pixels without a label, one for values that belong to no class."""

_UNKNOWN = MOST_CLASSES
_MOST_NAMED = 8
_GREY_MODES = ("L", "P", *SIXTEEN_BIT_GREY)


class ClassMapError(ValueError):
    """An invalid class map; the message says why."""


@dataclasses.dataclass(frozen=True)
class ClassMap:
    """The classes of mask values.

    Attributes:
      names: class names by id; the first is the background.
      ids: value -> class id, `IGNORE` for pixels without a label. All values are grey levels or
        all are colours.
    """

    names: tuple[str, ...]
    ids: Mapping[Value, int]

    @property
    def by_colour(self) -> bool:
        """Whether the values are colours."""
        return any(isinstance(value, tuple) for value in self.ids)


def parse(entries: Sequence[tuple[str, Sequence[str]]]) -> ClassMap:
    """The class map that names and their values describe.

    Args:
      entries: `(name, values)`, background first; the name "ignore" means no label. A value
        is a whole number or "#rrggbb".

    Raises:
      ClassMapError: fewer than two classes or more than `MOST_CLASSES`, a name that is empty or
        holds control characters, a repeated name or value, an invalid value, or numbers
        and colours mixed.
    """
    names: list[str] = []
    ids: dict[Value, int] = {}
    for name, values in entries:
        label = IGNORE if name == IGNORE_NAME else len(names)
        if not name.strip() or not is_plain(name):
            raise ClassMapError(f"class {name!r}: the name is empty or holds control characters")
        if name in names:
            raise ClassMapError(f"class {reprlib.repr(name)} comes twice")
        if name != IGNORE_NAME:
            names.append(name)
        for text in values:
            value = _value(text)
            if value in ids:
                raise ClassMapError(f"value {text} stands for two classes, or twice for one")
            ids[value] = label
    if "background" in names[1:] or (names and ids.get(0, 0) not in (0, IGNORE)):
        raise ClassMapError(
            "the background must come first: the order of classes is that of ids, and value 0 "
            f"stands for {names[ids[0]] if ids.get(0, 0) not in (0, IGNORE) else 'a class'!r}"
        )
    if len(names) < 2:
        raise ClassMapError("needs a background and at least one class of defect")
    if len(names) > MOST_CLASSES:
        raise ClassMapError(f"has {len(names)} classes; at most {MOST_CLASSES} are possible")
    if len({isinstance(value, tuple) for value in ids}) > 1:
        raise ClassMapError("values must be all numbers or all colours (#rrggbb)")
    return ClassMap(tuple(names), ids)


def from_settings(entries: Sequence[str]) -> ClassMap:
    """The class map of settings such as `("background=0", "scratch=#ff0000,#ee0000")`.

    Raises:
      ClassMapError: an entry without "=", and as `parse`.
    """
    pairs = []
    for entry in entries:
        name, sign, values = entry.partition("=")
        if not sign or not name.strip():
            raise ClassMapError(f"{entry!r} is not of the form name=value")
        pairs.append((name.strip(), [value.strip() for value in values.split(",")]))
    return parse(pairs)


def from_file(file: Path) -> ClassMap:
    """The class map of a YAML file: `name: value` or `name: [value, ...]`, background first.

    Raises:
      ClassMapError: it is not such a file; and as `parse`.
    """
    try:
        text = read_regular(file, class_file.MOST_BYTES).decode("utf-8-sig")
        return parse(class_file.entries(text))
    except (OSError, UnicodeDecodeError) as error:
        raise ClassMapError(f"cannot be read: {error}") from error
    except class_file.ClassFileError as error:
        raise ClassMapError(str(error)) from error


def decode_mask(data: bytes, classes: ClassMap) -> np.ndarray:
    """Class ids uint8 [H, W] of an encoded mask.

    Raises:
      UnreadableError: it cannot be decoded, is a JPEG, is transparent, is of another kind than
        the class map, or holds values that are not in it.
    """
    values = mask_values(data, by_colour=classes.by_colour)
    table = np.full(_number(classes.by_colour), _UNKNOWN, np.uint8)
    for value, label in classes.ids.items():
        table[_packed(value)] = label
    ids = np.empty(values.shape[:2], np.uint8)
    for part, packed in _packed_pieces(values):
        ids.reshape(-1)[part] = table[packed]
    if (ids == _UNKNOWN).any():
        raise UnreadableError(_unknown(values, table, classes))
    return ids


def distinct_values(data: bytes, *, by_colour: bool) -> list[int]:
    """The values that a mask holds, ascending: grey levels or palette indices, or 0xrrggbb.

    Raises:
      UnreadableError: see `decode_mask`.
    """
    held = np.zeros(_number(by_colour), bool)
    for _, packed in _packed_pieces(mask_values(data, by_colour=by_colour)):
        held[packed] = True
    values: list[int] = np.flatnonzero(held).tolist()
    return values


def mask_values(data: bytes, *, by_colour: bool) -> np.ndarray:
    """The raw values of a mask: grey levels or palette indices, or colours.

    A one-bit mask has the values 0 and 255. A colour mask whose channels are equal is grey.

    Returns:
      Whole numbers from 0 to 65535, [H, W], or uint8 [H, W, 3].

    Raises:
      UnreadableError: see `decode_mask`.
    """
    mask = decode(data)
    if mask.format in LOSSY:
        raise UnreadableError(
            "the mask is a JPEG, whose compression changes class values; write it as PNG"
        )
    if mask.mode in ("RGBA", "LA", "PA"):
        if np.array(mask.getchannel("A")).min() < 255:
            raise UnreadableError("the mask has transparent pixels; write it without transparency")
        mask = mask.convert("L" if mask.mode == "LA" else "RGB")
    if mask.mode == "1":
        mask = mask.convert("L")
    if by_colour:
        if mask.mode in SIXTEEN_BIT_GREY:
            raise UnreadableError("the mask is 16-bit, but the class map holds colours")
        return np.array(mask.convert("RGB"))
    if mask.mode == "RGB":
        colours = np.array(mask)
        if (colours != colours[..., :1]).any():
            raise UnreadableError(
                "the mask is coloured, but the class map holds numbers; give the colours, #rrggbb"
            )
        return colours[..., 0]
    if mask.mode not in _GREY_MODES:
        raise UnreadableError(
            f"the mask has mode {mask.mode!r}; write class values as a grey or palette PNG"
        )
    levels = np.array(mask)
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high >= 2**16:
        raise UnreadableError(f"the mask holds the values {low} to {high}, known are 0 to 65535")
    return levels


def _unknown(values: np.ndarray, table: np.ndarray, classes: ClassMap) -> str:
    """The message about a mask with values that have no class in the table."""
    counts = np.zeros(len(table), np.int64)
    for _, packed in _packed_pieces(values):
        np.add.at(counts, packed[table[packed] == _UNKNOWN], 1)
    unknown = np.flatnonzero(counts).tolist()
    named = ", ".join(
        f"{_text(value, classes.by_colour)} ({counts[value]} pixels)"
        for value in unknown[:_MOST_NAMED]
    )
    known = [_text(_packed(value), classes.by_colour) for value in classes.ids]
    return (
        f"the mask holds values that are no class: {named}{_more(unknown)}; known are "
        f"{', '.join(known[:_MOST_NAMED])}{_more(known)} "
        f"(pixels without a label are the class {IGNORE_NAME!r})"
    )


def _more(items: Sequence[object]) -> str:
    """The number of items that are not listed, as text."""
    return f" and {len(items) - _MOST_NAMED} more" if len(items) > _MOST_NAMED else ""


def _value(text: str) -> Value:
    if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
    # With a leading zero YAML would read another number.
    if re.fullmatch(r"0|[1-9][0-9]{0,4}", text) and int(text) < 2**16:
        return int(text)
    hint = "" if text else "; in YAML a colour needs quotes, or # begins a comment"
    raise ClassMapError(
        f"{reprlib.repr(text)} is neither a number from 0 to 65535 nor a colour like "
        f"'#ff0000'{hint}"
    )


def _number(by_colour: bool) -> int:
    """The number of possible values."""
    return 2**24 if by_colour else 2**16


def _packed_pieces(values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields slices of the flattened pixels, and their values; a colour is 0xrrggbb."""
    pixels = values.reshape(-1, 3) if values.ndim == 3 else values.reshape(-1)
    for part in pieces(len(pixels)):
        piece = pixels[part]
        if values.ndim == 3:
            red, green, blue = piece.T.astype(np.int32)
            piece = red << 16 | green << 8 | blue
        yield part, piece


def _packed(value: Value) -> int:
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def _text(value: int, by_colour: bool) -> str:
    return f"#{value:06x}" if by_colour else str(value)
