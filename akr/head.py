import copy
import math
from typing import NamedTuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from akr.core import at_least, one_of

class Head(nn.Module):
    "What the heads share: a weight of one row a class, (n,d), that grows."
    def __init__(self, d:int):
        super().__init__()
        self.d, self.weight = d, nn.Parameter(torch.empty(0, d))
    @property
    def n_classes(self)->int: return len(self.weight)
    def new_rows(self, k:int, g)->Tensor: # (k,d)
        bound = 1/math.sqrt(self.d)
        return torch.empty(k, self.d).uniform_(-bound, bound, generator=g)
    def grow(self,
        k:int, # New classes
        g:torch.Generator=None, # For the new rows; a CPU generator
        rows:Tensor=None # (k,d): start from these instead (imprinting)
    )->None:
        "Add `k` classes; the rows of the old ones stay as they are, bit for bit."
        at_least(k, 1, 'the number of new classes')
        rows = self.new_rows(k, g) if rows is None else rows
        self.weight = nn.Parameter(torch.cat([self.weight.data, rows.to(self.weight)]))

class LinearHead(Head):
    "logits = features @ weight.T + bias: features (b,d) to logits (b,n)."
    def __init__(self, d:int):
        super().__init__(d)
        self.bias = nn.Parameter(torch.empty(0))
    def grow(self, k:int, g:torch.Generator=None, rows:Tensor=None)->None:
        super().grow(k, g, rows)
        self.bias = nn.Parameter(torch.cat([self.bias.data, self.bias.new_zeros(k)]))
    def forward(self, f:Tensor)->Tensor: return F.linear(f, self.weight, self.bias) # (b,d) -> (b,n)

class CosineHead(Head):
    "logits = scale * cos(features, weight): features (b,d) to logits (b,n), with a learnable scale (LUCIR, eq. 4)."
    def __init__(self, d:int, scale:float=10.):
        super().__init__(d)
        self.scale = nn.Parameter(torch.tensor(float(scale)))
    def cosines(self, f:Tensor)->Tensor: return F.linear(F.normalize(f), F.normalize(self.weight)) # (b,d) -> (b,n) in [-1,1]
    def forward(self, f:Tensor)->Tensor: return self.scale*self.cosines(f)

HEADS = dict(linear=LinearHead, cosine=CosineHead)

class Out(NamedTuple):
    "What the network says of a batch."
    features:Tensor # (b,d)
    logits:Tensor # (b,n)

class Net(nn.Module):
    "Backbone and head: images (b,c,h,w) to `Out`."
    def __init__(self, backbone:nn.Module, head:Head):
        super().__init__()
        self.backbone, self.head = backbone, head
    @property
    def n_classes(self)->int: return self.head.n_classes
    def features(self, x:Tensor)->Tensor: return self.backbone(x) # (b,c,h,w) -> (b,d)
    def forward(self, x:Tensor)->Out:
        f = self.backbone(x)
        return Out(f, self.head(f))
    def frozen(self)->'Net':
        "A copy that no longer learns: evaluation mode, no gradients."
        return copy.deepcopy(self).eval().requires_grad_(False)
