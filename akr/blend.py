from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

from akr.core import InputError, one_of

@dataclass
class Blend:
    "A batch after blending: image k is `a[k]*x[k] + (1-a[k])*x[j[k]]`."
    x:Tensor # Blended images (b,c,h,w), float32
    y:Tensor # Labels of the first images (b,), int64
    y2:Tensor # Labels of their partners (b,), int64
    a:Tensor # Weights of the first images (b,), float32 in [0,1]
    shift:Tensor=None # What attention adds to the log-odds of the weights (b,); None without attention
    def targets(self,
        n:int # Classes
    )->Tensor: # (b,n), float32; rows sum to 1
        "The mixed labels `a*onehot(y) + (1-a)*onehot(y2)`."
        t = self.a.new_zeros(len(self.y), n)
        return t.scatter_add(1, self.y[:, None], self.a[:, None]).scatter_add(1, self.y2[:, None], 1-self.a[:, None])

PAIRINGS = ('any', 'mixed', 'exemplars')

def pairs(
    is_exemplar:Tensor, # (b,), bool
    rule:str, # 'any' with any; 'mixed': exemplar with new; 'exemplars': among exemplars alone, new images stay whole
    g:torch.Generator
)->Tensor: # (b,), int64: the partner of each image
    "A partner for each image of a batch. A batch that lacks one of the groups is paired any with any."
    one_of(rule, PAIRINGS, 'pairing')
    b, d = len(is_exemplar), is_exemplar.device
    perm = torch.randperm(b, generator=g, device=d)
    if rule == 'any': return perm
    order = torch.argsort(torch.rand(b, generator=g, device=d) + is_exemplar) # new images first, each group shuffled
    n_ex = is_exemplar.sum() # stays on the device: no sync
    n_new, u = b-n_ex, torch.rand(b, generator=g, device=d)
    an_exemplar = order[(n_new + (u*n_ex).long()).clamp(max=b-1)]
    a_new = order[(u*n_new).long().clamp(max=b-1)]
    if rule == 'mixed': return torch.where((n_ex > 0) & (n_new > 0), torch.where(is_exemplar, a_new, an_exemplar), perm)
    return torch.where(n_ex > 0, torch.where(is_exemplar, an_exemplar, torch.arange(b, device=d)), perm)

def beta_logits(
    alpha:tuple, # (alpha_1, alpha_2) of the Beta distribution
    b:int, # How many
    g:torch.Generator
)->Tensor: # (b,), float32
    "logit(lambda) for lambda ~ Beta(alpha_1, alpha_2): the difference of the logarithms of two Gamma variates."
    shape = torch.tensor(alpha, dtype=torch.float32, device=g.device).expand(b, 2)
    logs = torch._standard_gamma(shape, generator=g).clamp_min(torch.finfo(torch.float32).tiny).log()
    return logs[:, 0] - logs[:, 1]

def mix(x:Tensor, a:Tensor, j:Tensor)->Tensor: # (b,c,h,w)
    "`a*x + (1-a)*x[j]`, image by image."
    return torch.lerp(x[j], x, a.view(-1, 1, 1, 1))

class NoBlend(nn.Module):
    "Base: every image stays whole."
    attends = False
    def forward(self,
        x:Tensor, # Images (b,c,h,w), float32
        y:Tensor, # Labels (b,), int64
        is_exemplar:Tensor, # (b,), bool
        g:torch.Generator, # For pairs and weights, on the device of the batch
        change=None # () -> (features now (b,d), features at the end of the last phase (b,d)); None: no attention yet
    )->Blend:
        return Blend(x, y, y, torch.ones(len(x), device=x.device))
    def penalty(self, blend:Blend)->Tensor:
        "What is added to the loss for the weights' sake."
        return blend.a.new_zeros(())

