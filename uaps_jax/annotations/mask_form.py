"""How the masks of a data set are written: `dataset.json` in the folder of a queue.

With it, masks that are made of the queue can be put beside those of the data set.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from uaps_jax import files
from uaps_jax.datasets.common import Problem
from uaps_jax.datasets.folder import class_map
from uaps_jax.datasets.folder.class_map import IGNORE_NAME, ClassMap, Value
from uaps_jax.datasets.regular_files import MOST_TEXT_BYTES, read_regular
from uaps_jax.labels import IGNORE

FILE = "dataset.json"


class MaskForm(NamedTuple):
    """How the masks of a data set are written.

    Attributes:
      classes: the classes of their values; pixels without a label have a value, too.
      suffix: what the name of a mask has behind the name of its image.
    """

    classes: ClassMap
    suffix: str

    def class_file(self) -> str:
        """The content of a `classes.yaml` of these masks."""
        return "".join(
            f"{json.dumps(name, ensure_ascii=False)}: {_listed(values)}\n"
            for name, values in _entries(self.classes)
        )


def write(folder: Path, form: MaskForm) -> None:
    """Writes `dataset.json` into the folder of a queue."""
    content = {"mask_suffix": form.suffix, "classes": _entries(form.classes)}
    files.write_text(folder / FILE, json.dumps(content, ensure_ascii=False) + "\n")


class MaskFormError(ValueError):
    """The file is damaged, or of other classes; `problem` says where and why."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.problem = Problem(str(path), reason)


def read(folder: Path, class_names: Sequence[str]) -> MaskForm | None:
    """What `write` wrote into the folder of a queue; None if it did not.

    Args:
      folder: of the queue.
      class_names: of the queue, by class id.

    Raises:
      MaskFormError: the file is damaged, or has other classes.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        content = json.loads(read_regular(file, MOST_TEXT_BYTES))
        classes = class_map.parse([(str(n), [*map(str, v)]) for n, v in content["classes"]])
        suffix = str(content["mask_suffix"])
        if {*range(len(classes.names)), IGNORE} != set(classes.ids.values()):
            raise ValueError("a class has no value")
        if "/" in suffix or "\0" in suffix:
            raise ValueError(f"{suffix!r} is no part of a name")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise MaskFormError(file, f"does not describe masks: {error}") from error
    if classes.names != tuple(class_names):
        raise MaskFormError(folder, f"{FILE} has other classes than {class_map.CLASSES_FILE}")
    return MaskForm(classes, suffix)


def _entries(classes: ClassMap) -> list[tuple[str, list[str]]]:
    """Each class with its values, as `class_map.parse` reads them."""
    named = [*enumerate(classes.names), (IGNORE, IGNORE_NAME)]
    return [(n, [_text(v) for v, i in classes.ids.items() if i == label]) for label, n in named]


def _text(value: Value) -> str:
    return "#{:02x}{:02x}{:02x}".format(*value) if isinstance(value, tuple) else str(value)


def _listed(values: Sequence[str]) -> str:
    """Values in YAML, where a colour needs quotes."""
    texts = [json.dumps(value) if value.startswith("#") else value for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
