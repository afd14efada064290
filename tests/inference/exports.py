"""Exported models for tests."""

import jax
import numpy as np
import onnxruntime

from tests import tiny
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.evaluation.decision import Decision, Target
from uaps_jax.inference import export
from uaps_jax.inference.onnx_file import model as onnx_model

ABOUT = {"method": "tiny", "step": "7"}


def trained(config, seed=0):
    """Variables with scales, shifts and statistics as after training, none of them trivial."""
    method = methods.build(config_lib.validate(config))
    random = np.random.default_rng(seed)

    def moved(path, value):
        if "kernel" in jax.tree_util.keystr(path):
            return value
        return (value + random.uniform(0.0, 0.3, value.shape)).astype(np.float32)

    return method, jax.tree_util.tree_map_with_path(moved, method.variables(*method.init(seed)))


def exported(config, predictor, variables, uncertainty=None, rule=tiny.SCORE, decision=None):
    return onnx_model.to_onnx(
        config, predictor, uncertainty, variables, tiny.CLASS_NAMES, ABOUT, rule, decision
    )


def session(model):
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def run(model):
    return export.in_onnx_runtime(model.SerializeToString())


def photographs(count, height, width):
    return np.random.default_rng(3).integers(0, 256, (count, height, width, 3), np.uint8)


def decided(rule, threshold=0.6):
    """A decision by a rule."""
    return Decision(
        rule=rule,
        threshold=threshold,
        target=Target(aim="false_alarms", rate=0.05),
        good=30,
        defective=10,
        false_alarms=1,
        found=8,
    )
