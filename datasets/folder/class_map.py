"""From the values of a mask, grey levels or colours, to class ids."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from datasets.common import SIXTEEN_BIT_GREY, UnreadableError, decode
from uaps_jax.labels import IGNORE

IGNORE_NAME = "ignore"
CLASSES_FILE = "classes.yaml"

Value = int | tuple[int, int, int]
"""A grey level or palette index, or a colour."""

_MOST_NAMED = 8
_GREY_MODES = ("L", "P", *SIXTEEN_BIT_GREY)


class ClassMapError(ValueError):
    """A class map that cannot be used; its text says why."""


@dataclasses.dataclass(frozen=True)
class ClassMap:
    """What the values of masks mean.

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


def parse(entries: Sequence[tuple[str, Sequence[str | int]]]) -> ClassMap:
    """The class map that names and their values describe.

    Args:
      entries: `(name, values)`, background first; the name "ignore" stands for no label. A value
        is a whole number or "#rrggbb".

    Raises:
      ClassMapError: fewer than two classes, a name or value that comes twice, a value that is
        none, or numbers and colours mixed.
    """
    names: list[str] = []
    ids: dict[Value, int] = {}
    for name, values in entries:
        label = IGNORE if name == IGNORE_NAME else len(names)
        if name in names:
            raise ClassMapError(f"class {name!r} comes twice")
        if name != IGNORE_NAME:
            names.append(name)
        for text in values:
            value = _value(text)
            if value in ids:
                raise ClassMapError(f"value {text} stands for two classes")
            ids[value] = label
    if "background" in names[1:] or (names and ids.get(0, 0) not in (0, IGNORE)):
        raise ClassMapError(
            "the background must come first: the order of classes is that of ids, and value 0 "
            f"stands for {names[ids[0]] if ids.get(0, 0) not in (0, IGNORE) else 'a class'!r}"
        )
    if len(names) < 2:
        raise ClassMapError("needs a background and at least one class of defect")
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
      ClassMapError: it is no such file, and as `parse`.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ClassMapError(f"cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ClassMapError("must map class names to values, a line each: scratch: 1")
    return parse(
        [
            (str(name), values if isinstance(values, list) else [values])
            for name, values in content.items()
        ]
    )


def decode_mask(data: bytes, classes: ClassMap) -> np.ndarray:
    """Class ids uint8 [H, W] of an encoded mask.

    Raises:
      UnreadableError: it cannot be decoded, is a JPEG, is transparent, is of another kind than
        the class map, or holds values that are not in it.
    """
    values = mask_values(data, by_colour=classes.by_colour)
    found, inverse = np.unique(values, return_inverse=True)
    keys = {(_packed(v) if isinstance(v, tuple) else v): i for v, i in classes.ids.items()}
    unknown = [value for value in found.tolist() if value not in keys]
    if unknown:
        counts = np.bincount(inverse.ravel(), minlength=len(found))
        named = ", ".join(
            f"{_text(value, classes.by_colour)} ({counts[np.searchsorted(found, value)]} pixels)"
            for value in unknown[:_MOST_NAMED]
        )
        more = f" and {len(unknown) - _MOST_NAMED} more" if len(unknown) > _MOST_NAMED else ""
        known = ", ".join(_text(value, classes.by_colour) for value in keys)
        raise UnreadableError(
            f"the mask holds values that are no class: {named}{more}; known are {known} "
            f"(pixels without a label are the class {IGNORE_NAME!r})"
        )
    table = np.array([keys[value] for value in found.tolist()], np.uint8)
    ids: np.ndarray = table[inverse].reshape(values.shape)
    return ids


def mask_values(data: bytes, *, by_colour: bool) -> np.ndarray:
    """The raw values of a mask: grey levels or palette indices, or colours as 0xrrggbb.

    A one-bit mask has the values 0 and 255. A colour mask whose channels are equal is grey.

    Returns:
      int64 [H, W].

    Raises:
      UnreadableError: see `decode_mask`.
    """
    mask = decode(data)
    if Image.open(io.BytesIO(data)).format == "JPEG":
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
        return _pack(np.array(mask.convert("RGB")))
    if mask.mode == "RGB":
        colours = np.array(mask)
        if (colours != colours[..., :1]).any():
            raise UnreadableError(
                "the mask is coloured, but the class map holds numbers; give the colours, #rrggbb"
            )
        return colours[..., 0].astype(np.int64)
    if mask.mode not in _GREY_MODES:
        raise UnreadableError(
            f"the mask has mode {mask.mode!r}; write class values as a grey or palette PNG"
        )
    return np.array(mask).astype(np.int64)


def _value(text: str | int) -> Value:
    if isinstance(text, int) and not isinstance(text, bool) and 0 <= text < 2**16:
        return text
    if isinstance(text, str):
        if re.fullmatch(r"#[0-9a-fA-F]{6}", text):
            return (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
        if re.fullmatch(r"\d{1,5}", text) and int(text) < 2**16:
            return int(text)
    hint = "; in YAML a colour needs quotes, or # begins a comment" if text is None else ""
    raise ClassMapError(
        f"{text!r} is neither a number from 0 to 65535 nor a colour like '#ff0000'{hint}"
    )


def _pack(colours: np.ndarray) -> np.ndarray:
    wide = colours.astype(np.int64)
    packed: np.ndarray = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    return packed


def _packed(colour: tuple[int, int, int]) -> int:
    return (colour[0] << 16) | (colour[1] << 8) | colour[2]


def _text(value: int, by_colour: bool) -> str:
    return f"#{value:06x}" if by_colour else str(value)
