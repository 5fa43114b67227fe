"""What a model in CLIP's joint space still knows of the world beyond its training data: sentence to photo.

Each photo is a video of one frame. Sentences are read by CLIP's own text tower, whose embeddings are stored, so the
figure tells what training did to the frame side. A model whose query side is trained is measured the same way, on its
frames, although its own query side would read what a visitor types.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from grounding.model import Grounder
from training.files import READ_ERRORS, DataError, describe_read_error, read_arrays

PHOTOS = 100
SAME_PHOTO = 0.95  # cosine from which two photos are taken to be the same


@dataclass(frozen=True)
class OpenWorld:
    """`texts` (Q, D) and `photos` (P, D) of unit length, and the photo `owner` (Q,) of each text."""

    texts: Tensor
    photos: Tensor
    owner: Tensor


@cache
def read_open_world(sentences: str, more: str) -> OpenWorld:
    """The sentences of one npz file against its photos and, up to PHOTOS, the first of another file that are not among
    them.

    Args:
        sentences: npz file of `text` (Q, D), `images` (P, D) and `image_of` (Q,).
        more: npz file of `images` (N, D).

    Raises:
        DataError: a file cannot be read, or holds something else.
    """
    try:
        file, other = read_arrays(sentences, "text", "images", "image_of"), read_arrays(more, "images")
        texts, photos, others = (
            F.normalize(torch.from_numpy(rows).float(), dim=-1)
            for rows in (file["text"], file["images"], other["images"])
        )
        owner = torch.from_numpy(file["image_of"]).long()  # (Q,)
        new = (others @ photos.T).amax(dim=1) < SAME_PHOTO  # (N,)
    except (*READ_ERRORS, RuntimeError) as error:
        raise DataError(
            f"{sentences}, {more}: no sentences and photos ({describe_read_error(error)}): give npz files with text, "
            "images and image_of, and with images."
        ) from error
    return OpenWorld(texts, torch.cat([photos, others[new]])[:PHOTOS], owner)


@torch.inference_mode()
def measure_open_world(grounder: Grounder, files: Sequence[str]) -> float | None:
    """Share of the sentences whose own photo comes first, in percent; None where the model's space is another one."""
    known = read_open_world(*files)
    if not known.texts.shape[1] == grounder.config.frame_width == grounder.config.width:
        return None
    photos = known.photos.unsqueeze(1)  # (P, 1, D)
    frames = grounder.frame_tower(photos, torch.ones(photos.shape[:2], dtype=torch.bool))[:, 0]  # (P, D)
    center = grounder.query_tower.center if grounder.config.joint else known.texts.mean(dim=0)  # (D,)
    queries = F.normalize(known.texts - center, dim=-1)  # (Q, D), which go past an adapter
    return 100 * float(((queries @ frames.T).argmax(dim=1) == known.owner).float().mean())
