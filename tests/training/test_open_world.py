import numpy as np
import pytest
import torch

from grounding.checkpoint import GrounderConfig
from grounding.errors import GroundingError
from grounding.model import Grounder
from training.open_world import PHOTOS, measure_open_world, read_open_world

WIDTH = 8


@pytest.fixture
def files(tmp_path) -> tuple[str, str]:
    """Five photos with two sentences each, whose embeddings lie near them, and 200 more photos, the five among them."""
    rng = np.random.default_rng(0)
    photos, others = rng.normal(size=(5, WIDTH)), rng.normal(size=(195, WIDTH))
    owner = np.repeat(np.arange(5), 2)
    texts = photos[owner] + 0.01 * rng.normal(size=(10, WIDTH))
    np.savez(tmp_path / "sentences.npz", text=texts, images=photos, image_of=owner)
    np.savez(tmp_path / "more.npz", images=np.concatenate([photos, others]))
    return str(tmp_path / "sentences.npz"), str(tmp_path / "more.npz")


def make_grounder(joint: bool) -> Grounder:
    grounder = Grounder(GrounderConfig(WIDTH, WIDTH, WIDTH, context=1, centered=True, joint=joint)).eval()
    torch.nn.init.eye_(grounder.frame_tower.projection.weight)
    torch.nn.init.zeros_(grounder.frame_tower.projection.bias)
    return grounder


def test_no_photo_is_there_twice(files):
    known = read_open_world(*files)
    alike = known.photos @ known.photos.T - 2 * torch.eye(len(known.photos))
    assert len(known.photos) <= PHOTOS and alike.max() < 0.95


@pytest.mark.parametrize("joint", [True, False])
def test_an_untouched_space_finds_what_it_knows(files, joint):
    assert measure_open_world(make_grounder(joint), files) >= 90


def test_frames_that_forget_are_seen(files):
    grounder = make_grounder(joint=True)
    torch.nn.init.normal_(grounder.frame_tower.projection.weight, generator=torch.Generator().manual_seed(0))
    assert measure_open_world(grounder, files) < 30


def test_the_text_tower_goes_past_an_adapter(files):
    grounder = Grounder(GrounderConfig(WIDTH, WIDTH, WIDTH, context=1, centered=True, joint=True, adapter=True)).eval()
    torch.nn.init.normal_(grounder.query_tower.adapter[1].weight)
    assert measure_open_world(grounder, files) >= 90


def test_in_another_space_nothing_is_measured(files):
    assert measure_open_world(Grounder(GrounderConfig(6, WIDTH, WIDTH)).eval(), files) is None


def test_files_of_something_else_are_one_clear_error(tmp_path, files):
    np.savez(tmp_path / "other.npz", words=["a"])
    with pytest.raises(GroundingError, match="no sentences and photos"):
        read_open_world(str(tmp_path / "other.npz"), files[1])
