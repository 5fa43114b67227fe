import random

import pytest
import torch

from training.batches import (
    Batch,
    CompositionConfig,
    QueryBank,
    Source,
    collate,
    compose_sources,
    crop_source,
    draw_batches,
    draw_groups,
    narrow_to_moment,
)

WHOLE = CompositionConfig(2, 3)


def source(number: int, length: int = 4, step: float = 0.5) -> Source:
    """A video whose features are its number and, counting, the frame; its queries are 2n and 2n + 1."""
    features = torch.stack([torch.full((length,), float(number)), torch.arange(float(length))], dim=1).half()
    return Source(features, torch.arange(length) * step, (2 * number, 2 * number + 1))


def bank(count: int) -> QueryBank:
    """Query q has 1 + q % 3 tokens, all of value q."""
    return QueryBank([torch.full((1 + q % 3, 2), float(q)).half() for q in range(count)], torch.eye(count))


def epoch(number: int = 0, count: int = 11, config: CompositionConfig = WHOLE, seed: int = 0) -> list[Batch]:
    sources = [source(n, length=3 + n % 4) for n in range(count)]
    return list(draw_batches(sources, bank(2 * count), config, videos=2, seed=seed, epoch=number))


@pytest.mark.parametrize(
    "wrong", [{"fewest": 0}, {"fewest": 4, "most": 3}, {"crop": 0.0}, {"crop": 1.1}, {"shortest": 0}]
)
def test_composition_is_checked(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))} must be "):
        CompositionConfig(**wrong)


class TestGroups:
    def test_every_index_is_used_at_most_once_in_groups_of_the_right_size(self):
        for seed in range(20):
            cut = draw_groups(23, CompositionConfig(3, 5), random.Random(seed))
            used = [index for group in cut for index in group]
            assert len(set(used)) == len(used) >= 23 - 2
            assert all(3 <= len(group) <= 5 for group in cut)

    def test_one_and_one_composes_nothing(self):
        assert sorted(draw_groups(4, CompositionConfig(1, 1), random.Random(0))) == [[0], [1], [2], [3]]

    def test_too_few_make_no_group(self):
        assert draw_groups(2, CompositionConfig(3, 5), random.Random(0)) == []

    def test_the_order_is_random(self):
        orders = {tuple(map(tuple, draw_groups(9, CompositionConfig(3, 3), random.Random(seed)))) for seed in range(5)}
        assert len(orders) == 5


class TestCrop:
    def test_whole_by_default(self):
        features, timestamps = crop_source(source(7), WHOLE, random.Random(0))
        assert features.tolist() == source(7).features.tolist()
        assert timestamps.tolist() == [0.0, 0.5, 1.0, 1.5]

    def test_keeps_a_stretch_of_at_least_the_share_that_begins_at_zero(self):
        lengths = set()
        for seed in range(50):
            features, timestamps = crop_source(source(7, length=10), CompositionConfig(crop=0.3), random.Random(seed))
            frames = features[:, 1]
            assert frames.tolist() == list(range(int(frames[0]), int(frames[0]) + len(frames)))
            assert timestamps.tolist() == [0.5 * frame for frame in range(len(frames))]
            lengths.add(len(frames))
        assert lengths == set(range(3, 11))

    def test_keeps_at_least_a_frame(self):
        assert len(crop_source(source(7, length=1), CompositionConfig(crop=0.01), random.Random(0))[0]) == 1

    def test_frames_of_a_short_part_are_held(self):
        features, timestamps = crop_source(source(7, length=2), CompositionConfig(shortest=5), random.Random(0))
        assert features[:, 1].tolist() == [0, 0, 0, 1, 1, 1]
        assert timestamps.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]

    def test_a_part_that_is_long_enough_is_left_as_it_is(self):
        assert len(crop_source(source(7, length=5), CompositionConfig(shortest=5), random.Random(0))[0]) == 5


class TestCompose:
    def test_parts_follow_one_another(self):
        features, timestamps, spans = compose_sources([source(5, 2), source(6, 3)], WHOLE, random.Random(0))
        assert features[:, 0].tolist() == [5, 5, 6, 6, 6]
        assert spans == [(0, 2), (2, 5)]
        assert timestamps.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]

    def test_each_part_keeps_its_own_rate(self):
        _, timestamps, _ = compose_sources([source(5, 2, step=2.0), source(6, 3, step=0.5)], WHOLE, random.Random(0))
        assert timestamps.tolist() == [0.0, 2.0, 4.0, 4.5, 5.0]

    def test_timestamps_rise_with_parts_of_one_frame(self):
        _, timestamps, _ = compose_sources([source(1, 1), source(2, 1), source(3, 2)], WHOLE, random.Random(0))
        assert (timestamps.diff() > 0).all()


