"""Does a change of the code change a figure? Nine methods on the digits, two seeds, and one run of each that is stopped and resumed.

    python nbs/results/same.py write same.json     before the change
    python nbs/results/same.py check same.json     after it: exit code 1 and the first difference, if there is one

Every run is one command, `akr train --method M --seed S --epochs 4 --depth 8 --precision float32 --compile no`, with one thread.
Compared are hits of every class, losses and blending weights of every epoch, to the last digit.
On another processor or PyTorch the last digits may differ; the file says on which they were made."""
import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

METHODS = ('finetune', 'icarl', 'bic', 'lucir', 'wa', 'mnemonics', 'base', 'mixup', 'akr')
SEEDS = (1, 2)
STOPPED = ('akr', 'lucir', 'mnemonics') # methods that are stopped and resumed among the few
OPTIONS = '--epochs 4 --depth 8 --precision float32 --compile no --quiet'.split()
ONE = {'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
STOP = """
import sys
from akr.cli import main
from akr import log
class Enough(Exception): pass
make = log.JsonLines.__call__
def stop(self, event):
    make(self, event)
    if (event['kind'], event['phase'], event.get('epoch')) == ('epoch', 3, 2): raise Enough
log.JsonLines.__call__ = stop
try: main(sys.argv[1:])
except Enough: print('stopped in phase 3, after epoch 2')
"""

def command(method, seed): return ['train', '--method', method, '--seed', str(seed), *OPTIONS]

def run(argv, code=None):
    "An akr command in a process of its own, with one thread."
    start = [sys.executable, '-c', code] if code else [sys.executable, '-m', 'akr']
    return subprocess.run([*start, *argv], env={**os.environ, **ONE}, check=True, capture_output=True, text=True).stdout

def figures(folder):
    "What must stay the same: of each phase the hits, and of each epoch the loss and the weights."
    out = []
    for f in sorted(Path(folder).glob('phase_*/result.json')):
        r = json.loads(f.read_text())
        out.append(dict(hits=r['hits'], epochs=[{k: e[k] for k in ('loss', 'attends', 'std', 'new', 'exemplar', 'hist')} for e in r['epochs']]))
    return out

def measure_method(m, d, say, few=False):
    "The runs of one method: each seed, and the first seed once more, stopped and resumed. A few: the first seed, and some of the others."
    runs = {}
    for s in SEEDS[:1] if few else SEEDS:
        path = d/f'{m}-{s}'
        run([*command(m, s), '--out', path])
        config = json.loads((path/'config.json').read_text())['config']
        runs[f'{m} seed {s}'] = dict(command='akr ' + ' '.join(command(m, s)), config=config, figures=figures(path))
    if few and m not in STOPPED: return runs
    path = d/f'{m}-resumed'
    told = run([*command(m, 1), '--save-every', '1', '--out', path], STOP)
    assert 'stopped in phase 3' in told and len(figures(path)) == 2, told
    run(['train', '--resume', path, '--quiet'])
    how = 'the same, stopped in phase 3 after epoch 2, then akr train --resume'
    runs[f'{m} seed 1, resumed'] = dict(command=how, figures=figures(path))
    say(m)
    return runs

def measure(say=lambda text: print(text, flush=True), few=False):
    "All runs, as many at once as there are cores: each has one thread, so that changes nothing."
    with tempfile.TemporaryDirectory() as d, ThreadPoolExecutor(os.cpu_count()) as pool:
        each = list(pool.map(lambda m: measure_method(m, Path(d), say, few), METHODS))
    return {k: r for runs in each for k, r in runs.items()}

def processor():
    try: return next(l.split(':')[1].strip() for l in open('/proc/cpuinfo') if l.startswith('model name'))
    except (OSError, StopIteration): return platform.processor()

def where():
    from importlib.metadata import version
    return dict(cpu=processor(), threads=1, python=platform.python_version(), **{p: version(p) for p in ('torch', 'numpy')})

def differences(old, new):
    return [k for k in new if old[k]['figures'] != new[k]['figures']]

if __name__ == '__main__':
    what, file = sys.argv[1], Path(sys.argv[2])
    if what == 'write':
        commit = subprocess.run(['git', 'rev-parse', 'HEAD'], capture_output=True, text=True).stdout.strip()
        file.write_text(json.dumps(dict(made_by='python nbs/results/same.py write same.json', commit=commit, where=where(), runs=measure()), indent=None, separators=(',', ':'))+'\n')
    else:
        old = json.loads(file.read_text())
        if old['where'] != where():
            print(f"nothing is compared: the figures were made on {old['where']}, and this is {where()}")
            sys.exit(0)
        new = measure(few=what == 'check-few')
        odd = differences(old['runs'], new)
        print('\n'.join(f'{k} differs' for k in odd) or f"{len(new)} of {len(old['runs'])} runs: the same to the last digit")
        sys.exit(bool(odd))
