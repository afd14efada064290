"""Repeats a step whose loss, gradient or state was not finite."""

from __future__ import annotations

import math

from uaps_jax.commands.request import Request
from uaps_jax.training import failures


def replay(request: Request) -> None:
    """Repeats the last step whose loss or gradient was not finite, and says where it goes wrong."""
    found = failures.repeat(failures.latest(request.workdir))
    lines = [f"step {found.step}, {'':27s} {'then':>14s} {'now':>14s}"]
    lines += [
        f"  {name:32s} {found.metrics.get(name, math.nan):14.6g} {value:14.6g}"
        for name, value in found.repeated.items()
    ]
    for what, wrong in (
        ("not finite before the step", found.before),
        ("gradients that are not finite", found.gradients),
        ("not finite after the forward pass", found.after),
    ):
        if wrong:
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            lines.append(f"{what}: {', '.join(wrong[:5])}{more}")
    if found.origin:
        lines.append(f"first: {found.origin}")
    if found.by_the_update:
        lines.append(
            "Loss and gradients are finite. After the update, at a learning rate of "
            f"{found.repeated['learning_rate']:g}, the norm of the parameters is not."
        )
    lines += [f"images, {stream}: {', '.join(names)}" for stream, names in found.images.items()]
    if not found.failed_again:
        lines.append(
            "The repeated step is finite: another device or version, or an error of the hardware."
        )
    print("\n".join(lines), flush=True)
