"""The flags, and the run of their command."""

from __future__ import annotations

import sys

from absl import flags
from ml_collections import config_flags

import uaps_jax
from uaps_jax import child_process, commands, compiler
from uaps_jax.command_line import library_logs, parsing
from uaps_jax.command_line.arguments import Arguments
from uaps_jax.command_line.execute import execute

CONFIG = config_flags.DEFINE_config_file(
    "config", None, "Configuration file, optionally with a variant: configs/neu_uaps.py:small."
)
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run; runs/<name of the configuration> if unset."
)
MODE = flags.DEFINE_enum(
    "mode", None, list(commands.COMMANDS), "The command for one training; train if unset."
)
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "best", "best, latest, or a step; evaluate: also a range, 100-500 or 100-."
)
DEMO = flags.DEFINE_integer("demo", 0, "evaluate: number of test images to draw.", lower_bound=0)
UNCERTAINTY = flags.DEFINE_enum(
    "uncertainty",
    "entropy",
    ["entropy", "method"],
    "export: entropy of the probabilities, or the method's, as predict writes it, but on clean "
    "features; for UAPS, all decoders are then in the file.",
)
FULL_SIZE = flags.DEFINE_bool(
    "full_size",
    False,
    "export: probabilities at the size of the photographs, in place of the network's.",
)
STABLEHLO = flags.DEFINE_bool(
    "stablehlo", False, "export: also write the model as StableHLO, for JAX."
)
PROFILE = flags.DEFINE_list(
    "profile_steps", [], "train: first and last step of a trace, such as 10,15; in profile/."
)
COORDINATOR = flags.DEFINE_string(
    "coordinator", None, "train with several processes: host:port of the first process."
)
PROCESSES = flags.DEFINE_integer(
    "processes", None, "with --coordinator: number of processes.", lower_bound=1
)
PROCESS = flags.DEFINE_integer(
    "process", None, "with --coordinator: index of this process, from 0.", lower_bound=0
)
CLUSTER = flags.DEFINE_bool(
    "cluster", False, "train with the processes that the cluster started (Slurm, MPI, ...)."
)
STAGE = flags.DEFINE_string(
    "stage", None, "A recipe: run this stage again, and those that depend on it."
)
STAGES_AS_PROCESSES = flags.DEFINE_bool(
    "stages_as_processes",
    False,
    "A recipe, or a study of recipes: run each stage as a process of its own.",
)
REUSE = flags.DEFINE_string(
    "reuse",
    None,
    "A recipe: copy the trainings of recipes in this folder that have the same settings, data and "
    "files, in place of training again.",
)
LIST = flags.DEFINE_bool("list", False, "A recipe: print its stages, and run nothing.")
INPUT = flags.DEFINE_string(
    "input",
    None,
    "predict: an image, a folder of images or a .txt file with their paths, the test part if "
    "unset; "
    "evaluate: a folder with images/, masks/ and classes.yaml; the parts of the run if unset; "
    "import: annotations of labelme, COCO, CVAT or Label Studio, a folder, a file or an archive; "
    "queue: images as for predict; review: the folder of a queue; serve: an exported file, .onnx.",
)
IMAGES = flags.DEFINE_string(
    "images",
    None,
    "import: the folder of the images, if it is not beside the annotations; or that of a queue, "
    "whose images and classes are then compared.",
)
COUNT = flags.DEFINE_integer(
    "count", None, "queue: number of images to annotate; 30 if unset.", lower_bound=1
)
MM_PER_PIXEL = flags.DEFINE_float(
    "mm_per_pixel", None, "predict, serve: side of a pixel in mm, for sizes of defects in mm."
)
PORT = flags.DEFINE_integer(
    "port",
    None,
    "serve: port of this machine, 127.0.0.1; 8765 if unset, 0 for any free one.",
    lower_bound=0,
    upper_bound=2**16 - 1,
)
VERSION = flags.DEFINE_bool("version", False, "Print the version and exit.")


def run(argv: list[str]) -> None:
    """Runs the command of the flags, and exits."""
    if VERSION.value:
        print(f"uaps_jax {uaps_jax.__version__}")
        sys.exit(0)
    if len(argv) > 1:
        sys.exit(f"error: unexpected arguments: {' '.join(argv[1:])}")
    flag, is_given = flags.FLAGS["config"], CONFIG.value is not None
    arguments = Arguments(
        command=tuple(sys.argv),
        config=CONFIG.value,
        config_file=config_flags.get_config_filename(flag) if is_given else None,
        overrides=tuple(config_flags.get_override_values(flag)) if is_given else (),
        mode=MODE.value,
        workdir=WORKDIR.value,
        checkpoint=CHECKPOINT.value,
        demo=DEMO.value,
        uncertainty=UNCERTAINTY.value,
        full_size=FULL_SIZE.value,
        stablehlo=STABLEHLO.value,
        profile_steps=PROFILE.value,
        coordinator=COORDINATOR.value,
        processes=PROCESSES.value,
        process=PROCESS.value,
        cluster=CLUSTER.value,
        input=INPUT.value,
        count=COUNT.value,
        images=IMAGES.value,
        stage=STAGE.value,
        stages_as_processes=STAGES_AS_PROCESSES.value,
        reuse=REUSE.value,
        lists=LIST.value,
        mm_per_pixel=MM_PER_PIXEL.value,
        port=PORT.value,
    )
    child_process.end_with_parent()
    compiler.enable_compile_cache()
    with library_logs.filtered(), compiler.unreadable_cache_entries_removed():
        execute(arguments)


def parse(argv: list[str]) -> list[str]:
    """Parses the flags; exits with a message if they are wrong."""
    return parsing.parse(argv, CONFIG)