class TestCollate:
    sources = [source(n, length=2 + n) for n in range(4)]

    def batch(self) -> Batch:
        return collate([[0, 3], [2, 1, 0]], self.sources, bank(8), WHOLE, random.Random(0))

    def test_shapes(self):
        batch = self.batch()
        assert batch.features.shape == (2, 9, 2)
        assert batch.mask.sum(dim=1).tolist() == [7, 9]
        assert batch.owner.tolist() == [0, 0, 1, 1, 1]
        assert batch.inside.shape == (5, 9)
        assert batch.features.dtype == batch.tokens.dtype == torch.float32

    def test_each_part_has_a_query_written_for_it(self):
        batch = self.batch()
        for part, number in enumerate([0, 3, 2, 1, 0]):
            inside = batch.features[batch.owner[part], batch.inside[part]]
            assert inside[:, 0].tolist() == [number] * (2 + number)
            query = int(batch.sentences[part].argmax())
            assert query in self.sources[number].queries
            assert batch.token_mask[part].sum() == 1 + query % 3
            assert (batch.tokens[part, batch.token_mask[part]] == query).all()

    def test_parts_share_no_frame_and_cover_the_video(self):
        batch = self.batch()
        for video in range(2):
            assert batch.inside[batch.owner == video].sum(dim=0).tolist() == batch.mask[video].int().tolist()

    def test_padding_is_zero(self):
        batch = self.batch()
        assert batch.features[~batch.mask].abs().sum() == 0
        assert batch.tokens[~batch.token_mask].abs().sum() == 0

    def test_every_query_of_a_video_is_drawn_at_times(self):
        drawn = {
            int(collate([[1]], self.sources, bank(8), WHOLE, random.Random(seed)).sentences.argmax())
            for seed in range(20)
        }
        assert drawn == {2, 3}

    def test_moves_to_a_device_whole(self):
        moved = self.batch().to("cpu")
        assert all(torch.equal(value, getattr(moved, name)) for name, value in vars(self.batch()).items())


class TestBatches:
    def test_the_same_arguments_give_the_same_batches(self):
        for one, two in zip(epoch(3), epoch(3), strict=True):
            assert all(torch.equal(value, getattr(two, name)) for name, value in vars(one).items())

    @pytest.mark.parametrize("other", [{"number": 4}, {"number": 3, "seed": 1}])
    def test_another_epoch_or_seed_gives_others(self, other):
        signature = [batch.sentences.argmax(dim=1).tolist() for batch in epoch(3)]
        assert signature != [batch.sentences.argmax(dim=1).tolist() for batch in epoch(**other)]

    def test_an_epoch_shows_every_source_once_or_drops_a_small_rest(self):
        videos = [
            int(batch.features[owner, inside][0, 0])
            for batch in epoch()
            for owner, inside in zip(batch.owner, batch.inside, strict=True)
        ]
        assert len(set(videos)) == len(videos) >= 10

    def test_holds_as_many_videos_as_asked(self):
        sizes = [len(batch.features) for batch in epoch(count=12)]
        assert all(size == 2 for size in sizes[:-1])
        assert sizes[-1] in (1, 2)


class TestNarrow:
    source = Source(torch.zeros(6, 2), torch.arange(6.0), (0, 1), "v", ((1.5, 4.0), (9.0, 12.0)))

    def test_keeps_the_frames_of_the_moment(self):
        assert narrow_to_moment((0, 6), self.source, 0) == (2, 4)

    def test_keeps_one_frame_at_least(self):
        assert narrow_to_moment((0, 6), self.source, 1) == (5, 6)

    def test_a_source_without_moments_stays_whole(self):
        assert narrow_to_moment((3, 9), Source(torch.zeros(6, 2), torch.arange(6.0), (0, 1)), 0) == (3, 9)

    def test_a_batch_marks_the_moment_of_the_query_that_was_drawn(self):
        bank = QueryBank([torch.ones(2, 3), 2 * torch.ones(2, 3)], torch.eye(2))
        drawn = [collate([[0]], [self.source], bank, CompositionConfig(1, 1), random.Random(n)) for n in range(8)]
        for made in drawn:
            expected = [2, 3] if made.tokens[0, 0, 0] == 1 else [5]
            assert made.inside[0].nonzero().flatten().tolist() == expected
        assert len({float(made.tokens[0, 0, 0]) for made in drawn}) == 2
