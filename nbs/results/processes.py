"""Two processes on one core each, beside one process on two cores: images per second, and how far their figures are apart.

    python nbs/results/processes.py               all parts, then nbs/results/processes.json
    python nbs/results/processes.py speed         some of them (speed, figures); the others stay as they are

Speed: training steps of the first phase of `base`, by turns, each turn in new processes that are bound to their cores. Figures:
runs on the digits by one process with one thread, one with two threads, and two processes with one thread each."""
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(__file__).with_suffix('.json')
NETWORKS = {'ResNet-32, 32 pixels': dict(data='cifar100', batch=128, base=10, step=10),
            'ResNet-18, 64 pixels': dict(data='tiny-imagenet', batch=128, base=10, step=10, backbone='resnet18')}
ARMS = {'one process, two cores': (1, 2), 'two processes, one core each': (2, 1), 'one process, one core': (1, 1)} # processes, threads
EACH = 'two processes, batch norm each' # for the speed alone: its figures are others
ROUNDS, SECONDS = 3, 5.
FIGURES = dict(methods=('akr', 'lucir'), seeds=(1,), options=dict(depth=8, epochs=10, precision='float32', compile='no'))

def start(processes, threads, *words):
    "This script, or `-m akr`, in processes of its own with so many threads each; what it prints."
    env = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads), PYTHONPATH=str(ROOT), GLOO_SOCKET_IFNAME='lo')
    before = [sys.executable] if processes == 1 else [sys.executable, '-m', 'torch.distributed.run', '--standalone', '--nproc-per-node', str(processes)]
    p = subprocess.run([*before, *map(str, words)], env=env, capture_output=True, text=True)
    if p.returncode: raise RuntimeError(p.stderr[-2000:])
    return p.stdout

def steps(network, threads, norm='together'):
    "A turn: train for some seconds, and print the images per second as the writer saw it."
    from akr.config import configure
    from akr.learner import Learner
    from akr.parts import find
    from akr.stream import Stream
    from akr.together import joined
    rank, settings = int(os.environ.get('LOCAL_RANK', 0)), dict(NETWORKS[network])
    os.sched_setaffinity(0, {0, 1} if threads == 2 else {rank})
    torch.set_num_threads(threads)
    cfg = configure(settings.pop('data'), 'base', compile='no', **settings)
    data = find('data', cfg.data)().pretend()
    with joined('cpu', norm) as (team, _):
        stream = Stream.of(cfg, data)
        l = Learner.of(cfg, stream)
        l.team = team
        n = 8*cfg.batch
        phase = stream[0]
        phase.x, phase.y = phase.x[torch.arange(n)], phase.y[:n]
        p, g = l.start(phase), l.draw('batch', phase)
        l.net.train()
        order = list(torch.arange(n).split(cfg.batch))
        def go(i): return p.step(i, .01, False, g)[0].item()
        go(order[0])
        k, t0 = 0, time.perf_counter()
        while team.share(time.perf_counter()-t0 < SECONDS):
            for _ in range(2):
                go(order[k % len(order)])
                k += 1
        if team.writes: print(json.dumps(dict(rate=k*cfg.batch/(time.perf_counter()-t0), steps=k, precision=str(l.net.dtype))))

def speed(say=print):
    out = {}
    for network in NETWORKS:
        turns = []
        for r in range(ROUNDS):
            for arm, (processes, threads) in (ARMS | {EACH: (2, 1)}).items():
                load = os.getloadavg()[0]
                got = json.loads(start(processes, threads, __file__, '--steps', network, threads, *['each']*(arm == EACH)).splitlines()[-1])
                turns.append(dict(round=r+1, arm=arm, load_before=round(load, 2), **got))
                say(network, arm, f"{got['rate']:.1f} images/s", flush=True)
        rates = {arm: [t['rate'] for t in turns if t['arm'] == arm] for arm in (*ARMS, EACH)}
        one, two, single, each = rates.values()
        ratios, apart = [b/a for a, b in zip(one, two)], [b/a for a, b in zip(one, each)]
        median = lambda v: sorted(v)[len(v)//2] if len(v) % 2 else sum(sorted(v)[len(v)//2-1:len(v)//2+1])/2
        out[network] = dict(settings=NETWORKS[network], precision=turns[0]['precision'], median={k: round(median(v), 1) for k, v in rates.items()},
                            ratio=round(median(ratios), 3), ratio_lowest=round(min(ratios), 3), ratio_highest=round(max(ratios), 3),
                            ratio_each=round(median(apart), 3), turns=turns)
    return out

def figures(say=print):
    "Accuracies of runs that differ in nothing but who computes."
    from akr.core import load_tensors
    out = []
    options = [w for k, v in FIGURES['options'].items() for w in (f'--{k}', v)]
    with tempfile.TemporaryDirectory() as d:
        for m in FIGURES['methods']:
            for s in FIGURES['seeds']:
                for arm, (processes, threads) in ARMS.items():
                    at = Path(d)/f'{m}-{s}-{processes}-{threads}'
                    start(processes, threads, '-m', 'akr', 'train', '--method', m, '--seed', s, *options, '--threads', threads, '--quiet', '--out', at)
                    r = json.loads((at/'metrics.json').read_text())
                    kept = [load_tensors(p)[0]['x'] for p in sorted(at.glob('phase_*/exemplars.safetensors'))]
                    out.append(dict(method=m, seed=s, arm=arm, average=r['average_incremental_accuracy'], last=r['last_accuracy'],
                                    loss=[p['loss'] for p in r['phases']], processes=[p.get('processes', [1]) for p in r['phases']], kept=kept))
                    say(m, s, arm, r['average_incremental_accuracy'], flush=True)
                known = {o['arm']: o for o in out if (o['method'], o['seed']) == (m, s)}
                alone = known['one process, one core']
                for o in known.values():
                    o['other_exemplars'] = [int((a != b).flatten(1).any(1).sum()) if a.shape == b.shape else None for a, b in zip(o['kept'], alone['kept'])]
                for o in known.values(): del o['kept']
    return dict(**FIGURES, runs=out)

def where():
    from akr.core import versions
    commit = subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    name = next((l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name')), platform.processor())
    return dict(command='python nbs/results/processes.py', commit=commit, date=time.strftime('%Y-%m-%d'), cpu=name, cores=os.cpu_count(),
                system=platform.platform(), versions=versions(), also_running='load averages before each turn are noted')

def main(parts):
    d = json.loads(TARGET.read_text()) if TARGET.exists() else {}
    for name in parts or ('speed', 'figures'):
        d[name] = dict(where=where(), **globals()[name]())
        TARGET.write_text(json.dumps(d, indent=1)+'\n')

if __name__ == '__main__':
    if sys.argv[1:2] == ['--steps']: steps(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    else: main(sys.argv[1:])
