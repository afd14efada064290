"""The base of all builders: TFDS without TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from uaps_jax.datasets.common import DataError


class ArrayRecordBuilder(tfds.core.GeneratorBasedBuilder):
    """A builder whose file format is array_record unless another one is asked for.

    TFDS's default, tfrecord, needs TensorFlow, and fails only at the end of a build.

    Args:
      file_format: a format of TFDS; None means array_record.
      **kwargs: `data_dir`, `config` and `version`, as every TFDS builder takes them.
    """

    def __init__(self, *, file_format: Any = None, **kwargs: Any) -> None:
        super().__init__(file_format=file_format or "array_record", **kwargs)


def manual_dir(dl_manager: tfds.download.DownloadManager) -> Path:
    """Returns the folder that holds the raw data.

    Raises:
      DataError: if it does not exist or is empty; TFDS's text gives the instructions.
    """
    try:
        return Path(dl_manager.manual_dir)
    except AssertionError as error:
        raise DataError(
            [("manual_dir", str(error))], "Put the raw data there, then build again."
        ) from error
