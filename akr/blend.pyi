# Written by .ci/stubs.py from blend.py: edit the notebook.
import torch
import torch.nn as nn
from dataclasses import dataclass
from torch import Tensor
from typing import Any

__all__ = ['PAIRINGS', 'SEES', 'OBJECTIVES', 'Blend', 'mix', 'pairs', 'NoBlend', 'beta_logits', 'Mixup', 'Scorer', 'Attentive']

@dataclass
class Blend:
    x: Tensor
    y: Tensor
    y2: Tensor
    a: Tensor
    shift: Tensor | None = ...
    def targets(self, n: int) -> Tensor: ...

def mix(x: Tensor, a: Tensor, j: Tensor) -> Tensor: ...
PAIRINGS: tuple[str, ...]
def pairs(is_exemplar: Tensor, rule: str, g: torch.Generator) -> Tensor: ...

class NoBlend(nn.Module):
    attends: bool
    def __call__(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...
    def forward(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...
    def penalty(self, blend: Blend) -> Tensor: ...

def beta_logits(alpha: tuple[Any, ...], b: int, g: torch.Generator) -> Tensor: ...

class Mixup(NoBlend):
    alpha: tuple[Any, ...]
    pairing: str
    def __call__(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...
    def __init__(self, alpha: tuple[Any, ...] = ..., pairing: str = ...) -> None: ...
    def forward(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...

SEES: tuple[str, ...]

class Scorer(nn.Module):
    d: int
    sees: str
    normalise: bool
    hidden: Any
    out: Any
    def __call__(self, now: Tensor, before: Tensor) -> Tensor: ...
    def __init__(self, d: int, hidden: int = ..., sees: str = ..., normalise: bool = ...) -> None: ...
    def forward(self, now: Tensor, before: Tensor) -> Tensor: ...

OBJECTIVES: tuple[str, ...]

class Attentive(Mixup):
    attends: bool
    scorer: Scorer
    prior: bool
    objective: str
    reg: float
    max_shift: float
    def __call__(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...
    def __init__(
        self, d: int, alpha: tuple[Any, ...] = ..., pairing: str = ..., prior: bool = ..., objective: str = ..., reg: float = ...,
        max_shift: float = ..., hidden: int = ..., sees: str = ..., normalise: bool = ...
    ) -> None: ...
    def forward(self, x: Tensor, y: Tensor, is_exemplar: Tensor, g: torch.Generator, change: Any = ...) -> Blend: ...
    def penalty(self, blend: Blend) -> Tensor: ...
