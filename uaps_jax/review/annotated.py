"""`annotated/` in the folder of a queue: accepted images with their masks, to train on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax import files
from uaps_jax.annotation_queue.entry import IMAGES, Entry
from uaps_jax.annotations.mask_form import MaskForm
from uaps_jax.config import ConfigError
from uaps_jax.datasets.common import UnreadableError
from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.regular_files import read_regular

FOLDER = "annotated"
MOST_NAMED = 5
"""Files in a message; of the others, the number."""


class Missing(NamedTuple):
    """What is to be written for an image.

    Attributes:
      image: its bytes; None if it is there.
      mask: bytes of its mask; None if it is there.
    """

    image: bytes | None
    mask: bytes | None


class AnnotatedFolder:
    """The folder; a file that was not written here is neither removed nor replaced."""

    def __init__(self, queue: Path, form: MaskForm) -> None:
        """The folder of a queue, which need not exist.

        Args:
          queue: the folder of the queue.
          form: of the masks.
        """
        self.folder = queue / FOLDER
        self._copies = queue / IMAGES
        self._form = form

    def mask_digest(self, entry: Entry) -> str | None:
        """SHA-256 of the mask that an image has, hexadecimal; None if it has none."""
        return _digest(self._mask(entry))

    def check_own(self, written: Sequence[tuple[Entry, Sequence[str]]]) -> None:
        """Checks that the files of images were written here, as far as there are any.

        Args:
          written: images with the SHA-256 of the masks that were written for them.

        Raises:
          ConfigError: other programs have changed files, or put them there.
        """
        known: dict[Path, Sequence[str]] = {}
        for entry, digests in written:
            known[self._image(entry)] = (entry.sha256,)
            known[self._mask(entry)] = digests
        foreign = [file for file, of in known.items() if _digest(file) not in (None, *of)]
        if foreign:
            shown = ", ".join(map(str, foreign[:MOST_NAMED]))
            more = f" and {len(foreign) - MOST_NAMED} more" * (len(foreign) > MOST_NAMED)
            raise ConfigError(
                f"{shown}{more}: not written by --mode=review, or changed since, and the decisions "
                "of the page would replace or remove it: move it out of this folder, and try again"
            )

    def missing(self, entry: Entry, mask: bytes) -> Missing:
        """What is to be written for an image with a mask.

        Raises:
          UnreadableError: the copy of the image in the queue was changed.
          OSError: it cannot be read.
        """
        image: bytes | None = None
        if not self._image(entry).exists():
            copy = self._copies / entry.image
            image = read_regular(copy)
            if sha256(image) != entry.sha256:
                raise UnreadableError(
                    f"{copy}: is not the image that the queue was made of: its bytes have changed"
                )
        return Missing(image, None if sha256(mask) == self.mask_digest(entry) else mask)

    def write(self, entry: Entry, missing: Missing) -> None:
        """Writes an image and its mask, and the list of classes if it is not there."""
        for file, content in zip((self._image(entry), self._mask(entry)), missing, strict=True):
            if content is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                files.write_bytes(file, content)
        classes = self.folder / class_map.CLASSES_FILE
        if not classes.exists():
            files.write_text(classes, self._form.class_file())

    def remove(self, entry: Entry) -> None:
        """Removes an image and its mask; the mask first, as an image without one is harmless."""
        self._mask(entry).unlink(missing_ok=True)
        self._image(entry).unlink(missing_ok=True)

    def _image(self, entry: Entry) -> Path:
        return self.folder / "images" / entry.image

    def _mask(self, entry: Entry) -> Path:
        return self.folder / "masks" / f"{entry.name}{self._form.suffix}.png"


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _digest(file: Path) -> str | None:
    return sha256(read_regular(file)) if file.exists() else None
