"""Options of the compiler, and the cache of compiled programs."""

import warnings

import jax
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

from uaps_jax import compiler


@pytest.fixture
def no_cache_folder():
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)


def test_a_program_for_long_computes_the_same():
    double = compiler.jit_optimized(lambda x: 2 * x, donate_argnums=0)
    np.testing.assert_array_equal(double(np.arange(3.0)), [0, 2, 4])


def test_an_unknown_option_is_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "CPU_OPTIONS", {"xla_cpu_no_such_option": "1"})
    compiler._options.cache_clear()
    assert compiler._options() == ()
    np.testing.assert_array_equal(compiler.jit_optimized(lambda x: x)(3.0), 3)
    monkeypatch.undo()
    compiler._options.cache_clear()


def test_compiled_programs_go_to_the_users_cache_by_default(tmp_path, monkeypatch, no_cache_folder):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.enable_compile_cache()
    chosen = jax.config.jax_compilation_cache_dir
    assert chosen.startswith(str(tmp_path / "uaps_jax" / "compiled_"))
    jax.config.update("jax_compilation_cache_dir", "elsewhere")
    compiler.enable_compile_cache()
    assert jax.config.jax_compilation_cache_dir == "elsewhere"


def test_deterministic_is_an_option_of_gpus_alone(monkeypatch):
    given = []
    compiler._options()
    monkeypatch.setattr(jax, "jit", lambda function, **options: given.append(options))
    compiler.jit_optimized(abs, deterministic=True)
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    compiler._options.cache_clear()
    compiler.jit_optimized(abs, deterministic=True)
    compiler.jit_optimized(abs)
    compiler._options.cache_clear()
    on_cpu, on_gpu, without = (options["compiler_options"] or {} for options in given)
    assert "xla_gpu_deterministic_ops" not in on_cpu
    assert on_gpu == {"xla_gpu_deterministic_ops": True}
    assert not without


def test_an_entry_that_was_cut_off_is_compiled_anew_and_kept(tmp_path, no_cache_folder):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    compilation_cache.reset_cache()
    try:

        def entries():
            return sorted(tmp_path.glob("jit_cut_off-*-cache"))

        def cut_off(x):
            return x * 3

        jax.jit(cut_off)(np.ones(7, np.float32))
        (entry,) = entries()
        whole = entry.read_bytes()
        entry.write_bytes(whole[: len(whole) // 2])
        jax.clear_caches()
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            with compiler.unreadable_cache_entries_removed():
                np.testing.assert_array_equal(jax.jit(cut_off)(np.ones(7, np.float32)), 3)
        (entry,) = entries()
        assert len(entry.read_bytes()) > len(whole) // 2
    finally:
        compilation_cache.reset_cache()


def test_other_warnings_are_shown_and_the_process_is_left_as_it_was():
    shown = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = before = lambda message, *rest, **named: shown.append(str(message))
        with compiler.unreadable_cache_entries_removed():
            assert warnings.showwarning is not before
            warnings.warn("another", stacklevel=1)
        assert warnings.showwarning is before
    assert shown == ["another"]
