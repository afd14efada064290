"""The audit reports problems that were put into a dataset, and none in a clean one."""

import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from uaps_jax.commands import audit as audit_command
from uaps_jax.commands.request import Request
from uaps_jax.config import ConfigError
from uaps_jax.configs import folder_uaps
from uaps_jax.data import audit, protocols, source, survey
from uaps_jax.datasets.common import DataError
from uaps_jax.reports import audit_page

SIZE = 48
ENOUGH_TO_SCORE = (4 / 24, 10 / 24, 10 / 24)
FEW = "few images with a defect to score"
BOXES = "masks look like boxes"  # which those here are


def texture(seed):
    coarse = np.random.default_rng(seed).integers(40, 200, (8, 8), np.uint8)
    return np.array(Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def defect(area=14):
    mask = np.zeros((SIZE, SIZE), np.uint8)
    mask[4 : 4 + area, 6 : 6 + area] = 1
    return mask


def save(root, name, image, mask):
    for folder, array in (("images", image), ("masks", mask)):
        if array is not None:
            file = root / folder / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(file)


@pytest.fixture
def root(tmp_path):
    """Twenty-four unrelated images."""
    for index in range(24):
        save(tmp_path, f"part_{index:02d}", texture(index), defect())
    (tmp_path / "classes.yaml").write_text("background: 0\nscratch: 1\n")
    return tmp_path


def settings(root, **changes):
    config = folder_uaps.get_config()
    config.data.manual_dir, config.data.data_dir = str(root), str(root / "built")
    config.data.height = config.data.width = 64
    for name, value in changes.items():
        setattr(config.data, name, value)
    return config


def audited(root, **changes):
    data = settings(root, **changes).data
    dataset = source.open_dataset(data)
    actual = survey.survey(dataset)
    parts = protocols.make_split(dataset, data)
    result = audit.audit(dataset, actual, parts, data)
    page = audit_page.Page(
        title="mine",
        dataset=dataset,
        survey=actual,
        findings=result,
        split=parts,
        protocol=data.protocol,
    )
    return {finding.title: finding for finding in result}, page


def test_a_fixed_camera_is_reported_once(root):
    noise = np.random.default_rng(0).integers(-3, 4, (24, SIZE, SIZE))
    for index in range(24):
        image = np.clip(texture(0) + noise[index], 0, 255).astype(np.uint8)
        save(root, f"part_{index:02d}", image, defect())
    findings, _ = audited(root)
    assert set(findings) == {"images look alike", FEW, BOXES}
    assert "100 % of all pairs" in findings["images look alike"].text
    assert findings["images look alike"].level == "warning"
    assert "Set data.folder.group" in findings["images look alike"].text
    folder = settings(root).data.folder
    folder.group = r"_(\d\d)$"
    findings, _ = audited(root, folder=folder)
    assert findings["images look alike"].level == "note"
    assert "data.folder.group" not in findings["images look alike"].text


def test_a_dataset_without_faults_has_no_warnings(root):
    findings, page = audited(root, shares=ENOUGH_TO_SCORE)
    assert set(findings) == {BOXES}
    assert "Training may start. 0 warnings." in audit_page.text_report(page)
    assert "Training may start." in audit_page.render(page)


def test_counts_and_shares(root):
    save(root, "bare", texture(90), None)
    save(root, "clean", texture(91), np.zeros((SIZE, SIZE), np.uint8))
    findings, page = audited(root)
    assert findings["images without a mask"].names == ("bare",)
    assert findings["masks without a defect"].names == ("clean",)
    background, scratch = audit_page.class_rows(page.dataset, page.survey)
    share = 100 * 24 * 14 * 14 / (25 * SIZE * SIZE)
    assert scratch == ("scratch", f"{share:.4f}", "24", "96.00")
    assert background == ("background", f"{100 - share:.4f}", "25", "100.00")


def test_a_mask_with_no_annotated_pixel_is_not_clean(root):
    save(root, "clean", texture(91), np.zeros((SIZE, SIZE), np.uint8))
    save(root, "empty", texture(92), np.full((SIZE, SIZE), 255, np.uint8))
    (root / "classes.yaml").write_text("background: 0\nscratch: 1\nignore: 255\n")
    findings, page = audited(root)
    assert findings["masks without a defect"].names == ("clean",)
    assert findings["masks with no annotated pixel"].names == ("empty",)
    assert findings["masks with no annotated pixel"].level == "warning"
    background, scratch = audit_page.class_rows(page.dataset, page.survey)
    assert (background[2:], scratch[2:]) == (("25", "100.00"), ("24", "96.00"))
    counts = "26 images, 26 with a mask, 1 of them with no annotated pixel"
    assert audit_page.text_report(page).startswith(f"mine: {counts}\n")
    html = audit_page.render(page)
    assert f"<p>{counts}. " in html
    (gallery,) = re.findall("<h2>without a defect</h2>(.*?)<h2>", html, re.DOTALL)
    assert re.findall('alt="([^"]*)"', gallery) == ["clean"]


def test_the_page_is_named_after_the_audit_and_its_tables_can_be_reached_by_keyboard(root):
    _, page = audited(root)
    html = audit_page.render(page)
    assert "<title>Audit of mine</title>" in html
    regions = re.findall(r'<section class="wide" tabindex="0" aria-label="(\w+)"><table>', html)
    assert regions == ["Classes", "Parts", "Sizes"]
    assert html.count("<table>") == 3
    assert "<th>" not in html


@pytest.mark.parametrize("way", ["same", "turned", "mirrored"])
def test_exact_duplicates_and_masks_that_differ(way, root):
    change = {"same": lambda a: a, "turned": np.rot90, "mirrored": np.fliplr}[way]
    save(root, "copy_a", change(texture(3)), change(defect()))
    save(root, "copy_b", change(texture(4)), change(defect(9)))
    findings, _ = audited(root)
    assert set(findings["exact duplicates"].names) == {"part_03", "copy_a", "part_04", "copy_b"}
    assert set(findings["equal images, different masks"].names) == {"part_04", "copy_b"}


def test_near_duplicates_that_cross_the_split(root):
    noise = np.random.default_rng(0).integers(-5, 6, (24, SIZE, SIZE))
    for index in range(24):
        copy = np.clip(np.rot90(texture(index)) + noise[index], 0, 255).astype(np.uint8)
        save(root, f"again_{index:02d}", copy, np.rot90(defect()))
    findings, page = audited(root)
    assert findings["near duplicates"].text == "48 of 48 images have a near duplicate."
    actual = findings["test images with near duplicates in labeled"]
    assert set(actual.names) <= set(page.split["test"])
    assert "exact duplicates" not in findings
    together, _ = audited(root, folder=with_group(root))
    assert not [title for title in together if "with near duplicates in" in title]


def with_group(root):
    return dataclasses.replace(settings(root).data.folder, group=r"_(\d+)$")


def test_groups_that_cross_the_split(root):
    rows = ["image,mask,split,group"]
    for index in range(24):
        part = ("train", "val", "test")[index % 3]
        rows.append(f"images/part_{index:02d}.png,masks/part_{index:02d}.png,{part},{index // 3}")
    (root / "list.csv").write_text("\n".join(rows))
    folder = dataclasses.replace(settings(root).data.folder, table="list.csv")
    findings, _ = audited(root, folder=folder, protocol="native")
    text = findings["leakage groups that cross the split"].text
    assert text.startswith("8 of 8 test images")
    assert "(8 in labeled, 0 in unlabeled, 8 in val)" in text
    chosen = findings["leakage groups in val and in training"]
    assert (chosen.level, chosen.text[:17]) == ("warning", "8 of 8 val images")


def test_unlabeled_copies_of_labeled_images_are_a_note_and_every_part_counts_groups(root):
    for index in range(24):
        save(root, f"again_{index:02d}", texture(100 + index), None)
    title = "unlabeled images of labeled leakage groups"
    findings, page = audited(root, folder=with_group(root))
    kept = findings[title]
    assert (kept.level, kept.text) == (
        "note",
        "17 of 17; this is not a leak, because all of them are training images.",
    )
    assert set(kept.names) == set(page.split["unlabeled"])
    assert [f.title for f in findings.values() if f.level == "warning"] == [FEW]
    lines = [line.split() for line in audit_page.text_report(page).splitlines()]
    assert ["labeled", "17", "17"] in lines
    assert ["unlabeled", "17", "17"] in lines
    assert ["left", "out", "7", "7"] in lines
    html = audit_page.render(page)
    assert '<th scope="col">leakage groups</th>' in html
    assert '<tr><th scope="row">left out</th><td>7</td><td>7</td><td>0</td></tr>' in html
    excluded, page = audited(root, folder=with_group(root), labeled_group_copies="exclude")
    assert title not in excluded
    assert ["left", "out", "24", "24"] in [
        line.split() for line in audit_page.text_report(page).splitlines()
    ]


def test_a_class_that_cannot_be_learnt_is_named(root):
    (root / "classes.yaml").write_text("background: 0\nscratch: 1\ndent: 2\n")
    findings, page = audited(root)
    assert page.findings[0].level == "warning"
    assert "dent" in findings["class missing from labeled"].text
    assert audit_page.text_report(page).endswith("Training may start. 4 warnings.")


def test_tiny_defects_and_sizes(root):
    save(root, "small", texture(80)[:24, :40], defect()[:24, :40])
    for index in range(24):
        save(root, f"part_{index:02d}", texture(index), defect(2))
    findings, page = audited(root)
    lost = findings["defects are lost or tiny at the network's size"]
    # At 64 of 48 px, two pixels become two or three; the small image, at 64 of 24 and of 40, more.
    assert lost.text.startswith("0 of 25 defects have no pixel left at 64 x 64")
    assert "and 24 have 1 to 9" in lost.text
    assert (lost.level, len(lost.names)) == ("warning", 24)
    assert "2 sizes, width 40 to 48, height 24 to 48" in findings["sizes differ"].text
    assert "40 x 24" in audit_page.render(page)


def test_exposures(root):
    for index in range(24):
        image = (texture(index) * (0.3 + 0.2 * (index % 3))).astype(np.uint8)
        (root / f"images/part_{index:02d}.png").unlink()
        (root / f"masks/part_{index:02d}.png").unlink()
        save(root, f"exp{index % 3}_num_{1000 + index}", image, defect())
    findings, _ = audited(root)
    clue = findings["a number in the names may be the exposure"]
    assert clue.text.startswith("the number after 'exp' explains")


def test_the_mode_writes_a_page_and_refuses_what_cannot_be_trained(root, capsys, caplog):
    save(root, "bare", texture(60), None)
    request = Request(config=settings(root), workdir=root / "out", checkpoint="best", input=None)
    audit_command.audit(request)
    assert "Training may start" in capsys.readouterr().out
    page = (root / "out" / "audit.html").read_text()
    assert page.count("<img") >= 6
    found = {one["title"]: one for one in json.loads((root / "out/audit.json").read_text())}
    assert found["images without a mask"]["names"] == ["bare"]
    assert "http" not in page.replace("</html>", "")

    (root / "images/bare.png").unlink()
    (root / "masks/part_00.png").write_bytes(b"broken")
    with caplog.at_level("INFO", logger="absl"), pytest.raises(DataError, match=r"part_00\.png"):
        audit_command.audit(dataclasses.replace(request, config=settings(root)))
    assert "the same as a page" in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    page = (root / "out" / "audit.html").read_text()
    assert "part_00.png" in page
    assert "Training cannot start" in page
    assert "1 problem in the files" in page

    save(root, "part_00", texture(0), defect())
    cure = "Add images without a mask, label fewer"
    with pytest.raises(ConfigError, match=f"no unlabeled images are left.*{cure}"):
        audit_command.audit(dataclasses.replace(request, config=settings(root)))
    page = (root / "out" / "audit.html").read_text()
    assert "Training cannot start" in page
    assert "no unlabeled images are left" in page


def test_names_are_escaped(root):
    save(root, "a<b>&c", texture(70), defect())
    _, page = audited(root)
    text = audit_page.render(page)
    assert "a<b>" not in text
    assert audit.number_columns(["exp1_num_20", "exp2_num_30"]) == {
        "the number after 'exp'": [1, 2],
        "the number after '_num_'": [20, 30],
    }
