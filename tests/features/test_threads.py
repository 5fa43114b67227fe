from threading import Thread

import pytest
import torch

from grounding.features.threads import Sharing


@pytest.fixture(autouse=True)
def four():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def test_half_of_the_threads_while_a_video_is_on_its_way():
    with Sharing()():
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 4


def test_at_least_one_thread():
    torch.set_num_threads(1)
    with Sharing()():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 1


def test_an_error_sets_it_back_too():
    with pytest.raises(RuntimeError), Sharing()():
        raise RuntimeError
    assert torch.get_num_threads() == 4


def test_videos_that_overlap_in_several_threads_do_not_halve_it_twice():
    sharing, seen = Sharing(), []

    def another():
        with sharing():
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    with sharing():
        thread = Thread(target=another)
        thread.start()
        thread.join()
        assert torch.get_num_threads() == 2
    assert seen == [2, 4]
    assert torch.get_num_threads() == 4
