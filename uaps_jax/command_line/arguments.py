"""The flags as a record, and which of them belong together."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from pathlib import Path

from uaps_jax.command_line.default_workdir import default_workdir
from uaps_jax.commands.request import Request
from uaps_jax.config import Config, ConfigError
from uaps_jax.study.grid import Grid


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """What was given on the command line; `flags.py` describes each flag.

    Attributes:
      program: the script that this process runs, `run.py` or `uaps-jax`.
      config: what `--config` returned, its overrides included; None without one.
      config_file: the value of `--config`; None without one.
      overrides: dotted keys that `--config.KEY=VALUE` names.
      mode: None where none is given.
      workdir: likewise.
      checkpoint: "best", "latest", a step or a range.
      demo: number of images.
      uncertainty: "entropy" or "method".
      profile_steps: first and last, as texts; empty for none.
      coordinator: of several processes; None for one.
      processes: likewise.
      process: likewise.
      cluster: whether the environment names the processes.
      input: folder of images; None for none.
    """

    program: str
    config: Config | Grid | None
    config_file: str | None
    overrides: Collection[str]
    mode: str | None
    workdir: str | None
    checkpoint: str
    demo: int
    uncertainty: str
    profile_steps: Sequence[str]
    coordinator: str | None
    processes: int | None
    process: int | None
    cluster: bool
    input: str | None

    @property
    def is_training(self) -> bool:
        """Whether one training is asked for."""
        return self.mode in (None, "train") and not isinstance(self.config, Grid)

    @property
    def are_several(self) -> bool:
        """Whether this is one of several processes of a training."""
        return self.cluster or self.coordinator is not None

    def check(self) -> None:
        """Checks which flags are given together.

        Raises:
          ConfigError: flags belong together, or not to this mode.
        """
        what = "a study" if isinstance(self.config, Grid) else self.mode or "train"
        if self.demo and what != "evaluate":
            raise ConfigError(f"--demo={self.demo} is for --mode=evaluate, not {what}")
        if self.uncertainty != "entropy" and what != "export":
            raise ConfigError(f"--uncertainty={self.uncertainty} is for --mode=export, not {what}")
        several = [self.coordinator, self.processes, self.process]
        if any(v is not None for v in several) and (None in several or self.cluster):
            raise ConfigError(
                "--coordinator, --processes and --process belong together; or --cluster"
            )
        if self.are_several and not self.is_training:
            raise ConfigError(f"several processes are for --mode=train, not {what}")
        if self.profile_steps and not self.is_training:
            raise ConfigError(f"--profile_steps is for --mode=train, not {what}")

    def request(self) -> Request:
        """What is asked for.

        Raises:
          ConfigError: no work directory can be told, or --profile_steps is not two numbers in
            order.
        """
        return Request(
            program=Path(self.program).resolve(),
            config=self.config,
            overrides=self.overrides,
            workdir=self._workdir(),
            checkpoint=self.checkpoint,
            input=None if self.input is None else Path(self.input),
            demo=self.demo,
            uncertainty=self.uncertainty,
            profile=self._profile(),
        )

    def _workdir(self) -> Path:
        if self.workdir:
            return Path(self.workdir)
        if self.config_file is not None:
            return default_workdir(self.config_file)
        if self.is_training:
            raise ConfigError(
                "nothing says what to train: give --config=FILE, such as configs/neu_uaps.py"
            )
        raise ConfigError(
            f"--mode={self.mode} needs the run: give its folder, --workdir=FOLDER, or the "
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
                f"--profile_steps={given}: must be a first and a last step, like 10,15"
            )
        return first, last
