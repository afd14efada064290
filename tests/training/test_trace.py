"""Traces of some steps."""

import jax
import jax.numpy as jnp

from uaps_jax.training.trace import Tracer


def test_the_steps_asked_for_are_traced_and_no_other(tmp_path):
    tracer = Tracer(tmp_path / "profile", (2, 3))
    seen = []
    for step in range(1, 6):
        tracer.before(step)
        output = jax.jit(jnp.sin)(float(step))
        seen.append(tracer._running)
        tracer.after(step, output)
    tracer.close()
    assert seen == [False, True, True, False, False]
    assert len(list((tmp_path / "profile").rglob("*.xplane.pb"))) == 1


def test_a_run_that_ends_early_still_writes_its_trace(tmp_path):
    tracer = Tracer(tmp_path, (1, 9))
    tracer.before(1)
    tracer.close()
    tracer.close()
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_without_steps_no_trace_is_written(tmp_path):
    tracer = Tracer(tmp_path, None)
    tracer.before(1)
    tracer.after(1, 0)
    tracer.close()
    assert not list(tmp_path.iterdir())
