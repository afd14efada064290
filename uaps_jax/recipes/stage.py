"""A recipe and its stages: trainings, and passes over images that write files.

The `get_config` of a recipe's configuration file returns a `Recipe`.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from uaps_jax import config as config_lib
from uaps_jax.config import Config, ConfigError, Section
from uaps_jax.data import protocols
from uaps_jax.data.source import Dataset
from uaps_jax.data.splits import Split
from uaps_jax.training import pretrained, results, workdir

Folders = Mapping[str, Path]
"""Name of a stage -> its folder."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """Where a pass reads and writes.

    Attributes:
      folder: of the pass; an interrupted pass has left files in it, each complete.
      inputs: the folders of the stages that it reads.
      dataset: of the recipe's base configuration.
      split: `Recipe.split`.
    """

    folder: Path
    inputs: Folders
    dataset: Dataset
    split: Split


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
    """A training, in a work directory like that of any other.

    Attributes:
      name: of the stage.
      inputs: names of earlier stages whose files it reads.
      configure: the folders of these stages to its configuration.
    """

    name: str
    inputs: tuple[str, ...] = ()
    configure: Callable[[Folders], Config]

    @property
    def folder(self) -> str:
        """Its work directory, relative to the recipe's."""
        return self.name

    def settings(self, folders: Folders) -> dict[str, Any]:
        """The settings of the training, in their stored form."""
        return config_lib.to_stored(self.configure({name: folders[name] for name in self.inputs}))

    def weights(self, folders: Folders) -> str:
        """A digest of its initial weights; "" if they are drawn, or files of a stage that it reads.

        Raises:
          WeightsError, CheckpointError: they cannot be read.
        """
        read = {name: folders[name] for name in self.inputs}
        network = self.configure(read).network
        of_stage = any(Path(network.pretrained).is_relative_to(folder) for folder in read.values())
        return "" if of_stage else pretrained.digest(network)

    def compared(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Of stored settings, of this or an older version, those that its files depend on."""
        left_out = (*workdir.MACHINE, "data.classes")
        plain = _plain(config_lib.migrated(settings))
        return {key: value for key, value in plain.items() if key not in left_out}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pass:
    """A pass over images, which writes files.

    Attributes:
      name: of the stage.
      folder: of its files, relative to the recipe's.
      inputs: names of earlier stages whose files it reads.
      options: everything else that its files depend on, such as `{"scales": [0.5, 1.0]}`.
      write: writes its files, each at once (`uaps_jax.files`); the same files each time.
    """

    name: str
    folder: str
    inputs: tuple[str, ...]
    options: Mapping[str, Any]
    write: Callable[[Place], None]

    def settings(self, folders: Folders) -> dict[str, Any]:
        """The options."""
        del folders
        return dict(self.options)

    def compared(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The options in the form in which they are read from a file."""
        return _plain(settings)


Stage = Training | Pass


WAITING = 3
"""The exit status of a recipe that waits for a person."""


class Waiting(RuntimeError):
    """A pass needs something from a person first; the message says what. It has written nothing."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Recipe(Section):
    """Several stages in a row.

    A recipe is a subclass with settings of its own, whose `stages` is a function of the settings
    alone. Its `problems` are asked with `base`, before `stages`; they name settings by the keys of
    the recipe, such as `base.train.steps`.
    """

    base: Config  # the settings that all trainings share

    def stages(self) -> Sequence[Stage]:
        """The stages in their order."""
        raise NotImplementedError

    def split(self, dataset: Dataset) -> Split:
        """The split that passes read, `Place.split`.

        Raises:
          ConfigError: the data do not fit the recipe.
        """
        return protocols.make_split(dataset, self.base.data)

    def digest(self, dataset: Dataset, split: Split) -> str:
        """A digest of the data on which all stages depend."""
        return results.digest(protocols.record(dataset, self.base.data, split))

    def unused(self) -> Mapping[str, str]:
        """Key of a setting that has no effect with the present values of others -> why.

        A person who sets it on the command line is told so.
        """
        return {}


def checked(recipe: Recipe, directory: Path) -> Sequence[Stage]:
    """The stages of a recipe whose settings are right, before anything is run.

    Args:
      recipe: to check.
      directory: of the recipe.

    Raises:
      ConfigError: with all problems.
    """
    problems = [*config_lib.type_problems(recipe)] or [*config_lib.value_problems(recipe)]
    stages: Sequence[Stage] = ()
    if not problems:
        config_lib.validate(recipe.base)
        problems += recipe.problems(recipe.base)
    if not problems:
        recipe.freeze()
        stages = recipe.stages()
        problems += _problems(stages, folders(stages, directory))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"the recipe cannot be run:\n{lines}")
    return stages


def require_used(recipe: Recipe, overrides: Collection[str]) -> None:
    """Checks that the settings that a person chose have an effect.

    Args:
      recipe: whose settings are right.
      overrides: keys of the settings that the person chose.

    Raises:
      ConfigError: with those that have none.
    """
    problems = [
        f"  {key} = {config_lib.lookup(recipe, key)!r}: {reason}"
        for key, reason in recipe.unused().items()
        if key in overrides
    ]
    if problems:
        lines = "\n".join(problems)
        raise ConfigError(f"settings of the recipe without an effect; leave them out:\n{lines}")


def folders(stages: Sequence[Stage], directory: Path) -> Folders:
    """The folders of the stages of a recipe in its work directory."""
    return {stage.name: directory / stage.folder for stage in stages}


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON has them."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return plain


def _problems(stages: Sequence[Stage], folders: Folders) -> Iterator[str]:
    for what in ("name", "folder"):
        counts = Counter(getattr(stage, what) for stage in stages)
        yield from (f"{n} stages have the {what} {one!r}" for one, n in counts.items() if n > 1)
    earlier: list[str] = []
    for stage in stages:
        missing = [name for name in stage.inputs if name not in earlier]
        for name in missing:
            yield f"stage {stage.name}: its input {name!r} is not an earlier stage"
        if isinstance(stage, Training) and not missing:
            try:
                config_lib.validate(stage.configure({n: folders[n] for n in stage.inputs}))
            except ConfigError as error:
                yield f"stage {stage.name}: {error}"
        earlier.append(stage.name)
