"""Writes files of PyTorch without PyTorch, from stand-ins for its classes."""

import io
import pickle
import sys
import zipfile
from collections import OrderedDict
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
MACHINE = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"int": 4}}
STORAGES = {
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "float64": "DoubleStorage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}


NAMES = ("torch", "torch._utils", "torch.nn", "torch.nn.parameter", "torch.storage", "other")
MODULES = {name: ModuleType(name) for name in NAMES}


def stub(full):
    """A class whose name is that of something in PyTorch."""
    module, _, name = full.rpartition(".")
    if not hasattr(MODULES[module], name):
        names = {"__module__": module, "__qualname__": name}
        setattr(MODULES[module], name, type(name, (), names))
    return getattr(MODULES[module], name)


@dataclass
class Called:
    """An object whose pickle calls something."""

    function: Any
    arguments: tuple
    state: Any = None

    def __reduce__(self):
        function = stub(self.function) if isinstance(self.function, str) else self.function
        return (function, self.arguments, self.state)[: 2 if self.state is None else 3]


@dataclass
class Storage:
    """A storage; `length` is what the pickle states."""

    values: np.ndarray
    key: Any = "0"
    kind: str = ""
    length: Any = None
    extra: tuple = ()

    def __post_init__(self):
        self.kind = self.kind or f"torch.{STORAGES[self.values.dtype.name]}"
        self.length = len(self.values) if self.length is None else self.length

    def pid(self):
        return ("storage", stub(self.kind), self.key, "cpu", self.length, *self.extra)


@dataclass
class Writer:
    """Pickles an object and notes its storages."""

    protocol: int = 2
    storages: dict = field(default_factory=dict)

    def dumps(self, content):
        stream = io.BytesIO()
        pickler = pickle.Pickler(stream, self.protocol)
        pickler.persistent_id = self.persistent_id
        with mock.patch.dict(sys.modules, MODULES):
            pickler.dump(content)
        return stream.getvalue()

    def persistent_id(self, content):
        if not isinstance(content, Storage):
            return None
        self.storages[content.key] = content
        return content.pid()


def tensor(storage, offset, shape, strides, *rest, function="torch._utils._rebuild_tensor_v2"):
    rest = rest or (False, OrderedDict())
    return Called(function, (storage, offset, shape, strides, *rest))


def plain(values, key="0"):
    """A contiguous tensor with a storage of its own."""
    strides = tuple(stride // values.itemsize for stride in values.strides)
    return tensor(Storage(values.reshape(-1), key), 0, values.shape, strides)


def zipped(content, protocol=2, change=None, folder="archive", **options):
    """The zip format, in bytes; `change` may change the dict of record -> bytes."""
    writer = Writer(protocol)
    records = {f"{folder}/data.pkl": writer.dumps(content), f"{folder}/byteorder": b"little"}
    for key, storage in writer.storages.items():
        records[f"{folder}/data/{key}"] = storage.values.tobytes()
    records[f"{folder}/version"] = b"3\n"
    if change:
        change(records)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, raw in records.items():
            archive.writestr(zipfile.ZipInfo(name), raw, archive.compression)
    return stream.getvalue()


def legacy(content, protocol=2, machine=MACHINE, keys=None, version=1001):
    """The format before PyTorch 1.6, in bytes."""
    writer = Writer(protocol)
    head = [writer.dumps(part) for part in (MAGIC, version, machine, content)]
    keys = sorted(writer.storages) if keys is None else keys
    parts = [*head, writer.dumps(keys)]
    for key in keys:
        values = writer.storages[key].values if key in writer.storages else np.zeros(1, "float32")
        parts += [len(values).to_bytes(8, "little"), values.tobytes()]
    return b"".join(parts)
