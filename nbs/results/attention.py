"""Trains what "What attention is worth" compares, and keeps every run's figures in attention.json beside this file.

    python nbs/results/attention.py --data cifar100 --seeds 1 2 3

Runs of one seed that begin with the same first phase share it: without old classes there is no attention, so a reading of attention
is mixup there, to the last bit. What is finished is not run again, so it can be stopped and started at will. All runs are judged on
held-out training images (--holdout); the test images are not looked at.
"""
import argparse
import copy
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch

from akr import parts
from akr.blend import Attended
from akr.cli import make_parser
from akr.config import Config
from akr.data import load_data
from akr.learner import Learner
from akr.metrics import summary
from akr.options import given_settings, parse
from akr.oracle import Oracle
from akr.readings import Measured, judges, net_ahead
from akr.stream import Stream

# twelve classes of 16 x 16 pixels in four phases of three; ResNet-8, thirty epochs: about three minutes a run on one core
QUICK = '--size 16 --order fgp --classes 12 --base 3 --step 3 --memory 120 --depth 8 --epochs 30 --batch 64 --lr 0.1 --precision float32 --compile no --holdout 0.2'
# the protocol of small_cifar100.json, but for the held-out images
SMALL = '--size 16 --order fgp --classes 12 --base 3 --step 3 --memory 120 --depth 20 --epochs 60 --batch 64 --lr 0.1 --precision float32 --compile no --holdout 0.2'
SHORT = QUICK.replace('--epochs 30', '--epochs 12') # for the oracle
PROTOCOLS = dict(quick=(QUICK, 5), short=(SHORT, 2), small=(SMALL, 10)) # the settings, and the epochs of warm-up
BASE = '--method base'
AKR = '--method akr --warmup {warmup}'
VARIANTS = dict(mixup='--method mixup', akr=AKR, base=BASE,
                standardised=f'{AKR} --blend standardised', lookahead=f'{AKR} --blend lookahead --attention-lr 1e-3',
                measured=f'{AKR} --blend measured', measured_network=f'{AKR} --blend measured --ahead network', changed=f'{AKR} --blend changed', stayed=f'{AKR} --blend changed --strength -1',
                labels=f'{AKR} --blend labels', picked=f'{AKR} --blend picked',
                balanced='--method mixup --loss balanced', balanced_network=f'{AKR} --blend measured --ahead network --loss balanced')
ALONE = {'base'} # their first phase is another one

class Exemplars(Attended):
    "No reading, but something to compare with: exemplars count for more than new images."
    def forward(self, x, y, is_exemplar, g, look=None):
        self.old = is_exemplar.float()
        return super().forward(x, y, is_exemplar, g, look)
    def shift(self, y, j, logits, look): return self.old - self.old[j]

class Shuffled(Measured):
    "Measured by a step of the whole network, but the judges' labels are shuffled: what has nothing to do with the classes."
    def shift(self, y, j, logits, look):
        odds = logits.clone().requires_grad_()
        images, labels = judges(look, self.judging, self.g)
        labels = labels[torch.randperm(len(labels), generator=self.g)]
        with torch.enable_grad(): loss = net_ahead(look, self.x, y, j, torch.sigmoid(odds), images, labels)
        return -torch.autograd.grad(loss, odds)[0]

class Noise(Attended):
    "Knows nothing."
    def shift(self, y, j, logits, look): return torch.randn(len(y), generator=torch.Generator().manual_seed(0))

def asked(l):
    "Whom the oracle asks along a run of mixup: what needs no training, and what the untrained others would be taught."
    made = lambda name, **kw: parts.make('blend', name, l.net.backbone.out_features, **kw)
    return dict(attentive=made('attentive'), lookahead=made('lookahead'), whole=made('lookahead', ahead='network'), measured=made('measured'),
                changed=made('changed'), labels=made('labels'), exemplars=Exemplars(), shuffled=Shuffled(), noise=Noise())

def words(protocol, variant, seed, data):
    settings, warmup = PROTOCOLS[protocol]
    return f'train --data {data} {settings} {VARIANTS[variant].format(warmup=warmup)} --seed {seed}'.split()

def config(protocol, variant, seed, data):
    return Config(**given_settings(parse(make_parser(), words(protocol, variant, seed, data))))

