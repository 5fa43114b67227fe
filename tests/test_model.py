import dataclasses

import pytest
import torch
import torch.nn.functional as F

from grounding.checkpoint import MIN_CENTERS, GrounderConfig
from grounding.model import COORDINATE, HELD_BACK, NEAREST, Grounder, blur_features, hold_back, start_from_bridge

CONFIG = GrounderConfig(frame_width=6, query_width=5, width=8, context=3, dropout=0.5)


def grounder(config: GrounderConfig = CONFIG) -> Grounder:
    torch.manual_seed(0)
    model = Grounder(config)
    torch.nn.init.normal_(model.frame_tower.context.weight)  # as after training: neighbours matter
    torch.nn.init.normal_(model.query_tower.attention.weight)
    return model.eval()


def inputs(videos: int = 2, frames: int = 7, queries: int = 3, words: int = 4):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(videos, frames, 6, generator=generator)
    tokens = torch.randn(queries, words, 5, generator=generator)
    return features, torch.ones(videos, frames).bool(), tokens, torch.ones(queries, words).bool()


def test_scores_of_every_query_at_every_frame():
    scores = grounder()(*inputs())
    assert scores.shape == (3, 2, 7)
    assert ((scores > 0) & (scores < 1)).all()


def test_frames_and_queries_have_unit_length():
    model, (features, mask, tokens, token_mask) = grounder(), inputs()
    for embedded in (model.frame_tower(features, mask), model.query_tower(tokens, token_mask)):
        lengths = embedded.norm(dim=-1)
        assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-5)


@pytest.mark.parametrize("blur", [0.0, 1.5])
def test_padding_changes_no_score(blur):
    model, (features, mask, tokens, token_mask) = grounder(dataclasses.replace(CONFIG, blur=blur)), inputs()
    plain = model(features, mask, tokens, token_mask)
    padded = model(
        torch.cat([features, torch.full((2, 4, 6), 30.0)], dim=1),
        torch.cat([mask, torch.zeros(2, 4).bool()], dim=1),
        torch.cat([tokens, torch.full((3, 2, 5), 30.0)], dim=1),
        torch.cat([token_mask, torch.zeros(3, 2).bool()], dim=1),
    )
    assert torch.allclose(padded[:, :, :7], plain, atol=1e-6)


def test_a_batch_answers_as_one_by_one():
    model, (features, mask, tokens, token_mask) = grounder(), inputs()
    together = model(features, mask, tokens, token_mask)
    alone = model(features[1:], mask[1:], tokens[2:], token_mask[2:])
    assert torch.allclose(together[2:, 1:], alone, atol=1e-6)


def test_a_frame_sees_its_context_and_no_further():
    model, (features, mask, _, _) = grounder(), inputs(videos=1)
    changed = features.clone()
    changed[0, 3] += 1.0
    moved = (model.frame_tower(changed, mask) - model.frame_tower(features, mask)).abs().sum(dim=-1)[0] > 1e-5
    assert moved.tolist() == [False, False, True, True, True, False, False]


def test_untrained_a_frame_sees_only_itself():
    model, (features, mask, _, _) = Grounder(CONFIG).eval(), inputs(videos=1)
    expected = torch.nn.functional.normalize(model.frame_tower.projection(features), dim=-1)
    assert torch.allclose(model.frame_tower(features, mask), expected, atol=1e-6)


def test_untrained_a_query_is_the_mean_of_its_tokens():
    model, (_, _, tokens, _) = Grounder(CONFIG).eval(), inputs()
    mask = torch.tensor([[True, True, False, False]] * 3)
    mean = torch.nn.functional.normalize(tokens[:, :2].mean(dim=1), dim=-1)
    expected = torch.nn.functional.normalize(model.query_tower.projection(mean), dim=-1)
    assert torch.allclose(model.query_tower(tokens, mask), expected, atol=1e-6)


