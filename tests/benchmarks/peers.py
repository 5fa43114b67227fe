"""Other ways to the same features, written from their description, to measure beside ours.

The recipe is that of moment_detr, QD-DETR and lighthouse: CLIP ViT-B/32 at a frame every two seconds, the whole clip in
memory as one tensor, small batches. Weights are random, of the same size: speed does not depend on them. The grounding
that follows is ours in neither way and is left out of theirs, which is in their favour. The plain loop is what one
writes first: seek to each frame, encode it alone with our tower, twice a second as we do.
"""

import cv2
import numpy as np
import torch

BATCH = 8
PERIOD = 2.0  # seconds between frames
MODEL = "ViT-B-32-quickgelu"


def recipe(file: str, in_openvino: bool = False) -> dict[str, float]:
    """All frames into memory, then through CLIP in small batches; a query is one pass of its text tower.

    Args:
        in_openvino: gives its image tower the runtime and the arithmetic of ours.
    """
    import open_clip

    from grounding.encoders.devices import tower_dtype
    from grounding.encoders.frames import ImageTower
    from grounding.encoders.openvino_runtime import compile_for, trace
    from tests.benchmarks.jobs import OTHER, timed

    model, _, transform = open_clip.create_model_and_transforms(MODEL)
    tokenize, times = open_clip.get_tokenizer(MODEL), {}
    encode, cpu = ImageTower(model.eval()), torch.device("cpu")
    if in_openvino:
        blank = torch.zeros(1, 3, *model.visual.image_size)
        network = compile_for(cpu, lambda _: trace(encode, [blank]), tower_dtype(cpu), rows=BATCH)
        encode = lambda batch: network.encode(batch.numpy(), lambda piece: [piece])  # noqa: E731
    with torch.no_grad(), timed(times, "first"):
        clip = torch.stack([transform(image) for image in _every_two_seconds(file)])  # (T, 3, 224, 224)
        for batch in clip.split(BATCH):
            encode(batch)
        model.encode_text(tokenize([OTHER]))
    with torch.no_grad(), timed(times, "second"):
        model.encode_text(tokenize([OTHER]))
    return times | {"frames": len(clip)}


def recipe_in_openvino(file: str) -> dict[str, float]:
    """The recipe with our runtime, so that designs are compared and not runtimes."""
    return recipe(file, in_openvino=True)


def _every_two_seconds(file: str) -> list:
    from PIL import Image

    capture, images, index = cv2.VideoCapture(file), [], 0
    step = round(capture.get(cv2.CAP_PROP_FPS) * PERIOD)
    while capture.grab():
        if index % step == 0:
            images.append(Image.fromarray(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)))
        index += 1
    return images


def plain_loop(file: str) -> dict[str, float]:
    """A seek and a batch of one for every frame."""
    from tests.benchmarks.jobs import QUERY, ready, timed

    predictor, times, features = ready(), {}, []
    with timed(times, "first"):
        capture = cv2.VideoCapture(file)
        fps, count = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        for index in range(0, count, round(fps / 2)):
            capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            found, image = capture.read()
            if found:
                features.append(predictor.frame_encoder.encode([np.ascontiguousarray(image[..., ::-1])]))
        predictor.query_encoder.encode([QUERY])
    return times | {"frames": len(features)}
