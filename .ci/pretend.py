"""A pretended GPU, for computers without one: `with gpu() as seen:` lets PyTorch's "cuda" stand for tensors that say they are on
cuda:0 and keep their numbers on the CPU. What a GPU would refuse is refused (tensors on two devices, NumPy, a generator of the
other device, fused SGD over buffers laid out otherwise), and each time that the host would wait for the device is counted.

It knows nothing of kernels, their precision and speed, of cuDNN, memory, compilers, or of more than one GPU; `autocast` is the CPU's.
"""
import collections, contextlib, sys
from pathlib import Path
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

import akr.core

GPU, CPU = torch.device('cuda:0'), torch.device('cpu')
INSIDE = 'meta' # what C++ is told instead of 'cuda': autograd then asks for no driver
LIB = str(Path(akr.core.__file__).parent)
aten = torch.ops.aten
INDEX = (aten.index.Tensor, aten.index_put_.default, aten.index_put.default, aten._index_put_impl_.default, aten._unsafe_index.Tensor)
COPY = (aten._to_copy.default, aten.copy_.default, aten.lift_fresh.default)
WAITS = ('_local_scalar', 'nonzero', 'masked_select', 'unique', 'bincount', 'aten.equal', 'is_nonzero') # operations whose result the host must know

class Seen:
    "What happened on the pretended GPU."
    def __init__(self): self.waits, self.strict = collections.Counter(), False # (what, where) -> how often; `strict`: a wait is an error
    def wait(self, what):
        self.waits[what, where()] += 1
        if self.strict: raise RuntimeError(f'the host waits for the device: {what}, {where()}')

seen = Seen()

def where():
    "The lines of akr that led here, the innermost first."
    frame, lines = sys._getframe(1), []
    while frame is not None and len(lines) < 3:
        if frame.f_code.co_filename.startswith(LIB): lines.append(f'{Path(frame.f_code.co_filename).name}:{frame.f_lineno}')
        frame = frame.f_back
    return ' < '.join(lines) or 'outside akr'

def is_gpu(device): return device is not None and not isinstance(device, int) and torch.device(device).type in ('cuda', INSIDE)

class OnGpu(torch.Tensor):
    "A tensor that says it is on the GPU, around one (`t`) that is not."
    @staticmethod
    def __new__(cls, t, requires_grad=False):
        new = torch.Tensor._make_wrapper_subclass(cls, t.shape, strides=t.stride(), storage_offset=t.storage_offset(), dtype=t.dtype, device=INSIDE, requires_grad=requires_grad)
        new.t = t
        return new
    device, is_cuda, is_cpu, is_meta = (property(lambda self, v=v: v) for v in (GPU, True, False, False))
    def numpy(self, *args, **kw): raise TypeError(f"can't convert a tensor on cuda:0 to numpy, {where()}")
    __array__ = numpy
    def tolist(self): seen.wait('tolist'); return self.t.tolist()
    def __repr__(self): return f'OnGpu({self.t})'
    def __deepcopy__(self, memo):
        new = memo[id(self)] = OnGpu(self.t.clone()).requires_grad_(self.requires_grad)
        if getattr(self, '_is_param', False): new._is_param = True
        return new
    @classmethod
    def __torch_dispatch__(cls, f, types, args=(), kw=None): return run(f, args, kw or {})

def check(f, args, on, tensors):
    "What CUDA would refuse."
    name = str(f)
    if f is aten._fused_sgd_.default and not all(p.stride() == v.stride() for l in args[1:3] for p, v in zip(args[0], l)):
        raise RuntimeError(f'fused SGD: parameters, gradients and buffers are laid out differently, {where()}')
    if on and f not in COPY + INDEX and any(not isinstance(t, OnGpu) and t.dim() for t in tensors): raise RuntimeError(f'{name}: tensors on cuda:0 and cpu, {where()}')
    if f not in INDEX: return
    here = isinstance(args[0], OnGpu)
    if not here and any(isinstance(i, OnGpu) for i in args[1]): raise RuntimeError(f'{name}: indices on cuda:0 of a tensor on the cpu, {where()}')
    if here and len(args) > 2 and not isinstance(args[2], OnGpu) and args[2].dim(): raise RuntimeError(f'{name}: values on the cpu, {where()}')
    if here:
        for i in args[1]:
            if i is not None and not isinstance(i, OnGpu): seen.wait('an index from the host')
            elif i is not None and i.dtype in (torch.bool, torch.uint8): seen.wait('a mask as index')