class TestBlurred:
    def test_averages_with_neighbours_and_keeps_what_does_not_change(self):
        features = torch.tensor([[[0.0, 1.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]]])
        mixed = blur_features(features, torch.ones(1, 5).bool(), 1.0)
        assert torch.allclose(mixed[..., 1], torch.ones(1, 5))
        assert mixed[0, 2, 0] > mixed[0, 1, 0] > mixed[0, 0, 0] > 0
        assert mixed[0, 1, 0] == pytest.approx(float(mixed[0, 3, 0]))

    def test_padding_is_not_mixed_in(self):
        features = torch.cat([torch.ones(1, 3, 2), torch.full((1, 2, 2), 50.0)], dim=1)
        mixed = blur_features(features, torch.tensor([[True, True, True, False, False]]), 2.0)
        assert torch.allclose(mixed[:, :3], torch.ones(1, 3, 2))


class TestCenters:
    def test_are_taken_off_before_the_projections(self):
        centered = grounder(dataclasses.replace(CONFIG, centered=True))
        features, mask, tokens, token_mask = inputs()
        centered.frame_tower.center.copy_(features[0, 0])
        plain = grounder()
        moved = plain.frame_tower(features - features[0, 0], mask)
        assert torch.allclose(centered.frame_tower(features, mask), moved, atol=1e-6)
        centered.query_tower.center.fill_(0.3)
        assert not torch.allclose(
            centered.query_tower(tokens, token_mask), plain.query_tower(tokens, token_mask), atol=1e-3
        )

    def test_are_kept_with_the_weights_only_where_the_config_asks(self):
        kept = {name for name in grounder(dataclasses.replace(CONFIG, centered=True)).state_dict() if "center" in name}
        assert kept == {"frame_tower.center", "query_tower.center"}
        assert not any("center" in name for name in grounder().state_dict())


def test_a_frame_that_points_to_the_query_scores_highest():
    model = grounder()
    query = torch.nn.functional.normalize(torch.randn(1, 8), dim=-1)
    scores = model.logits(query, torch.stack([query, -query, 0 * query], dim=1)[0]).sigmoid()[0]
    assert scores[0] > scores[2] > scores[1]


def test_dropout_is_for_training_only():
    model, batch = grounder(), inputs()
    assert torch.equal(model(*batch), model(*batch))
    model.train()
    assert not torch.equal(model(*batch), model(*batch))


def test_every_parameter_learns():
    model = grounder().train()
    model(*inputs()).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in model.parameters())


class TestStartFromBridge:
    def test_frames_and_queries_meet_where_the_bridges_say(self):
        model = Grounder(GrounderConfig(frame_width=6, query_width=5, width=8, context=1, dropout=0.0)).eval()
        start_from_bridge(model, torch.eye(6)[:3], torch.eye(5)[:3])
        features, tokens = torch.eye(6)[:3].unsqueeze(0), torch.eye(5)[:3].unsqueeze(1)
        scores = model(features, torch.ones(1, 3).bool(), tokens, torch.ones(3, 1).bool())[:, 0]  # (3, 3)
        assert scores.argmax(dim=1).tolist() == [0, 1, 2]

    def test_what_the_bridge_leaves_free_still_learns(self):
        model = Grounder(CONFIG)
        start_from_bridge(model, torch.eye(6)[:3], torch.eye(5)[:3])
        free = model.frame_tower.projection.weight[3:]
        assert 0 < free.abs().max() < 0.1

    @pytest.mark.parametrize(("frames", "queries"), [(3, 2), (9, 9)])
    def test_bridges_that_do_not_fit(self, frames, queries):
        with pytest.raises(ValueError, match="do not fit a width of 8"):
            start_from_bridge(Grounder(CONFIG), torch.zeros(frames, 6), torch.zeros(queries, 5))


