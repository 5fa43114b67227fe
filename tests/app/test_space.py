"""The README's front matter, which Hugging Face Spaces reads."""

from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

from grounding.encoders.hub import HUB_FILES

ROOT = Path(__file__).resolve().parent.parent.parent
CLIP = ("timm/vit_base_patch32_clip_224.openai", "timm/vit_large_patch14_clip_224.openai")  # where open_clip has them


@pytest.fixture(scope="module")
def front_matter():
    return yaml.safe_load((ROOT / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_the_space_starts_the_app_that_is_there(front_matter):
    assert front_matter["sdk"] == "gradio"
    assert (ROOT / front_matter["app_file"]).is_file()


def test_the_spaces_gradio_is_one_that_the_requirements_take(front_matter):
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    gradio = next(Requirement(line) for line in lines if line.startswith("gradio"))
    assert gradio.specifier.contains(front_matter["sdk_version"])


def test_versions_are_text_since_yaml_reads_3_10_as_a_number(front_matter):
    assert isinstance(front_matter["python_version"], str)
    assert isinstance(front_matter["sdk_version"], str)


def test_what_is_preloaded_is_what_open_clip_would_fetch(front_matter):
    for entry in front_matter["preload_from_hub"]:
        repository, file = entry.split()
        assert repository in CLIP
        assert file in HUB_FILES
