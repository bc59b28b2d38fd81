import hashlib, os, warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from akr.core import InputError, at_least, load_tensors, one_of, save_tensors

@dataclass
class Dataset:
    "Images as uint8 (n,c,h,w) and labels as int64 (n,), for training and for testing."
    name:str # How the data set was named, e.g. 'digits'
    x_train:Tensor # (n,c,h,w), uint8
    y_train:Tensor # (n,), int64, 0..len(classes)-1
    x_test:Tensor # (m,c,h,w), uint8
    y_test:Tensor # (m,), int64
    classes:list # Class names; the position is the label
    pad:int=4 # Augmentation that suits the images: largest shift of the random crop, in pixels
    flip:bool=True # ... mirror at random over the width?
    brightness:float=63/255 # ... largest relative change of brightness

    @property
    def shape(self)->tuple: # (c,h,w)
        return tuple(self.x_train.shape[1:])
    def to(self, device)->'Dataset':
        "The same data on `device`."
        return replace(self, **{k: getattr(self, k).to(device) for k in ('x_train', 'y_train', 'x_test', 'y_test')})
    def fingerprint(self)->str:
        "A digest of every pixel and label: two data sets agree if and only if it does."
        h = hashlib.sha256(repr((self.classes, tuple(self.x_train.shape), tuple(self.x_test.shape))).encode())
        for t in (self.x_train, self.y_train, self.x_test, self.y_test): h.update(t.cpu().contiguous().numpy().tobytes())
        return h.hexdigest()

def _as_images(x, what:str)->Tensor:
    "`x` as uint8 (n,c,h,w)."
    if isinstance(x, (list, tuple)): 
        try: x = np.stack([np.asarray(i) for i in x])
        except ValueError: raise InputError(f"the images of {what} must all have the same shape") from None
    x = torch.as_tensor(np.asarray(x) if not isinstance(x, Tensor) else x)
    if x.dtype != torch.uint8: raise InputError(f"images must be uint8 (0 to 255), not {str(x.dtype).removeprefix('torch.')}, in {what}")
    if x.ndim == 3: x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3): x = x.permute(0, 3, 1, 2)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.numel():
        raise InputError(f"images must have the shape (n,h,w), (n,h,w,c) or (n,c,h,w) with c of 1 or 3, not {tuple(x.shape)}, in {what}")
    return x.contiguous()

def from_arrays(
    x_train, # Training images, uint8: (n,h,w), (n,h,w,c) or (n,c,h,w), NumPy or torch
    y_train, # Their labels (n,): whole numbers or strings
    x_test, # Test images, of the same shape
    y_test, # Their labels; every class of the training set must occur
    classes=None, # Class names; None: the sorted labels themselves
    name:str='arrays', # What to call the data set
    **augment # `pad`, `flip`, `brightness` of `Dataset`
)->Dataset:
    "A `Dataset` from images that are already in memory, with any labels."
    x = {'train': _as_images(x_train, 'x_train'), 'test': _as_images(x_test, 'x_test')}
    if x['train'].shape[1:] != x['test'].shape[1:]:
        raise InputError(f"training and test images differ in shape: {tuple(x['train'].shape[1:])} and {tuple(x['test'].shape[1:])}")
    y = {'train': np.asarray(y_train), 'test': np.asarray(y_test)}
    for s in y:
        if y[s].shape != (len(x[s]),): raise InputError(f"y_{s} must have the shape ({len(x[s])},) to go with x_{s}, not {y[s].shape}")
        if y[s].dtype.kind not in 'iuUSO': raise InputError(f"labels must be whole numbers or strings, not {y[s].dtype}, in y_{s}")
    labels = np.unique(y['train'])
    if classes is not None and len(classes) != len(labels): raise InputError(f"{len(classes)} class names were given for {len(labels)} classes")
    for s in y:
        odd = sorted(set(y[s].tolist()) - set(labels.tolist()))
        if odd: raise InputError(f"the test labels hold classes that have no training image: {odd[:5]}")
    missing = sorted(set(labels.tolist()) - set(y['test'].tolist()))
    if missing: raise InputError(f"these classes have no test image: {missing[:5]}")
    t = {s: torch.as_tensor(np.searchsorted(labels, y[s]), dtype=torch.int64) for s in y}
    return Dataset(name, x['train'], t['train'], x['test'], t['test'], [str(c) for c in (labels if classes is None else classes)], **augment)

def load_digits()->Dataset:
    "scikit-learn's 1,797 handwritten digits (8x8, grey); every fifth image of each class is for testing."
    from sklearn.datasets import load_digits
    d = load_digits()
    x, y = np.round(d.images*(255/16)).astype(np.uint8), d.target
    rank = np.zeros(len(y), int)
    for c in range(10): rank[y == c] = np.arange((y == c).sum())
    test = rank%5 == 4
    return from_arrays(x[~test], y[~test], x[test], y[test], name='digits', pad=1, flip=False, brightness=0.)

