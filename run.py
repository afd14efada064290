"""The front door: trains, evaluates, predicts.

    python run.py --config=configs/neu_uaps.py --workdir=runs/neu_uaps
    python run.py --mode=evaluate --workdir=runs/neu_uaps --checkpoint=best
    python run.py --mode=predict --workdir=runs/neu_uaps --input=folder/of/images

Any setting can be overridden: --config.optimizer.learning_rate=1e-4.
"""

import logging as std_logging
import sys
from pathlib import Path

from absl import app, flags, logging
from ml_collections import config_flags

from uaps_jax import modes
from uaps_jax.config import ConfigError, check_key

CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file, with its variant: configs/neu_uaps.py:small."
)
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
MODE = flags.DEFINE_enum("mode", "train", list(modes.MODES), "What to do.")
CHECKPOINT = flags.DEFINE_string("checkpoint", "best", "best, latest, or a step.")
INPUT = flags.DEFINE_string("input", None, "predict: folder of images; the test split if unset.")


def main(argv: list[str]) -> None:
    """Runs the mode; what a person can mend is said in words, with exit status 1."""
    if len(argv) > 1:
        sys.exit(f"unexpected arguments: {' '.join(argv[1:])}")
    logging.get_absl_handler().addFilter(worth_showing)
    request = modes.Request(
        config=CONFIG.value,
        workdir=Path(WORKDIR.value),
        checkpoint=CHECKPOINT.value,
        input=None if INPUT.value is None else Path(INPUT.value),
    )
    try:
        modes.MODES[MODE.value](request)
    except modes.USER_ERRORS as error:
        sys.exit(f"error: {error}")


def worth_showing(record: std_logging.LogRecord) -> bool:
    """Leaves out what libraries say for information: Orbax, some forty lines for each save."""
    return record.levelno > std_logging.INFO or "site-packages" not in record.pathname


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; an override of an unknown setting names the nearest one."""
    file = _config_file(argv)
    if file is not None and not Path(file).is_file():
        known = ", ".join(sorted(str(p) for p in Path("configs").glob("[!_]*_*.py")))
        sys.exit(f"error: --config={file}: there is no such file; there are {known}")
    try:
        return flags.FLAGS(argv)
    except (ConfigError, KeyError, AttributeError, flags.Error) as error:
        # ml_collections puts a traceback in front of what a configuration file raises.
        before, raised, reason = str(error).rpartition("ConfigError: ")
        if not raised:
            _explain_override(argv)
        sys.exit(f"error: {(reason if raised else before + reason).strip()}")


def _config_file(argv: list[str]) -> str | None:
    """The path in --config=PATH or --config=PATH:VARIANT, None if there is none."""
    values = [a.split("=", 1)[1] for a in argv if a.startswith(("--config=", "-config="))]
    return values[-1].partition(":")[0] if values else None


def _explain_override(argv: list[str]) -> None:
    """Exits with the nearest setting if one of the overrides does not exist."""
    file = _config_file(argv)
    if file is None:
        return
    values = flags.FlagValues()
    config = config_flags.DEFINE_config_file("shape", file, "", flag_values=values)
    values([argv[0]])
    for argument in argv[1:]:
        name = argument.lstrip("-").split("=", 1)[0].removeprefix("no")
        if name.startswith("config."):
            try:
                check_key(config.value, name.removeprefix("config."))
            except ConfigError as problem:
                sys.exit(f"error: {problem}")


if __name__ == "__main__":
    logging.set_verbosity(logging.INFO)
    app.run(main, flags_parser=parse)
