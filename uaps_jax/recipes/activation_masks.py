"""The passes that make masks of the labels of whole images, by a classifier's activation maps."""

# Annotations are evaluated here: ml_collections reads the types of overrides from them.

import dataclasses
import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from uaps_jax import compiler, files, inference, palette
from uaps_jax import config as config_lib
from uaps_jax.config import ConfigError, CRFConfig, MethodConfig, Section
from uaps_jax.crf.refine import pairwise_terms
from uaps_jax.data import protocols, source, targets
from uaps_jax.datasets import image_labels
from uaps_jax.inference import TrainedModel
from uaps_jax.methods import seam
from uaps_jax.methods.seam import ActivationPredictor
from uaps_jax.recipes import images, quality, rough_masks, target_files
from uaps_jax.recipes.stage import Pass, Place
from uaps_jax.trees import Tree
from uaps_jax.weak_supervision import activation_maps
from uaps_jax.weak_supervision.views import mean_over_views, view_sizes

QUALITY = "quality.json"


@dataclasses.dataclass(slots=True, kw_only=True)
class MapsConfig(Section):
    """Masks from image labels (PMM, Li et al., ICCV 2021)."""

    classifier: MethodConfig  # seam
    steps: int = dataclasses.field(metadata=config_lib.at_least(1))  # of the classifier
    # sizes of the images for activation maps, as factors of the sides, each mirrored as well
    views: tuple[float, ...] = dataclasses.field(
        metadata=config_lib.rule(lambda v: bool(v) and min(v) > 0, "must be one factor or more")
    )
    pcm: bool  # whether maps are refined by features that are alike (SEAM's PCM)
    # exponent of the background, (1 - v)^alpha; a lower one makes the foreground smaller
    alpha: float = dataclasses.field(metadata=config_lib.above(0))
    crf: CRFConfig  # which decides for each class; none for no iterations


def labels_as_masks(*, name: str, folder: str) -> Pass:
    """The labels of training images: `image_labels.csv`, and masks with their classes.

    A mask is stripes of the classes of the image: what a classifier learns is which classes a mask
    holds, and not where. The labels are those of a user's folder and, of other labeled images, the
    classes in their masks.
    """

    def write(place: Place) -> None:
        given, names = place.dataset.image_labels, place.dataset.class_names
        training = {*place.split["labeled"], *place.split["unlabeled"]}
        of_masks = protocols.classes_of(place.dataset, place.split["labeled"])
        labels = {one: tuple(sorted(classes)) for one, classes in of_masks.items()} | {
            one: classes for one, classes in given.items() if one in training
        }
        if len(set(labels.values())) < 2:
            raise ConfigError(
                f"all {len(labels)} images have the same labels: there is nothing that a "
                f"classifier could learn. Label further images in {image_labels.FILE}"
            )
        for one, classes in labels.items():
            height, width = source.size(place.dataset, one)
            columns = np.arange(width) * max(len(classes), 1) // width
            mask = np.tile(np.array(classes or (0,), np.uint8)[columns], (height, 1))
            file = target_files.file_of(place.folder, targets.MASKS, one)
            target_files.write_content(file, palette.png(mask))
        text = image_labels.to_csv({n: [names[c] for c in ids] for n, ids in labels.items()})
        files.write_text(place.folder / image_labels.FILE, text)

    return Pass(
        name=name,
        folder=folder,
        inputs=(),
        options={"pass": "labels as masks"},
        write=write,
    )


def activation_masks(*, name: str, folder: str, settings: MapsConfig) -> Pass:
    """Masks of the activation maps of the stage `classifier`, for the images of `image_labels`.

    Writes `mask/NAME.png`, `image_labels.csv`, and `quality.json`, the scores of the masks against
    those of the dataset; `null` where there are none.
    """

    def write(place: Place) -> None:
        trained = inference.load(place.inputs["classifier"], "latest")
        data = trained.config.data
        folder_of_labels = place.inputs["image_labels"]
        names = target_files.names_in(folder_of_labels)
        classes = np.arange(1, len(place.dataset.class_names))
        labels = rough_masks.labels_of(folder_of_labels, place.dataset.class_names)
        tags = {one: np.isin(classes, labels[one]) for one in names}
        _write_masks(place, trained, tags, settings)
        text = (folder_of_labels / image_labels.FILE).read_text()
        files.write_text(place.folder / image_labels.FILE, text)
        pairs = ((one, target_files.read(place.folder, targets.MASKS, one, data)) for one in names)
        scores = quality.quality(pairs, place.dataset, data)
        files.write_text(place.folder / QUALITY, quality.to_json(scores))
        quality.log(f"{len(names)} masks of activation maps", scores)

    return Pass(
        name=name,
        folder=folder,
        inputs=("image_labels", "classifier"),
        options={
            "pass": "activation masks",
            "model": "classifier",
            "part": "",
            "views": list(settings.views),
            "pcm": settings.pcm,
            "alpha": settings.alpha,
            **config_lib.flatten(settings.crf, "crf."),
        },
        write=write,
    )