def phase(l, stream, t, oracle=None):
    "Learn and judge a phase: hits of each class, and what the weights did in the last epoch."
    result = l.learn(stream[t], oracle)
    e = l.evaluate(*stream.test(t))
    last = {k: v for k, v in result['epochs'][-1].items() if k != 'attends'}
    return dict(images=e['images'], hits=dict(head=e['head'], nme=e['nme']), seconds={k: round(s, 2) for k, s in result['seconds'].items()}, last_epoch=last)

def first(cfg, stream, file):
    "The end of the first phase: from a file, or learnt and written there."
    if not file.exists():
        l = Learner.of(cfg, stream)
        p = phase(l, stream, 0)
        torch.save((l.net, l.frozen, l.memory, p), file.with_suffix('.part'))
        file.with_suffix('.part').rename(file)
    return torch.load(file, weights_only=False)

def run(protocol, variant, seed, data, ds, folder, commit, ask):
    cfg = config(protocol, variant, seed, data)
    stream = Stream.of(cfg, ds)
    l = Learner.of(cfg, stream)
    shared = variant not in ALONE
    start = folder/f'{protocol}-first-{seed}' if shared else folder/f'{protocol}-first-{seed}-{variant}'
    net, frozen, memory, p = first(config(protocol, 'mixup', seed, data) if shared else cfg, stream, start)
    l.net, l.frozen, l.memory = copy.deepcopy(net), frozen, copy.deepcopy(memory)
    oracle = Oracle(l, stream.test, asked(l) if variant == 'mixup' else {'own': l.blender}, every=l.cfg.epochs//3, batches=3, most=400) if ask else None
    phases = [p] + [phase(l, stream, t, oracle) for t in range(1, len(stream))]
    images = phases[-1]['images']
    m = summary({k: [p['hits'][k] for p in phases] for k in ('head', 'nme')}, images, stream.sizes)
    versions = dict(python=platform.python_version(), torch=torch.__version__)
    public = 'folder:PATH' if data.startswith('folder:') else data
    return dict(protocol=protocol, variant=variant, seed=seed, commit=commit, command=' '.join(['akr', *words(protocol, variant, seed, public)]),
                versions=versions, machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), other work beside it', threads=torch.get_num_threads(), shared_first_phase=shared,
                images=images, hits=[p['hits'] for p in phases], seconds=[p['seconds'] for p in phases], last_epoch=[p['last_epoch'] for p in phases],
                oracle=oracle.rows if oracle else [],
                **{k: m[k] for k in ('average_incremental_accuracy', 'last_accuracy', 'forgetting')})

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--data', default='cifar100'); p.add_argument('--protocol', choices=PROTOCOLS, default='quick')
    p.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3]); p.add_argument('--variants', nargs='+', choices=VARIANTS, default=list(VARIANTS))
    p.add_argument('--runs', type=Path, default=Path('runs/attention')); p.add_argument('--commit', default='', help='the commit that is run')
    p.add_argument('--oracle', action='store_true', help='ask the oracle along the runs; it changes nothing but the time')
    p.add_argument('--collect', action='store_true', help='train nothing: write what is finished into attention.json')
    a = p.parse_args()
    a.runs.mkdir(parents=True, exist_ok=True)
    if not a.collect:
        torch.set_num_threads(1)
        ds = load_data(a.data, size=16)
        commit = a.commit or subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
        for seed in a.seeds:
            for v in a.variants:
                file = a.runs/f'{a.protocol}-{v}-{seed}.json'
                if file.exists(): continue
                t = time.perf_counter()
                r = run(a.protocol, v, seed, a.data, ds, a.runs, commit, a.oracle)
                file.with_suffix('.part').write_text(json.dumps(r))
                file.with_suffix('.part').rename(file)
                print(v, seed, {k: round(x, 2) for k, x in r['average_incremental_accuracy'].items()}, f'{time.perf_counter()-t:.0f} s', flush=True)
    rows = sorted((json.loads(f.read_text()) for f in a.runs.glob('*.json')), key=lambda r: (r['protocol'], r['seed'], r['variant']))
    text = ',\n'.join(json.dumps(r, separators=(',', ':')) for r in rows)
    Path(__file__).with_suffix('.json').write_text('{"made_by":"python nbs/results/attention.py","runs":[\n' + text + '\n]}\n')

if __name__ == '__main__': sys.exit(main())
