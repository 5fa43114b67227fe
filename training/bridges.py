"""Where training starts: linear maps under which frames and queries already meet a little."""

import torch

from grounding.model import Grounder, start_from_bridge
from training.config import TrainConfig
from training.moments import DataError

CONSE = 384  # the last features of the embedded encoder, which lie in the query encoder's own space


def start(grounder: Grounder, config: TrainConfig) -> Grounder:
    """Starts a fresh grounder from the bridge that fits its frame encoder; other encoders start at random.

    Raises DataError if the sizes do not fit the encoder.
    """
    if config.frame_encoder == "embedded":
        if config.model.frame_width <= CONSE or config.model.width < CONSE or config.model.query_width != CONSE:
            raise DataError(
                f"model = {config.model} does not fit the encoder 'embedded': set frame_width to 1664, query_width to "
                f"{CONSE} and width to {CONSE} or more."
            )
        frame_bridge = torch.eye(config.model.frame_width)[-CONSE:]  # (384, Dv)
        start_from_bridge(grounder, frame_bridge, torch.eye(CONSE))
    return grounder
