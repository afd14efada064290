"""The batches of recipes with two students."""

import pytest

from tests.recipes import of_user
from uaps_jax.configs.parts import progressive
from uaps_jax.recipes import stage as stage_lib
from uaps_jax.recipes.stage import Training


@pytest.mark.parametrize("make", [progressive.stpp, progressive.ppl])
def test_all_stages_have_batches_of_the_same_size(make, tmp_path):
    recipe = of_user.of(make, str(tmp_path), (4, 2, 2))
    recipe.base.data.manual_dir = ""
    stages = stage_lib.checked(recipe, tmp_path)
    folders = stage_lib.folders(stages, tmp_path)
    teacher, first, second = (
        stage.configure(folders).train for stage in stages if isinstance(stage, Training)
    )
    assert teacher.batch_labeled == 4
    for student in (first, second):
        assert (student.batch_labeled, student.batch_unlabeled) == (2, 2)