TORCHVISION = dict(cifar100='CIFAR100', cifar10='CIFAR10', fashion_mnist='FashionMNIST', mnist='MNIST')

def data_home(data_dir=None)->Path:
    "The folder for downloaded data: `data_dir`, else $AKR_DATA, else ~/.cache/akr/data."
    return Path(data_dir or os.environ.get('AKR_DATA') or Path.home()/'.cache'/'akr'/'data').expanduser()

def load_torchvision(
    name:str, # One of `TORCHVISION`
    data_dir=None, # Folder that holds the data (see `data_home`)
    download:bool=False # Fetch what is missing?
)->Dataset:
    "One of torchvision's data sets; offline, an `InputError` says what is missing and how to get it."
    from torchvision import datasets
    cls, root = getattr(datasets, TORCHVISION[name]), data_home(data_dir)
    try: tr, te = (cls(root, train=t, download=download) for t in (True, False))
    except (RuntimeError, OSError) as e:
        if download: raise InputError(f"{name} could not be downloaded to {str(root)!r} ({e}): check the connection, or put torchvision's {TORCHVISION[name]} files there yourself") from e
        raise InputError(f"{name} is not in {str(root)!r}: add --download (in Python, download=True) to fetch it once, or point --data-dir at a folder that holds torchvision's {TORCHVISION[name]} files") from e
    digits = name == 'mnist'
    aug = dict(pad=2 if digits else 4, flip=not digits, brightness=0. if 'mnist' in name else 63/255)
    return from_arrays(tr.data, np.asarray(tr.targets), te.data, np.asarray(te.targets), [c.split(' - ')[-1] for c in tr.classes], name=name, **aug)

def resize(
    x:Tensor, # (n,c,h,w), uint8
    size:int # New height and width in pixels
)->Tensor: # (n,c,size,size), uint8
    "Resize a batch of square images, smoothing when it shrinks."
    if x.shape[-2:] == (size, size): return x
    out = [F.interpolate(b.float(), (size, size), mode='area' if x.shape[-1]%size == 0 and x.shape[-2]%size == 0 else 'bicubic',
                         **({} if x.shape[-1]%size == 0 and x.shape[-2]%size == 0 else dict(antialias=True, align_corners=False))).round().clamp(0, 255).byte() for b in x.split(4096)]
    return torch.cat(out)

SUFFIXES = {'.png', '.jpg', '.jpeg', '.bmp', '.gif', '.webp', '.tif', '.tiff', '.ppm', '.pgm'}

def _subfolders(path:Path)->list:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith('.'))

def _class_files(path:Path)->dict:
    "Class name -> its image files, both sorted."
    classes = {d.name: sorted(f for f in d.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith('.')) for d in _subfolders(path)}
    if not classes: raise InputError(f"{str(path)!r} holds no class folders: one folder of images for each class is expected")
    empty = [c for c, fs in classes.items() if not fs]
    if empty: raise InputError(f"no image in {', '.join(str(path/c) for c in empty[:5])}: every class needs one ({', '.join(sorted(SUFFIXES))})")
    return classes

def list_folder(
    path, # Folder with train/CLASS/* and test/CLASS/*, or with CLASS/*
    test_fraction:float=0.2 # Part of each class held out for testing when there is no test folder
)->tuple[list, dict, dict]: # class names, training files of each class, test files of each class
    "The image files of a folder, by class and split; `InputError` for anything that is missing."
    path = Path(path).expanduser()
    try:
        if not path.is_dir(): raise InputError(f"there is no folder {str(path)!r}")
        names = {d.name for d in _subfolders(path)}
        if {'train', 'test'} <= names: train, test = _class_files(path/'train'), _class_files(path/'test')
        elif names & {'train', 'test'}: raise InputError(f"{str(path)!r} holds {' and '.join(sorted(names & {'train', 'test'}))} alone: both train and test are expected, or class folders")
        else:
            if not 0 < test_fraction < 1: raise InputError(f"test_fraction must lie between 0 and 1, not {test_fraction!r}")
            train, test = {}, {}
            for c, fs in _class_files(path).items():
                if len(fs) < 2: raise InputError(f"class {c!r} has one image: two are needed to train and to test ({str(path)!r} has no test folder)")
                # by the digest of the name: adding images later moves no image from test to training
                k = min(max(1, round(len(fs)*test_fraction)), len(fs)-1)
                held = set(sorted(fs, key=lambda f: hashlib.sha256(f.name.encode()).digest())[:k])
                train[c], test[c] = [f for f in fs if f not in held], sorted(held)
    except OSError as e: raise InputError(f"{str(path)!r} cannot be read: {e.strerror}") from e
    if set(train) != set(test):
        raise InputError(f"train and test of {str(path)!r} hold different classes: {', '.join(sorted(set(train) ^ set(test))[:5])}")
    return sorted(train), train, test

