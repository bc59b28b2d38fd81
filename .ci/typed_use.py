"""A program of a user, read by mypy and never run: .ci/check

What comes back must have its type, and each line of `refused` is wrong: a mark that mypy does not need is an error as well.
"""
from pathlib import Path
from typing import assert_type

from torch import Tensor

from akr.classifier import IncrementalClassifier
from akr.config import Config, configure
from akr.data import Dataset, load_data
from akr.run import Run, predict
from akr.train import resume, train

def right(folder: Path) -> None:
    data, cfg = load_data('digits'), configure('digits', 'mixup', epochs=2)
    run = train(cfg, folder/'run', 'cpu', progress=False, watch=print)
    p, nme, names = predict(str(run.path), data.x_test[:3], device='cpu')
    assert_type(data, Dataset)
    assert_type(run, Run)
    assert_type(resume(run.path), Run)
    assert_type(run.cfg, Config)
    assert_type(p, Tensor)
    assert_type(nme, Tensor | None)
    assert_type(names, list[str])
    c = IncrementalClassifier(size=8, per_class=5, device='cpu', settings=dict(depth=8))
    assert_type(c.partial_fit(data.x_train[:40, 0].numpy(), data.y_train[:40].numpy()), IncrementalClassifier)
    assert_type(IncrementalClassifier.load(folder/'saved'), IncrementalClassifier)

def refused(cfg: Config, run: Run) -> None:
    train('digits') # type: ignore[arg-type]
    train(cfg, device=0) # type: ignore[arg-type]
    train(cfg, epochs=3) # type: ignore[call-arg]
    train(cfg, watch=3) # type: ignore[arg-type]
    run.resluts() # type: ignore[attr-defined]
    load_data('digits', size='8') # type: ignore[arg-type]
    IncrementalClassifier(size='large') # type: ignore[arg-type]
