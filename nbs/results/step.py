"""Is a training step slower than it was? Two checkouts of akr, each in a process of its own, train by turns.

    git worktree add ../old eaea98a
    python nbs/results/step.py ../old . step.json

Each trains ResNet-20 on noise of 3 x 16 x 16 pixels in its second phase, batches of 64, one thread, float32, not compiled: in each
round 20 steps of the one, then 20 of the other, in the next round the other way round. Reported is the ratio of the seconds,
new to old, round by round: its median, and where the middle half of the rounds lies."""
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

METHODS, ROUNDS, STEPS = ('base', 'akr', 'lucir'), 25, 20
CHILD = '''
import sys, time
import torch
torch.set_num_threads(1)
from akr.augment import batches
from akr.config import configure
from akr.core import generator
from akr.data import from_arrays
from akr.learner import Learner
from akr.stream import Stream

x = torch.randint(0, 256, (800, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
data = from_arrays(x, torch.arange(800) % 8, x[:80], torch.arange(80) % 8, name='digits')
cfg = configure('digits', sys.argv[1], base=4, step=4, classes=8, memory=200, depth=20, width=16, batch=64, epochs=1, precision='float32', compile='no')
if hasattr(Stream, 'of'):
    stream = Stream.of(cfg, data); l = Learner.of(cfg, stream); l.learn(stream[0]); p = l.start(stream[1]); net, size = l.net, len(p.x)
    def step(i, g): return p.step(i, .01, l.blender.starts(cfg.epochs), g)
else:
    from akr.config import config_sizes
    stream = Stream(data, config_sizes(cfg, 8), cfg.order); l = Learner.for_stream(cfg, stream); l.learn(stream[0]); l.start_phase(stream[1]); net, size = l.net, len(l.x)
    def step(i, g): return l.step(i, .01, l.blender.attends, g)
rows, g = batches(size, 64, generator(0)), generator(1)
net.train()
for k in range(5): step(rows[k % len(rows)], g)
print('ready', flush=True)
for line in sys.stdin:
    t0 = time.perf_counter()
    for k in range(int(line)): step(rows[k % len(rows)], g)
    print(time.perf_counter()-t0, flush=True)
'''

def child(checkout, method):
    env = {**os.environ, 'PYTHONPATH': str(Path(checkout).resolve()), 'OMP_NUM_THREADS': '1', 'MKL_NUM_THREADS': '1'}
    p = subprocess.Popen([sys.executable, '-c', CHILD, method], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline().strip() == 'ready'
    return p

def seconds(p):
    print(STEPS, file=p.stdin, flush=True)
    return float(p.stdout.readline())

def commit(checkout): return subprocess.run(['git', '-C', checkout, 'rev-parse', 'HEAD'], capture_output=True, text=True).stdout.strip()

if __name__ == '__main__':
    old, new, out = sys.argv[1:4]
    sys.path.insert(0, str(Path(__file__).parent))
    from same import where
    result = dict(made_by='python nbs/results/step.py OLD NEW step.json', old=commit(old), new=commit(new), where=where(), rounds=ROUNDS, steps=STEPS, methods={})
    for m in METHODS:
        both = [child(old, m), child(new, m)]
        ratios, ms = [], []
        for r in range(ROUNDS+1):
            spent = {}
            for k in ((0, 1) if r % 2 else (1, 0)): spent[k] = seconds(both[k])
            if r: ratios.append(round(spent[1]/spent[0], 4)); ms.append([round(1000*spent[k]/STEPS, 3) for k in (0, 1)])
        for p in both: p.kill()
        q = statistics.quantiles(ratios, n=4)
        result['methods'][m] = dict(ratio=round(statistics.median(ratios), 4), middle_half=[round(q[0], 4), round(q[2], 4)], ratios=ratios, ms=ms)
        print(f"{m}: a step takes {statistics.median(ratios):.3f} times as long (middle half {q[0]:.3f} to {q[2]:.3f})", flush=True)
    Path(out).write_text(json.dumps(result)+'\n')
