"""What all studies are: comparisons of many trainings, each of which is a process."""

import dataclasses

from uaps_jax.config import Section


@dataclasses.dataclass(slots=True, kw_only=True)
class Study(Section):
    """A study; the `get_config` of its configuration file returns one."""


class UnfinishedStudy(RuntimeError):
    """Trainings of a study failed; the message lists each with its reason."""
