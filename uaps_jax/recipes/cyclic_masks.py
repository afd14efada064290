"""The passes that write cyclic pseudo-masks with weights of their pixels, as folders of targets."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging

from uaps_jax import compiler, inference
from uaps_jax import config as config_lib
from uaps_jax.config import CRFConfig, DataConfig, Form
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.data import source, targets
from uaps_jax.inference import TrainedModel
from uaps_jax.recipes import images, rough_masks, target_files, uncertainty_report
from uaps_jax.recipes.rough_masks import CONFIDENCE
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.training import checkpoints
from uaps_jax.trees import Tree
from uaps_jax.weak_supervision import lost_classes
from uaps_jax.weak_supervision.response_scaling import scaled_responses, stored_weights
from uaps_jax.weak_supervision.views import mean_over_views, view_sizes

WITHOUT_CRF = (
    "crf.iterations = 0: without a CRF, response scaling looks at each pixel alone; a region is "
    "never uncertain as a whole, and with two classes the weights are a threshold of the largest "
    "probability"
)

MOST_CONFIDENT = 65535
"""The stored value of the probability 1."""

LEAST = 1e-30
"""The least probability whose logarithm is resized: all above have the softmax of their logits."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scaling:
    """How responses are scaled.

    Attributes:
      views: factors of the image's sides; each with and without a mirrored image.
      powers: of the probability of a class.
      form: see `response_scaling`.
      crf: none for no iterations.
      restored: the share of `lost_classes.restored`, for images with a mask in the first phase.
    """

    views: tuple[float, ...]
    powers: tuple[float, ...]
    form: Form
    crf: CRFConfig
    restored: float


def cyclic_masks(
    *,
    name: str,
    folder: str,
    masks: str,
    model: str,
    checkpoint: str,
    data: DataConfig,
    scaling: Scaling,
    keeps_masks: bool,
    is_exact: bool,
    least: float,
) -> Pass:
    """The cyclic masks of training images, their weights, and what is known about these.

    Writes `mask/NAME.png`; `weight/NAME.png` (`stored_weights`); `confidence/NAME.png`, the largest
    probability times 65535, at the network's size; and the files of `uncertainty_report`. Restored
    pixels, and those of exact masks, have the weight 255 and the confidence 65535, which no
    prediction has: its largest is 65534.

    Args:
      name: of the stage.
      folder: of its files.
      masks: the stage of the masks of the first phase.
      model: the stage of the model of the first phase.
      checkpoint: of it, "best" or "latest"; "latest" where there is no best one.
      data: the settings of the network's input.
      scaling: the settings.
      keeps_masks: whether the masks of the first phase are exact, those of labeled images: they are
        kept, and the unlabeled images of the split get cyclic masks. Otherwise the images with a
        mask get one.
      is_exact: whether the dataset's masks are exact, so that the report can compare with them.
      least: weights up to it count less in the second phase, `method.least`, for the report.
    """

    def write(place: Place) -> None:
        if not scaling.crf.iterations:
            logging.warning("%s", WITHOUT_CRF)
        run = place.inputs[model]
        which = checkpoints.existing(run, checkpoint)
        trained = inference.load(run, which)
        known = target_files.names_in(place.inputs[masks])
        names = sorted(place.split["unlabeled"]) if keeps_masks else known
        for one in known if keeps_masks else ():
            _copy(place, place.inputs[masks], one, data)
        tags = _tags(place, place.inputs[masks], names, are_known=not keeps_masks)
        learnt = None if keeps_masks else place.inputs[masks]
        _write_masks(place, trained, names, tags, scaling, learnt)
        uncertainty_report.write(
            place,
            names,
            data,
            rough=learnt,
            tags=tags,
            is_exact=is_exact,
            least=least,
        )

    return Pass(
        name=name,
        folder=folder,
        inputs=(masks, model),
        options={
            "pass": "cyclic masks",
            "model": model,
            "checkpoint": checkpoint,
            "keeps_masks": keeps_masks,
            "is_exact": is_exact,
            "views": list(scaling.views),
            "powers": list(scaling.powers),
            "form": scaling.form,
            # Named only where something can be restored, so that records of before stay valid.
            **({} if keeps_masks or not scaling.restored else {"restored": scaling.restored}),
            "least": least,
            **target_files.of_size(data),
            **config_lib.flatten(scaling.crf, "crf."),
        },
        write=write,
    )


