"""Drills: breaks runs on purpose, mends them, and counts what came out the same.

    python nbs/results/drill.py kill --n 100     kill -9 at random moments, then resume
    python nbs/results/drill.py fault            a file system that fails at each of its calls in turn, then resume
    python nbs/results/drill.py fuzz --n 20000   damaged images, and a hundredth as many damaged runs (needs hypothesis)
    python nbs/results/drill.py words --n 5000   calls of the command with strange words and settings files
    python nbs/results/drill.py driver --n 24    kill the process of a comparison, then the same command again (Linux)
    python nbs/results/drill.py loads --n 500    loads of a classifier while another process saves two models by turns
    python nbs/results/drill.py savers --n 200   pairs of processes that save a classifier into one place at once
    python nbs/results/drill.py models --n 240   classifier folders that somebody else has written, with right checksums; links, pipes, devices

Each writes its outcome into drills.json beside this file (--out FILE: elsewhere; --out -: nowhere). Exit code 1 if anything came out wrong.
A resumed run must have the very bytes of the uninterrupted one in every file of tensors, and the same metrics and log, times aside.
"""
import argparse
import contextlib
import errno
import io
import json
import os
import platform
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

import safetensors.torch
import torch
from PIL import Image

from akr.classifier import IncrementalClassifier
from akr.config import configure
from akr.core import InputError, load_json, save_json, versions
from akr.data import load_data
from akr.images import decode
from akr.log import read_log, untimed
from akr.run import evaluate_run
from akr.store import MANIFEST, checksum, damage
from akr.train import resume, train

def settings(kind):
    "A run of all parts (attention, its optimiser, exemplars, five phases) in about two seconds; for the faults, two phases."
    return configure(epochs=3, warmup=1, depth=8, width=4, batch=64, memory=40, **(dict() if kind == 'kill' else dict(classes=4, base=2, step=2)))

def state(path):
    "What must come out the same: the checksum of every file of tensors, the metrics, and each line of log.jsonl, without the times."
    m = load_json(Path(path)/'metrics.json')
    for p in m['phases']: del p['seconds'], p['images_per_second']
    files = {str(f.relative_to(path)): checksum(f) for f in sorted(Path(path).rglob('*.safetensors')) if '.damaged' not in str(f)}
    return dict(metrics=m, files=files, log=[untimed(e) for e in read_log(path)])

def reference(cfg, here):
    t0 = time.perf_counter()
    train(cfg, here/'reference', 'cpu', progress=False, save_every=1)
    return state(here/'reference'), time.perf_counter()-t0

# ---- kill -9

def child(cfg, path):
    "Train or go on in a process of its own; its id."
    pid = os.fork()
    if pid: return pid
    try:
        with open(os.devnull, 'w') as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            if (path/'config.json').exists(): resume(path, 'cpu', progress=False, save_every=1)
            else: train(cfg, path, 'cpu', progress=False, save_every=1)
        os._exit(0)
    except BaseException as e:
        print(f'{type(e).__name__}: {e}', file=sys.__stderr__)
        os._exit(1)

def kill_drill(n, seed, here):
    "Runs that are killed at a random moment, some of them more than once, until `n` kills have hit; each is then finished."
    cfg, rng = settings('kill'), random.Random(seed)
    want, seconds = reference(cfg, here)
    kills, runs, wrong, moments = 0, 0, [], []
    while kills < n:
        path, code = here/f'run{runs}', None
        runs += 1
        while code != 0:
            pid = child(cfg, path)
            if kills < n: # the last one is left to finish
                time.sleep(rng.uniform(0, 1.1*seconds))
                os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            if os.WIFSIGNALED(status):
                kills += 1
                there = sorted(d.name for d in path.iterdir() if d.is_dir()) if path.exists() else []
                moments.append('before config.json' if not (path/'config.json').exists() else 'while a folder was written' if any(d.startswith('.phase') for d in there) else 'within a phase' if any('_epoch_' in d for d in there) else 'else')
                if rng.random() < .6: continue # go on, and perhaps be killed again
                pid = child(cfg, path); _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code: wrong.append(f'run {runs}: exit code {code} after a kill'); break
        if code == 0 and state(path) != want: wrong.append(f'run {runs}: its files differ')
        shutil.rmtree(path, ignore_errors=True)
    return dict(kills=kills, runs=runs, same=runs-len(wrong), wrong=wrong, hit={m: moments.count(m) for m in dict.fromkeys(moments)}, seconds_of_a_run=round(seconds, 2))

# ---- a file system that fails

CALLS = ('os.fsync', 'os.replace', 'os.fdopen', 'os.chmod', 'tempfile.mkstemp', 'tempfile.mkdtemp', 'os.open')

@contextlib.contextmanager
def failing(name, at, error):
    "The `at`-th call of a function of the file system fails, and so do all later ones if the disk is full."
    module, f = name.split('.')
    real, count = getattr(sys.modules[module], f), [0]
    def call(*a, **k):
        count[0] += 1
        if count[0] == at or (error == errno.ENOSPC and count[0] > at): raise OSError(error, os.strerror(error))
        return real(*a, **k)
    with mock.patch(name, call): yield count

