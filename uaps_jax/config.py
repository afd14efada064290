"""The schema of a run: every setting, its type, its meaning, and the checks on it.

A file in `configs/` builds a `Config`, absl flags override its fields, and `validate` checks the
result once, as a whole, and freezes it. Settings have no defaults hidden in code: what a run used
is what its `config.json` says. Lengths in time are counted in optimizer steps.
"""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
import difflib
import json
import math
import typing
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, TypeVar

from uaps_jax.labels import IGNORE


class ConfigError(ValueError):
    """A configuration that cannot be run; its text names every problem found."""


class Section:
    """A group of settings: mutable until `freeze` is called on it."""

    __slots__ = ("_frozen",)

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "_frozen" and getattr(self, "_frozen", False):
            raise dataclasses.FrozenInstanceError(
                f"the configuration is frozen; {name!r} has to be set before the run starts"
            )
        object.__setattr__(self, name, value)

    def freeze(self) -> None:
        """Makes this section and the ones in it immutable."""
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Section):
                value.freeze()
        self._frozen = True


@dataclasses.dataclass(slots=True, kw_only=True)
class FolderConfig(Section):
    """Where a user's own images are (data.name = "folder"); relative to data.manual_dir."""

    images: str  # folder of images; "": images
    masks: str  # folder of masks of the same names, for some of the images; "": masks
    table: str  # in place of both: CSV with the columns image, mask, split, group
    classes: tuple[str, ...]  # "name=value", background first; (): data.manual_dir/classes.yaml
    group: str  # regular expression: what in a name tells which part is shown; "": each its own
    white: int  # value of a 16-bit image that becomes 255: 65535, or 4095 for 12-bit cameras


@dataclasses.dataclass(slots=True, kw_only=True)
class DataConfig(Section):
    """Which images a run sees."""

    name: str  # TFDS builder, optionally with its own config: "neu_seg", "synthetic/64px"
    data_dir: str  # folder of the built datasets
    manual_dir: str  # folder of the downloaded archive; "" where the dataset is built
    folder: FolderConfig
    height: int  # the network sees height x width pixels
    width: int
    fit: str  # "resize" (nearest neighbour, as OpenCV), or "pad" (or crop), nothing scaled
    transpose: bool  # swap height and width after resizing, as the released KolektorSDD2 code does
    channels: int  # 3, or 1 for grey
    classes: int  # background included; 0: as many as the dataset has
    mean: tuple[float, ...]  # per channel, subtracted after division by 255
    std: tuple[float, ...]  # per channel, divided by after that
    resident_mib: int  # training images up to this size live on the devices; more are streamed
    stream_threads: int  # that decode streamed images; 0: half as many as there are processors
    protocol: str  # how images are split: one of PROTOCOLS below
    shares: tuple[float, ...]  # "grouped": shares of train, val and test
    split_file: str  # "file": a split.json
    labeled_ratio: float  # share of the training images that is labeled, of those with a mask
    labeled_count: int  # if positive, so many are labeled, whatever labeled_ratio says
    labeled_list: str  # if set, a file with the names of the labeled images, one a line
    split_seed: int  # seed of the labeled/unlabeled draw (and of "grouped")


@dataclasses.dataclass(slots=True, kw_only=True)
class PhotometricConfig(Section):
    """Random changes of a view's brightness and colour; probabilities are per image."""

    brightness_contrast: float  # probability of clip((1 + a) x + 255 b), 0..255
    contrast_limit: tuple[float, float]  # range of a
    brightness_limit: tuple[float, float]  # range of b
    blur: float  # probability of a box blur with kernel 3, 5 or 7
    jitter: float  # probability of a change of brightness, contrast, saturation and hue
    jitter_limits: tuple[float, ...]  # their four limits: factors 1 +- limit, hue +- limit turns
    pixel_dropout: float  # probability of black pixels
    pixel_dropout_rate: float  # share of the pixels that become black
    noise: float  # probability of Gaussian noise, per channel
    noise_variance: tuple[float, float]  # range of its variance on the 0..255 scale
    noise_first: bool  # noise before brightness and contrast (DAGM's order) instead of last


