import open_clip
import torch

from grounding.encoders import classes
from grounding.encoders import registry as encoders


def test_the_kept_class_embeddings_are_those_of_a_name(query_encoder, monkeypatch):
    monkeypatch.setattr(encoders, "load_query_encoder", lambda device: query_encoder)
    expected = classes.compute_class_embeddings()
    assert expected.shape == (1000, 384)
    torch.testing.assert_close(classes.load_class_embeddings(torch.device("cpu")), expected, atol=1e-4, rtol=0)
    cat = query_encoder.encode([f"a {open_clip.IMAGENET_CLASSNAMES[285]}"]).pool_sentences()
    torch.testing.assert_close(expected[285:286], cat, atol=1e-4, rtol=0)
