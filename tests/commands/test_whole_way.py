"""The commands of docs/how_to/annotate_next.md, from a folder to a second training."""

import json
import shlex
import shutil
import threading

import pytest

from tests import command_lines
from tests.commands.mine import write_folder
from tests.docs import documents
from tests.review import serving
from uaps_jax.command_line import flags
from uaps_jax.review import server

PAGE = documents.PROJECT / "docs" / "how_to" / "annotate_next.md"
FOLDERS = "runs/mine_1/queue/step_*/images-*"
SMALL = (
    "--config.data.data_dir=built",
    "--config.data.height=16",
    "--config.data.width=16",
    "--config.network.widths=(4,6)",
    "--config.network.dropout=(0.0,0.0)",
    "--config.train.steps=2",
    "--config.train.eval_every=2",
)


def call(arguments, *more):
    argv = command_lines.parse(["uaps-jax", *arguments, *more])
    with pytest.raises(SystemExit) as ended:
        flags.run(argv)
    assert ended.value.code == 0


def decide_on_all(decisions):
    """What a person does on the page: all are accepted, but for the last two."""
    with server.Server(decisions) as opened:
        thread = threading.Thread(target=opened.serve_forever, args=(0.01,))
        thread.start()
        client = serving.Client(opened.address)
        images = json.loads(client.ask("state")[1])["images"]
        for image in images[:-2]:
            assert client.decide(image["rank"], "accept")[0] == 200
        assert client.decide(images[-1]["rank"], "reject")[0] == 200
        opened.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # of ml_collections
def test_the_way_of_the_documentation(tmp_path, monkeypatch):
    text = PAGE.read_text()
    block = documents.blocks(PAGE, "bash")[-1]
    assert text.index("## The whole way") < text.index(block)
    commands = [shlex.split(line) for line in block.splitlines()]
    train, queue, _, review, copy, audit, again = (words[1:] for words in commands)
    assert commands[2] == ["QUEUE=$(ls", "-d", f"{FOLDERS})"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(server, "serve", decide_on_all)
    write_folder(tmp_path / "mine")

    call(train, *SMALL)
    call(queue)
    [folder] = tmp_path.glob(FOLDERS)
    assert len((folder / "queue.txt").read_text().splitlines()) == 6  # fewer than 10 are left
    call([word.replace("$QUEUE", str(folder)) for word in review])
    assert copy[1:] == ["$QUEUE/annotated/masks/.", "mine/masks/"]
    shutil.copytree(folder / "annotated" / "masks", tmp_path / "mine" / "masks", dirs_exist_ok=True)
    call(audit, *SMALL)
    call(again, *SMALL)

    before, after = (
        json.loads((tmp_path / "runs" / run / "split.json").read_text())
        for run in ("mine_1", "mine_2")
    )
    masked = [
        {name for part in ("labeled", "val", "test") for name in split[part]}
        for split in (before, after)
    ]
    accepted = {path.stem for path in (folder / "annotated" / "images").iterdir()}
    assert len(accepted) == 4
    assert masked[1] == masked[0] | accepted