@dataclasses.dataclass(slots=True, kw_only=True)
class ViewConfig(PhotometricConfig):
    """Random changes of one training view, of its geometry as well."""

    hflip: float  # probability of a horizontal flip
    vflip: float  # probability of a vertical flip
    rot90: float  # probability of drawing one of the rotations 0, 90, 180, 270 degrees
    grid_distortion: float  # probability of stretching 5 x 5 cells by factors of 0.7 to 1.3


@dataclasses.dataclass(slots=True, kw_only=True)
class ViewsConfig(Section):
    """The views of both streams."""

    labeled: ViewConfig
    unlabeled: ViewConfig


@dataclasses.dataclass(slots=True, kw_only=True)
class ModelConfig(Section):
    """The U-Net and its decoders."""

    auxiliary: int  # number of auxiliary decoders
    widths: tuple[int, ...]  # encoder channels per level
    dropout: tuple[float, ...]  # encoder dropout per level
    noise_limit: float  # FeatureNoise: U(-limit, limit)
    perturb_dropout: float  # rate of the dropout perturbation
    feature_dropout: tuple[float, float]  # FeatureDropout: range of the threshold
    execution: str  # how the decoders run: one of EXECUTIONS; the same up to rounding
    dtype: str  # compute type: float32, bfloat16; float64 for numerical checks (needs x64)


@dataclasses.dataclass(slots=True, kw_only=True)
class MethodConfig(Section):
    """The settings of a method; each method's file has its own, registered in `uaps_jax.methods`.

    Attributes:
      name: the method's.
      ramp_share: in a shortened run, the share of the steps after which its weights are full.
    """

    name: ClassVar[str]
    ramp_share: ClassVar[float] = 0.0

    def problems(self, config: "Config") -> Iterator[str]:
        """What is wrong with these settings, a line each, as `check` words them."""
        yield from ()

    def scale_ramps(self, steps: int, share: float) -> None:
        """Fits what is counted in steps to a run of `steps`; ramps take `share` of them."""


@dataclasses.dataclass(slots=True, kw_only=True)
class RampedConfig(MethodConfig):
    """The settings of a method whose unlabeled terms grow over the first part of the run."""

    ramp_interval: int  # s: the ramp moves once every s steps
    ramp_length: int  # R: it saturates after s * R steps

    def ramp_problems(self, config: "Config") -> Iterator[str]:
        """What is wrong with the ramp, and with weights below zero."""
        for key in ("method.ramp_interval", "method.ramp_length"):
            yield from check(config, key, lookup(config, key) >= 1, "must be at least 1")
        for field in dataclasses.fields(self):
            if field.name.startswith("weight"):
                key = f"method.{field.name}"
                yield from check(config, key, lookup(config, key) >= 0, "cannot be negative")

    def scale_ramps(self, steps: int, share: float) -> None:
        """Saturates after `share` of `steps`, moving at every step."""
        self.ramp_interval, self.ramp_length = 1, max(1, round(share * steps))


METHODS: dict[str, type[MethodConfig]] = {}
"""Settings by the method's name; `uaps_jax.methods.register` fills it."""


@dataclasses.dataclass(slots=True, kw_only=True)
class OptimizerConfig(Section):
    """Adam and its learning rate."""

    learning_rate: float  # at the start, for the whole batch: more devices do not change it
    schedule: str  # "plateau", "constant", "poly" or "cosine"
    plateau_factor: float  # learning rate multiplier when validation image_dice stagnates
    plateau_patience: int  # evaluations without improvement that are tolerated
    plateau_threshold: float  # relative improvement that counts
    plateau_min_lr: float  # floor
    poly_power: float  # of (1 - step / steps)
    beta1: float  # Adam
    beta2: float  # Adam
    epsilon: float  # Adam
    weight_decay: float  # added to the gradient, as PyTorch's Adam does


