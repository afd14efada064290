"""Fuzzes all readers of files and all overrides with damaged files and random values.

    python -m tests.fuzz --files 2000 --overrides 10000 --seed 0

Whatever comes in, the answer is a result or an error that is worded for a person: `DataError`,
`ConfigError`, `CheckpointError`, `UnreadableError`. Anything else is a failure, and so is an answer
that takes too long or too much memory. Every case is a function of the seed and of its number;
failures are printed with both, and `--only file:NUMBER` or `--only override:NUMBER` repeats one.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
from absl import logging

from tests import command_lines
from tests.datasets import test_crackforest, test_dagm, test_folder
from tests.datasets.raw_files import mask_of, picture, write_files, write_zip
from tests.golden import make
from uaps_jax import config as config_lib
from uaps_jax import methods
from uaps_jax.command_line import flags
from uaps_jax.config import Config, ConfigError
from uaps_jax.data import protocols
from uaps_jax.datasets.common import DataError, UnreadableError, read_image, read_mask
from uaps_jax.datasets.crackforest import mat_masks
from uaps_jax.datasets.folder import class_map, folder_dataset_builder, images, scan
from uaps_jax.datasets.neu_seg import layouts, neu_seg_dataset_builder
from uaps_jax.evaluation import watchdogs
from uaps_jax.training import checkpoints, digests, metric_writer, results, workdir

EXPECTED = (DataError, ConfigError, UnreadableError, checkpoints.CheckpointError)
SECONDS = 20
MEBIBYTES = 3000

Bytes = Callable[[random.Random, bytes], bytes]


def flip(generator: random.Random, data: bytes) -> bytes:
    """Flips some bits."""
    content = bytearray(data)
    for _ in range(generator.randint(1, 12)):
        content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return bytes(content)


def cut(generator: random.Random, data: bytes) -> bytes:
    """Cuts off the end."""
    return data[: generator.randrange(len(data))]


def blank(generator: random.Random, data: bytes) -> bytes:
    """Sets the end to zeros, as in incomplete downloads."""
    start = generator.randrange(len(data))
    return data[:start] + bytes(len(data) - start)


def remove(generator: random.Random, data: bytes) -> bytes:
    """Removes a piece."""
    start = generator.randrange(len(data))
    return data[:start] + data[start + generator.randint(1, 40) :]


def repeat(generator: random.Random, data: bytes) -> bytes:
    """Repeats a piece."""
    start = generator.randrange(len(data))
    piece = data[start : start + generator.randint(1, 40)]
    return data[:start] + piece * generator.choice((2, 3, 1000)) + data[start:]


def insert(generator: random.Random, data: bytes) -> bytes:
    """Inserts other bytes."""
    start = generator.randrange(len(data) + 1)
    return data[:start] + generator.randbytes(generator.randint(1, 60)) + data[start:]


def exaggerate(generator: random.Random, data: bytes) -> bytes:
    """Sets a number in the file, such as a size, to an extreme value."""
    width = generator.choice((1, 2, 4, 8))
    start = generator.randrange(max(1, min(len(data) - width, generator.choice((64, 10**9)))))
    high = 2 ** (8 * width)
    value = generator.choice((0, 1, high // 2 - 1, high // 2, high - 1))
    order = generator.choice(("big", "little"))
    return data[:start] + value.to_bytes(width, order) + data[start + width :]  # type: ignore[arg-type]


WORDS = (
    *(b"\xff\xfe", b"\x00", b"\xef\xbb\xbf", b"null", b"NaN", b"-1", b"1e999", b"9" * 400),
    *(b"{}", b"[]", b"[" * 3000, b"&a [*a]", b"<<: *a", b"../../etc/passwd", b"/dev/null", b"~x"),
    *(
        b"\r",
        b"\n",
        b'"',
        b",",
        b":",
        b"\t",
        b"\x1b[31m",
        "\ud800".encode("utf-8", "surrogatepass"),
    ),
    *(b"!!python/object/apply:os.system [exit]", b"2024-99-99", b"true", b"0x" + b"f" * 99),
)


def reword(generator: random.Random, data: bytes) -> bytes:
    """Replaces a word."""
    separators = [n for n, byte in enumerate(data) if byte in b' \n,:"[]{}'] or [0]
    start = generator.choice(separators)
    later = [n for n in separators if n > start] or [len(data)]
    end = generator.choice(later[:3])
    return data[: start + 1] + generator.choice(WORDS) + data[end:]


def empty(generator: random.Random, data: bytes) -> bytes:
    """Removes all bytes."""
    del generator, data
    return b""


DAMAGES: Sequence[Bytes] = (flip, cut, blank, remove, repeat, insert, exaggerate, reword, empty)


def damaged(generator: random.Random, data: bytes) -> bytes:
    """The bytes after one or several damages."""
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        if data:
            data = generator.choice(DAMAGES)(generator, data)
    return data


def pictures() -> list[bytes]:
    """Images and masks of every kind that is read."""
    from PIL import Image

    actual = []
    base = test_folder.picture(size=(24, 20))
    for kind, modes in {
        "PNG": ("RGB", "RGBA", "L", "LA", "P", "1", "I;16"),
        "JPEG": ("RGB", "L", "CMYK"),
        "BMP": ("RGB", "L", "1"),
        "TIFF": ("RGB", "L", "I;16", "CMYK"),
    }.items():
        for mode in modes:
            image = Image.fromarray(base[..., 0] if mode.startswith("I") else base)
            file = io.BytesIO()
            exif = Image.Exif()
            exif[0x0112] = 3
            options = {"exif": exif} if kind in ("PNG", "JPEG") else {}
            if kind == "TIFF" and mode == "RGB":
                options = {"compression": "tiff_lzw"}
            (image if mode.startswith("I") else image.convert(mode)).save(file, kind, **options)
            actual.append(file.getvalue())
    actual.append(test_folder.encode(test_folder.ids((24, 20))))
    return actual


TEXTS = {
    "classes.yaml": b"background: 0\nscratch: [1, 2]\nignore: 128\n",
    "table.csv": b"image,mask,split,group\nimages/a.png,masks/a.png,train,p1\nimages/b.png,,val,\n",
}


def attempt_decoding(generator: random.Random, folder: Path) -> None:
    """Image and mask decoders on one picture."""
    del folder
    data = damaged(generator, generator.choice(PICTURES))
    meaning = class_map.from_settings(("background=0", "scratch=1", "dent=2"))
    decoders: Sequence[Callable[[bytes], Any]] = (
        read_image,
        read_mask,
        lambda d: images.read_any_image(d, 255),
        images.orientation,
        lambda d: class_map.decode_mask(d, meaning),
    )
    generator.choice(decoders)(data)


def attempt_folder(generator: random.Random, folder: Path) -> None:
    """A folder of a user, one of whose files is damaged."""
    image, mask = test_folder.picture(), test_folder.ids()
    files = {
        "images/a.png": test_folder.encode(image),
        "images/b.png": test_folder.encode(image, "PNG", "L"),
        "images/c.jpg": test_folder.encode(image, "JPEG"),
        "masks/a.png": test_folder.encode(mask),
        "classes.yaml": TEXTS["classes.yaml"],
        "table.csv": TEXTS["table.csv"],
    }
    name = generator.choice(list(files))
    files[name] = damaged(generator, files[name])
    write_files(folder, files)
    settings = scan.Settings(
        root=folder,
        images="",
        masks="",
        mask_suffix="",
        table="table.csv" if name == "table.csv" or generator.random() < 0.2 else "",
        classes=(),
        group="",
        white=255,
    )
    config = folder_dataset_builder.configure(settings)
    builder = folder_dataset_builder.Builder(config=config, data_dir=folder / "built")
    check(builder, folder)


def attempt_archive(generator: random.Random, folder: Path) -> None:
    """A download whose archive is damaged."""
    archive = folder / "NEU_Seg-main.zip"
    files = {}
    for folders in layouts.LAYOUTS["official"].values():
        files[f"{folders.images}/000201.jpg"] = picture(0, kind="JPEG")
        files[f"{folders.masks}/000201.png"] = mask_of({3: 1, 4: 2, 9: 3})
    write_zip(archive, files, "NEU_Seg-main/")
    archive.write_bytes(damaged(generator, archive.read_bytes()))
    check(neu_seg_dataset_builder.Builder(data_dir=folder / "built"), folder)


def attempt_dagm(generator: random.Random, folder: Path) -> None:
    """A list of labels or a file of DAGM that is damaged."""
    files = test_dagm.official()
    name = generator.choice(list(files))
    files[name] = damaged(generator, files[name])
    write_files(folder, files)
    check(test_dagm.Builder(config="six_defective", data_dir=folder / "built"), folder)


def attempt_matlab(generator: random.Random, folder: Path) -> None:
    """A MATLAB file of CrackForest."""
    del folder
    values = test_crackforest.values_of()
    data = test_crackforest.mat(values, compress=generator.random() < 0.5)
    mat_masks.read_segmentation(damaged(generator, data))


def attempt_lists(generator: random.Random, folder: Path) -> None:
    """A split.json and a list of names."""
    record = {"train": ["a", "b"], **{part: ["x", "y z"] for part in protocols.splits.PARTS}}
    text = json.dumps(record | {"build": "neu_seg/1.0.0", "classes": ["a", "b"]}).encode()
    (folder / "split.json").write_bytes(damaged(generator, text))
    (folder / "list.txt").write_bytes(damaged(generator, b"# names\na\nb c\n\xc3\xbc\n"))
    if generator.random() < 0.5:
        protocols.read_split(str(folder / "split.json"))
        return
    listed = dataclasses.replace(TINY.data, labeled_list=str(folder / "list.txt"))
    protocols._labeled(listed, ())


def attempt_checkpoint(generator: random.Random, folder: Path) -> None:
    """A checkpoint, one of whose files is damaged: it is detected, or no array has changed."""
    golden = make.FOLDER / f"format_{checkpoints.FORMAT}"
    shutil.copytree(golden, folder / "run")
    files = sorted(f for f in (folder / "run" / "checkpoints").rglob("*") if f.is_file())
    file = generator.choice([f for f in files if f.stat().st_size])
    file.write_bytes(damaged(generator, file.read_bytes()))
    checkpoints.verify(folder / "run", 2)
    for item, of_golden in GOLDEN.items():
        if digests.of(checkpoints.read_arrays(folder / "run/checkpoints/2" / item)) != (of_golden):
            raise AssertionError(f"{item} has changed, and the checksums say that it has not")
    checkpoints.read_config(folder / "run", 2)
    checkpoints.read_record(folder / "run", 2)


def attempt_run_files(generator: random.Random, folder: Path) -> None:
    """The files of a run that resuming reads."""
    lines = [{"step": s, "train/loss": 0.5, "val/image_dice": 3.0, "warning": "w"} for s in (1, 2)]
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (folder / workdir.METRICS).write_bytes(damaged(generator, text))
    writer = metric_writer.MetricWriter(folder, 2)
    writer.write(3, "train", {"loss": 1.0})
    writer.close()
    watchdogs.restore(
        [watchdogs.ValidationScore("image_dice"), watchdogs.Teacher()], folder / workdir.METRICS
    )
    workdir.warnings(folder)
    result = {"config": {}, "data": "x", "scores": {"latest": {}, "best": {}}, "warnings": []}
    (folder / results.FILE).write_bytes(damaged(generator, json.dumps(result).encode()))
    results.read(folder, TINY, "x")


def check(builder: Any, folder: Path) -> None:
    """Everything that is checked before a build."""
    raw = builder.raw_data(folder)
    if problems := [*raw.problems, *builder._check(raw)]:
        raise DataError(problems)


# What is tried, and how often in 100.
ATTEMPTS: Mapping[Callable[[random.Random, Path], None], int] = {
    attempt_decoding: 35,
    attempt_folder: 20,
    attempt_archive: 10,
    attempt_dagm: 5,
    attempt_matlab: 8,
    attempt_lists: 8,
    attempt_checkpoint: 7,
    attempt_run_files: 7,
}


VALUES = (
    *("0", "1", "-1", "2", "3", "16", "1.5", "-0.0", "1e-300", "1e400", "nan", "inf", "-inf"),
    *("9" * 30, "1" + "0" * 400, "True", "False", "true", "None", "''", '""', "", " ", "a"),
    *("neu_seg", "published", "poly", "float64", "synthetic/64px", "no_such/thing", "../x"),
    *("()", "(1,)", "(1,2)", "(1,2,3)", "(4,6)", "(0.05,0.5)", "[1,2]", "{1:2}", "(1,", "1,2"),
    *("(nan,1)", "('a','b')", "((1,2),3)", "__import__('os')", "lambda: 1", "1+1", "0x10", "1_000"),
    *("ü", "\U0001f600", "\x00", "\x1b[31m", "%s%n", "${HOME}", "~", "/dev/null", "a" * 5000),
)
FLAGS = (
    *("--mode=train", "--mode=", "--mode=no", "--demo=-1", "--demo=x", "--checkpoint=", "--bogus"),
    *("--checkpoint=-", "--checkpoint=²", "--profile_steps=1", "--profile_steps=,", "--process=-1"),
    *("--processes=0", "--coordinator=", "--cluster=maybe", "--", "-", "---x", "--config", "x"),
    *("--config.", "--config..", "--config.train", "--config.train.steps", "--config.data[0]=1"),
    *(
        "--noconfig.train.steps",
        "--config.train.freeze=1",
        "--config._frozen=True",
        "--config.train.__class__=1",
    ),
    *("--config.views.labeled.hflip.real=1", "--config[0]=1", "--config.network.widths[0]=9"),
    *("--config.train.steps=5=6", "--config.method.name=supervised", "--config.method=supervised"),
)
FILES = (
    *("configs/neu_uaps.py", "configs/neu_uaps.py:small", "configs/neu_supervised.py:small"),
    *("configs/neu_mean_teacher.py", "configs/neu_cps.py:small", "configs/neu_ucc.py"),
    "configs/train.py:dataset=neu,method=dueb,variant=small",
    *("configs/train.py:dataset=crackforest,method=cpcl", "configs/folder_uaps.py:medium"),
)
ODD_FILES = (
    *("", ":", "configs", "configs/", "configs/neu_uaps.py:large", "run.py", "x.py", "\x00"),
    *("configs/train.py", "configs/train.py:dataset=mars,x=1"),
)


def override(generator: random.Random) -> list[str]:
    """A command line with one to four overrides."""
    file = generator.choice(FILES if generator.random() < 0.97 else ODD_FILES)
    arguments = ["run.py", "--workdir=none", f"--config={file}"]
    for _ in range(generator.randint(1, 4)):
        key = generator.choice(KEYS)
        kind = generator.random()
        if kind < 0.08:
            arguments.append(generator.choice(FLAGS))
            continue
        if kind < 0.2:
            place = generator.randrange(len(key) + 1)
            key = (
                key[:place]
                + generator.choice(("", "x", ".", "_", " ", "=", "ü"))
                + key[place + 1 :]
            )
        value = generator.choice(VALUES)
        if generator.random() < 0.3:
            value = str(generator.choice((generator.randint(-9, 999), generator.uniform(-2, 2))))
        arguments.append(f"--config.{key}={value}")
    return arguments


def attempt_override(generator: random.Random) -> bool:
    """Parses and validates a command line, and builds its method; whether all of it was good."""
    arguments = override(generator)
    before = sys.argv
    try:
        command_lines.parse(arguments)
        config = flags.CONFIG.value
        if not isinstance(config, Config):
            return False
        config_lib.validate(config)
        config = config_lib.with_classes(config, CLASS_NAMES)
        assert config_lib.from_stored(json.loads(config_lib.to_json(config))) == config
        method = methods.build(config)
        method.predictor(config.evaluation.predictor)
        if sum(config.network.widths) < 1000 and config.network.auxiliary < 20:
            jax.eval_shape(lambda: method.init(config.train.seed))
        return True
    except EXPECTED:
        return False
    except SystemExit as stopped:
        if not str(stopped.code).startswith("error: "):
            raise AssertionError(f"ended with {stopped.code!r}, which says no reason") from stopped
        return False
    finally:
        sys.argv = before


CLASS_NAMES = ("background", "inclusion", "patches", "scratches")
PICTURES = pictures()
TINY = make.settings()
WRITTEN = make.FOLDER / f"format_{checkpoints.FORMAT}" / "checkpoints" / "2"
GOLDEN = {
    item: digests.of(checkpoints.read_arrays(WRITTEN / item)) for item in ("state", "variables")
}
KEYS = sorted({k for m in config_lib.METHODS for k in config_lib.flatten(make.tiny.config(m))})


class TooSlowError(BaseException):
    """An attempt took too long; no tested code catches this error."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Ends an attempt that takes too long, and detects too much memory."""

    def stop(number: int, frame: Any) -> None:
        raise TooSlowError(f"still running after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    memory = _peak_mebibytes()
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        taken = _peak_mebibytes() - memory
        if taken > MEBIBYTES:
            raise AssertionError(f"took {taken:.0f} MiB")


def _peak_mebibytes() -> float:
    """The peak memory of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


@dataclasses.dataclass
class Tally:
    """The outcomes of many attempts."""

    tried: dict[str, int] = dataclasses.field(default_factory=dict)
    accepted: dict[str, int] = dataclasses.field(default_factory=dict)
    failures: list[str] = dataclasses.field(default_factory=list)

    def add(self, name: str, case: str, attempt: Callable[[], Any]) -> None:
        """Makes an attempt and counts how it ended."""
        self.tried[name] = self.tried.get(name, 0) + 1
        try:
            with limited():
                good = attempt()
            self.accepted[name] = self.accepted.get(name, 0) + (good is not False)
        except EXPECTED:
            pass
        except (Exception, TooSlowError) as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{case}: {name}: {type(error).__name__}: {str(error)[:200]} ({where})"
            self.failures.append(text)
            print(text, flush=True)


def fuzz_files(seed: int, numbers: Sequence[int], tally: Tally) -> None:
    """Tries damaged files; each case is made of the seed and its number alone."""
    kinds = [attempt for attempt, share in ATTEMPTS.items() for _ in range(share)]
    for number in numbers:
        attempt = kinds[random.Random(number).randrange(len(kinds))]
        generator = random.Random(f"{seed} {number}")
        with tempfile.TemporaryDirectory() as folder:
            tally.add(
                attempt.__name__.removeprefix("attempt_"),
                f"--seed {seed} --only file:{number}",
                lambda: attempt(generator, Path(folder)),  # noqa: B023 (called at once)
            )


def fuzz_overrides(seed: int, numbers: Sequence[int], tally: Tally) -> None:
    """Tries command lines, likewise."""
    for number in numbers:
        generator = random.Random(f"{seed} {number}")
        tally.add(
            "override",
            f"--seed {seed} --only override:{number}",
            lambda: attempt_override(generator),  # noqa: B023 (called at once)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--overrides", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="file:NUMBER or override:NUMBER")
    given = parser.parse_args()
    logging.set_verbosity(logging.ERROR)
    warnings.simplefilter("ignore")
    started, tally = time.perf_counter(), Tally()
    kind, _, number = given.only.partition(":")
    if kind != "override":
        fuzz_files(given.seed, [int(number)] if number else range(given.files), tally)
    if kind != "file":
        fuzz_overrides(given.seed, [int(number)] if number else range(given.overrides), tally)
    for name, count in tally.tried.items():
        print(f"{name:12s} {count:6d} tried, {tally.accepted.get(name, 0):6d} accepted")
    seconds = time.perf_counter() - started
    print(f"seed {given.seed}: {len(tally.failures)} failures in {seconds:.0f} s")
    sys.exit(1 if tally.failures else 0)


if __name__ == "__main__":
    main()
