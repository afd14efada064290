"""Repeats a step whose loss, gradient or state was not finite."""

from __future__ import annotations

import math

from uaps_jax.commands.request import Request
from uaps_jax.training import failures


def replay(request: Request) -> None:
    """Repeats the last step that was not finite, and prints the operation that fails."""
    repetition = failures.repeat(failures.latest(request.workdir))
    lines = [f"step {repetition.step}, {'':27s} {'then':>14s} {'now':>14s}"]
    lines += [
        f"  {name:32s} {repetition.metrics.get(name, math.nan):14.6g} {value:14.6g}"
        for name, value in repetition.repeated.items()
    ]
    for what, wrong in (
        ("not finite before the step", repetition.before),
        ("gradients that are not finite", repetition.gradients),
        ("not finite after the forward pass", repetition.after),
    ):
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            lines.append(f"{what}: {', '.join(wrong[:5])}{more}")
    if repetition.origin:
        lines.append(f"first: {repetition.origin}")
    if repetition.by_the_update:
        lines.append(
            "Loss and gradients are finite. After the update, at a learning rate of "
            f"{repetition.repeated['learning_rate']:g}, the norm of the parameters is not."
        )
    lines += [
        f"images, {stream}: {', '.join(names)}" for stream, names in repetition.images.items()
    ]
    if not repetition.failed_again:
        lines.append(
            "The repeated step is finite: another device or version, or an error of the hardware."
        )
    print("\n".join(lines), flush=True)
