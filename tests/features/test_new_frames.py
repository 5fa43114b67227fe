import numpy as np
import pytest
import torch

from grounding.features.new_frames import NewFrameEncoder, differ


class Numbering:
    """Gives every frame that it is asked for a number of its own."""

    name, width, batch = "numbering", 1, 8

    def __init__(self):
        self.count = 0

    def encode(self, frames):
        numbers = torch.arange(self.count + 1, self.count + 1 + len(frames), dtype=torch.float32)
        self.count += len(frames)
        return numbers.unsqueeze(1)


def still(shade, size=(240, 320)):
    return np.full((*size, 3), shade, np.uint8)


def numbers(frames):
    return NewFrameEncoder(Numbering()).encode(frames).flatten().tolist()


def test_frames_that_show_the_same_share_a_feature():
    assert numbers([still(5), still(5), still(90), still(90), still(5)]) == [1, 1, 2, 2, 3]


def test_what_is_the_same_is_not_encoded():
    encoder = Numbering()
    NewFrameEncoder(encoder).encode([still(5)] * 30 + [still(90)] * 2)
    assert encoder.count == 2


def test_frames_that_come_later_are_compared_with_those_before_until_these_are_forgotten():
    encoder = NewFrameEncoder(Numbering())
    assert encoder.encode([still(5), still(90)]).tolist() == [[1], [2]]
    assert encoder.encode([still(90), still(5), still(5)]).tolist() == [[2], [3], [3]]
    encoder.forget()
    assert encoder.encode([still(5)]).tolist() == [[4]]


def test_nothing_is_asked_of_the_encoder_where_all_is_known():
    known = np.array([[5.0]])
    assert NewFrameEncoder(None).encode([still(5), still(5)], [known[0], None]).tolist() == [[5.0], [5.0]]


def test_slow_changes_add_up_until_they_count():
    texture = np.random.default_rng(0).random((240, 320, 3))
    assert len(set(numbers([np.uint8(100 + 0.4 * step + texture) for step in range(10)]))) > 1


def test_something_small_that_moves_is_new():
    frame, other = still(50), still(50)
    other[100:110, 200:210] = 200
    assert differ(frame, other)


def test_a_flicker_of_single_pixels_is_not_new():
    frame, other = still(50), still(50)
    other[::40, ::40] += 3
    assert not differ(frame, other)


@pytest.mark.parametrize("size", [(2, 3), (16, 9), (241, 323)])
def test_frames_of_any_size_are_compared(size):
    assert differ(still(5, size), still(90, size)) and not differ(still(5, size), still(5, size))
    assert differ(still(5, size), still(5))


def test_a_small_light_in_the_dark_is_something_new():
    dark = np.full((360, 640, 3), 16, np.uint8)
    light = dark.copy()
    light[100:102, 200:203] = 255
    assert differ(light, dark)
