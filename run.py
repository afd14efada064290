"""The command line of this checkout; `uaps_jax/command_line/main.py` describes it.

python run.py --config=configs/neu_uaps.py
"""

from uaps_jax.command_line.main import main

if __name__ == "__main__":
    main()