def run(f, args, kw):
    "One operation of PyTorch."
    kw, name, device = dict(kw), str(f), kw.get('device')
    tensors = [t for t in tree_leaves((args, kw)) if isinstance(t, torch.Tensor)]
    on = any(isinstance(t, OnGpu) for t in tensors)
    there = on if device is None else is_gpu(device) # is the result on the GPU?
    if device is not None: kw['device'] = CPU
    check(f, args, on, tensors)
    if f in COPY and tensors and there != isinstance(tensors[-1], OnGpu): seen.wait('a copy to the device' if there else 'a copy to the host')
    if on and (any(w in name for w in WAITS) or 'repeat_interleave' in name and kw.get('output_size') is None): seen.wait(name)
    out = f(*tree_map_only(OnGpu, lambda w: w.t, args), **tree_map_only(OnGpu, lambda w: w.t, kw))
    if name.split('.')[1].endswith('_') and f is not aten._fused_sgd_.default and isinstance(args[0], torch.Tensor): return args[0] # in place
    own = {id(t.t): t for t in tensors if isinstance(t, OnGpu)}
    return tree_map_only(torch.Tensor, lambda t: t if isinstance(t, OnGpu) else own.get(id(t)) or OnGpu(t), out) if there else out

class Dispatch(TorchDispatchMode): # operations without a tensor on the GPU
    def __torch_dispatch__(self, f, types, args=(), kw=None): return run(f, args, kw or {})

class Function(TorchFunctionMode): # turns 'cuda' into what C++ knows, before it looks for a driver
    def __torch_function__(self, f, types, args=(), kw=None):
        kw, to = dict(kw or {}), lambda d: torch.device(INSIDE) if is_gpu(d) else d
        if f is torch.device: return f(*args, **kw)
        if f is torch.Tensor.cuda: return args[0].to(INSIDE)
        if f is torch.tensor and is_gpu(kw.get('device')):
            seen.wait('a tensor of a list')
            return OnGpu(f(*args, **kw | dict(device='cpu', requires_grad=False)), kw.get('requires_grad', False))
        args, kw = (tree_map_only(torch.device, to, a) for a in (args, kw))
        if f is torch.Tensor.to: args = tuple(to(a) if isinstance(a, str) else a for a in args)
        if isinstance(kw.get('device'), str): kw['device'] = to(kw['device'])
        out, g = f(*args, **kw), kw.get('generator')
        if g is not None and g.pretends != isinstance(out, OnGpu): raise RuntimeError(f'{f.__name__}: a generator on {g.device}, a result on {out.device}, {where()}')
        return out

REAL = torch.Generator

class Generator(REAL):
    "A generator that says where it is; its numbers are the CPU's."
    def __new__(cls, device='cpu'): return REAL.__new__(cls)
    def __init__(self, device='cpu'): self.pretends = is_gpu(device)
    device = property(lambda self: GPU if self.pretends else CPU)
    def manual_seed(self, seed): super().manual_seed(seed); return self

@contextlib.contextmanager
def gpu():
    "Pretend that there is a GPU; gives what is `Seen` there."
    nothing, autocast = (lambda *args, **kw: None), torch.autocast
    cuda = dict(is_available=lambda: True, is_initialized=lambda: False, device_count=lambda: 1, get_device_name=lambda *a: 'pretended', get_device_capability=lambda *a: (9, 0), _lazy_init=nothing, synchronize=nothing, empty_cache=nothing)
    other = [(torch, 'Generator', Generator), (torch, 'autocast', lambda kind, *args, **kw: autocast('cpu', *args, **kw)), (torch.optim.Optimizer, '_accelerator_graph_capture_health_check', nothing)]
    seen.__init__()
    with contextlib.ExitStack() as s:
        for o,k,v in [(torch.cuda, *i) for i in cuda.items()] + other: s.enter_context(mock.patch.object(o, k, v, create=True))
        s.enter_context(Function()); s.enter_context(Dispatch())
        yield seen
