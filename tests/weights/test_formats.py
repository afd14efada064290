"""What a file is, by its content."""

import errno
import io
import pickle
import tarfile

import numpy as np
import pytest

from tests.weights.writers import legacy, plain, zipped
from uaps_jax import weights
from uaps_jax.config import ConfigError
from uaps_jax.weights import WeightsError
from uaps_jax.weights.errors import parsing, reading


def tar_archive():
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return stream.getvalue()


def npz():
    stream = io.BytesIO()
    np.savez(stream, a=np.ones(2))
    return stream.getvalue()


@pytest.mark.parametrize("form", [zipped, legacy])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a"])
def test_the_suffix_does_not_matter(tmp_path, form, name):
    (tmp_path / name).write_bytes(form({"a": plain(np.ones(2, np.float32))}))
    np.testing.assert_array_equal(weights.read(tmp_path / name)["a"], [1, 1])
    np.testing.assert_array_equal(weights.read(str(tmp_path / name))["a"], [1, 1])


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<html>", "is a web page"),
        (b"<html lang='en'>", "is a web page"),
        (b"\x89HDF\r\n\x1a\n", "is not a file of weights"),
        (b"1234", "is not a file of weights"),
        (npz(), "is a zip archive, but not one that `torch.save` wrote"),
        (tar_archive(), "is a tar archive"),
        (pickle.dumps({"a": 1}), "is a pickle, but not one of `torch.save`, and is not executed"),
    ],
)
def test_other_files_are_named(tmp_path, content, part):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        weights.read(path)
    assert str(caught.value).startswith(f"{path}: {part}") or part == "git lfs pull"
    assert part in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(WeightsError, match="absent.pth: does not exist: give the path"):
        weights.read(tmp_path / "absent.pth")
    with pytest.raises(WeightsError, match="cannot be read: Is a directory"):
        weights.read(tmp_path)


def test_errors_of_the_system_while_a_file_is_parsed():
    with pytest.raises(WeightsError, match="damaged"), parsing():
        raise OSError(errno.EINVAL, "Invalid argument")  # of a seek to a place outside
    message = r"^a\.pth: cannot be read: Input/output error$"
    with pytest.raises(WeightsError, match=message), reading("a.pth"), parsing():
        raise OSError(errno.EIO, "Input/output error")


def test_the_command_line_prints_it_as_a_sentence():
    assert issubclass(WeightsError, ConfigError)