def decode(
    path, # An image file
    size:int, # Height and width of the result, in pixels
    channels:int=3 # 3 (RGB) or 1 (grey)
)->np.ndarray: # (channels,size,size), uint8
    "Read one image upright, cut its middle square, resize it."
    with Image.open(path) as im:
        im = ImageOps.exif_transpose(im)
        if im.mode.startswith('I;16') or im.mode == 'I': im = Image.fromarray((np.asarray(im)//256).clip(0, 255).astype(np.uint8))
        if im.has_transparency_data: # transparent pixels become white paper
            im = im.convert('RGBA'); im = Image.alpha_composite(Image.new('RGBA', im.size, 'white'), im)
        im = im.convert('RGB' if channels == 3 else 'L')
        small = Image.Resampling.BOX if min(im.size)%size == 0 else Image.Resampling.BICUBIC
        if im.size != (size, size): im = ImageOps.fit(im, (size, size), method=small)
        a = np.asarray(im)
    return a.transpose(2, 0, 1) if channels == 3 else a[None]

def decode_all(
    paths:list, # Image files
    size:int,
    channels:int=3
)->Tensor: # (n,channels,size,size), uint8
    "Read many images in parallel; one `InputError` names every file that cannot be read."
    bad, out = [], torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    def one(i):
        try: out[i] = torch.from_numpy(np.ascontiguousarray(decode(paths[i], size, channels)))
        except Exception as e: bad.append((str(paths[i]), str(e) or type(e).__name__))
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as ex: list(ex.map(one, range(len(paths))))
    if bad:
        more = f"\n  and {len(bad)-20} more" if len(bad) > 20 else ''
        raise InputError(f"{len(bad)} of {len(paths)} images cannot be read:\n" + '\n'.join(f"  {p}: {e}" for p, e in sorted(bad)[:20]) + more)
    return out

def load_folder(
    path, # Folder with train/CLASS/* and test/CLASS/*, or with CLASS/*
    size:int=32, # Height and width in pixels that every image is brought to
    test_fraction:float=0.2, # Held out of each class when there is no test folder
    cache_dir=None # Where the decoded images are kept; None: $AKR_CACHE, else ~/.cache/akr/decoded
)->Dataset:
    "Your own images. They are decoded once: the next call reads one file."
    size = at_least(size, 1, 'size')
    path = Path(path).expanduser()
    classes, train, test = list_folder(path, test_fraction)
    files = {s: [f for c in classes for f in d[c]] for s, d in (('train', train), ('test', test))}
    h = hashlib.sha256(repr(('akr-decode-1', size, str(path.resolve()))).encode())
    for s, fs in files.items():
        for f in fs:
            st = f.stat()
            h.update(f'{s}/{f.parent.name}/{f.name}/{st.st_size}/{st.st_mtime_ns}\n'.encode())
    cache = Path(cache_dir or os.environ.get('AKR_CACHE') or Path.home()/'.cache'/'akr'/'decoded').expanduser()/f'{h.hexdigest()[:24]}.safetensors'
    t = None
    if cache.exists():
        try: t, _ = load_tensors(cache)
        except InputError: pass # a damaged cache is made again
    if t is None:
        t = {s: decode_all(fs, size) for s, fs in files.items()}
        try: save_tensors(cache, t)
        except OSError as e: warnings.warn(f"the decoded images could not be kept in {str(cache.parent)!r} ({e}): the next start will decode them again")
    y = {s: np.repeat(np.arange(len(classes)), [len(d[c]) for c in classes]) for s, d in (('train', train), ('test', test))}
    return from_arrays(t['train'], y['train'], t['test'], y['test'], classes, name=f'folder:{path}', pad=max(1, size//8))

def load_data(
    spec, # 'digits', 'cifar100', 'cifar10', 'fashion_mnist', 'mnist', 'folder:PATH', or a `Dataset`
    data_dir=None, # Folder for torchvision's data sets
    size:int=None, # Resize to this height and width in pixels; None: as they are (a folder: 32)
    download:bool=False, # Fetch a torchvision data set that is missing?
    test_fraction:float=0.2, # Held out of each class of a folder that has no test images
    cache_dir=None # Where the decoded images of a folder are kept
)->Dataset:
    "The data set that `spec` names, as uint8 tensors; `InputError` if it cannot be had."
    if isinstance(spec, Dataset): d = spec
    elif str(spec).startswith('folder:'): d = load_folder(str(spec)[7:], 32 if size is None else size, test_fraction, cache_dir)
    else:
        one_of(spec, ['digits', *TORCHVISION, 'folder:PATH'], 'data set')
        d = load_digits() if spec == 'digits' else load_torchvision(spec, data_dir, download)
    if size is None: return d
    at_least(size, 1, 'size')
    return replace(d, x_train=resize(d.x_train, size), x_test=resize(d.x_test, size), pad=max(1, size//8) if d.pad else 0)
