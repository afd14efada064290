"""A network on an encoder with random weights of PyTorch, on both sides of `inference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import network_parity
from uaps_jax import methods, models
from uaps_jax.config import Config
from uaps_jax.configs import train
from uaps_jax.configs.parts import datasets
from uaps_jax.methods.base import Method
from uaps_jax.models import encoders
from uaps_jax.trees import Tree

FILE = "torch.npz"


def write(folder: Path, network: str) -> None:
    """Writes PyTorch's state dictionary, with running statistics as after training."""
    torch.manual_seed(0)
    theirs = network_parity.randomized(network_parity.case_of(network).torch())
    for name, value in theirs.named_buffers():
        if "running" in name:
            value.uniform_(0.1, 0.3)
    state = {name: value.detach().numpy() for name, value in theirs.state_dict().items()}
    np.savez(folder / FILE, **state)


def read(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / FILE) as file:
        return {name: file[name] for name in file.files}


def theirs(folder: Path, network: str) -> Any:
    """PyTorch's network, in evaluation mode."""
    module = network_parity.case_of(network).torch()
    module.load_state_dict({name: torch.from_numpy(a) for name, a in read(folder).items()})
    return module.eval()


def ours(folder: Path, network: str, size: int) -> tuple[Config, Method, Tree]:
    """The configuration, the method and the variables, normalised as PyTorch's side does it."""
    config = train.build(dataset="neu", method="supervised", network=network)
    config.data.mean, config.data.std = datasets.neu_seg().data.mean, datasets.neu_seg().data.std
    config.data.height = config.data.width = size
    config.network.pretrained = ""
    assert isinstance(config.network, encoders.EncoderConfig)
    table = encoders.ENCODERS[config.network.encoder].table
    built, case = models.build(config, {}), network_parity.case_of(network)
    variables = network_parity.converted(case, read(folder), built, table)
    return config, methods.build(config), variables
