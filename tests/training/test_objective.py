import dataclasses
import random

import pytest
import torch
from torch.nn.functional import pad

from grounding.checkpoint import GrounderConfig
from grounding.model import Grounder
from training.batches import Batch, CompositionConfig, QueryBank, Source, collate
from training.objective import NEAR_SAME, ObjectiveConfig, compute_losses, find_near_same, split_parts

EVERYTHING = ObjectiveConfig(video=1.0, presence=0.5, composition=0.7, coarse=0.3, hard=0.2)
NAMES = ("video", "presence", "composition", "coarse", "hard")


def batch(sentences: torch.Tensor | None = None) -> Batch:
    """Two composed videos of three and two parts, of different lengths."""
    generator = torch.Generator().manual_seed(0)
    sources = [Source(torch.randn(3 + n, 6, generator=generator), torch.arange(3.0 + n) / 2, (n,)) for n in range(5)]
    tokens = [torch.randn(2 + n % 2, 5, generator=generator) for n in range(5)]
    bank = QueryBank(tokens, torch.eye(5) if sentences is None else sentences)
    return collate([[0, 1, 2], [3, 4]], sources, bank, CompositionConfig(2, 3), random.Random(0))


def grounder() -> Grounder:
    torch.manual_seed(0)
    return Grounder(GrounderConfig(frame_width=6, query_width=5, width=8, context=3, dropout=0.0))


def only(**weights: float) -> ObjectiveConfig:
    return ObjectiveConfig(**dict.fromkeys(NAMES, 0.0) | weights)


class TestSplitParts:
    def test_regroups_by_part(self):
        made = batch()
        logits = torch.arange(made.mask.numel(), dtype=torch.float32).reshape(1, *made.mask.shape)  # (1, V, T)
        parts, mask = split_parts(logits, made)
        assert mask.sum(dim=1).tolist() == [3, 4, 5, 6, 7]
        for part in range(5):
            expected = logits[0, made.owner[part], made.inside[part]]
            assert parts[0, part, mask[part]].tolist() == expected.tolist()


class TestNearSame:
    def test_marks_other_queries_that_say_the_same(self):
        close = torch.nn.functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.7, 0.7], [-1, 0]]))
        alike = find_near_same(batch(close))
        assert close[0] @ close[1] > NEAR_SAME
        assert alike.nonzero().tolist() == [[0, 1], [1, 0]]

    def test_the_same_sentence_of_two_videos_is_marked(self):
        assert find_near_same(batch(torch.eye(5)[[0, 1, 2, 0, 4]])).nonzero().tolist() == [[0, 3], [3, 0]]


class TestObjective:
    def test_the_total_is_the_weighted_sum(self):
        losses = compute_losses(grounder(), batch(), EVERYTHING)
        total = sum(getattr(EVERYTHING, name) * losses[name] for name in NAMES)
        assert set(losses) == {*NAMES, "total"}
        assert losses["total"].item() == pytest.approx(total.item(), rel=1e-5)
        assert all(loss.isfinite() for loss in losses.values())

    @pytest.mark.parametrize("name", NAMES)
    def test_a_loss_of_weight_zero_is_absent(self, name):
        losses = compute_losses(grounder(), batch(), dataclasses.replace(EVERYTHING, **{name: 0.0}))
        assert set(losses) == {*NAMES, "total"} - {name}

    @pytest.mark.parametrize("name", NAMES)
    def test_each_loss_reaches_frames_and_queries(self, name):
        model = grounder()
        compute_losses(model, batch(), only(**{name: 1.0}))["total"].backward()
        for tower in (model.frame_tower, model.query_tower):
            assert tower.projection.weight.grad.abs().sum() > 0

    @pytest.mark.parametrize("name", NAMES)
    def test_more_padding_costs_nothing(self, name):
        made = batch()
        padded = dataclasses.replace(
            made,
            features=pad(made.features, (0, 0, 0, 4), value=50.0).masked_fill(~pad(made.mask, (0, 4))[..., None], 50.0),
            mask=pad(made.mask, (0, 4)),
            timestamps=pad(made.timestamps, (0, 4)),
            inside=pad(made.inside, (0, 4)),
            tokens=made.tokens.masked_fill(~made.token_mask[..., None], 50.0),
        )
        plain = compute_losses(grounder(), made, only(**{name: 1.0}))["total"]
        loss = compute_losses(grounder(), padded, only(**{name: 1.0}))["total"]
        assert loss.item() == pytest.approx(plain.item(), rel=1e-5)

    @pytest.mark.parametrize("name", ["video", "presence"])
    def test_negatives_that_say_the_same_are_ignored(self, name):
        apart, alike = (
            compute_losses(grounder(), batch(sentences), only(**{name: 1.0}))["total"]
            for sentences in (torch.eye(5), torch.eye(5)[[0, 1, 2, 0, 4]])
        )
        assert not torch.isclose(apart, alike)

    @pytest.mark.parametrize("name", ["video", "presence", "composition"])
    def test_training_on_it_tells_the_right_part(self, name):
        model, made = grounder(), batch()
        optimizer = torch.optim.Adam(model.parameters(), 0.03)
        for _ in range(60):
            optimizer.zero_grad()
            compute_losses(model, made, only(**{name: 1.0}))["total"].backward()
            optimizer.step()
        scores = model(made.features, made.mask, made.tokens, made.token_mask)  # (Q, V, T)
        own = scores[torch.arange(5), made.owner]  # (Q, T)
        inside = (own * made.inside).sum(dim=1) / made.inside.sum(dim=1)
        others = made.mask[made.owner] & ~made.inside
        outside = (own * others).sum(dim=1) / others.sum(dim=1)
        assert (inside > outside).all()

    def test_a_single_part_gives_a_finite_loss(self):
        sources = [Source(torch.ones(3, 6), torch.arange(3.0), (0,))]
        bank = QueryBank([torch.ones(2, 5)], torch.ones(1, 1))
        alone = collate([[0]], sources, bank, CompositionConfig(1, 1), random.Random(0))
        assert compute_losses(grounder(), alone, EVERYTHING)["total"].isfinite()
