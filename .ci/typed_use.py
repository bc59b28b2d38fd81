"""A small program as a user would write it, for the type checker and to be run: .ci/types.sh

Each line below `TYPE_CHECKING` is wrong. The checker must say so: if it does not, its `type: ignore` is unused, and that is an error.
"""
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from akr import __version__
from akr.classifier import IncrementalClassifier
from akr.config import Config, config_sizes, configure
from akr.core import InputError
from akr.data import Dataset, load_data
from akr.learner import Learner, evaluate
from akr.log import read_log
from akr.metrics import top1
from akr.run import Run, evaluate_run, predict, resume, train
from akr.stream import Stream

def small(**more: Any) -> Config: return configure('digits', classes=4, base=2, step=2, epochs=2, warmup=1, depth=8, width=4, memory=20, **more)

def loop(data: Dataset) -> float:
    "A loop of one's own."
    cfg = small(method='mixup')
    stream = Stream(data, config_sizes(cfg, len(data.classes)), cfg.order)
    learner = Learner.for_stream(cfg, stream)
    for phase in stream:
        result = learner.learn(phase)
        print(phase.n, result['epochs'][-1]['loss'], len(learner.memory))
    x, y = stream.test(1)
    out = learner.net(x.float()/255)
    logits: Tensor = out.logits
    assert logits.shape == (len(y), learner.net.n_classes)
    hits = evaluate(learner.net, learner.memory, learner.augment, x, y)
    return top1(hits['head'], hits['images'])

def on_disk(folder: Path, data: Dataset) -> None:
    "A run on disk, watched, continued, checked, used."
    told: list[dict[str, Any]] = []
    run: Run = train(small(), folder/'run', 'cpu', progress=False, watch=told.append)
    assert told == read_log(run.path) == read_log(str(run.path))
    depth: int = run.cfg.depth
    results: list[dict[str, Any]] = resume(run.path, device='cpu', progress=False).results()
    metrics, differ = evaluate_run(run.path, 'cpu', tolerance=.5)
    assert depth == 8 and len(results) == 2 and metrics['finished'] and not differ
    p, nme, names = predict(run.path, data.x_test[:3], device='cpu')
    label: str = names[int(p[0].argmax())]
    assert label in names and nme is not None and nme.shape == (3,)

def classify(folder: Path, data: Dataset) -> str:
    "The classifier for products."
    c = IncrementalClassifier(size=8, epochs=2, per_class=5, device='cpu', settings=dict(depth=8, width=4))
    x, y = data.x_train[:40, 0].numpy(), np.array([f'digit {k}' for k in data.y_train[:40].tolist()])
    c.partial_fit(x, y).save(folder/'saved')
    answers: np.ndarray[Any, Any] = IncrementalClassifier.load(folder/'saved', device='cpu').predict(x[:2])
    return str(answers[0])

def refused() -> None:
    try: configure('digits', method='ark')
    except InputError as e: print(e)

if TYPE_CHECKING:
    train('digits') # type: ignore[arg-type]
    train(small(), device=0) # type: ignore[arg-type]
    train(small(), epochs=3) # type: ignore[call-arg]
    train(small(), watch=3) # type: ignore[arg-type]
    configure('digits', epoch=3) # type: ignore[call-arg]
    configure('digits', epochs='3') # type: ignore[arg-type]
    small().depht # type: ignore[attr-defined]
    Run('runs/x').resluts() # type: ignore[attr-defined]
    IncrementalClassifier(size='large') # type: ignore[arg-type]
    evaluate_run('runs/x').finished # type: ignore[attr-defined]
    Learner.for_stream(small(), load_data('digits')) # type: ignore[arg-type]
    Learner.for_stream(small()) # type: ignore[call-arg]

if __name__ == '__main__':
    digits = load_data('digits')
    print('akr', __version__, loop(digits))
    with TemporaryDirectory() as d:
        on_disk(Path(d), digits)
        print(classify(Path(d), digits))
    refused()
