"""Reads `classes.yaml`: names and values as text.

A YAML loader would read `on` as True and `4:15` and `0377` as 255, keep only the last of two equal
names, and could build gigabytes from a few bytes by aliases.
"""

from __future__ import annotations

import reprlib

import yaml

MOST_BYTES = 2**20
"""The largest size of the file; enough to name every grey level of 16 bits."""

_DEEPEST = 2  # a list of values in the mapping


class ClassFileError(ValueError):
    """A text that does not map names to values; the message says why."""


def entries(text: str) -> list[tuple[str, list[str]]]:
    """`(name, values)` of a YAML mapping, in its order.

    Args:
      text: lines of `name: value` or `name: [value, ...]`.

    Raises:
      ClassFileError: it is not of that form, or names a class twice.
    """
    try:
        _check_simple(text)
        document = yaml.compose(text, yaml.SafeLoader)
    except ClassFileError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ClassFileError(f"cannot be read: {error}") from error
    if not isinstance(document, yaml.MappingNode):
        raise ClassFileError("must map class names to values, a line each: scratch: 1")
    classes: dict[str, list[str]] = {}
    for key, node in document.value:
        name = _text(key)
        if name in classes:
            raise ClassFileError(f"class {reprlib.repr(name)} comes twice")
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        classes[name] = [_text(value) for value in nodes]
    return list(classes.items())


def _check_simple(text: str) -> None:
    """Checks the text without building objects: neither nested lists nor aliases are resolved."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        if getattr(event, "anchor", None) is not None:
            raise ClassFileError("anchors and aliases are not read; quote what begins with & or *")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise ClassFileError("lists in lists are not read; write scratch: [1, 2]")


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise ClassFileError("must map class names to values, a line each: scratch: 1")
    return str(node.value)
