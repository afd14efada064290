"""Pickles of PyTorch, read without calling anything that they name.

A pickle is a program that can call any function. Here, a name stands for an object of this module
or is an error, so that the program can only build numbers, strings, containers and objects such as
`Tensor`.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO, NamedTuple

from uaps_jax.weights.errors import WeightsError, damaged, parsing
from uaps_jax.weights.tensors import DTYPES, Storage, Tensor, is_count


class Dict(dict):
    """What an `OrderedDict` of a pickle becomes."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Ignores attributes such as `_metadata` of a state dictionary."""


class Elements(NamedTuple):
    """What a class of storages or a dtype of PyTorch becomes."""

    dtype: str

    def __setstate__(self, state: object) -> None:
        raise damaged()


class Call(NamedTuple):
    """A function that a pickle may call; the pickle cannot change its attributes."""

    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def __setstate__(self, state: object) -> None:
        raise damaged()


def tensor_of_one_type(
    storage: Storage,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any = False,
    hooks: Any = None,
    metadata: Any = None,
) -> Tensor:
    """`_rebuild_tensor`, `_rebuild_tensor_v2`: the storage has the element type."""
    if metadata:
        raise WeightsError("has a tensor that is stored negated: save it after `resolve_neg()`")
    if not isinstance(storage, Storage):
        raise damaged("a tensor has no storage")
    return Tensor(storage, storage.dtype, offset, shape, strides)


def tensor_of_bytes(
    storage: Storage,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Elements,
    metadata: Any = None,
) -> Tensor:
    """`_rebuild_tensor_v3`: the storage is untyped."""
    if not isinstance(dtype, Elements):
        raise damaged()
    tensor = tensor_of_one_type(storage, offset, shape, strides, metadata=metadata)
    return tensor._replace(dtype=dtype.dtype)


def parameter(data: Tensor, *rest: Any) -> Tensor:
    """`Parameter`, `_rebuild_parameter`: the tensor inside."""
    if not isinstance(data, Tensor):
        raise damaged()
    return data


class LeftOut(NamedTuple):
    """What a value becomes that trainings save beside the weights; nothing is kept of it."""

    def __setstate__(self, state: object) -> None:
        """Ignores the attributes, too."""


def left_out(*arguments: Any) -> LeftOut:
    return LeftOut()


BESIDE = (
    "_codecs.encode",  # the bytes of a number of numpy
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "torch.device",
)
"""Names of numbers of numpy, such as the best score, and of devices."""

ALLOWED: Mapping[str, Call | Elements] = {
    "collections.OrderedDict": Call(Dict),
    "torch.Size": Call(tuple),
    "torch._utils._rebuild_parameter": Call(parameter),
    "torch._utils._rebuild_parameter_with_state": Call(parameter),
    "torch._utils._rebuild_tensor": Call(tensor_of_one_type),
    "torch._utils._rebuild_tensor_v2": Call(tensor_of_one_type),
    "torch._utils._rebuild_tensor_v3": Call(tensor_of_bytes),
    "torch.nn.parameter.Parameter": Call(parameter),
    "torch.storage.UntypedStorage": Elements("uint8"),
    "torch.BFloat16Storage": Elements("bfloat16"),
    "torch.BoolStorage": Elements("bool"),
    "torch.ByteStorage": Elements("uint8"),
    "torch.CharStorage": Elements("int8"),
    "torch.DoubleStorage": Elements("float64"),
    "torch.FloatStorage": Elements("float32"),
    "torch.HalfStorage": Elements("float16"),
    "torch.IntStorage": Elements("int32"),
    "torch.LongStorage": Elements("int64"),
    "torch.ShortStorage": Elements("int16"),
    **{f"torch.{dtype}": Elements(dtype) for dtype in DTYPES},
    **{name: Call(left_out) for name in BESIDE},
}
"""A name in a pickle -> what it stands for."""


class Unpickler(pickle.Unpickler):
    """Builds what a pickle describes, from the objects of `ALLOWED` only."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Call | Elements:
        """Looks up a name; nothing is imported."""
        full = f"{module}.{name}"
        if full not in ALLOWED:
            raise WeightsError(
                f"its pickle names {full[:100]!r}, which is neither executed nor read: save the "
                "state dictionary alone, of plain tensors, `torch.save(model.state_dict(), file)`"
            )
        return ALLOWED[full]

    def persistent_load(self, pid: Any) -> Storage:
        """The storage that `("storage", class, key, device, length)` describes."""
        match pid:
            case ("storage", Elements(dtype), str(key), _, length) if is_count(length):
                found = Storage(dtype, key, length)
            case ("storage", Elements(dtype), str(key), _, length, None) if is_count(length):
                found = Storage(dtype, key, length)
            case _:
                raise damaged("a storage is not described as `torch.save` does")
        if self.storages.setdefault(key, found) != found:
            raise damaged(f"storage {key[:100]!r} is described in two ways")
        return found


class Loaded(NamedTuple):
    """What a pickle describes."""

    tree: Any
    storages: dict[str, Storage]  # by key


def load(stream: BinaryIO) -> Loaded:
    """Reads one pickle from a stream in memory, which is then behind it.

    Raises:
      WeightsError: it is damaged, or names something that is not in `ALLOWED`.
    """
    with parsing():
        check_instructions(stream)
        unpickler = Unpickler(stream)
        return Loaded(unpickler.load(), unpickler.storages)


def check_instructions(stream: BinaryIO) -> None:
    """Refuses what `find_class` does not see; leaves the stream's position as it was.

    Python's unpickler reserves memory up to the largest index of its memo before it reads on, and
    takes extension codes from a table of the process.
    """
    start = stream.tell()
    for instruction, argument, position in pickletools.genops(stream):
        name = instruction.name
        beyond = name.endswith("PUT") and int(argument or 0) > (position or 0) - start
        if beyond or name.startswith("EXT"):
            raise damaged(f"instruction {name} of its pickle is not one of PyTorch")
    stream.seek(start)
