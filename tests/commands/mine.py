"""A user's folder of ten annotated and six other images, and a training of two steps on it."""

import json

from tests.data.test_audit import defect, save, texture
from uaps_jax.commands.request import Request
from uaps_jax.configs import folder_supervised

CLASSES = "background: 0\nscratch: 1\ndent: 2\n"


def write_folder(folder):
    for index in range(16):
        mask = defect() * (1 + index % 2) if index < 10 else None
        save(folder, f"part_{index:02d}", texture(index), mask)
    (folder / "classes.yaml").write_text(CLASSES)


def settings(root, method=folder_supervised):
    config = method.get_config("small")
    config.data.manual_dir, config.data.data_dir = str(root), str(root.parent / "built")
    config.data.height = config.data.width = 16
    config.network.widths, config.network.dropout = (4, 6), (0.0, 0.0)
    config.train.steps = config.train.eval_every = 2
    return config


def request(root, config):
    return Request(config=config, workdir=root.parent / "run", checkpoint="latest", input=None)


def scores(root):
    lines = (root.parent / "run" / "evaluations.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]