def _write_masks(
    place: Place, trained: TrainedModel, tags: Mapping[str, np.ndarray], settings: MapsConfig
) -> None:
    """Writes the masks that an interrupted pass has not written; `tags` are without background."""
    config = trained.config
    data, size = config.data, config.evaluation.batch_size
    jit = functools.partial(compiler.jit_optimized, deterministic=config.train.deterministic)
    find, decide = jit(mean_maps(trained, settings)), jit(functools.partial(mask_of, settings))
    flat = jit(flat_maps(trained, settings))(trained.variables)
    left = target_files.missing(place.folder, (targets.MASKS,), list(tags), size)
    for pool in images.pools(place.dataset, left, data, size, "activation maps"):
        of_batch = np.stack([tags[name] for name in pool.names])
        maps = find(
            trained.variables,
            flat,
            source.padded(pool.images, size),
            source.padded(of_batch.astype(np.float32), size),
        )
        for row, name in enumerate(pool.names):
            mask = np.asarray(decide(pool.images[row], maps[row], tags[name]))
            target_files.write(place.folder, targets.MASKS, name, mask, place.dataset, data)


def flat_maps(
    trained: TrainedModel, settings: MapsConfig
) -> Callable[[Tree], dict[tuple[int, int], jax.Array]]:
    """Variables to a_0 of the images of each view, `[1, h, w, K]`, by their size."""
    predictor, sizes = _classifier(trained, settings)
    channels = trained.config.data.channels
    return lambda variables: {
        size: predictor.flat_maps(variables, (*size, channels)) for size in sizes
    }


def mean_maps(
    trained: TrainedModel, settings: MapsConfig
) -> Callable[[Tree, Mapping[tuple[int, int], jax.Array], jax.Array, jax.Array], jax.Array]:
    """The mean over views of relu(a - a_0), refined by PCM if the settings say so.

    The function takes variables, the a_0 of `flat_maps`, images `[B, H, W, channels]` on the 0..255
    scale, and tags without the background, 0 or 1, `[B, K]`. The maps are `[B, H, W, K]`, at least
    0, and with PCM at most 1.
    """
    predictor, sizes = _classifier(trained, settings)

    def find(
        variables: Tree,
        flat: Mapping[tuple[int, int], jax.Array],
        batch: jax.Array,
        tags: jax.Array,
    ) -> jax.Array:
        def of_view(view: jax.Array) -> jax.Array:
            maps, features = predictor.maps(variables, view)
            maps = maps - flat[view.shape[1], view.shape[2]]
            return seam.refined(maps, features, tags)[..., 1:] if settings.pcm else maps

        return mean_over_views(of_view, batch.astype(jnp.float32), sizes, jax.nn.relu)

    return find


def _classifier(
    trained: TrainedModel, settings: MapsConfig
) -> tuple[ActivationPredictor, tuple[tuple[int, int], ...]]:
    """The predictor that has maps, and the sizes of the views."""
    predictor = trained.method.predictor("")
    assert isinstance(predictor, ActivationPredictor)
    stride = predictor.network.stride
    return predictor, view_sizes(trained.config.data.network_size, settings.views, stride)


def mask_of(settings: MapsConfig, image: jax.Array, maps: jax.Array, tags: jax.Array) -> jax.Array:
    """The mask of an image, uint8 `[H, W]`.

    Args:
      settings: of the CRF and the background.
      image: 0 to 255, `[H, W, channels]`.
      maps: mean over the views, `[H, W, K]`.
      tags: classes of the image without the background, bool `[K]`.
    """
    crf = settings.crf
    terms = pairwise_terms(image, crf) if crf.iterations else ()
    v = activation_maps.smoothed_maps(activation_maps.normalized_maps(maps, tags))
    is_foreground = activation_maps.foreground(
        v, terms, iterations=crf.iterations, alpha=settings.alpha
    )
    return activation_maps.proportional_mask(v, is_foreground).astype(jnp.uint8)
