"""Runs the stages of a recipe, or lists them."""

from __future__ import annotations

import os

from uaps_jax.commands import opening, training
from uaps_jax.commands.request import Request
from uaps_jax.recipes import errors, listing, run_recipe, work
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Recipe


def recipe(request: Request) -> None:
    """Runs the stages that are not done; with `request.lists`, prints the stages alone.

    In the process of a stage, runs that stage alone.

    Raises:
      ConfigError: the recipe cannot be run, or a chosen setting has no effect.
      StageFailed: a stage failed; those before it are done.
    """
    given = request.config
    assert isinstance(given, Recipe)
    stage_lib.checked(given, request.workdir)
    stage_lib.require_used(given, request.overrides)
    _, dataset = opening.open_dataset(given.base)
    if request.lists:
        _, data = run_recipe.split_of(given, dataset)
        print(listing.table(run_recipe.open_recipe(given, request.workdir, data)), flush=True)
        return
    # Taken out: a program that a stage starts is not the process of this stage.
    if (name := os.environ.pop(work.STAGE_VARIABLE, None)) is not None:
        with errors.correctable(str):
            run_recipe.run_stage(given, request.workdir, dataset, training.train, name)
        return
    of_stage = work.in_this_process(training.train)
    if request.stages_as_processes:
        of_stage = work.in_own_process(request.command)
    run_recipe.run_recipe(
        given, request.workdir, dataset, of_stage, again=request.stage, reuse=request.reuse
    )
