# Written by .ci/stubs.py from folder.py: edit the notebook.
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any
from .data import Dataset, Source, Where

__all__ = ['SUFFIXES', 'TEST_FRACTION', 'list_folder', 'load_folder', 'Folder', 'FolderReport', 'check_folder']
SUFFIXES: Any
TEST_FRACTION: Any
def list_folder(
    path: str | PathLike[str], test_fraction: float = ...
) -> tuple[list[str], dict[str, list[Path]], dict[str, list[Path]]]: ...
def load_folder(
    path: str | PathLike[str], size: int = ..., test_fraction: float = ..., cache_dir: str | PathLike[str] | None = ...
) -> Dataset: ...

class Folder(Source):
    defaults: dict[Any, Any]
    test_fraction: float = ...
    def load(self, rest: str = ..., size: int | None = ..., where: Where = ...) -> Dataset: ...

@dataclass(repr=False)
class FolderReport:
    path: str
    size: int
    held_out: bool
    classes: list[str]
    train: dict[str, int]
    test: dict[str, int]
    problems: list[str]
    unreadable: dict[str, str]
    skipped: dict[str, list[str]]
    leaked: list[tuple[str, str]]
    conflicts: list[tuple[str, str]]
    sizes: dict[str, int]
    modes: dict[str, int]
    formats: dict[str, int]
    @property
    def ok(self) -> bool: ...
    def __repr__(self) -> str: ...

def check_folder(path: str | PathLike[str], size: int = ..., test_fraction: float = ...) -> FolderReport: ...
