"""What is known about cyclic masks and their weights: a table, a summary and a contact sheet.

All of it is computed from the files, so that it does not depend on an interruption.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from absl import logging

from uaps_jax import files, palette
from uaps_jax.config import DataConfig
from uaps_jax.data import source, targets
from uaps_jax.evaluation import ranking
from uaps_jax.labels import IGNORE
from uaps_jax.recipes import quality, target_files
from uaps_jax.recipes.rough_masks import CONFIDENCE
from uaps_jax.recipes.stage import Place
from uaps_jax.reports import contact_sheet
from uaps_jax.training.workdir import finite_or_none

TABLE = "uncertainty.csv"
SUMMARY = "summary.json"
SHEET = "uncertain_and_certain.png"
SHOWN = 8
"""Images of each end of the order by uncertainty that are drawn."""

NEARLY_ALL = 0.9
"""Share of the rough masks of a class that are restored from which on the log warns."""

LEVELS = {"response_scaling": 2**8, "confidence": 2**16}
"""The uncertainties, with the number of their values: 255 - weight, and 65535 - confidence."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Maps:
    """An image with cyclic mask and weights, `[H, W]` each at the size of the network's input.

    Attributes:
      name: of the image.
      rough: its mask in the first phase; None where it had none.
      cyclic: its cyclic mask.
      uncertainty: by the names of `LEVELS`.
      truth: the mask of the dataset; None where it is not known.
    """

    name: str
    rough: np.ndarray | None
    cyclic: np.ndarray
    uncertainty: dict[str, np.ndarray]
    truth: np.ndarray | None

    @property
    def seen(self) -> np.ndarray:
        """Pixels with a label, bool `[H, W]`; not those of padding."""
        return self.cyclic != IGNORE

    @property
    def restored(self) -> list[int]:
        """The classes that have their rough mask back: a confidence that no prediction has."""
        if self.rough is None:
            return []
        is_restored = self.seen & (self.uncertainty["confidence"] == 0)
        return np.unique(self.cyclic[is_restored]).tolist()

    @property
    def compared(self) -> np.ndarray:
        """Pixels whose label can be compared with the truth, bool `[H, W]`."""
        assert self.truth is not None
        return self.seen & (self.truth != IGNORE)


