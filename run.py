"""The front door: audits, splits, trains, evaluates, predicts, exports, repeats failed steps.

    python run.py --config=configs/neu_uaps.py --workdir=runs/neu_uaps
    python run.py --mode=evaluate --workdir=runs/neu_uaps --checkpoint=best
    python run.py --mode=predict --workdir=runs/neu_uaps --input=folder/of/images

Any setting can be overridden: --config.optimizer.learning_rate=1e-4.
"""

# ruff: noqa: E402

import contextlib
import logging as std_logging
import os
import sys
from pathlib import Path

# On Linux, XLA's CPU programs run a sixth faster on huge pages: a step's temporary arrays are taken
# and given back at every step. glibc reads this setting once, when a process starts.
HUGE_PAGES = "glibc.malloc.hugetlb=1"

if __name__ == "__main__" and sys.platform == "linux" and "UAPS_JAX_STARTED" not in os.environ:
    os.environ["UAPS_JAX_STARTED"] = "1"  # set by a person, it keeps this from happening
    os.environ.setdefault("GLIBC_TUNABLES", HUGE_PAGES)
    os.execv(sys.executable, sys.orig_argv)

from absl import app, flags, logging
from ml_collections import config_flags

from uaps_jax import compiler, files, modes
from uaps_jax.config import Config, ConfigError, check_key
from uaps_jax.study import conduct, runner
from uaps_jax.study.grid import Grid
from uaps_jax.training import interrupt, processes

CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file, with its variant: configs/neu_uaps.py:small."
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
MODE = flags.DEFINE_enum("mode", "train", [*modes.MODES, "study"], "What to do.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "best", "best, latest, or a step; to evaluate, also a range: 100-500, or 100-."
)
DEMO = flags.DEFINE_integer("demo", 0, "evaluate: draw so many test images.", lower_bound=0)
PROFILE = flags.DEFINE_list(
    "profile_steps", [], "train: first and last step of a trace, like 10,15; in profile/."
)
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "train with several processes: host:port of the first one."
)
PROCESSES = flags.DEFINE_integer("processes", None, "their number.", lower_bound=1)
PROCESS = flags.DEFINE_integer("process", None, "which of them this is, from 0.", lower_bound=0)
CLUSTER = flags.DEFINE_bool(
    "cluster", False, "train with several processes, as the cluster started them (Slurm, MPI, ...)."
)
INPUT = flags.DEFINE_string("input", None, "predict: folder of images; the test split if unset.")


def main(argv: list[str]) -> None:
    """Runs the mode; what a person can mend is said in words, with exit status 1."""
    if len(argv) > 1:
        sys.exit(f"unexpected arguments: {' '.join(argv[1:])}")
    logging.get_absl_handler().addFilter(worth_showing)
    runner.end_with_parent()
    compiler.keep_compiled()
    compiler.mend_cache()
    is_study = isinstance(CONFIG.value, Grid)
    if is_study != (MODE.value == "study"):
        sys.exit(
            f"error: --config={_config_file(sys.argv)} with --mode={MODE.value}: configurations "
            "of studies (configs/studies/) are for --mode=study, and it needs one"
        )
    if DEMO.value and MODE.value != "evaluate":
        sys.exit(f"error: --demo={DEMO.value} is for --mode=evaluate, not {MODE.value}")
    several = [COORDINATOR.value, PROCESSES.value, PROCESS.value]
    if any(v is not None for v in several) and (None in several or CLUSTER.value):
        sys.exit("error: --coordinator, --processes and --process belong together; or --cluster")
    if (CLUSTER.value or COORDINATOR.value) and MODE.value != "train":
        sys.exit(f"error: several processes are for --mode=train, not {MODE.value}")
    if PROFILE.value and MODE.value != "train":
        sys.exit(f"error: --profile_steps is for --mode=train, not {MODE.value}")
    try:
        if CLUSTER.value or COORDINATOR.value:
            processes.start(COORDINATOR.value, PROCESSES.value, PROCESS.value)
        complete = run_study() if is_study else run_mode()
    except modes.USER_ERRORS as error:
        processes.leave(f"error: {error}")
    except interrupt.Interrupted as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(128 + stopped.number)
    except Exception as error:
        if not files.is_disk_full(error):
            raise
        said = f"error: no space is left on a disk: {str(error).splitlines()[0]}"
        if MODE.value == "train":
            said += (
                f"\nThe checkpoints in {WORKDIR.value} are whole. When there is space again, the "
                "same command goes on from the latest."
            )
        processes.leave(said, at_once=True)
    sys.exit(0 if complete else 1)


