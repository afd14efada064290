"""What a person asked for, and the errors that they can correct."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from uaps_jax.commands.predictions import UnpredictedFiles
from uaps_jax.config import Config, ConfigError
from uaps_jax.datasets.common import DataError
from uaps_jax.recipes.errors import StageFailed
from uaps_jax.recipes.stage import Recipe
from uaps_jax.study.kind import Study, UnfinishedStudy
from uaps_jax.training import checkpoints, failures

USER_ERRORS = (
    ConfigError,
    DataError,
    checkpoints.CheckpointError,
    failures.NonFiniteLoss,
    StageFailed,
    UnfinishedStudy,
    UnpredictedFiles,
)
"""Errors that a person can correct; their texts say how."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What a person asked for.

    Attributes:
      config: the settings, of a training, a recipe or a study; may be None where a checkpoint holds
        them.
      overrides: dotted keys of those settings that the command line names.
      workdir: folder of the run; to serve, that of the exported file.
      checkpoint: "best", "latest" or a step; to evaluate, also a range, `A-B` or `A-`.
      command: this command: interpreter, script and flags; empty where no process is started.
      input: images to predict or to queue, a file, a folder or a list, or a folder to evaluate;
        None for the images of the run's split; or annotations to import, a folder or a file; or
        the folder of a queue to review; or an exported file to serve.
      images: of annotations to import: the folder of their images, or of the queue that they
        belong to; None to look for them beside the annotations.
      count: number of images of a queue; None for the default.
      mm_per_pixel: side of a pixel of these images in mm; None if it is unknown.
      port: to serve on; None for the usual one, 0 for any free one.
      demo: number of test images to draw when evaluating.
      uncertainty: of an exported model, "entropy" or "method".
      full_size: whether an exported model gives probabilities at the size of photographs.
      stablehlo: whether a model is exported as StableHLO, too.
      profile: first and last training step, from 1, of a trace.
      stage: of a recipe, which is run again; None for none.
      stages_as_processes: whether each stage of a recipe, or of the recipes of a study, is run as
        a process of its own.
      reuse: folder of other recipes, whose trainings are copied in place of equal ones of this
        recipe; None for none.
      lists: whether the stages of a recipe are listed, and not run.
    """

    config: Config | Recipe | Study | None
    overrides: Collection[str] = ()
    workdir: Path
    checkpoint: str
    input: Path | None
    count: int | None = None
    images: Path | None = None
    mm_per_pixel: float | None = None
    port: int | None = None
    command: Sequence[str] = ()
    demo: int = 0
    uncertainty: str = "entropy"
    full_size: bool = False
    stablehlo: bool = False
    profile: tuple[int, int] | None = None
    stage: str | None = None
    stages_as_processes: bool = False
    reuse: Path | None = None
    lists: bool = False


def training_config(request: Request, command: str) -> Config:
    """The settings of the training that a command is about.

    Raises:
      ConfigError: there are none.
    """
    if not isinstance(request.config, Config):
        raise ConfigError(f"--mode={command} needs --config=configs/<dataset>_<method>.py")
    return request.config