class TestJointSpace:
    CONFIG = GrounderConfig(frame_width=6, query_width=6, width=6, context=3, dropout=0.0, centered=True, joint=True)

    def test_starts_as_the_two_towers_themselves_without_their_means(self):
        model = Grounder(self.CONFIG).eval()
        model.frame_tower.center.fill_(0.5)
        model.query_tower.center.fill_(0.1)
        features, mask, texts = torch.randn(2, 7, 6), torch.ones(2, 7).bool(), F.normalize(torch.randn(3, 6), dim=-1)
        frames = model.frame_tower(features, mask)  # (2, 7, 6)
        queries = model.query_tower(3 * texts.unsqueeze(1), torch.ones(3, 1).bool())  # (3, 6)
        assert torch.allclose(frames, F.normalize(features - 0.5, dim=-1), atol=1e-5)
        assert torch.allclose(queries, F.normalize(texts - 0.1, dim=-1), atol=1e-5)

    def test_the_query_side_has_nothing_to_train_and_is_kept_with_the_weights(self):
        model = Grounder(self.CONFIG)
        assert not list(model.query_tower.parameters())
        assert "query_tower.center" in model.state_dict()

    def test_an_adapter_starts_as_the_identity_and_is_trained(self):
        model = Grounder(dataclasses.replace(self.CONFIG, adapter=True)).eval()
        tokens, mask = F.normalize(torch.randn(3, 1, 6), dim=-1), torch.ones(3, 1).bool()
        model.query_tower.center.fill_(0.1)
        expected = F.normalize(tokens[:, 0] - 0.1, dim=-1)
        assert torch.allclose(model.query_tower(tokens, mask), expected, atol=1e-5)
        assert [tuple(weight.shape) for weight in model.query_tower.parameters()] == [(6, 6)]

    def test_several_wordings_are_averaged_and_padding_is_not(self):
        model, texts = Grounder(self.CONFIG), F.normalize(torch.randn(1, 3, 6), dim=-1)
        read = model.query_tower(texts, torch.tensor([[True, True, False]]))
        assert torch.allclose(read, F.normalize(texts[:, 0] + texts[:, 1], dim=-1), atol=1e-5)

    def test_without_context_there_is_none_to_train(self):
        model = Grounder(dataclasses.replace(self.CONFIG, context=1, blur=1.0))
        assert [name for name, _ in model.frame_tower.named_parameters()] == ["projection.weight", "projection.bias"]
        assert model.frame_tower.reach == 3


class TestSentenceCenters:
    CENTERS = F.normalize(torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [1.0, 0.0, 0.1], [1.0, -0.1, 0.0]]), dim=-1)

    def test_a_product_with_a_query_is_their_cosine_less_a_share_of_how_near_the_frame_is_to_sentences(self):
        torch.manual_seed(0)
        frames, query = F.normalize(torch.randn(5, 3), dim=-1), F.normalize(torch.randn(3), dim=-1)
        held = hold_back(frames, self.CENTERS)  # (5, 4)
        near = (frames @ self.CENTERS.T).mean(dim=-1)  # (5,)
        expected = frames @ query - HELD_BACK * near
        lengths = torch.cat([frames, -HELD_BACK / COORDINATE * near.unsqueeze(-1)], dim=-1).norm(dim=-1)
        assert torch.allclose(held @ F.pad(query, (0, 1), value=COORDINATE) * lengths, expected, atol=1e-6)

    def test_of_two_frames_as_near_to_a_query_the_one_that_suits_every_sentence_comes_second(self):
        frames = F.normalize(torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]), dim=-1)
        query = torch.tensor([0.0, 1.0, 0.0, COORDINATE])
        common, rare = hold_back(frames, self.CENTERS) @ query
        assert rare > common + 0.1

    def test_towers_give_unit_rows_of_the_same_width_and_centers_go_with_the_weights(self):
        model = grounder(dataclasses.replace(CONFIG, sentence_centers=4))
        model.frame_tower.sentence_centers.copy_(F.normalize(torch.randn(4, 7), dim=-1))
        features, mask, tokens, token_mask = inputs()
        for rows in (model.frame_tower(features, mask), model.query_tower(tokens, token_mask)):
            assert rows.shape[-1] == 8
            assert torch.allclose(rows.norm(dim=-1), torch.ones(rows.shape[:-1]), atol=1e-5)
        assert model.state_dict()["frame_tower.sentence_centers"].shape == (4, 7)
        assert "frame_tower.sentence_centers" not in grounder().state_dict()

    def test_padding_stays_zero(self):
        model = grounder(dataclasses.replace(CONFIG, sentence_centers=4))
        features, mask, _, _ = inputs()
        mask[:, 5:] = False
        assert not model.frame_tower(features, mask)[:, 5:].any()


def test_a_checkpoint_has_as_many_sentence_centers_as_are_looked_for():
    assert MIN_CENTERS == NEAREST