def write(
    place: Place,
    names: Sequence[str],
    data: DataConfig,
    *,
    rough: Path | None,
    tags: Mapping[str, np.ndarray],
    is_exact: bool,
    least: float,
) -> None:
    """Writes the report of the cyclic masks and weights in the folder of a pass.

    Args:
      place: of the pass.
      names: of the images.
      data: the settings of the network's input.
      rough: the folder of the masks of the first phase; None where the images had none.
      tags: name of an image -> the classes that it can have, bool `[C]`.
      is_exact: whether the masks of the dataset are exact, and hidden from the training.
      least: weights up to it count less (`method.least`).
    """

    def maps(name: str) -> Maps:
        weight = target_files.read(place.folder, targets.WEIGHTS, name, data)
        confidence = target_files.read_grey(target_files.file_of(place.folder, CONFIDENCE, name))
        is_known = is_exact and name in place.dataset.masked
        return Maps(
            name=name,
            rough=None if rough is None else target_files.read(rough, targets.MASKS, name, data),
            cyclic=target_files.read(place.folder, targets.MASKS, name, data),
            uncertainty={"response_scaling": 255 - weight, "confidence": 65535 - confidence},
            truth=target_files.truth(place.dataset, name, data) if is_known else None,
        )

    # Each is read again where it is used: together they may be larger than the memory.
    low = int(255 * least)
    class_names = place.dataset.class_names
    rows, counts = [], np.zeros((len(class_names), 2), int)
    for name in names:
        one = maps(name)
        rows.append(_row(one, low, class_names))
        counts += _restored_counts(one, tags[name])
    given_back = {
        name: row.tolist() for name, row in zip(class_names, counts, strict=True) if row[0]
    }
    files.write_text(place.folder / TABLE, _to_csv(rows))
    errors = errors_found(map(maps, names), low)
    scores = {
        what: quality.quality(_compared(map(maps, names), what), place.dataset, data)
        for what in ("rough", "cyclic")
    }
    summary = {
        "images": len(names),
        "restored": given_back,
        "uncertainty": errors,
        "quality": scores,
    }
    files.write_text(place.folder / SUMMARY, json.dumps(summary, indent=1) + "\n")
    quality.log(f"{len(names)} cyclic masks", scores["cyclic"])
    _log_restored(given_back)
    _log(errors)
    rows.sort(key=lambda row: (-row["uncertainty"], row["name"]))
    count = min(SHOWN, (len(rows) + 1) // 2)
    ends = [*rows[:count], *rows[count:][-count:]]
    titles = [f"{row['uncertainty']:.3f}\n{row['name']}" for row in ends]
    _draw(place, data, [maps(row["name"]) for row in ends], titles)


def _restored_counts(one: Maps, tags: np.ndarray) -> np.ndarray:
    """Whether each class has its rough mask back in an image, and whether it could, `[C, 2]`."""
    counts = np.zeros((len(tags), 2), int)
    if one.rough is not None:
        counts[one.restored, 0] = 1
        counts[:, 1] = tags & np.isin(np.arange(len(tags)), one.rough)
    return counts


def errors_found(every: Iterable[Maps], low_weight: int) -> dict[str, Any] | None:
    """How well the uncertainties find the wrong pixels of the masks; None if no truth is known.

    Args:
      every: the images.
      low_weight: the largest stored weight that URN's hard weights count less.

    Returns:
      `wrong`, the share of the compared pixels; for each uncertainty, `auroc` and
      `average_precision` for "this pseudo-label is wrong"; and of the pixels that URN's hard
      weights count less, `share`, `precision` and `recall`. Numbers that do not exist are None.
    """
    counts = {what: np.zeros((2, levels), np.int64) for what, levels in LEVELS.items()}
    for one in every:
        if one.truth is None:
            continue
        is_wrong = one.cyclic != one.truth
        for what, levels in LEVELS.items():
            for row, chosen in enumerate((~is_wrong, is_wrong)):
                values = one.uncertainty[what][chosen & one.compared]
                counts[what][row] += np.bincount(values, minlength=levels)
    of_urn = counts["response_scaling"]
    if not of_urn.sum():
        return None
    low = of_urn[:, 255 - low_weight :].sum(1)
    return {what: _separation(of_one) for what, of_one in counts.items()} | {
        "wrong": _ratio(of_urn[1].sum(), of_urn.sum()),
        "share": _ratio(low.sum(), of_urn.sum()),
        "precision": _ratio(low[1], low.sum()),
        "recall": _ratio(low[1], of_urn[1].sum()),
    }


def _separation(counts: np.ndarray) -> dict[str, float | None]:
    """How well levels separate the pixels of counts `[2, L]`, those of right and of wrong ones."""
    levels = counts.shape[1]
    arguments = (
        np.tile(np.arange(levels), 2),
        np.repeat([False, True], levels),
        counts.reshape(-1),
    )
    return {
        "auroc": finite_or_none(ranking.auroc(*arguments)),
        "average_precision": finite_or_none(ranking.average_precision(*arguments)),
    }


def _ratio(part: np.integer[Any], whole: np.integer[Any]) -> float | None:
    return float(part / whole) if whole else None


def _row(one: Maps, low_weight: int, class_names: Sequence[str]) -> dict[str, Any]:
    """The line of the table of an image: shares of its pixels, and the restored classes."""
    seen = one.seen
    low = one.uncertainty["response_scaling"] >= 255 - low_weight
    row: dict[str, Any] = {
        "name": one.name,
        "uncertainty": _mean(one.uncertainty["response_scaling"] / 255, seen),
        "low_weight": _mean(low, seen),
        "confidence": 1 - _mean(one.uncertainty["confidence"] / 65535, seen),
        "changed": None if one.rough is None else _mean(one.rough != one.cyclic, seen),
        "restored": ", ".join(class_names[label] for label in one.restored),
        "wrong": None,
        "wrong_rough": None,
    }
    if one.truth is not None:
        row["wrong"] = _mean(one.cyclic != one.truth, one.compared)
        if one.rough is not None:
            row["wrong_rough"] = _mean(one.rough != one.truth, one.compared)
    return row


def _mean(values: np.ndarray, chosen: np.ndarray) -> float:
    return float(values[chosen].mean()) if chosen.any() else 0.0


def _to_csv(rows: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {k: f"{v:.6f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
    )
    return text.getvalue()


def _compared(every: Iterable[Maps], what: str) -> Iterator[tuple[str, np.ndarray]]:
    """Names and masks of the images whose truth is known."""
    for one in every:
        mask = one.rough if what == "rough" else one.cyclic
        if one.truth is not None and mask is not None:
            yield one.name, mask


def _log_restored(counts: Mapping[str, Sequence[int]]) -> None:
    """Names the classes with restored masks; as a warning where that is nearly all of them."""
    for name, (count, of) in counts.items():
        text = f"{name}: {count} of {of} images have the rough mask back (restored)"
        if count < NEARLY_ALL * of:
            logging.info("%s", text)
        else:
            logging.warning(
                "%s: after the first phase and the CRF, next to nothing of this class was left in "
                "them. If the scores of the first phase are low, too, it needs more steps or "
                "larger images",
                text,
            )


def _log(found: dict[str, Any] | None) -> None:
    if found is None:
        logging.info("uncertainty: no true masks to compare with")
        return
    logging.info(
        "AUROC for a wrong pseudo-label: response scaling %s, 1 - largest probability %s",
        *(found[what]["auroc"] for what in LEVELS),
    )


def _draw(place: Place, data: DataConfig, chosen: Sequence[Maps], titles: Sequence[str]) -> None:
    """Draws some images with their masks and their uncertainty."""
    pool = source.read(place.dataset, [one.name for one in chosen], data)
    pictures = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in pool.images]
    nothing = np.zeros(data.network_size, np.uint8)

    def tinted(masks: Sequence[np.ndarray | None]) -> list[np.ndarray]:
        filled = [nothing if mask is None else mask for mask in masks]
        return list(map(palette.overlay, pictures, filled))

    contact_sheet.draw(
        {
            "image": pictures,
            "mask of phase 1": tinted([one.rough for one in chosen]),
            "cyclic mask": tinted([one.cyclic for one in chosen]),
            "uncertainty": [_grey(one.uncertainty["response_scaling"]) for one in chosen],
            "truth, where it is known": tinted([one.truth for one in chosen]),
        },
        titles,
        place.folder / SHEET,
    )


def _grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)
