"""Base, Mixup and AKR on forty classes of Tiny ImageNet, from disk: ResNet-18, 64 pixels, four phases of ten classes, 20 exemplars per class.

    python nbs/results/tiny_imagenet.py PATH [--seeds 1 2 3] [--runs runs/tiny_imagenet]

PATH is a folder that `--data tiny-imagenet:PATH` reads. The script can be stopped at any time and started again: finished runs stay, and
one that was stopped goes on from its last saved epoch. tiny_imagenet.json holds what is finished, with the settings and the machine."""
import argparse
import json
from pathlib import Path

from akr.config import configure
from akr.run import Run
from akr.train import resume, train

METHODS = ('base', 'mixup', 'akr')
SETTINGS = dict(backbone='resnet18', stem='small', size=64, base=10, step=10, per_class=20, epochs=30, batch=64, lr=.05, compile='no')

def figures(run):
    "What the file says of a finished run."
    m, info = json.loads((run.path/'metrics.json').read_text()), run.info
    return dict(top1=[p['top1'] for p in m['phases']], seconds=[round(sum(p['seconds'].values())) for p in m['phases']],
                config=info['config'] | dict(data='tiny-imagenet:PATH'), machine=info['machine'], versions=info['versions'],
                fingerprint=info['data']['fingerprint'])

def run_all(path, seeds, runs, out, how, **more):
    "Every method and seed that is not finished yet; after each, the file is written anew."
    done = json.loads(out.read_text()) if out.exists() else {}
    for seed in seeds:
        for method in METHODS:
            folder = Path(runs)/f'{method}-{seed}'
            cfg = configure(f'tiny-imagenet:{path}', method, **SETTINGS | more, seed=seed)
            run = resume(folder, keep='disk', **how) if (folder/'config.json').exists() else train(cfg, folder, keep='disk', **how)
            done[f'{method} seed {seed}'] = figures(Run(run.path))
            out.write_text(json.dumps(done, indent=1) + '\n')

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('path', help='The folder of Tiny ImageNet')
    p.add_argument('--seeds', type=int, nargs='+', default=[1])
    p.add_argument('--runs', type=Path, default=Path('runs/tiny_imagenet'), help='Where the runs are kept')
    p.add_argument('--threads', type=int, help='CPU threads (default: as many as pay)')
    p.add_argument('--workers', type=int, help='Threads that read images (default: as many as there are cores)')
    p.add_argument('--out', type=Path, default=Path(__file__).with_suffix('.json'))
    a = p.parse_args()
    run_all(a.path, a.seeds, a.runs, a.out, dict(threads=a.threads, workers=a.workers))

if __name__ == '__main__': main()
