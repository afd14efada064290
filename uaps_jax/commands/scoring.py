"""Scores of checkpoints: measured, printed, and kept in `evaluations.jsonl` and `evaluations/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
from absl import logging

from uaps_jax.commands import score_lines
from uaps_jax.data import leakage, protocols
from uaps_jax.data.source import Dataset, Pool
from uaps_jax.data.whole_images import WholeImages
from uaps_jax.evaluation import decision as decision_lib
from uaps_jax.evaluation import evaluate as evaluation
from uaps_jax.evaluation import image_level, image_score, image_table
from uaps_jax.evaluation.decision import Decision, NoDecision
from uaps_jax.evaluation.evaluate import Measured
from uaps_jax.evaluation.image_score import ScoreRule
from uaps_jax.inference import TrainedModel, inputs
from uaps_jax.training import decisions, workdir

Entry = dict[str, Any]
"""A line of `evaluations.jsonl`."""

OF_THE_CENTRE = (
    "with data.fit = 'pad', validation images are scored by their centre, and photographs by all "
    "of their pixels, so that a threshold of the one does not hold for the other; train with "
    "data.fit=crop or data.fit=resize to have a decision"
)


class Scorer:
    """Scores checkpoints of one run; compiles each predictor once for all of them."""

    def __init__(self) -> None:
        self._functions: dict[tuple[str, ScoreRule], evaluation.MeasureFunction] = {}
        self._said: set[str] = set()

    def score(
        self,
        model: TrainedModel,
        dataset: Dataset,
        pools: Mapping[str, Pool | WholeImages],
        predictor: str = "",
    ) -> dict[str, Entry]:
        """Scores a checkpoint, after its decision was set on the validation images.

        The decision is written into the work directory, and the scores are printed and added to
        `evaluations.jsonl`.

        Args:
          model: of the checkpoint.
          dataset: of the pools.
          pools: "val" and "test".
          predictor: one of the method's; the configuration's if "".

        Returns:
          The line of each pool.
        """
        predictor = predictor or model.predictor
        rule = image_score.rule_of(model.config.evaluation.decision)
        measured = {
            part: self._measured(model, predictor, rule, pool) for part, pool in pools.items()
        }
        decision = self._decide(model, predictor, measured["val"])
        return {
            part: _scored(
                model,
                dataset,
                part,
                pools[part],
                predictor,
                found,
                decision,
                set_on_these=pools[part].names == pools["val"].names,
            )
            for part, found in measured.items()
        }

    def score_folder(
        self, model: TrainedModel, dataset: Dataset, pool: Pool | WholeImages, given: Path
    ) -> Entry:
        """Scores a checkpoint on the images of a folder, by the decision that it has.

        The scores are printed and added to `evaluations.jsonl`.

        Args:
          model: of the checkpoint.
          dataset: of the folder.
          pool: its images with a mask.
          given: the folder, as the person named it.
        """
        predictor = model.predictor
        measured = self._measured(model, predictor, model.score_rule, pool)
        if model.decision is None and model.config.data.fit == "pad":
            self._say_once(f"no decision whether an image is OK: {OF_THE_CENTRE}")
        elif model.decision is None:
            self._say_once(
                "no decision whether an image is OK is set for this checkpoint: --mode=evaluate "
                "without --input sets it on the validation images"
            )
        return _scored(
            model,
            dataset,
            "input",
            pool,
            predictor,
            measured,
            model.decision,
            set_on_these=False,
            of_input={"dataset": dataset.name, "input": str(given)},
        )

    def _measured(
        self, model: TrainedModel, predictor: str, rule: ScoreRule, pool: Pool | WholeImages
    ) -> Measured:
        settings = model.config.evaluation
        if settings.crf.iterations:
            self._say_once(
                f"scores are without the CRF (evaluation.crf.iterations = "
                f"{settings.crf.iterations}): it refines the masks of predictions and of pictures"
            )
        return evaluation.measure(
            self._function(model, predictor, rule), model.variables, pool, settings.batch_size
        )

    def _function(
        self, model: TrainedModel, predictor: str, rule: ScoreRule
    ) -> evaluation.MeasureFunction:
        if (predictor, rule) not in self._functions:
            self._functions[predictor, rule] = evaluation.make_measure_function(
                model.method.predictor(predictor),
                model.config.data.classes,
                rule,
                deterministic=model.config.train.deterministic,
            )
        return self._functions[predictor, rule]

    def _decide(self, model: TrainedModel, predictor: str, measured: Measured) -> Decision | None:
        """Sets the decision of a checkpoint; None, and none is kept, where that is not possible."""
        settings = model.config.evaluation.decision
        truth = image_level.truth(measured.confusions)
        known = truth.is_good | truth.is_defective
        where = (model.directory, model.step, predictor)
        try:
            if model.config.data.fit == "pad":
                raise NoDecision(OF_THE_CENTRE)
            decision = decision_lib.decide(
                measured.image_scores[known],
                truth.is_defective[known],
                image_score.rule_of(settings),
                decision_lib.target_of(settings),
            )
        except NoDecision as reason:
            decisions.remove(*where)
            self._say_once(f"no decision whether an image is OK: {reason}")
            return None
        decisions.write(*where, decision)
        if reservation := decision.reservation():
            self._say_once(reservation)
        return decision

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            logging.warning("%s", text)
            self._said.add(text)


def _scored(
    model: TrainedModel,
    dataset: Dataset,
    part: str,
    pool: Pool | WholeImages,
    predictor: str,
    measured: Measured,
    decision: Decision | None,
    *,
    set_on_these: bool,
    of_input: Mapping[str, str] = MappingProxyType({}),
) -> Entry:
    """Prints the scores of a pool, adds them to `evaluations.jsonl`, and writes a table of images.

    For the images of an input, `of_input` has the entries that are its own.
    """
    config = model.config
    names = dataset.class_names
    truth = image_level.truth(measured.confusions)
    scores = evaluation.scores(measured, names)
    scores |= image_level.separation_by_class(measured.image_scores, truth, names)
    judged = None
    groups = [dataset.groups[name] for name in pool.names]
    if decision is not None:
        judged = image_level.judge(measured.image_scores, truth, groups, names, decision)
        scores |= {"threshold": decision.threshold} | judged.entries()
    entry = {
        "checkpoint": model.checkpoint,
        "step": model.step,
        "part": part,
        "predictor": predictor,
        "dataset": config.data.name,
        "build": dataset.build,
        "protocol": config.data.protocol,
        "labeled": len(model.record["labeled"]),
        "labeled_groups": _labeled_groups(model),
        "split_seed": config.data.split_seed,
        "method": config.method.name,
        "seed": config.train.seed,
        "device": jax.devices()[0].device_kind,
        **of_input,
        **scores,
    }
    workdir.append_jsonl(model.directory / "evaluations.jsonl", entry)
    which = inputs.label(Path(of_input["input"])) if of_input else part
    workdir.write_report(
        model.directory / "evaluations" / f"step_{model.step}_{predictor}_{which}.csv",
        image_table.table(pool.names, groups, measured, names, decision),
    )
    title = (
        f"{of_input.get('input', part)} scores, checkpoint {model.checkpoint} "
        f"(step {model.step}), predictor {predictor}:"
    )
    blocks = [
        score_lines.of_images(scores, decision, judged, set_on_these=set_on_these),
        score_lines.of_pixels(scores, measured.confusions),
    ]
    if dataset.name != "folder":
        blocks.reverse()
    print("\n".join([title, *(line for block in blocks for line in block)]), flush=True)
    return entry


def _labeled_groups(model: TrainedModel) -> int | None:
    """Leakage groups of the labeled images; None where the checkpoint does not say that."""
    counts: leakage.Sizes = model.record.get(protocols.SIZES, {})
    return counts["labeled"]["groups"] if counts else None
