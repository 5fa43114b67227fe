"""The embedded towers as OpenVINO graphs, built from the weights of the torch ones.

By hand, since tracing and converting the torch modules takes a second of every start, and this takes 0.05.
"""

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from grounding.encoders.efficientnet_lite0 import Convolution, Lite0
from grounding.encoders.minilm import EPSILON, HEADS, WIDTH, MiniLM

if TYPE_CHECKING:
    from openvino import Model, Node

TINY = 1e-12  # what a length of zero is taken for, as torch does
MASKED = 1e9  # taken off the logits of word pieces that are not there


class TowerBuilder:
    """Builds graphs of layers that have their weights.

    Args:
        openvino: the package, see load_openvino.
    """

    def __init__(self, openvino: ModuleType) -> None:
        self._ops, self._model, self._constant = openvino.opset13, openvino.Model, openvino.op.Constant

    def build_embedded(self, tower: Lite0, class_embeddings: Tensor, temperature: float) -> "Model":
        """Images (B, 224, 224, 3) of bytes to features (B, 1280 + 384); see EmbeddedFrameEncoder.

        Args:
            tower: the torch one.
            class_embeddings: (1000, 384).
            temperature: of the softmax over classes.
        """
        ops = self._ops
        images = ops.parameter([-1, 224, 224, 3], np.uint8, name="images")
        x = ops.transpose(ops.convert(images, np.float32), integers(0, 3, 1, 2))  # (B, 3, 224, 224)
        x = self._convolve(x * number(1 / 127.5) - number(1.0), tower.stem)
        for block in tower.blocks:
            y = x
            for layer in block.layers:
                y = self._convolve(y, layer)
            x = y + x if block.residual else y
        pooled = ops.reduce_mean(self._convolve(x, tower.head), integers(2, 3), keep_dims=False)  # (B, 1280)
        logits = self._project(pooled, tower.classifier) * number(1 / temperature)  # (B, 1000)
        conse = ops.matmul(ops.softmax(logits, 1), self._node(class_embeddings), False, False)  # (B, 384)
        features = ops.concat([ops.normalize_l2(part, integers(1), TINY, "max") for part in (pooled, conse)], 1)
        return self._model([features], [images], "embedded")

    def build_minilm(self, tower: MiniLM) -> "Model":
        """Embedded words (B, N, 384) and their mask (B, N), 1 at real ones, to hidden states (B, N, 384).

        Words are embedded outside: half of the weights are rows of words that are never asked for.
        """
        ops = self._ops
        words = ops.parameter([-1, -1, WIDTH], np.float32, name="words")
        mask = ops.parameter([-1, -1], np.int64, name="mask")
        count = ops.gather(ops.shape_of(mask), integers(1), integers(0))  # (1,), N
        places = ops.slice(self._node(tower.places.weight), integers(0), count, integers(1), integers(0))  # (N, 384)
        x = self._normalize(words + places, tower.norm)
        bias = (ops.convert(mask, np.float32) - number(1.0)) * number(MASKED)
        bias = ops.unsqueeze(bias, integers(1, 2))  # (B, 1, 1, N)
        for layer in tower.encoder.layers:
            x = self._normalize(x + self._attend(x, bias, layer.self_attn), layer.norm1)
            inner = ops.gelu(self._project(x, layer.linear1), "erf")  # (B, N, 1536)
            x = self._normalize(x + self._project(inner, layer.linear2), layer.norm2)
        return self._model([x], [words, mask], "minilm")

    def _convolve(self, x: "Node", layer: Convolution) -> "Node":
        """As the layer does: its odd padding, its bias, ReLU6 after it where it is active."""
        ops, weight = self._ops, layer.weight
        before, after = (layer.before, layer.after) if layer.stride[0] > 1 else 2 * (layer.padding[0],)
        steps = (list(layer.stride), [before] * 2, [after] * 2, [1, 1])
        if layer.groups > 1:
            y = ops.group_convolution(x, self._node(weight.unflatten(0, (layer.groups, -1))), *steps)
        else:
            y = ops.convolution(x, self._node(weight), *steps)
        y = y + self._node(layer.bias[:, None, None])
        return ops.clamp(y, 0.0, 6.0) if layer.active else y

    def _attend(self, x: "Node", bias: "Node", layer: nn.MultiheadAttention) -> "Node":
        """Self-attention of (B, N, 384); `bias` is added to the logits."""
        ops, heads = self._ops, []
        for weight, shift in zip(layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True):
            mapped = ops.matmul(x, self._node(weight), False, True) + self._node(shift)  # (B, N, 384)
            split = ops.reshape(mapped, integers(0, 0, HEADS, WIDTH // HEADS), special_zero=True)  # (B, N, 12, 32)
            heads.append(ops.transpose(split, integers(0, 2, 1, 3)))  # (B, 12, N, 32)
        queries, keys, values = heads
        logits = ops.matmul(queries, keys, False, True) * number((WIDTH // HEADS) ** -0.5) + bias  # (B, 12, N, N)
        mixed = ops.matmul(ops.softmax(logits, 3), values, False, False)  # (B, 12, N, 32)
        joined = ops.reshape(ops.transpose(mixed, integers(0, 2, 1, 3)), integers(0, 0, WIDTH), special_zero=True)
        return self._project(joined, layer.out_proj)  # (B, N, 384)

    def _project(self, x: "Node", layer: nn.Linear) -> "Node":
        return self._ops.matmul(x, self._node(layer.weight), False, True) + self._node(layer.bias)

    def _normalize(self, x: "Node", layer: nn.LayerNorm) -> "Node":
        normal = self._ops.mvn(x, integers(-1), True, EPSILON, "inside_sqrt")
        return normal * self._node(layer.weight) + self._node(layer.bias)

    def _node(self, tensor: Tensor) -> "Node":
        """Weights as a node, copied: the graph would keep the whole file in memory that they lie in.

        Of an array OpenVINO would make a Python list first, which takes ten times as long as all the rest.
        """
        return self._constant(tensor.detach().float().contiguous().numpy())


def integers(*values: int) -> np.ndarray:
    """Axes and shapes as a graph takes them."""
    return np.array(values, np.int64)


def number(value: float) -> np.ndarray:
    """A factor or summand as a graph takes it: as an array, since a scalar would become a double."""
    return np.array([value], np.float32)
