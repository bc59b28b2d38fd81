"""Makes the committed results: trains the runs of a protocol, and keeps their figures in NAME.json beside this file.

    python nbs/results/make.py digits
    python nbs/results/make.py small_cifar100 --data cifar100 --download     (or --data folder:PATH)
    python nbs/results/make.py methods --data cifar100 --download
    python nbs/results/make.py ablation --data cifar100 --download
    python nbs/results/make.py precision

Finished runs are not run again, so it can be stopped and started at will.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from akr.cli import make_parser
from akr.compare import Cell, compare
from akr.config import configure
from akr.options import given_settings, parse
from akr.train import whole_paths

METHODS = {'Base': '--method base', 'Mixup': '--method mixup'}
AKR = '--method akr --warmup 10' # of the small protocol: attention starts after ten epochs of each phase but the first
# twelve classes of 16 x 16 pixels in four phases of three, six to nine minutes a run on one core; float32, since
# the first of these runs were made before akr had another precision
SMALL = '--size 16 --order fgp --classes 12 --base 3 --step 3 --memory 120 --depth 20 --epochs 60 --batch 64 --lr 0.1 --precision float32'
PROTOCOLS = dict(
    # the command's defaults, about forty seconds a run on one core
    digits=dict(data='digits', settings='', variants={
        'Without memory': '--method base --memory 0', **METHODS, 'AKR': '--method akr',
        # with these it is what `akr compare --preset quick` trains
        'Fine-tuning': '--method finetune --memory 0', 'iCaRL': '--method icarl', 'BiC': '--method bic', 'LUCIR': '--method lucir', 'WA': '--method wa', 'Mnemonics': '--method mnemonics',
        # do blends need epochs?
        'Base, two epochs': '--method base --epochs 2', 'Mixup, two epochs': '--method mixup --epochs 2', 'AKR, two epochs': '--method akr --epochs 2'}),
    small_cifar100=dict(data='cifar100', settings=SMALL, variants={
        **METHODS,
        'AKR, prior': AKR,
        'AKR, no prior': f'{AKR} --no-prior',
        'AKR, prior, challenge': f'{AKR} --objective challenge',
        # does bfloat16 cost accuracy? The same as above, but for the precision
        'Base, bfloat16': '--method base --precision bfloat16',
        'AKR, bfloat16': f'{AKR} --precision bfloat16'}),
    # the published methods on the same protocol; the sigmoid loss of iCaRL is a mean over classes and needs a higher rate
    methods=dict(data='cifar100', settings=SMALL, variants={
        'Fine-tuning': '--method finetune --memory 0',
        'iCaRL': '--method icarl --lr 1 --weight-decay 5e-5',
        'BiC': '--method bic',
        'LUCIR': '--method lucir',
        'WA': '--method wa',
        "Base, WA's weighting": '--method base --weighting ratio --distill 0.25', # BiC's as well: what is left to their corrections
        'Mnemonics': '--method mnemonics',
        'Mnemonics, steps of 1': '--method mnemonics --pixel-lr 1', # the default at first
        'Mnemonics, one level': '--method mnemonics --pixel-lr 1 --level means',
        'Base, half first': '--method base --base 6 --step 3',
        'LUCIR, half first': '--method lucir --base 6 --step 3',
        'Mnemonics, half first': '--method mnemonics --base 6 --step 3',
        'LUCIR + Mixup': '--method lucir --blend mixup',
        'LUCIR + AKR': '--method lucir --blend attentive --warmup 10',
        'WA + Mixup': '--method wa --blend mixup',
        'WA + AKR': '--method wa --blend attentive --warmup 10'}),
    # does bfloat16 cost accuracy? The defaults of the digits in float32; `digits` is in bfloat16 where the processor has it
    precision=dict(data='digits', settings='--precision float32', variants={**METHODS, 'AKR': '--method akr'}),
    # AKR with one setting changed; its reference, unchanged, is 'AKR, prior' of small_cifar100
    ablation=dict(data='cifar100', settings=SMALL, variants={
        'rate 2e-6': f'{AKR} --attention-lr 2e-6',
        'rate 1e-3': f'{AKR} --attention-lr 1e-3',
        'sees the features': f'{AKR} --sees features',
        'sees the change': f'{AKR} --sees change',
        'pairs mixed': f'{AKR} --pairing mixed',
        'pairs of exemplars': f'{AKR} --pairing exemplars',
        'entropy-free loss': f'{AKR} --entropy-free',
        'regulariser 0.1': f'{AKR} --attention-reg 0.1',
        'bound 1': f'{AKR} --max-shift 1',
        'no prior, challenge': f'{AKR} --no-prior --objective challenge',
        'no warm-up': '--method akr --warmup 0',
        'warm-up 30': '--method akr --warmup 30',
        'alpha 0.4': f'{AKR} --alpha 0.4 0.4',
        'memory 60': f'{AKR} --memory 60',
        'memory 240': f'{AKR} --memory 240',
        'Base, memory 60': '--method base --memory 60',
        'Base, memory 240': '--method base --memory 240',
        'Mixup, memory 60': '--method mixup --memory 60',
        'Mixup, memory 240': '--method mixup --memory 240'}),
)
KEEP = ('average_incremental_accuracy', 'average_incremental_accuracy_without_first', 'last_accuracy', 'forgetting')

def command(protocol, variant, seed, data=None):
    "The words of the command that makes a run."
    return f"akr train --data {data or protocol['data']} {protocol['settings']} {protocol['variants'][variant]} --seed {seed}".split()

def settings(words):
    "The settings that the options of a command give."
    return given_settings(parse(make_parser(), words))

def cell(protocol, variant, seed, data):
    "The run that this command makes, for `akr.compare`; its label has what the variant says, protocol or not."
    own = settings(['train', *protocol['variants'][variant].split()])
    cfg = whole_paths(configure(**settings(command(protocol, variant, seed, data)[1:])))
    return Cell(cfg, tuple(k for k in own if k not in ('method', 'blend', 'recipe')))

def figures(protocol, variant, seed, out, data, commit):
    "What is kept of a run."
    m, c = (json.loads((out/f).read_text()) for f in ('metrics.json', 'config.json'))
    epochs = [json.loads((out/f"phase_{p['phase']:02d}"/'result.json').read_text())['epochs'] for p in m['phases']]
    if c['config']['blend'] == 'none': epochs = [] # it has no weights to show
    short = lambda v: None if v is None else round(v, 4)
    return dict(variant=variant, seed=seed, commit=commit, command=' '.join(command(protocol, variant, seed, data)), versions=c['versions'], data=c['data']['fingerprint'], **{k: m[k] for k in KEEP},
                seen=[p['seen'] for p in m['phases']], top1=[p['top1'] for p in m['phases']], seconds=[{k: round(s, 2) for k, s in p['seconds'].items()} for p in m['phases']],
                weights=[dict(hist=e[-1]['hist'], **{k: [short(x[k]) for x in e] for k in ('std', 'new', 'exemplar')}) for e in epochs])

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('protocol', choices=PROTOCOLS); p.add_argument('--data', help='where the images are, if not where the protocol says'); p.add_argument('--download', action='store_true')
    p.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3]); p.add_argument('--jobs', type=int, default=os.cpu_count(), help='runs at once, one thread each')
    p.add_argument('--variants', nargs='+'); p.add_argument('--runs', type=Path, default=Path('runs')); p.add_argument('--commit', default='', help='the commit that was run')
    a = p.parse_args()
    protocol, out = PROTOCOLS[a.protocol], Path(__file__).with_name(f'{a.protocol}.json')
    cells = {(v, s): cell(protocol, v, s, a.data) for s in a.seeds for v in a.variants or protocol['variants']}
    rows, failed = compare(list(cells.values()), a.runs/a.protocol, 'cpu', a.jobs, threads=1, download=a.download)
    done = {(r['method'], r['seed']) for r in rows}
    data = 'folder:PATH' if str(a.data).startswith('folder:') else a.data # whose folder it was is of no use to others
    commit = a.commit or subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=out.parent).stdout.strip()
    runs = {(v, s): figures(protocol, v, s, a.runs/a.protocol/c.name, data, commit) for (v, s), c in cells.items() if (c.label, s) in done}
    if out.exists(): runs = {(r['variant'], r['seed']): r for r in json.loads(out.read_text())['runs']} | runs # what another call made stays
    rank = list(protocol['variants'])
    runs = sorted(runs.values(), key=lambda r: (r['seed'], rank.index(r['variant'])))
    how = dict(made_by=f'python nbs/results/make.py {a.protocol}' + f' --data {data}'*(data is not None), machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), {a.jobs} runs at once, one thread each')
    out.write_text(json.dumps(dict(**how, runs=runs), separators=(',', ':')).replace('{"variant"', '\n{"variant"') + '\n')
    for k, v in failed.items(): print(f'{k}: {v}', file=sys.stderr)
    return int(bool(failed))

if __name__ == '__main__': sys.exit(main())
