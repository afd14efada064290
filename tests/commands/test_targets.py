"""A training on masks of unlabeled images from a folder that the user made."""

import json

import pytest

from tests.commands.mine import settings
from tests.data.test_targets import write
from uaps_jax.commands import training
from uaps_jax.commands.opening import open_dataset
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_supervised, train
from uaps_jax.data import protocols


class SelfTraining:
    @staticmethod
    def get_config(variant):
        return train.build(dataset="folder", method="self_training", variant=variant)


def with_targets(root, folder):
    config = settings(root, SelfTraining)
    config.data.targets.folders, config.data.targets.weights = (str(folder),), True
    config.train.steps, config.train.eval_every, config.checkpoint.every = 4, 4, 2
    config.train.log_every = 1
    return config


def logged(workdir):
    lines = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    return [
        {k: v for k, v in line.items() if "waiting" not in k and "per_sec" not in k}
        for line in lines
    ]


def test_streamed_equals_resident_and_other_targets_stop_a_resumed_run(root, tmp_path):
    config = with_targets(root, tmp_path / "pseudo")
    _, dataset = open_dataset(config)
    unlabeled = protocols.make_split(dataset, config.data)["unlabeled"]
    write(tmp_path / "pseudo", unlabeled[:3], weights=True)
    runs = [tmp_path / name for name in ("resident", "streamed", "moved")]
    training.train(config, runs[0])
    streamed = with_targets(root, tmp_path / "pseudo")
    streamed.data.resident_mib = 0
    training.train(streamed, runs[1])
    assert logged(runs[0]) == logged(runs[1])
    split = json.loads((runs[0] / "split.json").read_text())
    assert split["unlabeled"] == unlabeled[:3]

    # Folders may move; their contents may not change.
    (tmp_path / "pseudo").rename(tmp_path / "elsewhere")
    assert training.train(with_targets(root, tmp_path / "elsewhere"), runs[0]).step == 4
    write(tmp_path / "elsewhere", unlabeled[1:2], weights=True)
    with pytest.raises(ConfigError, match=r"(?s)holds a run on other data:.*targets: \w+ -> \w+"):
        training.train(with_targets(root, tmp_path / "elsewhere"), runs[0])


def test_targets_and_method_must_fit(root, tmp_path):
    config = settings(root, SelfTraining)
    with pytest.raises(ConfigError, match="self_training learns masks of unlabeled images"):
        training.train(config, tmp_path / "run")
    config = settings(root, folder_supervised)
    config.data.targets.folders = (str(tmp_path),)
    with pytest.raises(ConfigError, match="supervised does not learn masks of unlabeled images"):
        training.train(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
