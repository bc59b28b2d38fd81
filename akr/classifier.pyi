# Written by .ci/stubs.py from classifier.py: edit the notebook.
import numpy as np
import torch
import torch.nn as nn
from os import PathLike
from pathlib import Path
from sklearn.base import BaseEstimator, ClassifierMixin  # type: ignore[import-untyped, unused-ignore]
from torch import Tensor
from typing import Any
from .augment import Augment

__all__ = ['SHARPNESS', 'KIND', 'to_images', 'IncrementalClassifier', 'Answer']
def to_images(X: Any, size: int) -> Tensor: ...

class IncrementalClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc, unused-ignore]
    method: str
    size: int
    per_class: int
    epochs: int
    answer: str
    flip: bool
    settings: dict[Any, Any] | None
    device: str | None
    random_state: int
    def __init__(
        self, method: str = ..., size: int = ..., per_class: int = ..., epochs: int = ..., answer: str = ..., flip: bool = ...,
        settings: dict[Any, Any] | None = ..., device: str = ..., random_state: int = ...
    ) -> None: ...
    def partial_fit(self, X: Any, y: Any, classes: Any = ...) -> IncrementalClassifier: ...
    def fit(self, X: Any, y: Any) -> IncrementalClassifier: ...
    def predict_proba(self, X: Any) -> np.ndarray: ...
    def predict(self, X: Any) -> np.ndarray: ...
    def save(self, path: str | PathLike[str]) -> Path: ...
    @classmethod
    def load(cls, path: str | PathLike[str], device: str | None = ...) -> IncrementalClassifier: ...
    def module(self) -> Answer: ...
    def export_onnx(self, path: str | PathLike[str]) -> Path: ...

SHARPNESS: float
KIND: str

class Answer(nn.Module):
    net: nn.Module
    mean: torch.Tensor
    std: torch.Tensor
    means: torch.Tensor
    def __call__(self, images: Tensor) -> Tensor: ...
    def __init__(self, net: nn.Module, augment: Augment, means: Tensor | None = ...) -> None: ...
    def forward(self, images: Tensor) -> Tensor: ...