def fault_drill(here):
    "Fail each call of each function once, and once for good; then resume without faults."
    cfg = settings('fault')
    want, _ = reference(cfg, here)
    tried, stopped, wrong = {}, 0, []
    for name in CALLS:
        with failing(name, 0, errno.EIO) as count: train(cfg, here/'count', 'cpu', progress=False, save_every=1)
        shutil.rmtree(here/'count')
        for at in range(1, count[0]+1):
            for error in (errno.EIO, errno.ENOSPC):
                path, what = here/'faulty', f'{name}, call {at}, {os.strerror(error)}'
                tried[name] = tried.get(name, 0)+1
                try:
                    with failing(name, at, error): train(cfg, path, 'cpu', progress=False, save_every=1)
                except (OSError, InputError): stopped += 1
                except BaseException as e: wrong.append(f'{what}: {type(e).__name__}: {e}')
                try:
                    if (path/'config.json').exists(): resume(path, 'cpu', progress=False, save_every=1)
                    else: train(cfg, path, 'cpu', progress=False)
                    if state(path) != want: wrong.append(f'{what}: its files differ')
                    left = [p.name for p in path.rglob('.*') if p.name != '.lock']
                    if left: wrong.append(f'{what}: left {left}')
                except BaseException as e: wrong.append(f'{what}, resumed: {type(e).__name__}: {e}')
                shutil.rmtree(path, ignore_errors=True)
    n = sum(tried.values())
    return dict(faults=n, calls=tried, stopped_the_run=stopped, same=n-len(wrong), wrong=wrong)

# ---- damaged files

def mutations():
    "Hypothesis' choice of up to sixteen changes to a file, each an action, a place, a length and a number."
    from hypothesis import strategies as st
    one = st.tuples(st.sampled_from(('flip', 'cut', 'repeat', 'fill', 'number', 'end')), st.floats(0, 1, exclude_max=True), st.sampled_from((1, 2, 4, 8, 64)), st.sampled_from((0, 1, 2, 127, 128, 255, 65535, 1 << 20, 2**31-1, 2**32-1)))
    return st.lists(one, min_size=1, max_size=16)

def mutate(b, changes):
    "Bytes with these changes."
    b = bytearray(b)
    for how, where, k, v in changes:
        i = int(where*len(b))
        if how == 'flip' and b: b[i] ^= 1 << (v % 8)
        elif how == 'cut': del b[i:i+k]
        elif how == 'repeat': b[i:i] = b[i:i+k]
        elif how == 'fill': b[i:i+k] = bytes([v & 255])*min(k, len(b)-i)
        elif how == 'number': b[i:i+4] = v.to_bytes(4, ('little', 'big')[k == 1])
        elif how == 'end': del b[i:]
    return bytes(b)

def hunt(check, n, seed, *strategies):
    "Let hypothesis try `check` on `n` examples; the smallest failing one as text, or nothing."
    from hypothesis import HealthCheck, given, settings
    from hypothesis import seed as seeded
    test = seeded(seed)(settings(max_examples=n, deadline=None, database=None, suppress_health_check=list(HealthCheck))(given(*strategies)(check)))
    try: test()
    except BaseException as e: return [f"{type(e).__name__}: {e} {' '.join(getattr(e, '__notes__', []))}"[:600]]
    return []

def seeds():
    "Small valid images in every format that is read."
    out, rng = [], random.Random(0)
    for mode, formats in dict(RGB=('PNG', 'JPEG', 'BMP', 'GIF', 'WEBP', 'TIFF', 'PPM'), L=('PNG', 'JPEG', 'TIFF'), RGBA=('PNG', 'WEBP', 'TIFF'), P=('PNG', 'GIF'), CMYK=('JPEG', 'TIFF'), LA=('PNG',)).items():
        im = Image.frombytes('RGB', (24, 17), rng.randbytes(24*17*3)).convert(mode)
        for f in formats:
            b = io.BytesIO(); im.save(b, f); out.append((f.lower(), b.getvalue()))
    b = io.BytesIO(); Image.frombytes('RGB', (9, 9), rng.randbytes(243)).save(b, 'GIF', save_all=True, append_images=[Image.new('RGB', (9, 9))]); out.append(('gif', b.getvalue()))
    b = io.BytesIO(); Image.frombytes('I;16', (24, 17), rng.randbytes(24*17*2)).save(b, 'PNG'); out.append(('png', b.getvalue()))
    return out

