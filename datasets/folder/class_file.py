"""Reads `classes.yaml`: names and values as the text that stands there.

YAML would turn `on` into True, `4:15` into 255 and `0377` too, let the last of two equal names win,
and build gigabytes of a few bytes by aliases. None of that is wanted of two columns of text.
"""

from __future__ import annotations

import reprlib

import yaml

MOST_BYTES = 2**20
"""Of the file; it can name every grey level of 16 bits."""

_DEEPEST = 2  # a list of values in the mapping


class ClassFileError(ValueError):
    """A text that does not map names to values; its own text says why."""


def entries(text: str) -> list[tuple[str, list[str]]]:
    """`(name, values)` of a YAML mapping, in its order.

    Args:
      text: lines of `name: value` or `name: [value, ...]`.

    Raises:
      ClassFileError: it is something else, or names a class twice.
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
    found: dict[str, list[str]] = {}
    for key, node in document.value:
        name = _text(key)
        if name in found:
            raise ClassFileError(f"class {reprlib.repr(name)} comes twice")
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        found[name] = [_text(value) for value in nodes]
    return list(found.items())


def _check_simple(text: str) -> None:
    """Looks at the text without building anything: neither depth nor aliases are followed."""
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
