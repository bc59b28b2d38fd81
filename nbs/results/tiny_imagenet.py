"""Base, Mixup and AKR on forty classes of Tiny ImageNet, from disk: ResNet-18, 64 pixels, four phases of ten classes, 20 exemplars per class.

    python nbs/results/tiny_imagenet.py PATH                    nine runs, one after the other: seeds 1, 2, 3
    python nbs/results/tiny_imagenet.py PATH --seeds 1          three of them
    python nbs/results/tiny_imagenet.py PATH --ray base 1       once more, the same run as a job of a Ray cluster of one node

PATH is a folder that `--data tiny-imagenet:PATH` reads: train/CLASS/* and test/CLASS/*. The script can be stopped at any time, and the same
command goes on: runs that are finished stay, and one that was stopped goes on from its last saved epoch (at most a minute is lost). After each run
tiny_imagenet.json is written anew, with the settings and the machine. Two processes may work at once, on different seeds.

Every run has one thread that computes and one that reads. Measured on one core of an Intel Xeon at 2.8 GHz, images per second of that core:
54 in the first phase; from the second on 41 to 46 for Base and Mixup, and 27 for AKR while it attends. An epoch of all four phases sees
9,200 images. So a run of 12 epochs takes about 2,500 seconds (Base, Mixup) or 3,500 (AKR), and all nine about 7 hours of one core.
"""
import argparse
import fcntl
import subprocess
import sys
import time
from pathlib import Path

from akr.compare import compare, plan
from akr.core import load_json, save_json
from akr.run import Run
from akr.train import resume, train

OUT, ROOT = Path(__file__).with_suffix('.json'), Path(__file__).resolve().parents[2]
METHODS, SEEDS, SCHEME, ORDER = ('base', 'mixup', 'akr'), (1, 2, 3), 'tfs:4', 'lucir'
# few epochs, so that nine runs take a night on one core; so small batches, for more steps. Of the rates .02 and .05 (and .1 with batches of
# 64) the first had the lowest training loss after five epochs of Base in the first phase: 1.41, 1.52 and 1.56
SETTINGS = dict(backbone='resnet18', size=64, per_class=20, epochs=12, batch=32, lr=.02, precision='float32', compile='no')
HOW = dict(device='cpu', keep='disk', threads=1, workers=1)

def cell_of(path, method, seed, **more):
    "One run of the comparison."
    [cell] = plan('quick', [method], [SCHEME], [ORDER], [seed], data=f'tiny-imagenet:{path}', **SETTINGS | more)
    return cell

def commit():
    "The commit of this checkout, and whether something was changed since."
    git = lambda *words: subprocess.run(['git', *words], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    return git('rev-parse', 'HEAD') + (' and changes' if git('status', '--porcelain', '--untracked-files=no', 'akr') else '')

def command(a):
    "How this was called, without folders."
    more = ['--ray', *a.ray] if a.ray else ['--seeds', *map(str, a.seeds), '--methods', *a.methods]
    return ' '.join(['python nbs/results/tiny_imagenet.py PATH', *more, *(['--epochs', str(a.epochs)]*(a.epochs is not None))])

def figures(run, method, seed, a):
    "What the file says of a finished run."
    m, info = load_json(run.path/'metrics.json'), run.info
    summed = ('average_incremental_accuracy', 'last_accuracy', 'forgetting')
    per_phase = ('seen', 'new', 'top1', 'exemplars', 'seconds', 'images_per_second', 'loss')
    return dict(method=method, seed=seed, **{k: m[k] for k in summed}, phases=[{k: p[k] for k in per_phase} | dict(weights_std=p['weights']['std']) for p in m['phases']],
                classes=m['classes'], settings=info['config'] | dict(data='tiny-imagenet:PATH'), machine=info['machine'], versions=info['versions'],
                data=info['data']['fingerprint'], command=command(a), commit=commit(), date=time.strftime('%Y-%m-%d'))

def write(out, runs, change):
    "Change what the file holds; another process may do so at the same time."
    with open(runs/'.file', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held = load_json(out) if out.exists() else dict(rows=[])
        change(held)
        held['rows'].sort(key=lambda r: (r['seed'], METHODS.index(r['method'])))
        save_json(out, held)

def run_one(a, method, seed, **more):
    "Train a run, or go on with it, and write its row."
    cell = cell_of(a.path, method, seed, **more)
    folder = a.runs/cell.name
    run = resume(folder, **HOW) if (folder/'config.json').exists() else train(cell.cfg, folder, **HOW)
    row = figures(run, method, seed, a)
    def change(held):
        same = [r for r in held['rows'] if (r['method'], r['seed']) == (method, seed)]
        if same and same[0]['phases'] == row['phases']: return # as it is there already, with its commit
        held['rows'] = [r for r in held['rows'] if r not in same] + [row]
    write(a.out, a.runs, change)
    return run

def of_phases(run):
    "All figures of a run, but for the times: which images of which class were right, losses, weights."
    return [{k: v for k, v in r.items() if k not in ('seconds', 'images_per_second')} for r in run.results()]

def through_ray(a, method, seed, **more):
    "The same run as a job of a Ray cluster; are its figures the same, to the last digit?"
    here, cell, t0 = run_one(a, method, seed, **more), cell_of(a.path, method, seed, **more), time.time()
    rows, failed = compare([cell], a.runs/'ray', on='ray', **HOW)
    if failed: raise SystemExit(f'{cell.name}: {failed[cell.name]}')
    there = Run(a.runs/'ray'/cell.name)
    same = of_phases(there) == of_phases(here)
    import ray
    row = dict(method=method, seed=seed, same=same, average_incremental_accuracy=rows[0]['average_incremental_accuracy'],
               top1=rows[0]['top1'], seconds=round(time.time()-t0), ray=ray.__version__, machine=there.info['machine'],
               command=command(a), commit=commit(), date=time.strftime('%Y-%m-%d'))
    def change(held): held['ray'] = [r for r in held.get('ray', []) if (r['method'], r['seed']) != (method, seed)] + [row]
    write(a.out, a.runs, change)
    print(f"{cell.name} through Ray: {'the same figures' if same else 'OTHER FIGURES'}")
    return same

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('path', help='The folder of Tiny ImageNet')
    p.add_argument('--seeds', type=int, nargs='+', default=list(SEEDS))
    p.add_argument('--methods', nargs='+', default=list(METHODS), choices=METHODS)
    p.add_argument('--runs', type=Path, default=Path('runs/tiny_imagenet'), help='Where the runs are kept (default: %(default)s)')
    p.add_argument('--ray', nargs=2, metavar=('METHOD', 'SEED'), help='Only this run, here and as a job of a Ray cluster')
    p.add_argument('--epochs', type=int, help='Fewer, to see that it works; then give --runs and --out of your own')
    p.add_argument('--out', type=Path, default=OUT, help='The file of figures')
    a = p.parse_args()
    a.runs.mkdir(parents=True, exist_ok=True)
    more = {} if a.epochs is None else dict(epochs=a.epochs)
    if a.ray: sys.exit(not through_ray(a, a.ray[0], int(a.ray[1]), **more))
    for seed in a.seeds:
        for method in a.methods: run_one(a, method, seed, **more)

if __name__ == '__main__': main()
