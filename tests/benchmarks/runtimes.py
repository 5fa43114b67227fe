"""Which runtime computes towers fastest on a CPU, alone and beside other work. Prints a Markdown table.

    pip install onnx onnxscript onnxruntime nncf
    python -m tests.benchmarks.runtimes --work DIR

The project itself needs none of the four; rows of what is missing say so. Towers: EfficientNet-Lite0 and MiniLM as they
are used here, and the image tower of CLIP ViT-B/32 with random weights. All read the same ONNX file but torch. Every
row is a process of its own: batches of eight, a thread for each core; seconds are those to import the runtime and
compute the first batch; memory is the process's peak. Beside other work: as many processes as cores compute without a
pause. bfloat16 is switched off by INFERENCE_PRECISION_HINT in OpenVINO, by the type of the weights in torch; ONNX
Runtime computes in float32. int8: of weights alone in torch and ONNX Runtime (dynamic), of all layers in OpenVINO
(NNCF, calibrated on noise: the speed is right, the numbers are not).
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TOWERS = ("lite0", "minilm", "clip")
KINDS = ("torch", "torch bf16", "torch int8", "torch.compile", "torch.compile bf16")
KINDS += ("onnxruntime", "onnxruntime int8", "openvino", "openvino bf16", "openvino int8")
BATCH, PIECES, SIDE = 8, 16, 224
SECONDS = 1.0  # that a row is measured

Inputs = list[np.ndarray]


def make_inputs(tower: str) -> Inputs:
    rng = np.random.default_rng(0)
    if tower == "minilm":
        return [rng.integers(1000, 20000, (BATCH, PIECES)), np.ones((BATCH, PIECES), bool)]
    return [rng.standard_normal((BATCH, 3, SIDE, SIDE), np.float32)]


def make_module(tower: str):
    """The tower in torch."""

    if tower == "lite0":
        from grounding.encoders.packaged_weights import load_efficientnet_lite0

        return load_efficientnet_lite0()
    if tower == "minilm":
        from grounding.encoders.packaged_weights import load_minilm

        return load_minilm()[0]
    import open_clip

    return open_clip.create_model("ViT-B-32-quickgelu").visual.eval()


def export(tower: str, file: Path) -> None:
    """Writes the tower as an ONNX file."""
    import torch

    torch.backends.mha.set_fastpath_enabled(False)  # which ONNX has no word for
    inputs = tuple(map(torch.from_numpy, make_inputs(tower)))
    with torch.no_grad():
        torch.onnx.export(make_module(tower), inputs, str(file), dynamo=False, opset_version=17)


def load_torch(tower: str, kind: str) -> Callable[[Inputs], object]:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    module = make_module(tower)
    module = module.bfloat16() if "bf16" in kind else module
    if "int8" in kind:
        module = torch.ao.quantization.quantize_dynamic(module, {torch.nn.Linear}, dtype=torch.qint8)
    module = torch.compile(module) if "compile" in kind else module
    kept = torch.bfloat16 if "bf16" in kind else torch.float32

    def compute(inputs: Inputs) -> object:
        tensors = map(torch.from_numpy, inputs)
        with torch.inference_mode():
            return module(*(tensor.to(kept) if tensor.is_floating_point() else tensor for tensor in tensors))

    return compute


def load_onnxruntime(file: Path, kind: str) -> Callable[[Inputs], object]:
    import onnxruntime

    if "int8" in kind:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(file, file.with_suffix(".int8.onnx"))
        file = file.with_suffix(".int8.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    return lambda inputs: session.run(None, dict(zip(names, inputs, strict=True)))


def load_openvino(file: Path, kind: str, inputs: Inputs) -> Callable[[Inputs], object]:
    sys.modules.setdefault("openvino_telemetry", None)
    import openvino

    core = openvino.Core()
    model = core.read_model(file)
    if "int8" in kind:
        import nncf

        model = nncf.quantize(model, nncf.Dataset([inputs]), subset_size=1)
    hints = {"INFERENCE_PRECISION_HINT": "bf16" if "bf16" in kind else "f32", "ENABLE_CPU_PINNING": False}
    request = core.compile_model(model, "CPU", hints).create_infer_request()
    return request.infer


def measure(tower: str, kind: str, file: Path) -> dict[str, float]:
    """One row: seconds to the first batch, milliseconds a frame or sentence after it, and peak megabytes."""
    inputs, begin = make_inputs(tower), time.perf_counter()
    if kind.startswith("torch"):
        compute = load_torch(tower, kind)
    else:
        compute = load_onnxruntime(file, kind) if "onnx" in kind else load_openvino(file, kind, inputs)
    compute(inputs)
    loaded, times = time.perf_counter() - begin, []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        compute(inputs)
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"ms": 1000 * float(np.median(times)) / BATCH, "load": loaded, "memory": peak}


def run(*arguments: str) -> dict[str, float] | None:
    """A step in a process of its own; None where it fails, as where a package is missing."""
    command = [sys.executable, "-m", "tests.benchmarks.runtimes", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{arguments}: {done.stderr.strip().splitlines()[-1][:200]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def spin() -> None:
    while True:
        sum(range(10**5))


def make_row(tower: str, kind: str, file: Path) -> list[str | float]:
    alone = run("--measure", tower, kind, "--work", str(file.parent))
    if alone is None:
        return [tower, kind, "missing", "", "", ""]
    others = [multiprocessing.Process(target=spin, daemon=True) for _ in os.sched_getaffinity(0)]
    for other in others:
        other.start()
    beside = run("--measure", tower, kind, "--work", str(file.parent))
    for other in others:
        other.kill()
    return [tower, kind, alone["ms"], beside["ms"] if beside else "missing", alone["load"], alone["memory"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for the ONNX files")
    parser.add_argument("--towers", nargs="+", default=TOWERS, choices=TOWERS)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--measure", nargs=2, metavar=("TOWER", "KIND"), help=argparse.SUPPRESS)
    parser.add_argument("--export", metavar="TOWER", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    files = {tower: args.work / f"{tower}.onnx" for tower in TOWERS}
    if args.measure:
        tower, kind = args.measure
        print(json.dumps(measure(tower, kind, files[tower])))
    elif args.export:
        export(args.export, files[args.export])
        print("{}")
    else:
        for tower in args.towers:
            _ = files[tower].exists() or run("--export", tower, "--work", str(args.work))
        from tests.benchmarks.speed import table  # it imports torch, whose memory is no other runtime's

        rows = [make_row(tower, kind, files[tower]) for tower in args.towers for kind in args.kinds]
        print(table(("tower", "runtime", "ms alone", "ms beside other work", "to first batch, s", "peak, MB"), rows))


if __name__ == "__main__":
    main()
