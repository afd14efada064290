"""Functions that stay one equation: found again by it, and the same numbers and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from uaps_jax.models import operations, pooling, stacked


@operations.operation
def scaled(x, *, factor):
    """A function of an array and a number."""
    return factor * x * x


def found(function, x):
    return [operations.of(equation) for equation in jax.make_jaxpr(function)(x).jaxpr.eqns]


def test_it_is_one_equation_with_its_arguments():
    twice = found(lambda x: scaled(scaled(x, factor=2), factor=3), jnp.ones(2))
    assert twice == [(scaled, {"factor": 2}), (scaled, {"factor": 3})]


def test_other_equations_are_none():
    @jax.jit
    def scaled(x):
        return x

    assert found(lambda x: scaled(jax.nn.relu(x)) + 1, jnp.ones(2)) == [None] * 3


def test_names_and_documentation_are_the_functions():
    assert scaled.__name__ == "scaled"
    assert scaled.__doc__ == "A function of an array and a number."


def test_gradient_and_values_over_stacked_networks():
    x = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    mapped = jax.vmap(stacked.looped(lambda row: scaled(row, factor=2)))
    assert_array_equal(jax.jit(mapped)(x), 2 * x * x)
    assert_array_equal(jax.grad(lambda x: mapped(x).sum())(x), 4 * x)


def test_a_compiled_pooling_is_that_of_the_function():
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 3)).astype(np.float32)
    plain = pooling.max_pool_2x2.__wrapped__
    assert_allclose(jax.jit(pooling.max_pool_2x2)(x), plain(x))
    gradients = (
        jax.grad(lambda x, f=f: (f(x) ** 2).sum())(x) for f in (pooling.max_pool_2x2, plain)
    )
    assert_array_equal(*gradients)
