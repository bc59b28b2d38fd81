import torch
import torch.nn.functional as F
from torch import Tensor

from akr.core import InputError, one_of
from akr.blend import Blend
from akr.head import Out

def cross_entropy(
    logits:Tensor, # (b,n)
    targets:Tensor # (b,n), rows sum to 1
)->Tensor: # scalar
    "Softmax cross-entropy with mixed labels, mean over the batch."
    return -(targets*F.log_softmax(logits, 1)).sum(1).mean()

def binary(
    logits:Tensor, # (b,n)
    targets:Tensor # (b,n), in [0,1]
)->Tensor: # scalar
    "Sigmoid binary cross-entropy, mean over batch and classes (iCaRL's released code)."
    return F.binary_cross_entropy_with_logits(logits, targets)

def distillation(
    logits:Tensor, # (b,k), of the classes that the previous network knows
    prev:Tensor, # (b,k), its own logits
    temperature:float=2.
)->Tensor: # scalar
    "T^2 KL(softmax(prev/T) || softmax(logits/T)), mean over the batch (Hinton et al. 2015)."
    T = temperature
    return F.kl_div(F.log_softmax(logits/T, 1), F.log_softmax(prev/T, 1), reduction='batchmean', log_target=True)*T*T

def label_entropy(
    blend:Blend # (b,) labels and weights
)->Tensor: # (b,)
    "The entropy of each mixed label: what cross-entropy cannot go below. Zero where both images share a class."
    a = blend.a.clamp(1e-6, 1-1e-6)
    return torch.where(blend.y == blend.y2, 0., -a*a.log() - (1-a)*(1-a).log())

KINDS = ('softmax', 'sigmoid')
WEIGHTINGS = ('sum', 'ratio', 'replace')

class ReplayLoss:
    "Classification on the mixed labels plus distillation from the previous network on the same blended images."
    def __init__(self,
        kind:str='softmax', # 'softmax' cross-entropy or 'sigmoid' binary cross-entropy
        weighting:str='sum', # 'sum': C + weight*D; 'ratio': (1-l)*C + l*D with l = old/all classes; 'replace' (sigmoid): the old columns learn the previous answers instead of the labels
        weight:float=1., # Of the distillation, with 'sum'
        temperature:float=2., # Of the distillation, with softmax
        entropy_free:bool=False # Subtract the labels' own entropy, so that weights are not rewarded for being sure?
    ):
        self.kind, self.weighting = one_of(kind, KINDS, 'loss'), one_of(weighting, WEIGHTINGS, 'weighting of the distillation')
        if weighting == 'replace' and kind != 'sigmoid': raise InputError("the weighting 'replace' goes with the sigmoid loss alone: use sum or ratio with softmax")
        if temperature <= 0 or weight < 0: raise InputError(f"the temperature must be above 0 and the weight 0 or more, not {temperature} and {weight}")
        self.weight, self.temperature, self.entropy_free = weight, temperature, entropy_free
    def __call__(self,
        out:Out, # What the network says of the blended images: logits (b,n)
        blend:Blend, # The blended batch
        prev:Out=None # What the previous network says of them: logits (b,n_old); None: no distillation
    )->Tensor: # scalar
        "The loss of one batch."
        z, n = out.logits, out.logits.shape[1]
        t, sigmoid = blend.targets(n), self.kind == 'sigmoid'
        old = 0 if prev is None else prev.logits.shape[1]
        replaced = old if sigmoid and self.weighting == 'replace' else 0 # columns that learn the previous answers instead
        if replaced: t = torch.cat([prev.logits.sigmoid(), t[:, old:]], 1)
        c = binary(z, t) if sigmoid else cross_entropy(z, t)
        if self.entropy_free: c = c - (label_entropy(blend)*((blend.y >= replaced).float() + (blend.y2 >= replaced))).mean()/n if sigmoid else c - label_entropy(blend).mean()
        if not old or replaced: return c
        d = binary(z[:, :old], prev.logits.sigmoid()) if sigmoid else distillation(z[:, :old], prev.logits, self.temperature)
        l = old/n
        return (1-l)*c + l*d if self.weighting == 'ratio' else c + self.weight*d