def fuzz_images(n, seed, here):
    "Damaged images: each must be read into the right shape, or refused by an ordinary exception, within ten seconds."
    import warnings
    from hypothesis import strategies as st
    images, count = seeds(), dict(tried=0, read=0, slowest=0.)
    class Late(BaseException): "Not to be caught on the way."
    def late(*_): raise Late('more than ten seconds')
    signal.signal(signal.SIGALRM, late)
    def check(k, changes):
        file, t0 = here/f'image.{images[k][0]}', time.perf_counter()
        file.write_bytes(mutate(images[k][1], changes))
        count['tried'] += 1
        signal.alarm(10)
        try:
            a = decode(file, 8)
            assert a.shape == (3, 8, 8) and a.dtype.name == 'uint8', f'{a.shape} {a.dtype}'
            count['read'] += 1
        except AssertionError: raise
        except Exception: pass # `decode_all` turns it into one line of its message
        finally: signal.alarm(0)
        count['slowest'] = max(count['slowest'], time.perf_counter()-t0)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        wrong = hunt(check, n, seed, st.integers(0, len(images)-1), mutations())
    return dict(images=count['tried'], read=count['read'], refused=count['tried']-count['read']-len(wrong), slowest_seconds=round(count['slowest'], 2), wrong=wrong)

def fuzz_runs(n, seed, here):
    "Damaged runs: `evaluate_run` and `resume` must finish, or raise an `InputError`; afterwards every file is right, set aside, or named as damaged."
    from hypothesis import strategies as st
    cfg, count = settings('fuzz'), dict(runs=0, refused=0, named=0, mended=0, unharmed=0)
    want, _ = reference(cfg, here)
    files = sorted(f.relative_to(here/'reference') for f in (here/'reference').rglob('*') if f.is_file() and f.name != '.lock')
    def check(k, changes):
        path = here/'damaged'
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(here/'reference', path)
        file = path/files[k]
        old = file.read_bytes(); new = mutate(old, changes); file.write_bytes(new)
        count['runs'] += 1
        try: evaluate_run(path, 'cpu')
        except InputError: pass
        try: resume(path, 'cpu', progress=False)
        except InputError: count['refused'] += 1; return
        mended = list(path.glob('*.damaged*')) or file.read_bytes() == old != new
        named = not mended and file.parent != path and damage(file.parent) is not None # nothing is built on an earlier phase any more: it is named, and stays
        if named: file.write_bytes(old)
        assert state(path) == want, f'{files[k]}: the files differ'
        count['named' if named else 'mended' if mended else 'unharmed'] += 1
    wrong = hunt(check, n, seed, st.integers(0, len(files)-1), mutations())
    return dict(**count, wrong=wrong)

# ---- strange words

STRANGE = ['', ' ', '-', '--', '-1', '0', '1', '2', '3', '1e308', '-1e308', '1e-320', '1e999', 'nan', 'inf', '-inf', '99999999999999999999', '9'*5000, '0x10', '1_000', '\u0661', '\u00b2', 'None', 'none', 'null', 'true', 'auto',
           '[]', '{}', '$HOME', '~nosuch', '.', '/dev/null', '\x1b[31m', '\x00', '\n', '\ud800', '\u00e9', 'x'*300, 'x/'*200, 'digits', 'folder:', 'folder:.', 'folder:\x00', 'folder:~nosuch/x', ':', 'akr:', 'akr:x', 'akr:=', 'akr:lr=',
           'akr:lr=x', 'akr:alpha=1/', 'akr+', 'akr@', 'base+attentive', 'lucir:margin=1e308', 'tfs:0', 'tfs:99999999999', 'tfh:-1', 'tfs:', 'tfs:1.5', 'seed:', 'seed:x', 'seed:99999999999999999999', '0,1', '0,1,2,3,4,5,6,7,8,9', '9'*400+',1',
           'cuda', 'cuda:\u00b2', 'cuda:99', 'cpu:0', 'meta', 'base', 'mixup', 'attentive', 'cosine', 'float64', 'measure', '--help', '-h', '%s', '%(prog)s', '{}'*99]
ODD = [None, True, False, 0, -1, 1, 2.5, 1e308, 10**30, '', 'x', '1', [], [1], [None], [[1]], ['x', 2], {}, {'a': 1}, [1e308, 1e308]] # values in a JSON file
PAPER_WORDS = ['--c', '--model', '--method', '--name', '-order', '-init_base', '-inc', '--alpha', '-e', '-sc', '-wp', '-alr', '-lrds', '-arl', '-mp', '-fn', '-seed', '--memory', '--data']
SPARED = {'--download', '--print-completion', '-h', '--help', '--help-all', '--version'} # nothing is fetched; the others only print

