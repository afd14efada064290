"""From a folder of raw photographs to verdicts, with the commands that a person types.

    python own_parts.py

draws photographs of parts as they come from a camera and a phone, into `camera/`, then annotates,
checks, trains, predicts, exports and serves. It prints every command with what it says and how long
it took: the transcript of the page "Your own parts, from photographs to a running check".
"""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

PROGRAM = ("uaps-jax",)
PARTS = 70  # each is photographed from the left and from the right
TRAINING = (
    "--config=configs/folder_supervised.py:small",
    "--config.data.manual_dir=parts",
    "--config.data.data_dir=built",
    r"--config.data.folder.group=Gehäuse (\d+)",
    "--config.data.shares=(0.5,0.3,0.2)",
)
LENGTH = ("--config.train.minutes=1",)


def draw_photograph(seed, is_defective):
    """A grey surface, and the ends of its scratch; none on a good part."""
    random = np.random.default_rng(seed)
    surface = random.normal(120, 12, (120, 160)) + random.normal(0, 8, (120, 1))
    picture = Image.fromarray(surface.clip(0, 255).astype(np.uint8)).convert("RGB")
    if not is_defective:
        return picture, None
    start = random.integers((15, 15), (95, 75))
    ends = [tuple(map(int, point)) for point in (start, start + random.integers(22, 45, 2))]
    ImageDraw.Draw(picture).line(ends, fill=(215, 215, 205), width=5)
    return picture, ends


def draw_camera(folder, parts):
    """Photographs under the names that cameras and people give; most are annotated by labelme."""
    for number in range(parts):
        for side in ("links", "rechts (2)"):
            day = folder / ("Montag" if number % 2 else "Dienstag, Schicht 2")
            day.mkdir(parents=True, exist_ok=True)
            name = f"Gehäuse {number:03d} {side}.{'JPG' if number % 3 else 'bmp'}"
            picture, ends = draw_photograph(2 * number + (side == "links"), number % 5 < 2)
            picture.save(day / name)
            if number % 4 < 3:  # the others stay without annotation
                (day / name).with_suffix(".json").write_text(labelme(picture, ends))
    (folder / "Montag" / "IMG_20260302.heic").write_bytes(b"of a phone")
    whole = (folder / "Montag" / "Gehäuse 007 links.JPG").read_bytes()
    (folder / "Montag" / "Gehäuse 900 links.JPG").write_bytes(whole[: len(whole) // 2])


def labelme(picture, ends):
    """What labelme writes: a polygon around the scratch."""
    shapes = []
    if ends is not None:
        a, b = np.array(ends)
        across = 3 * np.array([a[1] - b[1], b[0] - a[0]]) / np.linalg.norm(b - a)
        points = np.array([a + across, b + across, b - across, a - across]).tolist()
        shapes = [{"label": "Kratzer", "shape_type": "polygon", "points": points}]
    return json.dumps(
        {"imageWidth": picture.width, "imageHeight": picture.height, "shapes": shapes}
    )


def step(*command):
    """Runs a command; prints it, what it says, its exit status where it is not 0, and its time."""
    print("$", shlex.join(map(str, command)), flush=True)
    program = PROGRAM if command[0] == "uaps-jax" else [sys.executable]
    started = time.perf_counter()
    done = subprocess.run(
        [*program, *command[1:]], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print("\n".join(said(done.stdout)))
    status = f", exit status {done.returncode}" if done.returncode else ""
    print(f"[{time.perf_counter() - started:.0f} s{status}]\n", flush=True)
    return done


def said(output):
    """The lines of an output without progress and the time and place of log messages."""
    progress = r"\d+%\||examples/s\]|\x1b\[A|^Downloading and preparing|^Dataset folder downloaded"
    for line in output.splitlines():
        line = re.sub(r"^[IWE]\d{4} \S+ +\d+ \S+\] ", "", line.split("\r")[-1])
        if line.strip() and not re.search(progress, line):
            yield line.rstrip()


def listed(folder):
    """The first files of each folder below a folder."""
    lines = []
    for below in sorted(path for path in Path(folder).iterdir() if path.is_dir()):
        files = sorted(file.name for file in below.iterdir())
        lines += [f"{below}: {len(files)} files", *(f"  {name}" for name in files[:4]), "  ..."]
    return "\n".join(lines)


def remove(*files):
    """Removes files, and says so."""
    for file in files:
        print("$", shlex.join(["rm", str(file)]))
        Path(file).unlink()
    print()


def main():
    started = time.perf_counter()
    draw_camera(Path("camera"), PARTS)
    print(f"$ ls camera/*\n{listed('camera')}\n")
    importing = ("uaps-jax", "--mode=import", "--input=camera", "--workdir=parts")
    step(*importing)
    remove("camera/Montag/IMG_20260302.heic")
    step(*importing)
    auditing = ("uaps-jax", "--mode=audit", *TRAINING, "--workdir=runs/parts")
    step(*auditing)
    remove("parts/images/Montag/Gehäuse 900 links.JPG")
    step(*auditing)
    step("uaps-jax", *TRAINING, *LENGTH, "--workdir=runs/parts")
    new = Path("new")
    new.mkdir()
    for number, is_defective in enumerate((False, True, False, True)):
        draw_photograph(10_000 + number, is_defective)[0].save(new / f"{number}.png")
    (new / "4.png").write_bytes(b"")
    step("uaps-jax", "--mode=predict", "--workdir=runs/parts", "--input=new")
    step("uaps-jax", "--mode=export", "--workdir=runs/parts")
    [file] = Path("runs/parts/export").glob("*.onnx")
    serve(shutil.copy(file, "parts.onnx"), sorted(new.glob("*.png")))
    print(f"[{time.perf_counter() - started:.0f} s in all]")


def serve(file, photographs):
    """Serves an exported file, and asks about photographs with the client beside this file."""
    command = ("--mode=serve", f"--input={file}", "--port=0")
    print("$", shlex.join(("uaps-jax", *command)), "&")
    with Path("serve.log").open("w") as log:
        server = subprocess.Popen(
            [*PROGRAM, *command], stdout=subprocess.PIPE, stderr=log, text=True
        )
        first = server.stdout.readline()
        print(first, flush=True)
        port = first.strip().rstrip("/").rpartition(":")[2]
        client = shutil.copy(Path(__file__).with_name("serve_client.py"), ".")
        asked = step("python", client, port, *photographs)
        print("$ kill %1")
        server.terminate()
        rest, _ = server.communicate(timeout=60)
    print(rest)
    return asked


if __name__ == "__main__":
    main()
