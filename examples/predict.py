"""A trained model from Python; needs the run of the README's first command, and an image."""

# --8<-- [start:predict]
import uaps_jax

model = uaps_jax.load("runs/first")
mask, probabilities, uncertainty = model.predict("part.png")

for index, name in enumerate(model.class_names):
    print(f"{name}: {100 * (mask == index).mean():.2f} % of the pixels")
print(f"largest uncertainty ({model.uncertainty_name}): {uncertainty.max():.3f} nats")
# --8<-- [end:predict]
