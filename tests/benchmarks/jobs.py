"""What is timed, each in a process of its own, so that its peak memory is its own.

    python -m tests.benchmarks.jobs NAME FILE

A job prints one JSON object: seconds by stage, "memory" (MB, the peak of the process and its children; of ours, up to
the first answer) and "cpu" (their CPU seconds; of ours, from the file to the first answer). With FLOAT32 in the
environment, a CPU that computes in bfloat16 is taken for one that does not.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from tests.benchmarks.usage import Peak, cpu

Times = dict[str, float]
FLOAT32 = "BENCHMARK_FLOAT32"
QUERY, OTHER = "a red square moves to the left", "numbers on a blue ground"


def run(job: str, file: str = "", limit: float = 3600.0, float32: bool = False) -> Times:
    """Runs a job in a new process.

    Args:
        float32: computes as on a CPU without bfloat16: our towers in float32, and what is left to torch without the
            processor's bfloat16 instructions.
    """
    command = [sys.executable, "-m", "tests.benchmarks.jobs", job, str(file)]
    without = {FLOAT32: "1", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"} if float32 else {}
    env = {**os.environ, **without}
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False, env=env)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[2:])} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def timed(times: Times, name: str) -> Iterator[None]:
    """Adds the wall time of its block to times[name]."""
    begin = time.perf_counter()
    yield
    times[name] = times.get(name, 0.0) + time.perf_counter() - begin


def ready(checkpoint: str = "embedded", weights: str | None = None):
    """Our predictor, its models loaded and used once, and a child that waits for a file, as while the app runs.

    It has no stand-in, against which weights that are not the checkpoint's would be refused.
    """
    import numpy as np

    from grounding import Predictor
    from grounding.checkpoint import find_checkpoint, load_extras, load_grounder, read_config
    from grounding.encoders.memory import hold_little_memory
    from grounding.isolation.worker_pool import get_pool

    hold_little_memory()
    get_pool().warm_up()
    folder = find_checkpoint(checkpoint)
    config = read_config(folder)
    predictor = Predictor(config, load_grounder(folder, config), weights=weights, extras=load_extras(folder, config))
    predictor.frame_encoder.encode([np.zeros((720, 1280, 3), np.uint8)] * 2)
    predictor.query_encoder.encode(["a dog"])
    return predictor


def ours(file: str) -> Times:
    """From the file to the first answer; then another query, and 10 and 100 at once."""
    return measure(ready(), file)


def clip(file: str, checkpoint: str = "clip-vit-b-32", model: str = "ViT-B-32-quickgelu") -> Times:
    """The same with a checkpoint of CLIP and random weights: speed does not depend on them."""
    import open_clip
    import torch

    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "random.pt"
        torch.save(open_clip.create_model(model).state_dict(), weights)
        predictor = ready(checkpoint, str(weights))
    return measure(predictor, file)


def measure(predictor, file: str) -> Times:
    """What `ours` tells of a predictor."""
    times: Times = {}
    begin = cpu()
    with Peak() as peak, timed(times, "first"):
        video = predictor.encode_video(file)
        predictor.ground(video, QUERY)
    times |= {"cpu": cpu() - begin, "memory": peak.megabytes}
    with timed(times, "second"):
        predictor.ground(video, OTHER)
    for count in (10, 100):
        with timed(times, str(count)):
            predictor.ground_many(video, [f"{QUERY} {number}" for number in range(count)])
    return times


def rough(file: str) -> Times:
    """From the file to the rough answer; "first" is infinite where there is none."""
    predictor, times = ready(), {}
    with timed(times, "first"):
        key_frames = predictor.encode_key_frames(file)
        if key_frames:
            predictor.ground(key_frames.video(), QUERY)
    return times if key_frames else {"first": math.inf}


def stages(file: str) -> Times:
    """The same work one stage after another, none of it at the same time as another."""
    import numpy as np

    from grounding.encoders.frames import prepare
    from grounding.features.encoded_video import EncodedVideo
    from grounding.video.reader import FrameReader

    predictor, times, stamps, features = ready(), {}, [], []
    reader = FrameReader(file, predictor.config.rate)
    frames = iter(reader)
    batches = iter(lambda: list(islice(frames, predictor.frame_encoder.batch)), [])
    while True:
        with timed(times, "decode"):
            batch = next(batches, None)
        if batch is None:
            break
        with timed(times, "preprocess"):
            images = [prepare(frame.image) for frame in batch]
        with timed(times, "encode"):
            features.append(predictor.frame_encoder.encode(images).numpy())  # (B, D)
        stamps += [frame.timestamp for frame in batch]
    video = EncodedVideo(np.array(stamps), np.concatenate(features), reader.duration, predictor.config.frame_encoder)
    with timed(times, "ground"):
        predictor.ground(video, QUERY)
    return times


def start(_: str) -> Times:
    """To import the package, to load its models, and to serve the page."""
    times: Times = {}
    with timed(times, "import"):
        from grounding import Predictor  # noqa: F401
    loaded = {"timm", "open_clip", "transformers"} & set(sys.modules)
    with timed(times, "models"):
        ready()
    with timed(times, "page"):
        import app

        app.serve(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1").close()
    return times | {"heavy": len(loaded)}


def _jobs() -> dict[str, Callable[[str], Times]]:
    from tests.benchmarks.peers import plain_loop, recipe, recipe_in_openvino

    peers = {"recipe": recipe, "recipe in openvino": recipe_in_openvino, "loop": plain_loop}
    return {
        "ours": ours,
        "clip": clip,
        "rough": rough,
        "stages": stages,
        "start": start,
        **peers,
    }


def forget_bfloat16() -> None:
    """From here on our towers compute in float32."""
    import torch

    torch.cpu._is_avx512_bf16_supported = lambda: False  # what tower_dtype asks


def main() -> None:
    name, file = sys.argv[1:]
    if os.environ.get(FLOAT32):
        forget_bfloat16()
    with Peak() as peak:
        times = _jobs()[name](file)
    print(json.dumps({"cpu": cpu(), "memory": peak.megabytes, **times}))


if __name__ == "__main__":
    main()