def strange_call(rng, of, run, image, here):
    "The words of a call: most are what somebody may type, some are not."
    value = lambda: rng.choice(STRANGE)
    if rng.random() < .08: return [w for f in rng.sample(PAPER_WORDS, rng.randint(1, 5)) for w in (f, value())]
    command = rng.choice(['train']*4 + ['compare']*3 + ['bench', 'eval', 'plot', 'predict', 'data', value()])
    small = ['--depth', '8', '--width', '4', '--device', 'cpu']
    words = [command] + dict(train=['--dry-run', *small], compare=['--dry-run', '--methods', 'base', '--seeds', '1', *small], bench=['--data', 'digits', *small[:4]],
                             eval=[run], plot=[run], predict=[run, image], data=['check', here/'photos']).get(command, [])
    if rng.random() < .1: words = words[:rng.randint(1, len(words))]
    if rng.random() < .1: words[rng.randrange(len(words))] = value()
    actions = [a for a in of[command]._actions if a.option_strings and not set(a.option_strings) & SPARED] if command in of else []
    for a in rng.sample(actions, rng.randint(0, min(3, len(actions)))):
        option = rng.choice(a.option_strings)
        if a.nargs == 0: words.append(option); continue
        given = [str(rng.choice(list(a.choices))) if a.choices and rng.random() < .5 else value() for _ in range(rng.randint(1, 3) if a.nargs == '+' else 1)]
        words += [f'{option}={given[0]}', *given[1:]] if rng.random() < .3 else [option, *given]
    if command == 'train' and rng.random() < .3:
        method = rng.choice(('akr', 'base', 'wa', 'lucir', 'mnemonics'))
        d = dict(configure(method=method, depth=8, width=4).to_dict())
        for k in rng.sample(list(d), rng.randint(1, 2)): d[k] = rng.choice(ODD)
        d = rng.choice([d, d, d, d, dict(config=d), dict(config=rng.choice(ODD)), rng.choice(ODD), {**d, rng.choice(('', 'x', 'after')): rng.choice(ODD)}])
        (here/'odd.json').write_text(json.dumps(d))
        words = ['train', '--dry-run', '--config', here/'odd.json'] + words[2:]*(rng.random() < .3)
    return [str(w) for w in words]

def words_drill(n, seed, here):
    "Calls of the command with strange words, in this process: each must end with an exit code, and no traceback, within half a minute."
    import resource
    import traceback
    import warnings
    from collections import Counter

    from akr import cli
    from akr.bench import check_bench
    from akr.command import subcommands
    from akr.compare import expected
    rng, codes, wrong, slowest = random.Random(seed), Counter(), [], (0., '')
    train(settings('fault'), here/'run', 'cpu', progress=False)
    for c in 'ab':
        (here/'photos'/c).mkdir(parents=True)
        for k in range(3): Image.frombytes('RGB', (9, 9), rng.randbytes(243)).save(here/'photos'/c/f'{k}.png')
    (here/'cwd').mkdir(); os.chdir(here/'cwd')
    of = subcommands(cli.make_parser()).choices
    class Late(BaseException): "Not to be caught on the way."
    def late(*_): raise Late('more than half a minute')
    signal.signal(signal.SIGALRM, late)
    def no_training(cfg, out=None, device='auto', download=False, cache_dir=None, **_): print(expected(cfg, out or 'out', 'cpu', False, cache_dir)); raise SystemExit(0)
    def no_bench(data='cifar100', methods=(), against=(), also=(), out=None, where=None, device='cpu', timing=None, **given): check_bench(methods, against, also, out); configure(data, **given); raise SystemExit(0)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize() if Path('/proc').exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + 4*2**30, limit[1])) # a call that wants more is told so by the system
    for k in range(n):
        words = strange_call(rng, of, here/'run', here/'photos'/'a'/'0.png', here)
        t0, out = time.perf_counter(), io.StringIO()
        signal.alarm(30)
        try:
            with mock.patch.object(cli, 'train', no_training), mock.patch.object(cli, 'bench', no_bench), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                code = cli.main(words)
            codes[str(code)] += 1
            if code not in (0, 1, 2) or 'Traceback' in out.getvalue(): wrong.append(f'{words}: exit code {code}')
        except BaseException as e: wrong.append(f"{[w[:60] for w in words]}: {type(e).__name__}: {str(e)[:200]} at {traceback.extract_tb(e.__traceback__)[-1].name}")
        finally: signal.alarm(0)
        slowest = max(slowest, (time.perf_counter()-t0, ' '.join(w[:40] for w in words)[:300]))
        torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, limit)
    os.chdir(here)
    return dict(calls=n, exit_codes=dict(sorted(codes.items())), slowest_seconds=round(slowest[0], 2), slowest=slowest[1], wrong=wrong)

# ---- the driver of a comparison

def processes_of(path):
    "Ids of the processes that have a folder in their command line."
    own, found = str(path).encode(), []
    for d in Path('/proc').iterdir():
        with contextlib.suppress(OSError):
            if d.name.isdecimal() and own in (d/'cmdline').read_bytes() and not (d/'stat').read_text().rpartition(')')[2].startswith(' Z'): found.append(int(d.name))
    return found

def table_of(out):
    "What must come out the same of a comparison: its tables, and the checksum of every file of tensors."
    rows = [{k: v for k, v in r.items() if k not in ('seconds', 'versions', 'machine')} for r in load_json(out/'table.json')['runs']]
    return dict(rows=rows, files={str(f.relative_to(out)): checksum(f) for f in sorted(out.rglob('*.safetensors'))}, **{k: (out/f'table.{k}').read_text() for k in ('md', 'csv', 'tex')})

