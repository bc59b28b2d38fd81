"""Base, Mixup and AKR on a small CIFAR-100 protocol that two CPU cores can do; makes small_cifar100.json.

    python small_cifar100.py --data cifar100 --download        (or --data folder:PATH)

Twelve classes of 16 x 16 pixels in four phases of three, 120 exemplars, ResNet-20, sixty epochs a phase.
A run takes about eight minutes on one core. Runs that are finished are not run again.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

PROTOCOL = '--size 16 --order fgp --classes 12 --base 3 --step 3 --memory 120 --depth 20 --epochs 60 --warmup 10 --batch 64 --lr 0.1'
VARIANTS = {
    'Base': '--method base',
    'Mixup': '--method mixup',
    'AKR, prior': '--method akr --prior',
    'AKR, no prior': '--method akr --no-prior',
    'AKR, prior, entropy-free': '--method akr --prior --entropy-free',
    'AKR, no prior, entropy-free': '--method akr --no-prior --entropy-free',
}
KEEP = ('average_incremental_accuracy', 'average_incremental_accuracy_without_first', 'last_accuracy', 'forgetting')

def command(variant, seed, data): return f'akr train --data {data} {PROTOCOL} {VARIANTS[variant]} --seed {seed}'.split()

def run(variant, seed, a):
    "Train one run, or go on with it; its words go to a log beside it."
    name = ''.join(c if c.isalnum() else '-' for c in f'{variant}-s{seed}')
    out = a.runs/name
    rest = ['--device', 'cpu', '--quiet'] + (['--download'] if a.download else [])
    argv = ['akr', 'train', '--resume', str(out)] if (out/'config.json').exists() else command(variant, seed, a.data) + ['--out', str(out)]
    with open(a.runs/f'{name}.log', 'a') as log:
        code = subprocess.run([sys.executable, '-m', *argv, *rest], stdout=log, stderr=log, env={**os.environ, 'OMP_NUM_THREADS': '1'}).returncode
    print(name, 'done' if code == 0 else f'failed with code {code}: see its log', flush=True)
    return out if code == 0 else None

def collect(variant, seed, out):
    "What is kept of a run."
    m, c = (json.loads((out/f).read_text()) for f in ('metrics.json', 'config.json'))
    epochs = [json.loads((out/f'phase_{p["phase"]:02d}'/'result.json').read_text())['epochs'] for p in m['phases']]
    shown = ' '.join(command(variant, seed, 'cifar100'))
    return dict(variant=variant, seed=seed, command=shown, versions=c['versions'], data=c['data']['fingerprint'], **{k: m[k] for k in KEEP},
                top1=[p['top1'] for p in m['phases']], seconds=[p['seconds'] for p in m['phases']],
                weights=[dict(hist=e[-1]['hist'], **{k: [round(x[k], 4) if x[k] is not None else None for x in e] for k in ('std', 'new', 'exemplar')}) for e in epochs])

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', default='cifar100'); p.add_argument('--download', action='store_true')
    p.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3]); p.add_argument('--jobs', type=int, default=os.cpu_count())
    p.add_argument('--runs', type=Path, default=Path('runs/small_cifar100')); p.add_argument('--variants', nargs='+', default=list(VARIANTS))
    p.add_argument('--commit', default='', help='the commit that was run'); p.add_argument('--out', type=Path, default=Path(__file__).with_suffix('.json'))
    a = p.parse_args()
    a.runs.mkdir(parents=True, exist_ok=True)
    jobs = [(v, s) for s in a.seeds for v in a.variants]
    with ThreadPoolExecutor(a.jobs) as pool: outs = list(pool.map(lambda j: run(*j, a), jobs))
    runs = [collect(v, s, o) for (v, s), o in zip(jobs, outs) if o]
    a.out.write_text(json.dumps(dict(made_by='python nbs/results/small_cifar100.py --data cifar100', commit=a.commit, machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), one thread a run, {a.jobs} runs at once',
                                     protocol=PROTOCOL, runs=runs), indent=None, separators=(',', ':')).replace('{"variant"', '\n{"variant"') + '\n')

if __name__ == '__main__': main()