@dataclasses.dataclass(slots=True, kw_only=True)
class TrainConfig(Section):
    """The length and size of a run."""

    seed: int  # initial weights, data order, views, perturbations
    steps: int  # optimizer steps
    batch_labeled: int  # images per step, over all devices
    batch_unlabeled: int  # likewise
    deterministic: bool  # on a GPU, the same bits in every run, at a price; a CPU gives them anyway
    accumulate: int  # pieces of a batch, computed one after another to save memory; 1: whole
    log_every: int  # steps between lines of metrics.jsonl
    eval_every: int  # steps between evaluations on the validation split


@dataclasses.dataclass(slots=True, kw_only=True)
class CheckpointConfig(Section):
    """What is kept besides the latest and the best checkpoint."""

    every: int  # steps between checkpoints (an evaluation that is the best so far writes one, too)
    keep_every: int  # keep every checkpoint whose step is a multiple of this; 0: none
    keep_at: tuple[int, ...]  # keep the checkpoints of these steps


@dataclasses.dataclass(slots=True, kw_only=True)
class EvaluationConfig(Section):
    """How a model is scored."""

    batch_size: int  # images at once
    predictor: str  # which of the method's predictors; "" is its default
    probe_images: int  # unlabeled images on which pseudo-labels are measured while training; or 0


@dataclasses.dataclass(slots=True, kw_only=True)
class Config(Section):
    """Everything that decides what a run computes."""

    data: DataConfig
    views: ViewsConfig
    model: ModelConfig
    method: MethodConfig
    optimizer: OptimizerConfig
    train: TrainConfig
    checkpoint: CheckpointConfig
    evaluation: EvaluationConfig


FITS = ("resize", "pad")
SCHEDULES = ("plateau", "constant", "poly", "cosine")
PROTOCOLS = ("published", "full", "ppl", "reconstructed", "grouped", "native", "file")
EXECUTIONS = ("unrolled", "vmapped", "grouped")
DTYPES = ("float32", "bfloat16", "float64")


def validate(config: Config) -> Config:
    """Checks a configuration as a whole and freezes it.

    Args:
      config: the settings, after all overrides.

    Returns:
      The same object, frozen.

    Raises:
      ConfigError: with every problem, each as `key = value: what is wrong, what to do`.
    """
    problems = list(_type_problems(config)) or list(_problems(config))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"the configuration cannot be run:\n{lines}")
    config.freeze()
    return config


def with_classes(config: Config, names: Sequence[str]) -> Config:
    """The configuration with the number of classes that the dataset has.

    Raises:
      ConfigError: it asks for another number.
    """
    if config.data.classes not in (0, len(names)):
        raise ConfigError(
            f"data.classes = {config.data.classes}: {config.data.name} has {len(names)} classes "
            f"({', '.join(names)})"
        )
    data = dataclasses.replace(config.data, classes=len(names))
    return validate(dataclasses.replace(config, data=data))