def _copy(place: Place, masks: Path, name: str, data: DataConfig) -> None:
    """Writes the mask of an image as it is, all of whose pixels count fully."""
    content = target_files.file_of(masks, targets.MASKS, name).read_bytes()
    target_files.write_content(target_files.file_of(place.folder, targets.MASKS, name), content)
    full = np.full(data.network_size, 255, np.uint8)
    _write_weights(place, name, full, np.full(full.shape, MOST_CONFIDENT, np.uint16), data)


def _write_weights(
    place: Place, name: str, weight: np.ndarray, confidence: np.ndarray, data: DataConfig
) -> None:
    target_files.write(place.folder, targets.WEIGHTS, name, weight, place.dataset, data)
    file = target_files.file_of(place.folder, CONFIDENCE, name)
    target_files.write_content(file, target_files.grey_png(confidence))


def _tags(
    place: Place, masks: Path, names: Sequence[str], *, are_known: bool
) -> Mapping[str, np.ndarray]:
    """Name of an image -> its classes, bool `[C]`; all classes where they are not known."""
    class_names = place.dataset.class_names
    if not are_known:
        return {name: np.ones(len(class_names), bool) for name in names}
    labels = rough_masks.labels_of(masks, class_names)
    ids = np.arange(len(class_names))
    return {name: (ids == 0) | np.isin(ids, labels[name]) for name in names}


def _write_masks(
    place: Place,
    trained: TrainedModel,
    names: Sequence[str],
    tags: Mapping[str, np.ndarray],
    scaling: Scaling,
    learnt: Path | None,
) -> None:
    """Writes the files that an interrupted pass has not written.

    `learnt` is the folder of the masks of the first phase; None where the images had none.
    """
    config = trained.config
    data, size = config.data, config.evaluation.batch_size
    predict = compiler.jit_optimized(
        mean_prediction(trained, scaling.views), deterministic=config.train.deterministic
    )
    scale = compiler.jit_optimized(
        functools.partial(_scaled, scaling=scaling), deterministic=config.train.deterministic
    )
    kinds = (targets.MASKS, targets.WEIGHTS, CONFIDENCE)
    left = target_files.missing(place.folder, kinds, names, size)
    for pool in images.pools(place.dataset, left, data, size, "response scaling"):
        probabilities = predict(trained.variables, source.padded(pool.images, size))
        for row, name in enumerate(pool.names):
            mask, weight, confidence = map(
                np.asarray, scale(pool.images[row], probabilities[row], tags[name])
            )
            if learnt is not None and scaling.restored:
                rough = target_files.read(learnt, targets.MASKS, name, data)
                mask, is_restored = lost_classes.restored(mask, rough, tags[name], scaling.restored)
                weight = np.where(is_restored, np.uint8(255), weight)
                confidence = np.where(is_restored, np.uint16(MOST_CONFIDENT), confidence)
            target_files.write(place.folder, targets.MASKS, name, mask, place.dataset, data)
            _write_weights(place, name, weight, confidence, data)


def mean_prediction(
    trained: TrainedModel, views: Sequence[float]
) -> Callable[[Tree, jax.Array], jax.Array]:
    """Variables and images `[B, H, W, channels]` to X, the mean over the views, `[B, H, W, C]`."""
    predictor = trained.method.predictor(trained.predictor)
    sizes = view_sizes(trained.config.data.network_size, views, trained.config.network.stride)

    def predict(variables: Tree, batch: jax.Array) -> jax.Array:
        def logits(view: jax.Array) -> jax.Array:
            return jnp.log(jnp.maximum(predictor(variables, view), LEAST))

        return mean_over_views(logits, batch.astype(jnp.float32), sizes, jax.nn.softmax)

    return predict


def _scaled(
    image: jax.Array, probabilities: jax.Array, tags: jax.Array, *, scaling: Scaling
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mask, uint8, weights, uint8, and confidence, uint16, of an image, `[H, W]` each."""
    crf = scaling.crf
    found = scaled_responses(
        probabilities,
        tags,
        pairwise_terms(image, crf) if crf.iterations else (),
        iterations=crf.iterations,
        scales=scaling.powers,
        form=scaling.form,
    )
    confidence = jnp.round(MOST_CONFIDENT * probabilities.max(-1))
    confidence = jnp.minimum(confidence, MOST_CONFIDENT - 1).astype(jnp.uint16)
    weight = stored_weights(found.variance, scaling.powers, scaling.form)
    return found.mask.astype(jnp.uint8), weight, confidence
