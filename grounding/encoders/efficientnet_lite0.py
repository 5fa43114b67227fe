"""EfficientNet-Lite0 without batch norms, which are folded into the convolutions.

Source: Tan and Le, "EfficientNet", ICML 2019, and the Lite variant of its authors: no squeeze-and-excitation, ReLU6.
timm has this tower too, but importing it imports torchvision and torch's compiler: 190 MB and two seconds that a
network of one page does not need.
"""

from collections.abc import Iterator, Mapping

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

STAGES = (  # blocks, kernel, stride of the first block, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000  # channels, channels, ImageNet's
EPSILON = 1e-3  # of the batch norms


class Lite0(nn.Module):
    """Pooled features and class logits of 224 x 224 images."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Convolution(3, STEM, 3, 2)
        self.blocks = nn.Sequential(*_make_blocks())
        self.head = Convolution(STAGES[-1][-1], HEAD, 1)
        self.classifier = nn.Linear(HEAD, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """`images` (B, 3, 224, 224) in [-1, 1] give (B, 1280), the mean activation, and (B, 1000) logits."""
        pooled = self.head(self.blocks(self.stem(images))).mean(dim=(2, 3))  # (B, 1280)
        return pooled, self.classifier(pooled)

    def load_packaged(self, state: Mapping[str, Tensor]) -> None:
        """Takes the packaged weights, whose tensors stand in the order of the layers, each batch norm after its
        convolution."""
        self.load_state_dict(
            dict(zip(self.state_dict(), _fold_batch_norms(iter(state.values())), strict=True)), assign=True
        )


class Convolution(nn.Conv2d):
    """A convolution, ReLU6 after it unless `active` is False, that pads as TensorFlow does: the odd row at the end."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, active: bool = True
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, 0 if stride > 1 else kernel // 2, groups=groups)
        self.active = active
        self.before, self.after = (kernel - 2) // 2, (kernel - 1) // 2  # of an even side

    def forward(self, images: Tensor) -> Tensor:
        if self.stride[0] > 1:
            images = F.pad(images, (self.before, self.after, self.before, self.after))
        convolved = super().forward(images)
        return F.relu6(convolved, inplace=True) if self.active else convolved


class Block(nn.Module):
    """Widens, looks at each channel by itself, and narrows; the input is added where the shape stays."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        widen = [Convolution(inputs, wide, 1)] if expansion > 1 else []
        narrow = Convolution(wide, outputs, 1, active=False)
        self.layers = nn.Sequential(*widen, Convolution(wide, wide, kernel, stride, groups=wide), narrow)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images) + images if self.residual else self.layers(images)


def _make_blocks() -> Iterator[Block]:
    inputs = STEM
    for count, kernel, stride, expansion, outputs in STAGES:
        for number in range(count):
            yield Block(inputs, outputs, kernel, 1 if number else stride, expansion)
            inputs = outputs


def _fold_batch_norms(tensors: Iterator[Tensor]) -> Iterator[Tensor]:
    """Weight and bias of each layer in turn."""
    for weight in tensors:
        if weight.dim() == 4:
            scale, shift, mean, variance, _ = (next(tensors) for _ in range(5))  # the last counts training batches
            yield from fuse_conv_bn_weights(weight, None, mean, variance, EPSILON, scale, shift)
        else:
            yield from (weight, next(tensors))
