"""Where training starts: linear maps under which frames and queries already meet a little.

The embedded encoder's frames end in ConSE, which lies in the query encoder's own space. For CLIP frames the query
encoder is mapped to CLIP's text space by ridge regression on texts whose CLIP embeddings are known, the anchors, and
frames of another CLIP tower are mapped to the anchors' tower on the frames of the training videos; or, in CLIP's joint
space, frames begin as they are and a stand-in reads the queries, see `training.stand_in`. Both sides of each map are
centered, since CLIP's texts, its frames and MiniLM's sentences each lie around a mean of their own (Liang et al., "Mind
the Gap", NeurIPS 2022). Where a config asks for it, sentences are regressed on their videos in closed form
instead. No start or end time is read.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from grounding.model import Grounder, start_from_bridge
from training.batches import QueryBank, Source
from training.config import BridgeConfig, TrainConfig
from training.files import DataError
from training.stand_in import FRAME_RIDGE, fit_ridge, fit_text_map, pair_frames

CONSE = 384  # the last features of the embedded encoder, which lie in the query encoder's own space
SAMPLE, ITERATIONS = 20_000, 4  # training sentences that their centers are found among, at most, and steps of k-means
FLOOR = 0.02  # of the largest variance of sentences, added to all before whitening, lest noise is blown up


def initialize(
    grounder: Grounder, config: TrainConfig, sources: Sequence[Source] = (), bank: QueryBank | None = None
) -> Grounder:
    """Starts a fresh grounder from the bridge that fits its frame encoder; without one it starts at random.

    Raises DataError if the sizes do not fit the encoder, or the anchors cannot be read.
    """
    known = build_conse_map(config) if config.frame_encoder == "embedded" else None
    if config.bridge.ridge and sources and bank:
        return start_fitted(grounder, config, sources, bank, known)
    if known is not None:
        start_from_bridge(grounder, known, torch.eye(CONSE))
    if config.model.centered and sources and bank:
        set_centers(grounder, sources, bank)
    if config.data.anchors and sources and not config.model.joint:
        try:
            start_from_bridge(grounder, *fit_anchor_maps(config, sources))
        except ValueError as error:
            raise DataError(
                f"{', '.join(config.data.anchors)}: {error}: set model.width to that of the anchors or more."
            ) from error
    return grounder


def build_conse_map(config: TrainConfig) -> Tensor:
    """The embedded encoder's features to their part in the query encoder's space: (384, Dv). Raises DataError."""
    if config.model.frame_width <= CONSE or config.model.width < CONSE or config.model.query_width != CONSE:
        raise DataError(
            f"model = {config.model} does not fit the encoder 'embedded': set frame_width to 1664, query_width to "
            f"{CONSE} and width to {CONSE} or more."
        )
    return torch.eye(config.model.frame_width)[-CONSE:]  # (384, Dv)


def fit_anchor_maps(config: TrainConfig, sources: Sequence[Source]) -> tuple[Tensor, Tensor]:
    """Frame features and pooled queries to the anchors' space: (K, Dv) and (K, Dq). Frames that lie there already are
    left alone."""
    text_map, _, text_mean = fit_text_map(config)  # (K, Dq), (K,)
    if not config.data.anchor_features:
        return torch.eye(config.model.frame_width), text_map
    return fit_ridge(*pair_frames(sources, config, len(text_mean)), FRAME_RIDGE), text_map


def set_centers(grounder: Grounder, sources: Sequence[Source], bank: QueryBank) -> None:
    """Centers the towers on the mean training frame and the mean training sentence, in CLIP's joint space as the
    stand-in reads it."""
    frames = torch.cat([source.features for source in sources]).float()  # (N, Dv)
    grounder.frame_tower.center.copy_(frames.mean(dim=0))
    read = torch.cat(bank.tokens) if grounder.config.joint else bank.sentences  # (Q, Dq)
    grounder.query_tower.center.copy_(read.float().mean(dim=0))


def start_fitted(
    grounder: Grounder, config: TrainConfig, sources: Sequence[Source], bank: QueryBank, known: Tensor | None = None
) -> Grounder:
    """Starts a fresh grounder from `fit_bridge` on its training pairs. Raises DataError if the width is too small."""
    model = config.model
    if model.width < model.query_width:
        raise DataError(f"model.width is {model.width}: a fitted bridge needs {model.query_width} or more.")
    frame_bridge, query_bridge, centers = fit_bridge(sources, bank, config.bridge, known)
    kept = slice(max(len(query_bridge) - model.learned_width, 0), None)  # without those in which sentences vary least
    frame_bridge, query_bridge = frame_bridge[kept], query_bridge[kept]
    start_from_bridge(grounder, frame_bridge, query_bridge, centers)
    if model.sentence_centers:
        set_sentence_centers(grounder, bank, config.seed)
    with torch.no_grad():  # a mean over the neighbours: the bridge was fitted on means over whole videos
        grounder.frame_tower.context.weight.fill_(1 / model.context)
    return grounder


@torch.no_grad()
def set_sentence_centers(grounder: Grounder, bank: QueryBank, seed: int) -> None:
    """Gives the frame tower centers of the training sentences, as the fitted query side embeds them."""
    generator, projection = torch.Generator().manual_seed(seed), grounder.query_tower.projection
    chosen = torch.randperm(len(bank.sentences), generator=generator)[:SAMPLE]
    centers = grounder.frame_tower.sentence_centers  # (K, D - 1)
    sentences = F.normalize(projection(bank.sentences[chosen].float()), dim=-1)  # (N, D - 1)
    centers.copy_(sentences[torch.arange(len(centers)) % len(sentences)])
    for _ in range(ITERATIONS):  # k-means on the sphere
        nearest = (sentences @ centers.T).argmax(dim=1)  # (N,)
        summed = torch.zeros_like(centers).index_add_(0, nearest, sentences)  # (K, D - 1)
        centers.copy_(F.normalize(summed, dim=-1))


def fit_bridge(
    sources: Sequence[Source], bank: QueryBank, config: BridgeConfig, known: Tensor | None = None
) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    """A ridge regression of the mean sentence of each video on its mean frame, in closed form.

    Both sides are centred. Sentences are partly whitened first, or the few directions that all captions share decide:
    the middle between a plain regression and canonical correlation (Hardoon et al., Neural Computation 2004). A video
    counts by the square root of its number of frames: the mean over many is surer.

    Args:
        sources: videos.
        bank: their queries.
        config: see BridgeConfig.
        known: (Dq, Dv) map of frames to sentences that is there before any training. The regression then shrinks
            towards it, so that things which no training sentence names are still found.

    Returns:
        (Dq, Dv) map of frames, (Dq, Dq) map of queries, and their centers (Dv,) and (Dq,). Mapped training videos and
        mapped queries have unit length on average.
    """
    frames = torch.stack([source.features.float().mean(dim=0) for source in sources])  # (S, Dv)
    said = torch.stack([bank.sentences[list(source.queries)].mean(dim=0) for source in sources])  # (S, Dq)
    counts = torch.tensor([len(source.features) for source in sources])  # (S,)
    weights = counts.sqrt() / counts.sqrt().mean()  # (S,)
    centers = (weights @ frames / len(frames), weights @ said / len(said))
    frames, said = frames - centers[0], said - centers[1]
    # The space of sentences, and what is known of the frames' place in it, which the regression adds to
    every = torch.cat([bank.sentences[list(source.queries)] for source in sources]) - centers[1]  # (Q, Dq)
    whiten = _fit_whitening(every, config.whitening)  # (Dq, Dq)
    before = whiten @ (torch.zeros(every.shape[1], frames.shape[1]) if known is None else known)  # (Dq, Dv)
    wanted, guessed = said @ whiten.T, frames @ before.T  # (S, Dq) each
    share = (wanted * guessed).sum() / guessed.square().sum().clamp(min=1e-12)  # least squares
    # The regression itself; in units of the frames' spread, so that one ridge fits features of any length
    spread = frames.square().sum(dim=1).mean().clamp(min=1e-12)
    weighted = weights.unsqueeze(1) * frames / spread  # (S, Dv)
    penalty = config.ridge * torch.eye(frames.shape[1])  # (Dv, Dv)
    learned = torch.linalg.solve(weighted.T @ frames + penalty, weighted.T @ (wanted - share * guessed)).T  # (Dq, Dv)
    frame_bridge = share * before + learned  # (Dq, Dv)
    return _scale_to_unit(frame_bridge, frames), _scale_to_unit(whiten, every), centers


def _scale_to_unit(bridge: Tensor, rows: Tensor) -> Tensor:
    """The map (O, I), scaled so that `rows` (N, I) have unit length on average where it takes them."""
    return bridge / (rows @ bridge.T).norm(dim=1).mean().clamp(min=1e-6)


def _fit_whitening(sentences: Tensor, exponent: float) -> Tensor:
    """(Q, Dq) centred sentences to the map (Dq, Dq) that evens out their variances to the given degree."""
    variances, directions = torch.linalg.eigh(sentences.T @ sentences / len(sentences))  # (Dq,), (Dq, Dq)
    variances = variances.clamp(min=0) + FLOOR * variances.max()  # (Dq,)
    return variances.pow(-exponent / 2).unsqueeze(1) * directions.T  # (Dq, Dq)
