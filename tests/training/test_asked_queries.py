import numpy as np
import pytest

from grounding import EncodedVideo
from training.asked_queries import cut_video, invent_nonsense


@pytest.mark.parametrize(
    ("bounds", "times"),
    [((1.0, 3.0), [0.0, 1.0]), ((0.4, 2.5), [0.6, 1.6]), ((1.2, 1.4), [0.0]), ((3.5, 4.0), [0.0])],
)
def test_a_moment_is_cut_out_of_its_video(bounds, times):
    cut = cut_video(EncodedVideo(np.arange(4.0), np.arange(4.0)[:, None], 4.0, "toy"), *bounds)
    assert cut.timestamps == pytest.approx(times) and cut.duration == pytest.approx(bounds[1] - bounds[0])
    assert len(cut.features) == len(times)


def test_nonsense_is_always_the_same_and_never_twice_in_a_row():
    sentences = invent_nonsense(50)
    assert sentences == invent_nonsense(50) and len(sentences) == 50 and len(set(sentences)) > 45
    assert sentences[0] == "zxqv blorp"
