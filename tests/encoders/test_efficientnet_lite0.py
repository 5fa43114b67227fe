import torch

from grounding.encoders import packaged_weights as weights


def test_the_tower_is_the_one_of_timm(tower):
    own = weights.load_efficientnet_lite0()
    images = torch.rand(2, 3, 224, 224) * 2 - 1
    with torch.no_grad():
        pooled, logits = own(images)
        expected = tower.forward_head(tower.forward_features(images), pre_logits=True)
        torch.testing.assert_close(pooled, expected, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(logits, tower(images), atol=1e-3, rtol=1e-3)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in own.modules())