def _problems(config: Config) -> Iterator[str]:
    data, model, train, optimizer = config.data, config.model, config.train, config.optimizer

    stride = 2 ** (len(model.widths) - 1)
    for key in ("data.height", "data.width"):
        size = lookup(config, key)
        yield from check(
            config,
            key,
            size > 0 and size % stride == 0,
            f"must be a positive multiple of {stride} (the network halves the image "
            f"{len(model.widths) - 1} times)",
        )
    yield from check(config, "data.channels", data.channels in (1, 3), "must be 1 or 3")
    yield from check(
        config,
        "data.classes",
        data.classes == 0 or 2 <= data.classes < IGNORE,
        f"must be 2 to {IGNORE - 1}, or 0 for as many as the dataset has",
    )
    yield from check(config, "data.resident_mib", data.resident_mib >= 0, "cannot be negative")
    yield from check(config, "data.stream_threads", data.stream_threads >= 0, "cannot be negative")
    yield from check(config, "data.fit", data.fit in FITS, one_of(FITS))
    yield from check(
        config, "data.folder.white", 0 < data.folder.white < 2**16, "must be 1 to 65535"
    )
    for name in ("images", "masks", "table", "classes", "group"):
        key = f"data.folder.{name}"
        yield from check(
            config,
            key,
            not lookup(config, key) or data.name == "folder",
            'is for data.name = "folder"',
        )
    yield from check(
        config,
        "data.folder.table",
        not (data.folder.table and (data.folder.images or data.folder.masks)),
        "takes the place of data.folder.images and data.folder.masks; set one or the other",
    )
    for key in ("data.mean", "data.std"):
        yield from check(
            config,
            key,
            len(lookup(config, key)) == data.channels,
            f"needs one value for each of the {data.channels} channels",
        )
    yield from check(config, "data.std", all(s > 0 for s in data.std), "must be positive")
    yield from check(config, "data.protocol", data.protocol in PROTOCOLS, one_of(PROTOCOLS))
    yield from check(config, "data.labeled_ratio", 0 < data.labeled_ratio <= 1, "must be in (0, 1]")
    yield from check(config, "data.labeled_count", data.labeled_count >= 0, "cannot be negative")
    yield from check(
        config,
        "data.shares",
        len(data.shares) == 3 and min(data.shares) > 0 and abs(sum(data.shares) - 1) < 1e-6,
        "must be three positive shares, of train, val and test, that add up to 1",
    )
    for key in ("data.labeled_count", "data.labeled_list"):
        yield from check(
            config,
            key,
            not lookup(config, key) or data.protocol != "file",
            'is for protocols that choose the labeled images; "file" names them',
        )
    yield from check(
        config,
        "data.labeled_list",
        not (data.labeled_list and data.labeled_count),
        f"names the labeled images, data.labeled_count = {data.labeled_count} draws them; set one",
    )
    yield from check(
        config,
        "data.split_file",
        bool(data.split_file) == (data.protocol == "file"),
        'belongs to data.protocol = "file", which needs it',
    )

    for stream in ("labeled", "unlabeled"):
        yield from photometric_problems(config, f"views.{stream}")
        for name in ("hflip", "vflip", "rot90", "grid_distortion"):
            yield from _share(config, f"views.{stream}.{name}")
        key = f"views.{stream}.rot90"
        yield from check(
            config,
            key,
            lookup(config, key) == 0 or data.height == data.width,
            f"needs square images, not {data.height} x {data.width}; set it to 0",
        )

    yield from check(config, "model.auxiliary", model.auxiliary >= 0, "cannot be negative")
    yield from check(
        config,
        "model.widths",
        len(model.widths) >= 2 and all(w > 0 for w in model.widths),
        "needs two or more positive numbers",
    )
    yield from check(
        config,
        "model.dropout",
        len(model.dropout) == len(model.widths) and all(0 <= p < 1 for p in model.dropout),
        f"needs {len(model.widths)} rates in [0, 1), one a level",
    )
    yield from check(
        config, "model.perturb_dropout", 0 <= model.perturb_dropout < 1, "must be in [0, 1)"
    )
    yield from check(config, "model.noise_limit", model.noise_limit >= 0, "cannot be negative")
    yield from check(
        config,
        "model.feature_dropout",
        is_range(model.feature_dropout) and min(model.feature_dropout) >= 0,
        "must be (low, high), not negative",
    )
    yield from check(config, "model.execution", model.execution in EXECUTIONS, one_of(EXECUTIONS))
    yield from check(config, "model.dtype", model.dtype in DTYPES, one_of(DTYPES))

    yield from check(
        config, "optimizer.schedule", optimizer.schedule in SCHEDULES, one_of(SCHEDULES)
    )
    yield from check(
        config, "optimizer.learning_rate", optimizer.learning_rate > 0, "must be positive"
    )
    yield from check(
        config, "optimizer.plateau_factor", 0 < optimizer.plateau_factor < 1, "must be in (0, 1)"
    )
    yield from check(config, "optimizer.epsilon", optimizer.epsilon > 0, "must be positive")
    for key in ("optimizer.beta1", "optimizer.beta2"):
        yield from check(config, key, 0 <= lookup(config, key) < 1, "must be in [0, 1)")
    for name in ("plateau_patience", "plateau_threshold", "plateau_min_lr", "weight_decay"):
        key = f"optimizer.{name}"
        yield from check(config, key, lookup(config, key) >= 0, "cannot be negative")

    for key in (
        "train.steps",
        "train.batch_labeled",
        "train.batch_unlabeled",
        "train.accumulate",
        "train.log_every",
        "train.eval_every",
        "checkpoint.every",
        "evaluation.batch_size",
    ):
        yield from check(config, key, lookup(config, key) >= 1, "must be at least 1")
    yield from check(
        config,
        "evaluation.probe_images",
        config.evaluation.probe_images >= 0,
        "cannot be negative",
    )
    for key in ("train.seed", "data.split_seed"):
        yield from check(config, key, 0 <= lookup(config, key) < 2**32, "must be 0 to 2^32 - 1")
    yield from check(
        config, "checkpoint.keep_every", config.checkpoint.keep_every >= 0, "0 keeps none"
    )
    yield from check(
        config,
        "checkpoint.keep_at",
        all(0 < step <= train.steps for step in config.checkpoint.keep_at),
        f"steps go from 1 to train.steps = {train.steps}",
    )

    yield from config.method.problems(config)


