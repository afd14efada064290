"""A trained model from Python; needs the run of the README's first command, and an image."""

# --8<-- [start:predict]
import uaps_jax

model = uaps_jax.load("runs/first/fixmatch")
prediction = model.predict("part.png")

for index, name in enumerate(model.class_names):
    print(f"{name}: {100 * (prediction.mask == index).mean():.2f} % of the pixels")
kind = model.uncertainty_kind
print(f"largest uncertainty ({kind.name}): {prediction.uncertainty.max():.3f} {kind.unit}")
verdicts = {True: "not OK", False: "OK", None: "no decision was set"}
print(f"score {prediction.score:.3f}: {verdicts[prediction.not_ok]}")
# --8<-- [end:predict]