class Mixup(NoBlend):
    "Mixup (Zhang et al. 2018): weights drawn from a Beta distribution, one for each pair."
    def __init__(self,
        alpha:tuple=(1., 1.), # Of the Beta distribution
        pairing:str='any' # See `pairs`
    ):
        super().__init__()
        if len(alpha) != 2 or min(alpha) <= 0: raise InputError(f"alpha must be two numbers above 0, not {alpha}")
        self.alpha, self.pairing = tuple(float(a) for a in alpha), one_of(pairing, PAIRINGS, 'pairing')
    def forward(self, x:Tensor, y:Tensor, is_exemplar:Tensor, g:torch.Generator, change=None)->Blend:
        j = pairs(is_exemplar, self.pairing, g)
        a = torch.sigmoid(beta_logits(self.alpha, len(x), g))
        return Blend(mix(x, a, j), y, y[j], a)

SEES = ('both', 'change', 'features')

class Scorer(nn.Module):
    "S: how much an image matters, from its features and their change since the last phase. It starts at zero."
    def __init__(self,
        d:int, # Width of the features
        hidden:int=64, # Width of the hidden layer
        sees:str='both', # 'features' u, 'change' u-v, or 'both'
        normalise:bool=True # Bring the features to unit length first?
    ):
        super().__init__()
        self.sees, self.normalise = one_of(sees, SEES, 'input of the scorer'), normalise
        self.hidden = nn.Linear(d*(1+(sees == 'both')), hidden)
        self.out = nn.Linear(hidden, 1)
        nn.init.zeros_(self.out.weight); nn.init.zeros_(self.out.bias)
    def forward(self,
        now:Tensor, # f_t(x), (b,d)
        before:Tensor # f_{t-1}(x), (b,d)
    )->Tensor: # (b,)
        u, v = (F.normalize(now), F.normalize(before)) if self.normalise else (now, before)
        z = dict(both=lambda: torch.cat([u, u-v], 1), change=lambda: u-v, features=lambda: u)[self.sees]()
        return self.out(F.relu(self.hidden(z))).squeeze(1)

OBJECTIVES = ('help', 'challenge')

class Attentive(Mixup):
    "AKR: the pair's weights are the softmax of the two scores, shifted by the Beta prior. Without `change` it is mixup."
    attends = True
    def __init__(self,
        d:int, # Width of the features
        alpha:tuple=(1., 1.), # Of the Beta prior, and of mixup until attention starts
        pairing:str='any', # See `pairs`
        prior:bool=True, # Draw the log-odds from the prior and let attention shift them? False: attention alone
        objective:str='help', # 'help': scores lower the loss; 'challenge': they raise it
        reg:float=0., # Weight of the mean squared shift, which draws the weights back to the prior
        max_shift:float=0., # Bound of the shift (smooth); 0: none
        hidden:int=64, sees:str='both', normalise:bool=True # Of `Scorer`
    ):
        super().__init__(alpha, pairing)
        self.scorer = Scorer(d, hidden, sees, normalise)
        self.prior, self.objective, self.reg, self.max_shift = prior, one_of(objective, OBJECTIVES, 'objective of attention'), reg, max_shift
    def forward(self, x:Tensor, y:Tensor, is_exemplar:Tensor, g:torch.Generator, change=None)->Blend:
        if change is None: return super().forward(x, y, is_exemplar, g)
        j = pairs(is_exemplar, self.pairing, g)
        logits = beta_logits(self.alpha, len(x), g)
        s = self.scorer(*change())
        shift = s - s[j]
        if self.max_shift: shift = self.max_shift*torch.tanh(shift/self.max_shift)
        pull = shift if self.objective == 'help' else 2*shift.detach() - shift # same value, reversed gradient
        a = torch.sigmoid(logits*self.prior + pull)
        return Blend(mix(x, a, j), y, y[j], a, shift)
    def penalty(self, blend:Blend)->Tensor:
        if blend.shift is None or not self.reg: return blend.a.new_zeros(())
        return self.reg*blend.shift.square().mean()
