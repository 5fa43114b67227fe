"""Networks compiled for a CPU by OpenVINO: beside a decoder a frame takes a tenth of torch's time, whose threads spin.

Where OpenVINO is missing or fails, callers get None, compute with torch, and say so: see NOTE.
"""

import importlib
import logging
import sys
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from threading import Lock
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from grounding.encoders.memory import trim_memory
from grounding.encoders.openvino_towers import TowerBuilder
from grounding.video.limits import count_cores

if TYPE_CHECKING:
    from openvino import InferRequest, Model

MAX_STREAMS = 8  # pieces of work at once; each has memory of its own
NOTE = "OpenVINO is missing or failed, so torch computes, which takes longer: pip install --force-reinstall openvino"

T = TypeVar("T")

log = logging.getLogger(__name__)


class CompiledNetwork:
    """A network of one output; rows of its inputs are spread over the cores. Threads may share it.

    Args:
        openvino: the package, see load_openvino.
        model: the graph; its weights are kept, and nothing else of it.
        dtype: what it computes in, torch.float32 or torch.bfloat16.
        rows: how many at most go through a core at once, which bounds memory; None sends all through all cores.
    """

    def __init__(self, openvino: ModuleType, model: "Model", dtype: torch.dtype, rows: int | None) -> None:
        cores = count_cores()
        streams = min(cores, MAX_STREAMS) if rows else 1
        config: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype],
            "INFERENCE_NUM_THREADS": cores,
            "NUM_STREAMS": streams,
            "ENABLE_CPU_PINNING": False,  # a decoder wants the same cores
        }
        self._compiled = openvino.Core().compile_model(model, "CPU", config)
        self._requests, self._lock = [self._compiled.create_infer_request() for _ in range(streams)], Lock()
        self._streams, self._rows = streams, rows

    def encode(self, items: Sequence[T], prepare: Callable[[Sequence[T]], Sequence[np.ndarray]]) -> np.ndarray:
        """The network's output for B items, a row each; the next piece is prepared while the last are computed.

        Args:
            items: at least one.
            prepare: makes the network's inputs of a piece of the items, each with a row per item.
        """
        size = self._rows or len(items)
        outputs: list[np.ndarray] = []
        running: deque[InferRequest] = deque()
        with self._lock:
            try:
                for number, first in enumerate(range(0, len(items), size)):
                    inputs = prepare(items[first : first + size])
                    if len(running) == self._streams:
                        outputs.append(_take_output(running.popleft()))
                    # No callbacks: one that wants Python's lock while the process ends would abort it.
                    running.append(self._requests[number % self._streams])
                    running[-1].start_async(inputs)
                while running:
                    outputs.append(_take_output(running.popleft()))
            finally:
                for request in running:
                    request.wait()
        return np.concatenate(outputs)


def _take_output(request: "InferRequest") -> np.ndarray:
    request.wait()
    return request.get_output_tensor(0).data.copy()


def compile_for(
    device: torch.device, build: Callable[[TowerBuilder], "Model"], dtype: torch.dtype, rows: int | None = None
) -> CompiledNetwork | None:
    """The network that `build` makes; None where `device` is no CPU, and where OpenVINO is missing or fails.

    Args:
        device: for which it is wanted.
        build: makes the graph.
        dtype, rows: see CompiledNetwork.
    """
    openvino = load_openvino() if device.type == "cpu" else None
    if openvino is None:
        return None
    try:
        network = CompiledNetwork(openvino, build(TowerBuilder(openvino)), dtype, rows)
        trim_memory()  # of the graph that was compiled
        return network
    except RuntimeError as error:  # whatever its plugins do not know
        log.warning("OpenVINO failed (%s): torch computes instead.", str(error).strip().splitlines()[0][:200])
        return None


def trace(module: torch.nn.Module, inputs: Sequence[torch.Tensor]) -> "Model":
    """The graph of a torch module. Rows may be more or fewer than those of `inputs`."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export, which it recommends, takes seconds to import
        traced = torch.jit.trace(module, tuple(inputs), check_trace=False)
        decoder = TorchScriptPythonDecoder(traced)  # has to live until its graph is made
    frontend = FrontEndManager().load_by_framework("pytorch")  # openvino.convert_model would report home
    return frontend.convert(frontend.load(decoder))


@cache
def load_openvino() -> ModuleType | None:
    """The package; None where it is missing or cannot be loaded."""
    sys.modules.setdefault("openvino_telemetry", None)  # it would report every import to its makers
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError):
        return None


def describe_runtime(device: torch.device) -> str:
    """What computes on a device, with its version: features of another are not quite the same."""
    openvino = load_openvino() if device.type == "cpu" else None
    return f"openvino {openvino.__version__}" if openvino else "torch"