def check(config: Config, key: str, condition: bool, message: str) -> Iterator[str]:
    """The line `key = value: message` if the condition does not hold, else nothing."""
    if not condition:
        yield f"{key} = {lookup(config, key)!r}: {message}"


def _is_finite(number: float) -> bool:
    """Whether a float holds it: an int may be too large for that."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _type_problems(section: Section, prefix: str = "") -> Iterator[str]:
    """Values of another type than their field's, and numbers that are not finite."""
    for field in dataclasses.fields(section):  # type: ignore[arg-type]
        key, value = prefix + field.name, getattr(section, field.name)
        if isinstance(value, Section):
            yield from _type_problems(value, f"{key}.")
            continue
        kind: Any = field.type
        values = (value,)
        if typing.get_origin(kind) is tuple:
            kind, values = typing.get_args(kind)[0], value
        wanted = (int, float) if kind is float else kind
        right = isinstance(values, tuple) and all(
            isinstance(v, wanted) and (kind is bool or not isinstance(v, bool)) for v in values
        )
        if not right:
            name = getattr(field.type, "__name__", "")
            yield f"{key} = {value!r}: must be of type {field.type if name == 'tuple' else name}"
        elif kind is float and not all(map(_is_finite, values)):
            yield f"{key} = {value!r}: must be finite"


def photometric_problems(config: Config, key: str) -> Iterator[str]:
    """What is wrong with the photometric changes at a dotted key, a line each."""
    for name in ("brightness_contrast", "blur", "jitter", "pixel_dropout", "noise"):
        yield from _share(config, f"{key}.{name}")
    yield from _share(config, f"{key}.pixel_dropout_rate")
    for name in ("contrast_limit", "brightness_limit", "noise_variance"):
        limits = lookup(config, f"{key}.{name}")
        yield from check(config, f"{key}.{name}", is_range(limits), "must be (low, high)")
    yield from check(
        config,
        f"{key}.noise_variance",
        min(lookup(config, f"{key}.noise_variance"), default=0) >= 0,
        "a variance cannot be negative",
    )
    limits = lookup(config, f"{key}.jitter_limits")
    yield from check(
        config,
        f"{key}.jitter_limits",
        len(limits) == 4 and all(0 <= limit <= 1 for limit in limits),
        "must be four limits in 0..1: brightness, contrast, saturation, hue",
    )


def paired_batches(config: Config) -> Iterator[str]:
    """What is wrong with the batch sizes of a method that runs both streams in one pass."""
    yield from check(
        config,
        "train.batch_unlabeled",
        config.train.batch_unlabeled == config.train.batch_labeled,
        f"{config.method.name} runs both streams in one pass: must equal train.batch_labeled = "
        f"{config.train.batch_labeled}",
    )