def driver_drill(n, seed, here):
    "Kill the process of `akr compare` at a random moment (every fourth time its terminal is closed), then give the same command again."
    rng, wrong, lived, moments = random.Random(seed), [], [], []
    words = 'compare --methods base akr --schemes tfs:2 --seeds 1 --classes 4 --epochs 3 --depth 8 --width 4 --batch 64 --memory 40 --device cpu --jobs 2 --threads 1'.split()
    def start(out): return subprocess.Popen([sys.executable, '-P', '-m', 'akr', *words, '--out', str(out)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    t0 = time.perf_counter()
    p = start(here/'reference'); said = p.communicate()[0]
    seconds = time.perf_counter()-t0
    if p.returncode: return dict(kills=0, same=0, wrong=[f'the reference failed: {said[-500:]}'])
    want = table_of(here/'reference')
    for k in range(n):
        out, how = here/f'killed{k}', signal.SIGHUP if k % 4 == 3 else signal.SIGKILL
        p = start(out)
        time.sleep(rng.uniform(.1, seconds))
        ended = p.poll() is not None
        jobs = [i for i in processes_of(out) if i != p.pid]
        moments.append('it had ended' if ended else f"with {len(jobs)} job{'s'*(len(jobs) != 1)}")
        p.send_signal(how); p.communicate()
        t0 = time.perf_counter()
        if k % 2: # else the same command comes at once
            while processes_of(out) and time.perf_counter()-t0 < 60: time.sleep(.02)
            lived.append(time.perf_counter()-t0)
            if alive := processes_of(out): wrong.append(f'kill {k}: {len(alive)} jobs outlived their driver')
        p = start(out); said = p.communicate()[0]
        if p.returncode or 'FAILED' in said: wrong.append(f'kill {k}: exit code {p.returncode} of the same command: {said[-300:]}')
        elif table_of(out) != want: wrong.append(f'kill {k}: another table')
        if alive := processes_of(out): wrong.append(f'kill {k}: {len(alive)} processes are left')
        shutil.rmtree(out, ignore_errors=True)
    return dict(kills=n, same=n-len({w.partition(':')[0] for w in wrong}), wrong=wrong, hit={m: moments.count(m) for m in sorted(set(moments))}, closed_terminals=sum(k % 4 == 3 for k in range(n)), jobs_ended_within_seconds=round(max(lived, default=0.), 2), seconds_of_a_comparison=round(seconds, 1))
# ---- classifiers: loads against a saver, pairs of savers, folders that somebody else has written

def taught(k, device='cpu'):
    "One of two classifiers that differ in all that is saved: labels, weights, exemplars."
    data = load_data('digits')
    x, y = data.x_train[:200], data.y_train[:200]
    names = [f'{"ab"[k]}{i}' for i in range(3+k)]
    rows = [i for i in range(len(y)) if int(y[i]) < len(names)]
    c = IncrementalClassifier('base', size=8, per_class=3, epochs=1, flip=False, device=device, random_state=k, settings=dict(depth=8, width=4, batch=32))
    return c.partial_fit(x[rows], [names[int(y[i])] for i in rows])

def forked(work, count=None):
    "Run `work` in a process of its own; its id. An exception is its exit code 1, and one line."
    pid = os.fork()
    if pid: return pid
    try:
        work()
        os._exit(0)
    except BaseException as e:
        print(f'{type(e).__name__}: {e}', file=sys.__stderr__, flush=True)
        os._exit(1)

def same_answers(c, both, photos):
    "Which of two classifiers a loaded one is, by labels, weights and exemplars; None: a mixture."
    for k, one in enumerate(both):
        if c.classes_.tolist() == one.classes_.tolist() and torch.equal(torch.from_numpy(c.predict_proba(photos)), torch.from_numpy(one.predict_proba(photos))) and torch.equal(c.learner_.memory.x, one.learner_.memory.x): return k
    return None

def loads_drill(n, here):
    "Loads while another process saves two models by turns, as fast as it can; every second time it keeps no earlier version."
    both, photos, path = [taught(0), taught(1)], load_data('digits').x_test[:20], here/'model'
    both[0].save(path)
    def saver():
        k = 0
        while True: k += 1; both[k%2].save(path, previous=bool(k%4 < 2))
    pid, found, wrong, t0 = forked(saver), [0, 0], [], time.perf_counter()
    try:
        for i in range(n):
            try: k = same_answers(IncrementalClassifier.load(path), both, photos)
            except Exception as e: wrong.append(f'load {i+1}: {type(e).__name__}: {e}'); continue
            if k is None: wrong.append(f'load {i+1}: a mixture')
            else: found[k] += 1
    finally:
        os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    both[0].save(path) # sweeps away what the kill left
    left = sorted(p.name for p in here.iterdir() if p.name not in ('model', 'model.previous'))
    if left: wrong.append(f'left over: {left}')
    return dict(loads=n, of_each=found, mixed=sum('mixture' in w for w in wrong), loads_per_second=round(n/(time.perf_counter()-t0), 1), wrong=wrong)

def savers_drill(n, here):
    "Pairs of processes that save into one place at the same moment; in every tenth pair one of them is killed on the way."
    both, photos, wrong, last, killed, rng = [taught(0), taught(1)], load_data('digits').x_test[:20], [], [0, 0], 0, random.Random(1)
    for i in range(n):
        path, gate = here/f'pair{i}'/'model', time.time()+.05
        path.parent.mkdir()
        if i%2: both[0].save(path)
        def saver(k):
            while time.time() < gate: pass
            both[k].save(path)
        pids, dies = [forked(lambda k=k: saver(k)) for k in ((0, 1), (1, 0))[i//2%2]], i%10 == 9
        if dies:
            time.sleep(max(0, gate-time.time()) + rng.uniform(0, .1))
            os.kill(pids[0], signal.SIGKILL); killed += 1
        codes = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]
        if any(codes[dies:]): wrong.append(f'pair {i+1}: exit codes {codes}')
        try:
            found = [same_answers(IncrementalClassifier.load(p), both, photos) for p in (path, path.with_name('model.previous')) if p == path or not dies or p.exists()]
            last[found[0]] += 1
            if None in found or not (dies or sorted(found) == [0, 1]): wrong.append(f'pair {i+1}: the last and the one before are {found}')
        except Exception as e: wrong.append(f'pair {i+1}: {type(e).__name__}: {e}')
        both[0].save(path) # sweeps away what a kill left
        left = sorted(p.name for p in path.parent.iterdir() if p.name not in ('model', 'model.previous'))
        if left: wrong.append(f'pair {i+1}: left over {left}')
        shutil.rmtree(path.parent)
    return dict(pairs=n, killed=killed, last=last, lost=len(wrong), wrong=wrong)

ODD = (None, True, -1, 0, 1, 7, 1.5, 2**31, 2**62, 2**63, 10**30, 1e308, '', 'x', '1', '../../outside', 'a\0b', '\ud800', 'n'*100_000, [], {}, [[]], [0, 0], [None], {'x': 1}, [1e308]*3, list(range(3000)))
BYTES = (b'', b'{', b'null', b'3', b'"x"', b'[]', b'{}', b'[NaN]', b'\xff\xfe{}', b'\xef\xbb\xbf{}', b'['*100_000, b'{"a":'*100_000, b'[' + b'0,'*3_000_000 + b'0]', b'[1e999]', b'9'*5000)

def places(obj, at=()):
    "Every place within a JSON object: a tuple of keys."
    yield at
    for k, v in (obj.items() if isinstance(obj, dict) else enumerate(obj) if isinstance(obj, list) else ()): yield from places(v, (*at, k))

def change_json(info, rng):
    "Bytes of a JSON file with one place changed: another value, a key less, a key more, a list twice as long; or no JSON at all."
    how = rng.choice(('value', 'value', 'value', 'value', 'less', 'more', 'twice', 'bytes'))
    if how == 'bytes': return rng.choice(BYTES)
    at = rng.choice([p for p in places(info) if p and 'hist' not in p[:-2]])
    inner = info
    for k in at[:-1]: inner = inner[k]
    if how == 'less': del inner[at[-1]]
    elif how == 'more' and isinstance(inner, dict): inner[rng.choice(('kind', 'x', 'self', ''))] = rng.choice(ODD)
    elif how == 'twice' and isinstance(inner[at[-1]], (list, str)): inner[at[-1]] = inner[at[-1]]*2
    else: inner[at[-1]] = rng.choice(ODD)
    return json.dumps(info).encode()

def change_tensors(data, rng):
    "Bytes of a safetensors file with one tensor changed, or damaged bytes."
    if rng.random() < .3:
        n = int.from_bytes(data[:8], 'little')
        return rng.choice((b'', data[:8], data[:8+n], data[:-1], data+b'x', (2**63-1).to_bytes(8, 'little')+data[8:], (1 << 40).to_bytes(8, 'little')+data[8:], data[:8]+b' '*n+data[8+n:], data[:8]+data[8:8+n].replace(b'[0,', b'[9,', 1)+data[8+n:], data[:8]+data[8:8+n].replace(b'F32', b'BOOL', 1)[:n]+data[8+n:], data[:8]+data[8:8+n].replace(b'F32', b'I32', 1)+data[8+n:], data[:8]+rng.randbytes(n)+data[8+n:]))
    tensors = safetensors.torch.load(data)
    k = rng.choice(sorted(tensors))
    v = tensors[k]
    how = rng.choice(('type', 'type', 'shape', 'number', 'number', 'gone', 'added', 'swapped', 'large'))
    if how == 'type': tensors[k] = v.to(rng.choice((torch.bool, torch.int8, torch.int64, torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.float32)))
    elif how == 'shape': tensors[k] = rng.choice((v.flatten(), v[None], v[:0], v.flatten()[:1].clone(), torch.cat([v.flatten()]*2)))
    elif how == 'number': tensors[k] = torch.full_like(v, 1)*rng.choice((-1, 0, 127)) if not v.is_floating_point() else torch.full_like(v, rng.choice((torch.nan, torch.inf, -torch.inf, 3e38, -3e38, 1e-45, -1., 0.)))
    elif how == 'gone': del tensors[k]
    elif how == 'added': tensors[rng.choice(('x', '', '../x', 'head.bias2'))] = torch.zeros(3)
    elif how == 'large': tensors[k] = torch.zeros(2**22)
    else:
        other = rng.choice(sorted(tensors))
        tensors[k], tensors[other] = tensors[other].clone(), tensors[k].clone()
    return safetensors.torch.save({k: v.contiguous() for k, v in tensors.items()})

KINDS_OF_FILES = dict(fifo=lambda f, o: os.mkfifo(f), folder=lambda f, o: f.mkdir(), nothing=lambda f, o: None, zero=lambda f, o: f.symlink_to('/dev/zero'), link=lambda f, o: f.symlink_to(o/f.name), hard=lambda f, o: os.link(o/f.name, f), loose=lambda f, o: f.symlink_to(o/'nowhere'), loop=lambda f, o: f.symlink_to(f.name), tty=lambda f, o: f.symlink_to('/dev/tty'))

def hostile(good, path, outside, rng):
    "A classifier folder as somebody else may have made it, and what was done: mostly with right checksums."
    shutil.copytree(good, path)
    files = sorted(f.name for f in path.iterdir())
    listed = [f for f in files if f != MANIFEST]
    how = rng.choice(('json', 'json', 'json', 'json', 'json', 'tensors', 'tensors', 'tensors', 'manifest', 'file', 'file', 'beside', 'sparse', 'itself'))
    what = ''
    if how in ('json', 'tensors'):
        name = 'classifier.json' if how == 'json' else rng.choice([f for f in listed if f.endswith('.safetensors')])
        data = (path/name).read_bytes()
        (path/name).write_bytes(change_json(json.loads(data), rng) if how == 'json' else change_tensors(data, rng))
        what = name
    seal = {f: dict(bytes=(path/f).stat().st_size, sha256=checksum(path/f)) for f in listed}
    if how == 'manifest':
        name = rng.choice(listed)
        what = rng.choice(('less', 'up', 'absolute', 'types', 'json', 'size'))
        if what == 'less': del seal[name]
        elif what in ('up', 'absolute'): seal[{'up': '../outside/'+name, 'absolute': str(outside/name)}[what]] = seal.pop(name)
        elif what == 'types': seal[name] = rng.choice(ODD)
        elif what == 'size': seal[name]['bytes'] = rng.choice((-1, 2**40, 1.5, True, '1'))
    (path/MANIFEST).write_bytes(change_json(seal, rng) if what == 'json' else json.dumps(seal).encode())
    if how == 'file':
        name, what = rng.choice(files), rng.choice(sorted(KINDS_OF_FILES))
        (path/name).unlink()
        KINDS_OF_FILES[what](path/name, outside)
        what += f' for {name}'
    elif how == 'sparse': # large without being so on the disk
        name = what = rng.choice(files)
        os.truncate(path/name, 1 << 34)
        if name != MANIFEST: (path/MANIFEST).write_text(json.dumps(seal | {name: dict(bytes=1 << 34, sha256='0'*64)}))
    elif how == 'beside': # in the way of a `save`
        what = rng.choice(('.model.new', '.model.old', 'model.previous', '..model.new.01234567'))
        rng.choice((lambda f: f.symlink_to(outside), lambda f: os.mkfifo(f), lambda f: f.symlink_to(outside/'x'), lambda f: (f.mkdir(), (f/'x').symlink_to(outside))))(path.with_name(what))
    elif how == 'itself':
        shutil.rmtree(path)
        what = rng.choice(('link', 'fifo', 'file', 'loop', 'bare'))
        dict(link=lambda: path.symlink_to(outside), fifo=lambda: os.mkfifo(path), file=lambda: path.touch(), loop=lambda: path.symlink_to(path.name), bare=lambda: path.mkdir())[what]()
    return f'{how} {what}'.strip()

def contents(folder):
    "Names, kinds, times and bytes of all that is in a folder."
    def of(f):
        s = f.lstat()
        return s.st_mode, s.st_mtime_ns, s.st_nlink if f.suffix else 0, f.read_bytes() if f.is_file() and not f.is_symlink() else b''
    return {str(f.relative_to(folder)): of(f) for f in sorted(folder.rglob('*'))}

def models_drill(n, seed, here, seconds=30, room=1 << 30):
    "Classifier folders made by somebody else: each is loaded, asked, and saved over, in a process with little time and memory."
    rng, photos = random.Random(seed), load_data('digits').x_test[:20]
    (here/'good').mkdir()
    taught_bic = IncrementalClassifier('bic', size=8, per_class=3, epochs=1, flip=False, device='cpu', settings=dict(depth=8, width=4, batch=32))
    y = load_data('digits').y_train[:120]
    taught_bic.partial_fit(load_data('digits').x_train[:120][y < 5], y[y < 5])
    goods = [c.save(here/'good'/k) for k, c in (('base', taught(0)), ('bic', taught_bic), ('akr', IncrementalClassifier(size=8, per_class=2, epochs=1, flip=False, device='cpu', settings=dict(depth=8, width=4, batch=32, hidden=4)).partial_fit(photos, ['a', 'b']*10)))]
    outside = here/'outside'
    count, wrong, most, slowest, tried = dict(used=0, refused=0), [], 0, 0., {}
    for i in range(n):
        if outside.exists(): shutil.rmtree(outside)
        good, box = goods[i%3], here/'box'
        shutil.copytree(good, outside)
        (outside/'photo.jpg').write_bytes(b'mine')
        box.mkdir()
        what = hostile(good, box/'model', outside, rng)
        tried[what.split()[0]] = tried.get(what.split()[0], 0)+1
        before, hard = contents(outside), 'hard' in what
        ends, tells = os.pipe()
        def use():
            size = int(re.search(r'VmSize:\s+(\d+)', Path('/proc/self/status').read_text())[1])*1024 if sys.platform == 'linux' else 0
            if size: resource.setrlimit(resource.RLIMIT_AS, (size+room, size+room))
            said = 'used'
            try:
                p = IncrementalClassifier.load(box/'model', device='cpu').predict_proba(photos)
                if not torch.from_numpy(p).isfinite().all(): said = 'not a number'
            except InputError: said = 'refused'
            except BaseException as e: said = f'{type(e).__name__}: {e}'
            try: taught_bic.save(box/'model')
            except InputError: pass
            except BaseException as e: said = f'save: {type(e).__name__}: {e}'
            os.write(tells, said[:2000].encode(errors='replace'))
        t0, pid = time.perf_counter(), forked(use)
        os.close(tells)
        while not (done := os.wait4(pid, os.WNOHANG))[0] and time.perf_counter() < t0+seconds: time.sleep(.005)
        hang = not done[0]
        if hang: os.kill(pid, signal.SIGKILL); done = os.wait4(pid, 0)
        with os.fdopen(ends, 'rb') as f: said = f.read().decode() or f'died: {os.waitstatus_to_exitcode(done[1])}'
        most, slowest = max(most, done[2].ru_maxrss*1024), max(slowest, time.perf_counter()-t0)
        after = contents(outside)
        if hang: wrong.append(f'{i+1}, {what}: no end after {seconds} s')
        elif said not in count: wrong.append(f'{i+1}, {what}: {said}')
        else: count[said] += 1
        unnamed = lambda c: {k: (v[0], v[1], v[3]) for k, v in c.items()} # of a hard link one name may go
        if (unnamed if hard else dict)(after) != (unnamed if hard else dict)(before) and not (what == 'itself link' and said in count): wrong.append(f'{i+1}, {what}: a file outside was touched')
        shutil.rmtree(box)
    if most > room: wrong.append(f'{most/2**30:.2f} GiB of memory')
    return dict(folders=n, tried=dict(sorted(tried.items())), **count, most_memory_gib=round(most/2**30, 2), slowest_seconds=round(slowest, 2), wrong=wrong)

# ----

MANY = dict(words=5000, driver=24, kill=100, fuzz=20000, loads=500, savers=200, models=240) # how often, if nobody says so

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('drill', choices=('fault', *MANY)); p.add_argument('--n', type=int, help=f"how many (default: {', '.join(f'{n} for {k}' for k, n in MANY.items())})")
    p.add_argument('--seed', type=int, default=1); p.add_argument('--out', default=str(Path(__file__).with_name('drills.json'))); p.add_argument('--commit', default='')
    a = p.parse_args()
    a.n = a.n or MANY.get(a.drill)
    torch.set_num_threads(1)
    t0 = time.perf_counter()
    with tempfile.TemporaryDirectory() as d:
        here = Path(d)
        drills = dict(
            kill=lambda: kill_drill(a.n, a.seed, here), fault=lambda: fault_drill(here),
            fuzz=lambda: dict(images=fuzz_images(a.n, a.seed, here), runs=fuzz_runs(max(1, a.n//100), a.seed, here)),
            loads=lambda: loads_drill(a.n, here), savers=lambda: savers_drill(a.n, here), models=lambda: models_drill(a.n, a.seed, here),
            words=lambda: words_drill(a.n, a.seed, here), driver=lambda: driver_drill(a.n, a.seed, here))
        r = drills[a.drill]()
    parts = [r] if 'wrong' in r else list(r.values())
    commit = a.commit or subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    how = dict(command=f"python nbs/results/drill.py {a.drill} " + f'--n {a.n} '*(a.drill != 'fault') + f'--seed {a.seed}', commit=commit, versions=versions(), machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), one thread', seconds=round(time.perf_counter()-t0))
    print(json.dumps(r, indent=1))
    if a.out != '-':
        out = Path(a.out)
        save_json(out, {**(load_json(out) if out.exists() else {}), a.drill: {**how, **r}})
    return int(any(x['wrong'] for x in parts))

if __name__ == '__main__': sys.exit(main())
