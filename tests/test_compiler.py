"""Options of the compiler, and where compiled programs are kept."""

import jax
import numpy as np
import pytest

from uaps_jax import compiler


@pytest.fixture
def no_cache_folder():
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_a_program_for_long_computes_the_same():
    double = compiler.jit_for_long(lambda x: 2 * x, donate_argnums=0)
    np.testing.assert_array_equal(double(np.arange(3.0)), [0, 2, 4])


def test_an_unknown_option_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "CPU_OPTIONS", {"xla_cpu_no_such_option": "1"})
    compiler._options.cache_clear()
    assert compiler._options() == ()
    np.testing.assert_array_equal(compiler.jit_for_long(lambda x: x)(3.0), 3)
    monkeypatch.undo()
    compiler._options.cache_clear()


def test_compiled_programs_go_to_the_users_cache_unless_told_otherwise(
    tmp_path, monkeypatch, no_cache_folder
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.keep_compiled()
    chosen = jax.config.jax_compilation_cache_dir
    assert chosen.startswith(str(tmp_path / "uaps_jax" / "compiled_"))
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    compiler.keep_compiled()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"
