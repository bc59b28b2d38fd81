"""Images from disk beside images in memory: peak memory, decoded images per second, and how long training waits for images.

    python nbs/results/disk.py                    all parts, then nbs/results/disk.json
    python nbs/results/disk.py memory speed wait  some of them; the others stay as they are in disk.json
    python nbs/results/disk.py --images 2000      quicker, with fewer images

The photos are made here, in a temporary folder: the 764 photos of groceries that come with akr, cropped and mirrored at random and
stored as JPEG of 224 pixels. Peak memory is that of a process of its own, as the system counts it (VmHWM of /proc/self/status)."""
import argparse
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
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
SIDE, CLASSES = 224, 20

def make_photos(folder, n, side=SIDE, classes=CLASSES, seed=0):
    "`n` training photos and a tenth as many for testing, in class folders."
    from akr.data import load_data
    source, rng = load_data('groceries').x_train.numpy(), np.random.default_rng(seed) # (k,3,96,96)
    grains = rng.integers(-8, 9, (64, side, side, 1), np.int16) # a camera's noise: without it the files would be too small
    for part, k in (('train', n//classes), ('test', max(1, n//classes//10))):
        for c in range(classes):
            (folder/part/f'c{c:02}').mkdir(parents=True)
            for i in range(k):
                a = source[rng.integers(len(source))].transpose(1, 2, 0)
                s, (y, x) = rng.integers(48, 97), rng.random(2)
                y, x = int(y*(96-s)), int(x*(96-s))
                im = Image.fromarray(a[y:y+s, x:x+s]).resize((side, side), Image.Resampling.BICUBIC)
                noisy = (np.asarray(im) + grains[rng.integers(64)]).clip(0, 255).astype(np.uint8)
                Image.fromarray(noisy).save(folder/part/f'c{c:02}'/f'{i:05}.jpg', quality=90)

def peak():
    "The most memory that this process had so far, in MiB."
    return next(int(l.split()[1])/1024 for l in open('/proc/self/status') if l.startswith('VmHWM'))

def resident():
    "The memory of this process now, in MiB: all, and what is mapped from files."
    values = {l.split()[0]: int(l.split()[1])/1024 for l in open('/proc/self/status') if l.startswith('Rss') or l.startswith('VmRSS')}
    return values['VmRSS:']

def train_and_herd(folder, keep, batch, epochs, steps=None, input_size=None):
    "One phase of all classes: training and herding; what a child process does."
    from akr.config import configure
    from akr.data import load_data
    from akr.learner import Learner
    from akr.stream import Stream
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', 1)))
    began = resident()
    data = load_data(f'folder:{folder}', size=SIDE, keep=keep, cache_dir=f'{folder}-seen', workers=2)
    loaded = peak()
    cfg = configure(f'folder:{folder}', 'akr', size=SIDE, backbone='resnet18', batch=batch, epochs=epochs, warmup=0, per_class=20,
                    base=CLASSES, compile='no', input_size=input_size)
    stream = Stream.of(cfg, data)
    learner = Learner.of(cfg, stream)
    if steps:
        import akr.learner
        whole = akr.learner.batches
        akr.learner.batches = lambda *a: whole(*a)[:steps]
    t0 = time.perf_counter()
    trained = []
    out = learner.learn(stream[0], lambda e, _: trained.append(round(peak())))
    log = stream[0].x.log if keep == 'disk' else {}
    return dict(images=len(data.x_train), begun_mib=round(began), loaded_mib=round(loaded), trained_mib=trained[-1], peak_mib=round(peak()), seconds=round(time.perf_counter()-t0),
                trained=steps*batch if steps else len(data.x_train)*epochs, herded=len(data.x_train), exemplars=len(learner.memory),
                precision=str(learner.net.dtype).removeprefix('torch.'), loss=out['epochs'][-1]['loss'],
                tensor_mib=round(len(data.x_train)*3*SIDE*SIDE/2**20), **({k: round(v, 2) for k, v in log.items()}))

def measure_memory(folder, a):
    "Each way in a process of its own."
    before = json.loads(a.out.read_text()).get(a.name or 'memory', {}) if a.out.exists() else {}
    out = {k: before[k] for k in ('disk', 'memory') if k in before}
    for keep in a.keep:
        code = f"import json, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import disk; from pathlib import Path; " \
               f"print(json.dumps(disk.train_and_herd(Path({str(folder)!r}), {keep!r}, {a.batch}, 1, {a.steps}, {a.input_size})))"
        made = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT, env=dict(os.environ, PYTHONPATH=str(ROOT)))
        if made.returncode: raise SystemExit(made.stderr[-2000:])
        out[keep] = json.loads(made.stdout.splitlines()[-1])
        print(f'memory, {keep}:', out[keep], flush=True)
    return out

def measure_speed(folder, a):
    "Images per second: akr's workers beside ImageFolder and DataLoader of torchvision and PyTorch, by turns."
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2
    from akr.data import load_data
    torch.set_num_threads(1)
    data = load_data(f'folder:{folder}', size=SIDE, keep='disk', cache_dir=f'{folder}-seen', workers=2)
    x = data.x_train[:a.decode]
    plain = ImageFolder(folder/'train', v2.Compose([v2.Resize(SIDE), v2.CenterCrop(SIDE), v2.PILToTensor()]))
    plain.samples = plain.samples[:len(x)]
    def ours():
        n = 0
        for b in x.split(a.batch): n += len(b)
        return n
    def theirs():
        n = 0
        for b, _ in DataLoader(plain, a.batch, num_workers=2): n += len(b)
        return n
    b, (z, _) = x[torch.arange(64)], next(iter(DataLoader(plain, 64)))
    rates = dict(akr=[], dataloader=[])
    ours(), theirs() # the first time, files come from the disk
    for r in range(a.rounds):
        for name, f in (('akr', ours), ('dataloader', theirs)) if r%2 else (('dataloader', theirs), ('akr', ours)):
            t0 = time.perf_counter()
            n = f()
            rates[name].append(round(n/(time.perf_counter()-t0), 1))
    out = dict(images=len(x), workers=2, same_pixels=bool((b == z).all()), rates=rates,
               ratio=round(float(np.median([p/q for p, q in zip(rates['akr'], rates['dataloader'])])), 3))
    print('speed:', out, flush=True)
    return out

def measure_wait(folder, a):
    "The share of the time in which training waits for images, with two workers."
    from akr.config import configure
    from akr.data import load_data
    from akr.learner import Learner
    from akr.stream import Stream
    import akr.learner
    torch.set_num_threads(1)
    data = load_data(f'folder:{folder}', size=SIDE, keep='disk', cache_dir=f'{folder}-seen', workers=2)
    cfg = configure(f'folder:{folder}', 'akr', size=SIDE, backbone='resnet18', batch=a.batch, epochs=1, warmup=0, per_class=20, base=CLASSES, compile='no')
    stream = Stream(data, [1]*CLASSES)
    learner = Learner.of(cfg, stream)
    whole = akr.learner.batches
    akr.learner.batches = lambda *args: whole(*args)[:a.steps or 30]
    p = learner.start(stream[0])
    log = p.x.log
    log.update(waited=0., read=0)
    t0 = time.perf_counter()
    p.run_epoch(0)
    spent = time.perf_counter()-t0
    akr.learner.batches = whole
    out = dict(batch=a.batch, images=log['read'], workers=2, seconds=round(spent, 2), waited=round(log['waited'], 3), share=round(log['waited']/spent, 4),
               images_per_second=round(log['read']/spent, 2), precision=str(learner.net.dtype).removeprefix('torch.'))
    print('wait:', out, flush=True)
    return out

def where():
    "On what it was measured."
    git = lambda *words: subprocess.run(['git', *words], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    cpu = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.processor())
    packages = {k: version(k) for k in ('torch', 'torchvision', 'pillow', 'numpy')}
    return dict(commit=git('rev-parse', 'HEAD'), date=time.strftime('%Y-%m-%d'), cpu=cpu, cores=len(os.sched_getaffinity(0)),
                threads=int(os.environ.get('OMP_NUM_THREADS', 1)), load=[round(v, 1) for v in os.getloadavg()], python=platform.python_version(), **packages)

PARTS = dict(memory=measure_memory, speed=measure_speed, wait=measure_wait)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('parts', nargs='*', choices=[*PARTS, []], help='What to measure (default: all)')
    p.add_argument('--images', type=int, default=20_000)
    p.add_argument('--photos', type=Path, help='A folder where the photos are kept for the next time (default: a temporary one)')
    p.add_argument('--keep', nargs='+', default=['disk', 'memory'], help='Of `memory`: which ways')
    p.add_argument('--input-size', type=int, help='Of `memory`: height and width that the network sees')
    p.add_argument('--decode', type=int, default=2000, help='Images of a round of decoding')
    p.add_argument('--rounds', type=int, default=7)
    p.add_argument('--batch', type=int, default=32)
    p.add_argument('--steps', type=int, help='Steps of an epoch (default: all; of `wait`, 30)')
    p.add_argument('--name', help='Under which name the measurement goes into the file (default: that of the part)')
    p.add_argument('--out', type=Path, default=Path(__file__).with_suffix('.json'))
    a = p.parse_args()
    done = json.loads(a.out.read_text()) if a.out.exists() else {}
    with tempfile.TemporaryDirectory() as d:
        d, t0 = a.photos or Path(d, 'photos'), time.perf_counter()
        if not Path(d, 'train').exists(): make_photos(Path(d), a.images)
        size = [f.stat().st_size for f in Path(d, 'train').rglob('*.jpg')]
        photos = dict(images=len(size), side=SIDE, classes=CLASSES, mean_bytes=round(np.mean(size)), seconds=round(time.perf_counter()-t0))
        print('photos:', photos, flush=True)
        for part in a.parts or PARTS:
            out = PARTS[part](Path(d), a)
            command = 'python nbs/results/disk.py ' + ' '.join(sys.argv[1:])
            done[a.name or part] = dict(out, photos=photos, command=command.strip(), where=where())
            a.out.write_text(json.dumps(done, indent=1) + '\n')

if __name__ == '__main__': main()
