"""What a phase costs when up to 1,000 classes have been seen: 100 phases of ten classes of made-up images, on one thread.

    python nbs/results/growth.py                      both runs, then nbs/results/growth.json
    python nbs/results/growth.py --phases 10          quicker: the first phases alone

Two runs of AKR. In the first the memory is 2,000 images, whatever was seen; in the second it is two images per class, so it grows from
20 to 2,000. The images (20 for training and 5 for testing per class, 3x16x16) are made when they are read, as images on disk are. Of each phase
the file has the seconds of processor time: training, choosing the exemplars, testing, and the rest (saving, metrics), and the memory of
the process at its end. Processor time, so that other work of the machine does not count."""
import argparse
import functools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from akr.config import configure
from akr.data import Dataset
from akr.lazy import LazyImages, Reader
from akr.learner import Learner, Training
from akr.train import train

ROOT = Path(__file__).resolve().parents[2]
PER_PHASE, TRAIN, TEST, SIDE = 10, 20, 5, 16 # classes; images per class; pixels
SETTINGS = dict(base=PER_PHASE, step=PER_PHASE, order='natural', depth=8, width=8, epochs=2, warmup=1, batch=64, lr=.05, seed=1,
                precision='float32', compile='no')
MEMORIES = {'2,000 images': dict(memory=2000), 'two per class': dict(per_class=2)}

class MadeUp(Reader):
    "Images of a class look alike: coarse squares of its colours, and noise."
    shape = 3, SIDE, SIDE
    def __init__(self, y, seed): self.y, self.seed = y, seed
    def __len__(self): return len(self.y)
    def read(self, i):
        squares = np.random.default_rng(self.y[i]).integers(40, 216, (3, 4, 4), np.int16).repeat(SIDE//4, 1).repeat(SIDE//4, 2)
        noise = np.random.default_rng((self.seed, i)).integers(-40, 41, self.shape, np.int16)
        return (squares + noise).astype(np.uint8)

def made_up(classes):
    "The data set."
    x, y = [], []
    for seed, n in enumerate((TRAIN, TEST)):
        labels = np.arange(classes).repeat(n)
        x.append(LazyImages([MadeUp(labels, seed)], workers=1))
        y.append(torch.from_numpy(labels))
    return Dataset('made-up', x[0], y[0], x[1], y[1], [f'class {k}' for k in range(classes)], pad=2)

class Clock:
    "Processor time of this process by what it was spent on."
    def __init__(self): self.spent, self.since = dict(learn=0., exemplars=0., evaluate=0.), time.process_time()
    def watch(self, owner, name, what):
        "Let a method of a class be timed."
        whole = getattr(owner, name)
        @functools.wraps(whole)
        def timed(*args, **kw):
            t0 = time.process_time()
            try: return whole(*args, **kw)
            finally: self.spent[what] += time.process_time()-t0
        setattr(owner, name, timed)
        return lambda: setattr(owner, name, whole)
    def phase(self):
        "What was spent since this was asked last."
        now, s = time.process_time(), self.spent
        parts = dict(train=s['learn']-s['exemplars'], exemplars=s['exemplars'], evaluate=s['evaluate'],
                     rest=now-self.since-s['learn']-s['evaluate'])
        self.spent, self.since = dict.fromkeys(s, 0.), now
        return {k: round(v, 4) for k, v in parts.items()}

def resident():
    "The memory of this process, in MiB."
    return round(next(int(l.split()[1])/1024 for l in open('/proc/self/status') if l.startswith('VmRSS')), 1)

def run(memory, classes, folder):
    "The phases of one run."
    clock, rows = Clock(), []
    undo = [clock.watch(Learner, 'learn', 'learn'), clock.watch(Training, 'finish', 'exemplars'), clock.watch(Learner, 'evaluate', 'evaluate')]
    def watch(event):
        if event['kind'] != 'phase': return
        rows.append(dict(seen=event['seen'], exemplars=event['exemplars'], top1=event['top1'], seconds=clock.phase(), resident_mib=resident()))
        print(json.dumps(rows[-1]), flush=True)
    cfg = configure('made-up', 'akr', **SETTINGS | memory)
    try:
        data = made_up(classes)
        clock.phase()
        train(cfg, folder, data=data, device='cpu', threads=1, progress=False, save_every=0, watch=watch)
    finally:
        for f in undo: f()
    return dict(settings=cfg.to_dict(), phases=rows)

def where():
    "On what it was measured."
    git = lambda *words: subprocess.run(['git', *words], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    cpu = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.processor())
    changed = ' and changes' if git('status', '--porcelain', '--untracked-files=no', 'akr') else ''
    return dict(commit=git('rev-parse', 'HEAD') + changed, date=time.strftime('%Y-%m-%d'), cpu=cpu, threads=1,
                load=[round(v, 1) for v in os.getloadavg()], python=platform.python_version(), **{k: version(k) for k in ('torch', 'numpy')})

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--phases', type=int, default=100)
    p.add_argument('--only', choices=MEMORIES, help='One of the two runs (default: both)')
    p.add_argument('--out', type=Path, default=Path(__file__).with_suffix('.json'))
    a = p.parse_args()
    held = json.loads(a.out.read_text()) if a.out.exists() else {}
    for name in [a.only] if a.only else MEMORIES:
        with tempfile.TemporaryDirectory() as d: out = run(MEMORIES[name], a.phases*PER_PHASE, Path(d, 'run'))
        command = ' '.join(['python nbs/results/growth.py', *(w for w in sys.argv[1:] if not str(a.out) == w and w != '--out')])
        held[name] = dict(out, images=dict(train=TRAIN, test=TEST, side=SIDE, classes_per_phase=PER_PHASE), command=command, where=where())
        a.out.write_text(json.dumps(held) + '\n')

if __name__ == '__main__': main()