def run_study() -> bool:
    """Runs the trainings of a study; whether all of them have a result."""
    command = (sys.executable, str(Path(__file__).resolve()))
    return conduct.run(CONFIG.value, Path(WORKDIR.value), command)


def run_mode() -> bool:
    """Does what --mode says with one training."""
    request = modes.Request(
        config=CONFIG.value,
        workdir=Path(WORKDIR.value),
        checkpoint=CHECKPOINT.value,
        input=None if INPUT.value is None else Path(INPUT.value),
        demo=DEMO.value,
        profile=profile_steps(),
    )
    modes.MODES[MODE.value](request)
    return True


def profile_steps() -> tuple[int, int] | None:
    """The first and the last step to profile.

    Raises:
      ConfigError: --profile_steps is not two numbers in order.
    """
    if not PROFILE.value:
        return None
    try:
        first, last = map(int, PROFILE.value)
    except ValueError:
        first, last = 0, 0
    if not 1 <= first <= last:
        given = ",".join(PROFILE.value)
        raise ConfigError(f"--profile_steps={given}: must be a first and a last step, like 10,15")
    return first, last


# Warnings of TFDS (about every configuration that is not in its table) and of Orbax (about every
# checkpoint without a score) that warn of what is meant.
MEANT = ("Using custom data configuration", "Requested `tracked_metric`")


def worth_showing(record: std_logging.LogRecord) -> bool:
    """Leaves out what libraries say for information: Orbax, some forty lines for each save.

    And what each of Orbax's threads says of a full disk: what the save raises is said at the end.
    """
    if str(record.msg).startswith(MEANT):
        return False
    if "/orbax/" in record.pathname or record.name == "asyncio":
        with contextlib.suppress(Exception):  # a text and arguments that do not fit each other
            if files.says_disk_full(record.getMessage()):
                return False
    return record.levelno > std_logging.INFO or "site-packages" not in record.pathname


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; an override of an unknown setting names the nearest one."""
    file = _config_file(argv)
    if file is not None and not Path(file.partition(":")[0]).is_file():
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("[!_]*_*.py")))
        sys.exit(f"error: --config={file}: there is no such file; there are {known}")
    try:
        rest = flags.FLAGS(argv)
    except (ValueError, LookupError, AttributeError, TypeError, OSError, flags.Error) as error:
        # ml_collections puts a traceback in front of what a configuration file raises.
        before, raised, reason = str(error).rpartition("ConfigError: ")
        if not raised and file is not None:
            _explain_override(argv, file)
        sys.exit(f"error: {(reason if raised else before + reason).strip()}")
    if file is not None and not isinstance(CONFIG.value, Config | Grid):
        sys.exit(f"error: --config={file}: has no get_config() that returns a Config or a Grid")
    return rest


def _config_file(argv: list[str]) -> str | None:
    """What the last --config names, None if there is none."""
    found = None
    for position, argument in enumerate(argv):
        name, equals, value = argument.lstrip("-").partition("=")
        if name == "config" and argument.startswith("-"):
            found = value if equals else next(iter(argv[position + 1 :]), "")
    return found


def _explain_override(argv: list[str], file: str) -> None:
    """Exits with the nearest setting if one of the overrides does not exist."""
    values = flags.FlagValues()
    try:
        shape = config_flags.DEFINE_config_file("shape", file, "", flag_values=values)
        values([argv[0]])
    except Exception:  # the file is no configuration, which is said by the error before
        return
    for argument in argv[1:]:
        name = argument.lstrip("-").split("=", 1)[0].removeprefix("no")
        if name.startswith("config.") and isinstance(shape.value, Config):
            try:
                check_key(shape.value, name.removeprefix("config."))
            except ConfigError as problem:
                sys.exit(f"error: {problem}")


if __name__ == "__main__":
    logging.set_verbosity(logging.INFO)
    app.run(main, flags_parser=parse)
