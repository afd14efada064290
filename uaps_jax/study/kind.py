"""What all studies are: comparisons of many trainings, each of which is a process."""

import dataclasses

from uaps_jax import config as config_lib
from uaps_jax.config import Section


@dataclasses.dataclass(slots=True, kw_only=True)
class Study(Section):
    """A study; the `get_config` of its configuration file returns one."""

    # number of trainings at a time; if there are GPUs, no more than `per_gpu` on each
    workers: int = dataclasses.field(metadata=config_lib.at_least(1))
    # trainings that share a GPU: above 1, a GPU computes one while another compiles or evaluates
    per_gpu: int = dataclasses.field(metadata=config_lib.at_least(1))


class UnfinishedStudy(RuntimeError):
    """Trainings of a study failed; the message lists each with its reason."""
