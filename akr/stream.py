import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from akr.core import InputError, at_least, one_of
from akr.data import Dataset

def _fgp(n):
    o = list(range(n)); random.Random(1).shuffle(o); return o

def _lucir(n):
    return np.random.RandomState(1993).permutation(n).tolist()

def _icarl(n):
    rng = np.random.RandomState(1993)
    for _ in range(n): rng.shuffle(np.arange(500))
    o = np.arange(n); rng.shuffle(o); return o.tolist()

ORDERS = dict(natural=lambda n: list(range(n)), fgp=_fgp, lucir=_lucir, icarl=_icarl)

def class_order(
    order, # 'natural', 'fgp', 'lucir', 'icarl', 'seed:K', or a list of class numbers
    n:int # Number of classes
)->list: # the classes 0..n-1 in the order in which they come
    "The order in which the classes come, by name or as a list."
    if isinstance(order, (list, tuple)):
        order = [int(o) for o in order]
        if sorted(order) != list(range(n)): raise InputError(f"an order of {n} classes must hold each of 0 to {n-1} once, not {order}")
        return order
    kind, _, seed = str(order).partition(':')
    if kind == 'seed' and seed.isdigit(): return np.random.RandomState(int(seed)).permutation(n).tolist()
    return ORDERS[one_of(order, [*ORDERS, 'seed:K'], 'class order')](n)

def phase_sizes(n:int, base:int, step:int)->list:
    "`base` classes first, then `step` at a time; the last phase takes what is left."
    at_least(base, 1, 'base'); at_least(step, 1, 'step')
    if base > n: raise InputError(f"a base of {base} classes does not fit: there are {n}")
    rest = n-base
    return [base] + [step]*(rest//step) + ([rest%step] if rest%step else [])

def tfs(n:int, phases:int)->list:
    "Training from scratch: `n` classes split over `phases`, as evenly as they go (earlier phases take the remainder)."
    at_least(phases, 1, 'the number of phases')
    if phases > n: raise InputError(f"{phases} phases do not fit: there are {n} classes")
    return [n//phases + (i < n%phases) for i in range(phases)]

def tfh(n:int, phases:int)->list:
    "Training from half: half of the classes first (rounded up), the rest over `phases`."
    return [n - n//2] + tfs(n//2, phases)

def scheme_sizes(scheme:str, n:int)->list:
    "Phase sizes of a scheme by name: 'tfs:N' or 'tfh:N'."
    kind, _, k = str(scheme).partition(':')
    if kind not in ('tfs', 'tfh') or not k.isdigit(): raise InputError(f"unknown scheme {scheme!r}: give tfs:N or tfh:N, with N the number of phases")
    return dict(tfs=tfs, tfh=tfh)[kind](n, int(k))

@dataclass
class Phase:
    "The new data of one phase: labels in [n_old, n)."
    index:int # 0 for the first phase
    x:Tensor # New training images (b,c,h,w), uint8
    y:Tensor # Their labels (b,), int64, n_old <= y < n
    n_old:int # Number of classes seen before this phase
    n:int # Number of classes seen with it

class Stream:
    "A data set whose classes come in phases. Labels are positions in the class order."
    def __init__(self,
        data:Dataset, # Where the images come from
        sizes:list, # Number of new classes of each phase (see `phase_sizes`, `tfs`, `tfh`)
        order='natural' # See `class_order`
    ):
        order = class_order(order, len(data.classes))
        if not sizes or min(sizes) < 1 or sum(sizes) > len(order): raise InputError(f"phases of {list(sizes)} classes do not fit: there are {len(order)}")
        self.data, self.sizes, self.order = data, list(sizes), order[:sum(sizes)]
        self.ends = np.cumsum(sizes).tolist()
        self.class_names = [data.classes[c] for c in self.order]
        self._train, self._test = self._sort(data.x_train, data.y_train), self._sort(data.x_test, data.y_test)

    def _sort(self, x, y):
        "Images sorted by their new labels, so that each phase is one slice; and where each label starts."
        new = torch.full((len(self.data.classes),), len(self.order), device=y.device)
        new[torch.tensor(self.order, device=y.device)] = torch.arange(len(self.order), device=y.device)
        y = new[y]
        idx = torch.argsort(y, stable=True)[:int((y < len(self.order)).sum())]
        starts = [0] + torch.bincount(y[idx], minlength=len(self.order)).cumsum(0).tolist()
        return x[idx], y[idx], starts

    def __len__(self)->int: return len(self.sizes)
    def __getitem__(self, t)->Phase:
        if not -len(self) <= t < len(self): raise IndexError(f"there are {len(self)} phases, no phase {t}")
        t %= len(self)
        n, n_old = self.ends[t], self.ends[t]-self.sizes[t]
        return Phase(t, *self._rows(self._train, n_old, n), n_old, n)
    def test(self, t)->tuple: # x (m,c,h,w) uint8, y (m,) int64
        "The test images of every class seen up to phase `t`, sorted by label."
        return self._rows(self._test, 0, self.ends[t])
    def _rows(self, part, a, b):
        x, y, starts = part
        return x[starts[a]:starts[b]], y[starts[a]:starts[b]]
    def __repr__(self):
        uneven = '' if len(set(self.sizes[1:])) < 2 else ' (uneven)'
        return f"Stream of {self.data.name}: {len(self.order)} classes in {len(self)} phases of {', '.join(map(str, self.sizes))}{uneven}, {len(self._train[1])} training and {len(self._test[1])} test images"
