"""The flags as a record, and the check of their combinations."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from uaps_jax.command_line.default_workdir import default_workdir
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.recipes.stage import Recipe
from uaps_jax.study.kind import Study

INPUTS = ("predict", "evaluate", "import", "queue", "review", "serve")
"""The modes that take an input."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """The flags of the command line; `flags.py` describes each.

    Attributes:
      command: the script that this process runs, `run.py` or `uaps-jax`, and its flags.
      config: the configuration of `--config` with its overrides; None without this flag.
      config_file: the value of `--config`; None without this flag.
      overrides: dotted keys that are set by `--config.KEY=VALUE`.
      mode: None if not given.
      workdir: likewise.
      checkpoint: "best", "latest", a step or a range.
      demo: number of images.
      uncertainty: "entropy" or "method".
      full_size: whether an exported model gives probabilities at the size of photographs.
      stablehlo: whether a model is exported as StableHLO, too.
      profile_steps: first and last step, as strings; empty if not given.
      coordinator: of several processes; None for one process.
      processes: their number; None for one process.
      process: index of this process; None for one process.
      cluster: whether the processes are taken from the environment of a cluster.
      input: file or folder; None if not given.
      count: number of images; None if not given.
      images: folder; None if not given.
      mm_per_pixel: side of a pixel in mm; None if not given.
      port: to serve on; None if not given.
      stage: of a recipe; None if not given.
      stages_as_processes: whether each stage of a recipe is run as a process of its own.
      reuse: folder of other recipes; None if not given.
      lists: whether the stages of a recipe are listed.
    """

    command: Sequence[str]
    config: Config | Recipe | Study | None
    config_file: str | None
    overrides: Collection[str]
    mode: str | None
    workdir: str | None
    checkpoint: str
    demo: int
    uncertainty: str
    full_size: bool
    stablehlo: bool
    profile_steps: Sequence[str]
    coordinator: str | None
    processes: int | None
    process: int | None
    cluster: bool
    input: str | None
    count: int | None
    images: str | None
    mm_per_pixel: float | None
    port: int | None
    stage: str | None
    stages_as_processes: bool
    reuse: str | None
    lists: bool

    @property
    def is_training(self) -> bool:
        """Whether the command is a single training."""
        return self.mode in (None, "train") and not isinstance(self.config, Recipe | Study)

    @property
    def has_several_processes(self) -> bool:
        """Whether this is one of several processes of a training."""
        return self.cluster or self.coordinator is not None

    def check(self) -> None:
        """Checks that the flags fit together.

        Raises:
          ConfigError: a flag needs another one, or cannot be used with this mode.
        """
        what = self.mode or "train"
        if isinstance(self.config, Recipe | Study):
            what = "a study" if isinstance(self.config, Study) else "a recipe"
        if self.demo and what != "evaluate":
            raise ConfigError(f"--demo={self.demo} is for --mode=evaluate, not for {what}")
        if self.uncertainty != "entropy" and what != "export":
            raise ConfigError(
                f"--uncertainty={self.uncertainty} is for --mode=export, not for {what}"
            )
        if self.full_size and what != "export":
            raise ConfigError(f"--full_size is for --mode=export, not for {what}")
        if self.stablehlo and what != "export":
            raise ConfigError(f"--stablehlo is for --mode=export, not for {what}")
        if (self.stage is not None or self.lists) and what != "a recipe":
            flag = "--list" if self.lists else f"--stage={self.stage}"
            raise ConfigError(f"{flag} is for a recipe, not for {what}")
        if self.stage is not None and self.lists:
            raise ConfigError("--list runs nothing: leave out either --list or --stage")
        self._check_reuse(what)
        if self.stages_as_processes and what not in ("a recipe", "a study"):
            raise ConfigError(f"--stages_as_processes is for a recipe or a study, not for {what}")
        if self.input is not None and what not in INPUTS:
            raise ConfigError(
                f"--input={self.input} is for --mode={', '.join(INPUTS[:-1])} and {INPUTS[-1]}, "
                f"not for {what}"
            )
        if self.count is not None and what != "queue":
            raise ConfigError(f"--count={self.count} is for --mode=queue, not for {what}")
        if what == "review" and (self.input is None or self.workdir or self.config_file):
            raise ConfigError(
                "--mode=review needs --input, the folder of a queue, and neither --workdir nor "
                "--config"
            )
        if what == "serve" and (self.workdir or self.config_file or self.checkpoint != "best"):
            raise ConfigError(
                "--mode=serve takes --input, an exported file, which has all settings: leave out "
                "--workdir, --config and --checkpoint"
            )
        if self.port is not None and what != "serve":
            raise ConfigError(f"--port={self.port} is for --mode=serve, not for {what}")
        if self.images is not None and what != "import":
            raise ConfigError(f"--images={self.images} is for --mode=import, not for {what}")
        if self.mm_per_pixel is not None:
            if what not in ("predict", "serve"):
                raise ConfigError(
                    f"--mm_per_pixel={self.mm_per_pixel:g} is for --mode=predict and serve, not "
                    f"for {what}"
                )
            if not 0 < self.mm_per_pixel < math.inf:
                raise ConfigError(f"--mm_per_pixel={self.mm_per_pixel:g}: must be above 0")
        several = [self.coordinator, self.processes, self.process]
        if any(v is not None for v in several) and (None in several or self.cluster):
            raise ConfigError(
                "--coordinator, --processes and --process must be given together; --cluster "
                "replaces all three"
            )
        if self.has_several_processes and not self.is_training:
            raise ConfigError(f"several processes are for --mode=train, not for {what}")
        if self.profile_steps and not self.is_training:
            raise ConfigError(f"--profile_steps is for --mode=train, not for {what}")

    def _check_reuse(self, what: str) -> None:
        if self.reuse is None:
            return
        if what != "a recipe":
            more = "; recipes that are entries of a study share them" if what == "a study" else ""
            raise ConfigError(f"--reuse={self.reuse} is for a recipe, not for {what}{more}")
        if self.stage is not None or self.lists:
            raise ConfigError("--reuse is for stages that are run: leave out --stage and --list")
        if not Path(self.reuse).is_dir():
            raise ConfigError(f"--reuse={self.reuse}: there is no such folder")

    def request(self) -> Request:
        """The request that these flags make.

        Raises:
          ConfigError: neither --workdir nor --config gives a work directory, or --profile_steps is
            not a first and a last step.
        """
        return Request(
            command=(sys.executable, *self.command),
            config=self.config,
            overrides=self.overrides,
            workdir=self._workdir(),
            checkpoint=self.checkpoint,
            input=None if self.input is None else Path(self.input),
            count=self.count,
            images=None if self.images is None else Path(self.images),
            mm_per_pixel=self.mm_per_pixel,
            port=self.port,
            demo=self.demo,
            uncertainty=self.uncertainty,
            full_size=self.full_size,
            stablehlo=self.stablehlo,
            profile=self._profile(),
            stage=self.stage,
            stages_as_processes=self.stages_as_processes,
            reuse=None if self.reuse is None else Path(self.reuse),
            lists=self.lists,
        )

    def _workdir(self) -> Path:
        if self.workdir:
            return Path(self.workdir)
        if self.mode == "serve":
            return Path(self.input or "").parent
        if self.mode == "review" and self.input is not None:
            return Path(self.input)
        if self.config_file is not None:
            return default_workdir(self.config_file)
        if self.is_training:
            raise ConfigError(
                "training needs a configuration: give --config=FILE, such as configs/neu_uaps.py"
            )
        if self.mode == "import":
            raise ConfigError("--mode=import needs --workdir, the folder that it makes")
        raise ConfigError(
            f"--mode={self.mode} needs a run: give its folder, --workdir=FOLDER, or the "
            "--config=FILE that it was started with"
        )

    def _profile(self) -> tuple[int, int] | None:
        if not self.profile_steps:
            return None
        try:
            first, last = map(int, self.profile_steps)
        except ValueError:
            first, last = 0, 0
        if not 1 <= first <= last:
            given = ",".join(self.profile_steps)
            raise ConfigError(
                f"--profile_steps={given}: must be a first and a last step, such as 10,15"
            )
        return first, last
