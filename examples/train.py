"""A training from Python."""

# --8<-- [start:train]
import uaps_jax
from uaps_jax.configs import train

config = train.build(dataset="synthetic", method="cps", variant="small")
config.optimizer.learning_rate = 5e-4
uaps_jax.train(config, "runs/cps")
# --8<-- [end:train]
