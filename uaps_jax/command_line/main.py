"""The command line: audit, train, evaluate, predict, export, queue, review, and others; studies.

    uaps-jax --config=configs/neu_uaps.py
    uaps-jax --config=configs/neu_uaps.py --mode=evaluate --checkpoint=best
    uaps-jax --mode=predict --workdir=runs/neu_uaps --input=folder/of/images
    uaps-jax --config=configs/studies/neu_small.py

In a checkout, `python run.py` is the same. If configs/NAME.py does not exist in the working
directory, the installed file of this name is used. Any setting can be overridden:
--config.optimizer.learning_rate=1e-4.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from uaps_jax.command_line import huge_pages


def main() -> NoReturn:
    """Runs the command of this process's flags, and exits with its status."""
    huge_pages.restart_process_with_huge_pages()
    # Imported here, because the line above replaces this process.
    from absl import app, logging
    from absl.flags import FLAGS

    from uaps_jax.command_line import flags

    # `--help` shows the docstring and the flags of the script.
    sys.modules["__main__"].__doc__ = __doc__
    for flag in FLAGS.get_key_flags_for_module(flags.__name__):
        FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    logging.set_verbosity(logging.INFO)
    app.run(flags.run, flags_parser=flags.parse)
