"""A training from Python."""

# --8<-- [start:train]
import uaps_jax

config = uaps_jax.load_config(
    "configs/train.py:dataset=synthetic,method=cps,variant=small",
    {"optimizer.learning_rate": 5e-4},
)
model = uaps_jax.train(config, "runs/cps")
# --8<-- [end:train]
