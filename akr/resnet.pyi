# Written by .ci/stubs.py from resnet.py: edit the notebook.
import torch.nn as nn
from torch import Tensor
from typing import Any

__all__ = ['conv3', 'Block', 'ResNet']
def conv3(i: int, o: int, stride: int = ...) -> nn.Conv2d: ...

class Block(nn.Module):
    conv1: nn.Conv2d
    bn1: Any
    conv2: nn.Conv2d
    bn2: Any
    stride: int
    pad: int
    relu: bool
    def __call__(self, x: Tensor) -> Tensor: ...
    def __init__(self, c_in: int, c_out: int, stride: int = ..., relu: bool = ...) -> None: ...
    def forward(self, x: Tensor) -> Tensor: ...

class ResNet(nn.Module):
    conv: nn.Conv2d
    bn: Any
    blocks: Any
    out_features: int
    def __call__(self, x: Tensor) -> Tensor: ...
    def __init__(self, depth: int = ..., in_channels: int = ..., width: int = ..., last_relu: bool = ...) -> None: ...
    def forward(self, x: Tensor) -> Tensor: ...
    def fold(self) -> ResNet: ...