def _share(config: Config, key: str) -> Iterator[str]:
    yield from check(config, key, 0 <= lookup(config, key) <= 1, "is a probability, 0 to 1")


def one_of(choices: Sequence[str]) -> str:
    """The end of a line about a choice."""
    return f"must be one of {', '.join(choices)}"


def is_range(value: Sequence[float]) -> bool:
    """Whether a value is (low, high)."""
    return len(value) == 2 and value[0] <= value[1]


def lookup(config: Config, key: str) -> Any:
    """The value at a dotted key, `"optimizer.learning_rate"`."""
    node: Any = config
    for name in key.split("."):
        node = getattr(node, name)
    return node


def flatten(node: Section, prefix: str = "") -> dict[str, Any]:
    """Dotted keys and their values, in the order of the schema; the method's name is among them."""
    flat: dict[str, Any] = {}
    if isinstance(node, MethodConfig):
        flat[f"{prefix}name"] = node.name
    for field in dataclasses.fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        if isinstance(value, Section):
            flat.update(flatten(value, f"{prefix}{field.name}."))
        else:
            flat[prefix + field.name] = list(value) if isinstance(value, tuple) else value
    return flat


def check_key(config: Config, key: str) -> None:
    """Checks that a dotted key of an override exists.

    Raises:
      ConfigError: naming the nearest existing key.
    """
    known = [k for k in flatten(config) if k != "method.name"]
    if key in known:
        return
    inside = [k for k in known if k.startswith(f"{key}.")]
    if inside:
        raise ConfigError(f"--config.{key} is a group; set one of {', '.join(inside)}")
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
    same_name = [k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
    raise ConfigError(
        f"--config.{key} does not exist (method {config.method.name}). "
        f"Did you mean --config.{(same_name or near)[0]}?"
    )


def to_json(config: Config) -> str:
    """The configuration as JSON text, one dotted key a line."""
    return json.dumps(flatten(config), indent=2) + "\n"


def differences(flat: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Lines `key: old -> new` for two flattened configurations, empty if they agree."""
    missing = "(absent)"
    return [
        f"{key}: {flat.get(key, missing)!r} -> {other.get(key, missing)!r}"
        for key in [*flat, *(k for k in other if k not in flat)]
        if flat.get(key, missing) != other.get(key, missing)
    ]


ADDED: dict[str, Any] = {
    "model.execution": "vmapped",
    "train.accumulate": 1,
    "train.deterministic": False,
}
"""Settings that older runs do not name, and what those ran with."""

S = TypeVar("S", bound=Section)


def upgraded(flat: dict[str, Any]) -> dict[str, Any]:
    """A stored `flatten`, of this version or an older one, with all the keys of this one."""
    return {key: flat.get(key, ADDED.get(key)) for key in [*flat, *ADDED]}


def from_flat(flat: dict[str, Any]) -> Config:
    """Rebuilds a configuration from `flatten`'s dict, as read from a `config.json`.

    Raises:
      ConfigError: keys are missing or unknown, with their names.
    """
    rest = upgraded(flat)
    method_type = METHODS.get(rest.pop("method.name", ""))
    if method_type is None:
        raise ConfigError(f"method.name = {flat.get('method.name')!r}: {one_of(tuple(METHODS))}")

    missing: list[str] = []

    def build(kind: type[S], prefix: str) -> S:
        values: dict[str, Any] = {}
        for field in dataclasses.fields(kind):  # type: ignore[arg-type]
            key = prefix + field.name
            section = method_type if key == "method" else field.type
            if isinstance(section, type) and issubclass(section, Section):
                values[field.name] = build(section, f"{key}.")
            elif key in rest:
                value = rest.pop(key)
                values[field.name] = tuple(value) if isinstance(value, list) else value
            else:
                missing.append(key)
                values[field.name] = None
        return kind(**values)

    config = build(Config, "")
    if missing or rest:
        raise ConfigError(
            f"not a configuration of this version: missing {missing or 'nothing'}, "
            f"unknown {list(rest) or 'nothing'}"
        )
    return config
