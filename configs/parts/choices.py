"""Names of parts, written after the colon of `--config`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from uaps_jax.config import ConfigError


def parse(
    argument: str, parts: Mapping[str, Iterable[str]], required: Sequence[str]
) -> dict[str, str]:
    """Reads `part=name,part=name`.

    Args:
      argument: the text; an empty name counts as left out.
      parts: the parts there are, and the names that each can have.
      required: parts that cannot be left out.

    Raises:
      ConfigError: with every part that is missing or given twice, and every name that does not
        exist.
    """
    given = [word.partition("=") for word in argument.split(",") if word]
    problems = list(_problems(given, parts, required))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"invalid text after the colon of --config, {argument!r}:\n{lines}")
    return {part: name for part, _, name in given if name}


def unknown(what: str, name: str, names: Iterable[str]) -> str:
    """The message about an unknown name, with the nearest known one."""
    known = list(names)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    return f"{what} = {name!r}: must be one of {', '.join(known)}{hint}"


def require(what: str, name: str, names: Iterable[str]) -> None:
    """Checks that a name is one of those that there are.

    Args:
      what: the word for it in the message, such as `variant`.
      name: the given one.
      names: the known ones.

    Raises:
      ConfigError: it is none of them.
    """
    known = list(names)
    if name not in known:
        raise ConfigError(unknown(what, name, known))


def _problems(
    given: Sequence[tuple[str, str, str]],
    parts: Mapping[str, Iterable[str]],
    required: Sequence[str],
) -> Iterator[str]:
    named = [part for part, _, name in given if name]
    for part, equals, name in given:
        if not equals or part not in parts:
            yield f"{unknown('part', part, parts)}; written like dataset=folder"
        elif name and name not in parts[part]:
            yield unknown(part, name, parts[part])
    for part in parts:
        if named.count(part) > 1:
            yield f"{part}: is given {named.count(part)} times"
        elif part in required and part not in named:
            yield f"{part}: is missing, one of {', '.join(parts[part])}"
