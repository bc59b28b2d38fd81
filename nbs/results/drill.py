"""Drills: breaks runs on purpose, mends them, and counts what came out the same.

    python nbs/results/drill.py kill --n 100     kill -9 at random moments, then resume
    python nbs/results/drill.py fault            a file system that fails at each of its calls in turn, then resume
    python nbs/results/drill.py fuzz --n 20000   damaged images, and a hundredth as many damaged runs (needs hypothesis)
    python nbs/results/drill.py words --n 5000   calls of the command with strange words and settings files
    python nbs/results/drill.py driver --n 24    kill the process of a comparison, then the same command again (Linux)
    python nbs/results/drill.py loads --n 500    loads of a classifier while another process saves two models by turns
    python nbs/results/drill.py savers --n 200   pairs of processes that save a classifier into one place at once
    python nbs/results/drill.py models --n 240   classifier folders that somebody else has written, with right checksums; links, pipes, devices
    python nbs/results/drill.py images           odd and bomb images: programs within them, false claims, things that are not files
    python nbs/results/drill.py hostile --n 240  run folders that somebody else has made to harm, with right checksums; each command
    python nbs/results/drill.py starts --n 60    pairs of processes that start a run in the same folder at the same moment

Each writes its outcome into drills.json beside this file (--out FILE: elsewhere; --out -: nowhere). Exit code 1 if anything came out wrong.
A resumed run must have the very bytes of the uninterrupted one in every file of tensors, and the same metrics and log, times aside.
"""
import argparse
import contextlib
import errno
import hashlib
import io
import json
import os
import platform
import random
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import zlib
from pathlib import Path
from unittest import mock

import torch
from drill_classifier import loads_drill, models_drill, savers_drill
from PIL import Image

from akr import cli
from akr.classifier import IncrementalClassifier
from akr.config import configure
from akr.core import InputError, load_json, load_tensors, save_json, to_tensors, versions
from akr.data import load_data
from akr.folder import check_folder, load_folder
from akr.images import AVIF, SUFFIXES, decode
from akr.log import read_log, untimed
from akr.run import _digest, evaluate_run
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

CALLS = ('os.fsync', 'os.replace', 'os.fdopen', 'os.mkdir', 'os.write', 'os.open')

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
    "Calls of the command with strange words, in two processes: each must end with an exit code, and no traceback, within five minutes."
    from collections import Counter
    from multiprocessing import get_context
    train(settings('fault'), here/'run', 'cpu', progress=False)
    with get_context('spawn').Pool(2) as pool: parts = pool.starmap(strange_calls, [(n//2 + k*(n % 2), f'{seed}, {k}', here, here/f'part{k}') for k in range(2)])
    codes = sum((Counter(p['exit_codes']) for p in parts), Counter())
    slowest = max(parts, key=lambda p: p['slowest_cpu_seconds'])
    return dict(calls=n, exit_codes=dict(sorted(codes.items())), slowest_cpu_seconds=slowest['slowest_cpu_seconds'], slowest=slowest['slowest'], wrong=[w for p in parts for w in p['wrong']])

def strange_calls(n, seed, home, here):
    "Some of them, in this process, with the run at `home`."
    import resource
    import traceback
    import warnings
    from collections import Counter

    from akr import cli
    from akr.bench import check_bench
    from akr.command import subcommands
    from akr.compare import expected
    rng, codes, wrong, slowest = random.Random(seed), Counter(), [], (0., '')
    torch.set_num_threads(1)
    here.mkdir(); shutil.copytree(home/'run', here/'run')
    for c in 'ab':
        (here/'photos'/c).mkdir(parents=True)
        for k in range(3): Image.frombytes('RGB', (9, 9), rng.randbytes(243)).save(here/'photos'/c/f'{k}.png')
    (here/'cwd').mkdir(); os.chdir(here/'cwd')
    parser = cli.make_parser() # made once: it is the same for every call
    of = subcommands(parser).choices
    class Late(BaseException): "Not to be caught on the way."
    def late(*_): raise Late('more than five minutes')
    signal.signal(signal.SIGALRM, late)
    def no_training(cfg, out=None, device='auto', download=False, cache_dir=None, **_): print(expected(cfg, out or 'out', 'cpu', False, cache_dir)); raise SystemExit(0)
    def no_bench(data='cifar100', methods=(), against=(), also=(), out=None, where=None, device='cpu', timing=None, **given): check_bench(methods, against, also, out); configure(data, **given); raise SystemExit(0)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize() if Path('/proc').exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + 4*2**30, limit[1])) # a call that wants more is told so by the system
    for k in range(n):
        words = strange_call(rng, of, here/'run', here/'photos'/'a'/'0.png', here)
        t0, out = time.process_time(), io.StringIO()
        signal.alarm(300)
        try:
            with mock.patch.object(cli, 'make_parser', lambda: parser), mock.patch.object(cli, 'train', no_training), mock.patch.object(cli, 'bench', no_bench), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
                warnings.simplefilter('ignore')
                code = cli.main(words)
            codes[str(code)] += 1
            if code not in (0, 1, 2) or 'Traceback' in out.getvalue(): wrong.append(f'{words}: exit code {code}')
        except BaseException as e: wrong.append(f"{[w[:60] for w in words]}: {type(e).__name__}: {str(e)[:200]} at {traceback.extract_tb(e.__traceback__)[-1].name}")
        finally: signal.alarm(0)
        slowest = max(slowest, (time.process_time()-t0, ' '.join(w[:40] for w in words)[:300]))
        torch.set_num_threads(1)
    resource.setrlimit(resource.RLIMIT_AS, limit)
    os.chdir(home)
    return dict(exit_codes=dict(sorted(codes.items())), slowest_cpu_seconds=round(slowest[0], 2), slowest=slowest[1].replace(str(home), 'HERE'), wrong=wrong)

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
    elif how == 'shape': tensors[k] = rng.choice((v.flatten(), v[None], v.flatten()[:0], v.flatten()[:1].clone(), torch.cat([v.flatten()]*2)))
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
# ---- odd and bomb images

SUFFIX = ('jpg', 'png', 'gif', 'webp', 'tif', 'bmp', 'ppm', 'avif') # one of each kind of file that is read

def chunk(name, data): return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name+data))

def png(w, h, bits, kind, rows=b'', *more, interlaced=0):
    "A PNG file by hand, with any claim about its size; `more` are chunks before its pixels."
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, bits, kind, 0, 0, interlaced)) + b''.join(more) + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b'')

def flat_png(w, h, bits, kind, *more):
    "A PNG file that holds what it claims: zeros."
    return png(w, h, bits, kind, bytes((1 + (w*bits*{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]+7)//8)*h), *more)

def tiff(tags, data=b'', big=False, following=0):
    "A TIFF file by hand: numbered tags, then data, which begins at byte 1000."
    if big: head = b'II+\0\x08\0\0\0' + struct.pack('<QQ', 16, len(tags)) + b''.join(struct.pack('<HHQQ', k, 4, 1, v) for k, v in tags) + struct.pack('<Q', following)
    else: head = b'II*\0' + struct.pack('<IH', 8, len(tags)) + b''.join(struct.pack('<HHII', k, 4, 1, v) for k, v in tags) + struct.pack('<I', following)
    return head.ljust(1000, b'\0') + data

def grey_tiff(w, h, data=b'', *more, bits=8, packed=1, samples=1, **how):
    tags = {256: w, 257: h, 258: bits, 259: packed, 262: 1, 273: 1000, 277: samples, 278: h, 279: len(data), **dict(more)}
    return tiff([(k, v) for k, v in sorted(tags.items()) if v is not None], data, **how)

def saved(im, kind, **how):
    file = io.BytesIO(); im.save(file, kind, **how)
    return file.getvalue()

def patched(data, mark, at, new):
    "Bytes with others written `at` bytes behind a mark."
    i = data.find(mark) + at
    return data[:i] + new + data[i+len(new):] if data.find(mark) >= 0 else data

def iptc(payload, layers=1, colour=0):
    "An IPTC stream around a picture, which Pillow opens by its content when it is decoded."
    def field(record, number, value): return bytes([0x1c, record, number]) + (struct.pack('>H', len(value)) if len(value) < 1 << 15 else b'\x84' + struct.pack('>I', len(value))) + value
    return field(3, 60, bytes([layers, colour])) + b''.join(field(3, k, struct.pack('>H', 10)) for k in (20, 30)) + field(3, 120, b'\5') + field(8, 10, payload)

EPS = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n'

def payloads():
    "What a picture could smuggle in: programs, envelopes, stubs that ask for a helper, things that are no picture."
    eps, endless = EPS + b'(ran) print\n%%EOF\n', EPS + b'{} loop\n%%EOF\n'
    xpm = b'/* XPM */\nstatic char *x[] = {\n"20000 20000 1 1",\n"a c #ff0000",\n' + b'"' + b'a'*2000 + b'",\n};\n'
    jpeg, bomb = saved(Image.new('RGB', (16, 16)), 'JPEG'), png(60_000, 60_000, 8, 2)
    photoshop = b'Photoshop 3.0\x008BIM\x04\x04\0\0' + struct.pack('>I', len(iptc(eps))) + iptc(eps)
    app13 = jpeg[:2] + b'\xff\xed' + struct.pack('>H', 2+len(photoshop)) + photoshop + jpeg[2:]
    ico = b'\0\0\1\0\1\0' + struct.pack('<BBBBHHII', 0, 0, 0, 0, 1, 32, len(bomb), 22) + bomb
    return dict(
        eps=eps, eps_endless=endless, eps_dos=b'\xc5\xd0\xd3\xc6' + struct.pack('<II', 32, len(eps)) + bytes(20) + eps, eps_late=b'\n\n' + eps, ps=b'%!\n(ran) print showpage\n', pdf=b'%PDF-1.4\n1 0 obj<</OpenAction<</S/Launch/F(gs)>>>>endobj\n%%EOF\n',
        iptc_eps=iptc(eps), iptc_endless=iptc(endless), iptc_colour=iptc(eps, 3, 1), iptc_iptc=iptc(iptc(eps)), iptc_large=iptc(eps + bytes(1 << 16)), iptc_jpeg=iptc(jpeg),
        jpeg_app13=app13, tiff_iptc=grey_tiff(4, 4, bytes(16) + iptc(eps), (33723, 1016)), xpm=xpm, xbm=b'#define a_width 60000\n#define a_height 60000\nstatic char a_bits[] = {\n0x00};\n', ico_bomb=ico, svg=b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        grib=b'GRIB' + bytes(3) + b'\1' + bytes(40), bufr=b'BUFR' + bytes(40), hdf5=b'\x89HDF\r\n\x1a\n' + bytes(40), wmf=b'\xd7\xcd\xc6\x9a\0\0' + bytes(60), fpx=b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(600), mpeg=b'\0\0\1\xb3' + b'\xff'*40, msp=b'DanM' + b'\xff'*60, psd=b'8BPS\0\1' + bytes(6) + struct.pack('>HIIHH', 3, 30_000, 30_000, 8, 3) + bytes(40),
        pickle=b'\x80\x04cposix\nsystem\n(X\x02\0\0\0gstR.', zip=b'PK\3\4' + bytes(60), html=b'<html><script>gs</script>', shell=b'#!/bin/sh\ngs\n', lfs=b'version https://git-lfs.github.com/spec/v1\n')

def claims():
    "Small files that claim to be large, in every format; most hold next to nothing."
    out, one = {}, Image.new('RGB', (16, 16), (9, 80, 200))
    webp, lossless, still = saved(one, 'WEBP'), saved(one, 'WEBP', lossless=True), saved(one, 'WEBP')[12:]
    for w, h in ((100_000, 100_000), (65_535, 65_535), (16_383, 16_383), (16_383, 5_400), (9_400, 9_400), (65_535, 1), (1, 65_535), (0, 0)):
        n, w2, h2 = f'{w}x{h}', w & 65535, h & 65535
        out[f'claim_{n}.png'] = png(w, h, 8, 2, bytes(100))
        out[f'claim16_{n}.png'] = png(w, h, 16, 6, bytes(100), interlaced=1)
        out[f'claim_{n}.gif'] = b'GIF89a' + struct.pack('<HHBBB', w2, h2, 0x80, 0, 0) + bytes(6) + b',' + struct.pack('<HHHHB', 0, 0, w2, h2, 0) + b'\2\2\x4c\1\0;'
        out[f'frame_{n}.gif'] = b'GIF89a' + struct.pack('<HHBBB', 4, 4, 0x80, 0, 0) + bytes(6) + b'!\xf9\4\x08\0\0\0\0,' + struct.pack('<HHHHB', 0, 0, w2, h2, 0) + b'\2\2\x4c\1\0;' # larger than its canvas
        for kind in ('baseline', 'progressive'): out[f'{kind}_{n}.jpg'] = patched(saved(one, 'JPEG', progressive=kind == 'progressive'), b'\xff\xc2' if kind == 'progressive' else b'\xff\xc0', 5, struct.pack('>HH', h2, w2))
        out[f'claim_{n}.bmp'] = patched(saved(one, 'BMP'), b'BM', 18, struct.pack('<ii', w, -h))
        out[f'claim_{n}.ppm'] = b'P6 %d %d 255\n' % (w, h) + bytes(99)
        out[f'words_{n}.ppm'] = b'P3 %d %d 65535\n' % (w, h) + b'7 '*99
        out[f'claim_{n}.tif'] = grey_tiff(w, h, bytes(99))
        out[f'lzw_{n}.tif'] = grey_tiff(w, h, b'\x80\0\0\0'*9, packed=5, samples=3)
        out[f'tile_{n}.tif'] = grey_tiff(16, 16, zlib.compress(bytes(99)), (273, None), (278, None), (279, None), (322, w), (323, h), (324, 1000), (325, 20), packed=8)
        body = b'VP8X' + struct.pack('<I', 10) + b'\2\0\0\0' + (max(w, 1)-1).to_bytes(3, 'little') + (max(h, 1)-1).to_bytes(3, 'little') + b'ANIM' + struct.pack('<I', 6) + bytes(6) + b'ANMF' + struct.pack('<I', 16+len(still)) + bytes(6) + b'\x0f\0\0\x0f\0\0' + bytes(4) + still
        out[f'canvas_{n}.webp'] = b'RIFF' + struct.pack('<I', 4+len(body)) + b'WEBP' + body
        out[f'claim_{n}.webp'] = patched(webp, b'\x9d\1\x2a', 3, struct.pack('<HH', w & 16383, h & 16383))
        out[f'lossless_{n}.webp'] = patched(lossless, b'VP8L', 9, struct.pack('<I', (max(w, 1)-1) & 16383 | ((max(h, 1)-1) & 16383) << 14))
        if AVIF: out[f'claim_{n}.avif'] = patched(saved(one, 'AVIF', speed=10), b'ispe', 8, struct.pack('>II', w, h))
    return out

def bombs():
    "Files that keep what they claim: small on the disk, as large in memory as the limits allow, or larger."
    out = {f'flat_{w}_{bits}_{kind}.png': flat_png(w, w, bits, kind) for w, bits, kind in ((9_400, 8, 0), (9_400, 1, 0), (8_190, 8, 6), (8_190, 8, 2), (8_190, 8, 4), (5_700, 16, 6), (8_000, 16, 0), (13_000, 8, 0))}
    out['iptc.jpg'] = iptc(flat_png(13_000, 13_000, 8, 0))
    out['hole.png'] = flat_png(9_000, 9_000, 8, 3, chunk(b'PLTE', bytes(6)), chunk(b'tRNS', b'\0'))
    out['text.png'] = png(4, 4, 8, 0, bytes(20), *[chunk(b'zTXt', b'k%d\0\0' % k + zlib.compress(bytes(1 << 20), 9)) for k in range(100)])
    out['profile.png'] = png(4, 4, 8, 0, bytes(20), chunk(b'iCCP', b'p\0\0' + zlib.compress(bytes(1 << 30), 9)))
    out['length.png'] = png(4, 4, 8, 0, bytes(20), struct.pack('>I', 2**31-1) + b'teXt')
    wide = Image.new('RGB', (7_300, 7_300), (9, 80, 200))
    exif = Image.Exif(); exif[0x0112] = 6
    out['turned.jpg'], out['progressive.jpg'] = saved(wide, 'JPEG', exif=exif), saved(wide, 'JPEG', progressive=True, subsampling=0)
    out['cmyk.jpg'] = saved(wide.resize((6_600, 6_600), Image.Resampling.NEAREST).convert('CMYK'), 'JPEG', progressive=True)
    grey = wide.convert('L')
    out['flat.gif'], out['strip.tif'] = saved(grey, 'GIF'), grey_tiff(9_400, 9_400, zlib.compress(bytes(9_400**2), 9), packed=8)
    for side in (12_000, 22_000, 30_000):
        pack, z = zlib.compressobj(9), b''
        for _ in range(side): z += pack.compress(bytes(side))
        z += pack.flush()
        out[f'tile_{side}.tif'] = grey_tiff(16, 16, z, (273, None), (278, None), (279, None), (322, side), (323, side), (324, 1000), (325, len(z)), packed=8)
    out['two_tiles.tif'] = tiff([(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, 30_000), (322, 16), (323, 30_000), (323, 16), (324, 1000), (325, len(z))], z) # libtiff takes the first, Pillow the last
    small = Image.new('RGBA', (4_600, 4_600), (9, 80, 200, 90))
    for name, how in (('lossy', {}), ('lossless', dict(lossless=True)), ('film', dict(lossless=True, save_all=True, append_images=[Image.new('RGBA', small.size)]))): out[f'{name}.webp'] = saved(small, 'WEBP', method=0, quality=0, **how)
    out['over.webp'] = saved(Image.new('L', (16_383, 5_400)), 'WEBP', method=0, quality=0)
    out['words.pgm'], out['words.ppm'] = b'P2 6000 1000 255 ' + b'7 '*6_000_000, b'P3 1000 1000 65535 ' + b'9 '*3_000_000
    if AVIF:
        out['flat.avif'] = saved(small, 'AVIF', speed=10, subsampling='4:4:4')
        out['liar.avif'] = patched(saved(wide, 'AVIF', speed=10), b'ispe', 8, struct.pack('>II', 100, 100)) # the picture in it is larger than the file says
    return out

def oddities():
    "Deep and circular structures, and tags that make no sense."
    jpeg, gif = saved(Image.new('RGB', (16, 16)), 'JPEG'), saved(Image.new('P', (16, 16)), 'GIF')
    out = {f'deep_{bits}_{samples}_{sort}.tif': grey_tiff(8, 8, bytes(8*8*8*samples), (339, sort), bits=bits, samples=samples) for bits in (2, 12, 16, 24, 32, 64) for samples, sort in ((1, 1), (1, 2), (1, 3), (3, 1), (9, 1))}
    out['circle.tif'], out['big.tif'] = grey_tiff(4, 4, bytes(16), following=8), grey_tiff(4, 4, bytes(16), big=True)
    out['many_tags.tif'] = b'II*\0' + struct.pack('<IH', 8, 65535) + bytes(12*65535)
    out['count.tif'] = b'II*\0' + struct.pack('<IH', 8, 3) + b''.join(struct.pack('<HHII', k, 12, 2**31-1, 100) for k in (256, 257, 258)) + bytes(400)
    out['chain.tif'] = b'II*\0' + struct.pack('<I', 8) + b''.join(struct.pack('<HHHIII', 1, 256, 4, 1, 4, 8+18*(k+1)) for k in range(20_000))
    out['sub.tif'] = grey_tiff(4, 4, bytes(16), (330, 8), (34665, 8), (34853, 8))
    for name, tag, value in (('orientation', 274, 99), ('planes', 284, 2), ('order', 266, 2), ('paper', 262, 8), ('zero_rows', 278, 0), ('offset', 273, 2**32-1), ('bytes', 279, 2**32-1), ('no_bits', 258, 0), ('much', 277, 65535)): out[f'{name}.tif'] = grey_tiff(8, 8, bytes(64), (tag, value))
    for packed in (2, 3, 4, 6, 7, 32773, 34712, 34887, 34925, 50000, 50001, 9): out[f'packed_{packed}.tif'] = grey_tiff(64, 64, bytes(range(256)), packed=packed)
    out['comments.jpg'] = jpeg[:2] + (b'\xff\xfe\xff\xff' + bytes(65533))*50 + jpeg[2:]
    out['fillers.jpg'], out['frames.gif'] = jpeg[:2] + b'\xff'*2_000_000 + jpeg[2:], gif[:-1] + gif[13+768:-1]*3000 + b';'
    out['two_frames.jpg'] = jpeg[:2] + b'\xff\xc0\0\x11\x08' + struct.pack('>HH', 60_000, 60_000) + b'\3\1\x22\0\2\x11\1\3\x11\1' + jpeg[2:]
    out['extensions.gif'] = gif[:13+768] + b'!\xfe\1a\0'*200_000 + gif[13+768:]
    out['film.png'] = saved(Image.new('L', (16, 16)), 'PNG', save_all=True, append_images=[Image.new('L', (16, 16), k) for k in range(200)])
    out['rle.bmp'] = b'BM' + struct.pack('<IHHI', 0, 0, 0, 1078) + struct.pack('<IiiHHIIiiII', 40, 9_000, 9_000, 1, 8, 1, 0, 0, 0, 256, 256) + bytes(1024) + b'\0\2\xff\xff'*2000
    out['exif.webp'] = saved(Image.new('RGB', (16, 16)), 'WEBP', exif=b'Exif\0\0II*\0\x08\0\0\0\xff\xff' + b'\xff'*70_000)
    return out

def cut():
    "Files of every format that end too soon."
    im, out = Image.frombytes('RGB', (60, 60), random.Random(1).randbytes(60*60*3)), {}
    for suffix in SUFFIX:
        kind = SUFFIXES.get('.'+suffix)
        if kind is None: continue
        data = saved(im, kind)
        for part in (.01, .1, .3, .5, .7, .9, .99): out[f'cut_{part}.{suffix}'] = data[:int(len(data)*part)]
    return out

def special():
    "Things that bear the name of a picture and are not files, or not ordinary ones; each is made in a class folder."
    def link(to): return lambda f: f.symlink_to(to)
    def holes(f): f.touch(); os.truncate(f, 1 << 40)
    def bind(f):
        with socket.socket(socket.AF_UNIX) as s:
            before = os.getcwd(); os.chdir(f.parent)
            try: s.bind(f.name)
            finally: os.chdir(before)
    out = dict(pipe=os.mkfifo, socket=bind, holes=holes, empty=lambda f: f.touch(), folder=lambda f: f.mkdir(), **{to.replace('/', '_'): link(to) for to in ('/dev/zero', '/dev/random', '/dev/stdin', '/dev/tty', '/dev/full', '/proc/self/mem', '/proc/self/environ', '/proc/kmsg', '/', '..', 'nowhere')})
    out['round'] = lambda f: f.symlink_to(f.name)
    return out

def odd_images(large):
    "All of them, with the bombs in `large`: name -> bytes, a file to copy, or a function that makes the thing."
    out, other = {}, {}
    Image.init()
    for kind in sorted(Image.SAVE):
        for mode in ('RGB', 'L', 'P', '1', 'F', 'RGBA'):
            try: other[kind] = saved(Image.new(mode, (16, 16)), kind); break
            except (OSError, ValueError, KeyError): pass # not this mode; four formats can be written by helpers alone
    suffixes = sorted(s[1:] for s in SUFFIXES)
    out |= {f'{kind.lower()}.{s}': data for kind, data in other.items() for s in suffixes}
    out |= {f'{name}.{s}': data for name, data in payloads().items() for s in SUFFIX[:3]}
    out |= claims() | large | oddities() | cut()
    out |= {f'{name}.{s}': make for name, make in special().items() for s in ('jpg', 'tif')}
    out |= {f'{name}.png': flat_png(4, 4, 8, 0) for name in ('a\nb', 'a\x1b]0;owned\x07', 'a\u202eb', '$x$', "a'b", '-rf', 'a'*250)}
    return out

def apart(make, folder):
    "What `make()` gives, written to files by a process of its own, whose memory goes with it: name -> file."
    folder.mkdir()
    if not (pid := os.fork()):
        try:
            for name, data in make().items(): (folder/name).write_bytes(data)
        finally: os._exit(0)
    os.waitpid(pid, 0)
    return {f.name: f for f in sorted(folder.iterdir())}

def look_at(box, threads=0):
    "What `akr data check` says of a folder, in a process of its own: what came out, its words, seconds, bytes of memory."
    ends, tells = os.pipe()
    t0, pid = time.perf_counter(), os.fork()
    if not pid:
        try:
            os.close(ends); os.dup2(os.open(os.devnull, os.O_RDWR), 0); os.dup2(0, 1); os.dup2(0, 2)
            def heard(event, words):
                if event in ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn'): os.write(tells, b'a program was run: ' + repr(words).encode()[:200]); os._exit(3)
            sys.addaudithook(heard)
            if threads: os.cpu_count = lambda: threads
            try:
                r = check_folder(box, 32)
                said = str(r)
                word = b'refused: ' if r.unreadable or r.problems or r.skipped else b'read: '
                if time.perf_counter()-t0 < 1: # as training would, too
                    try: load_folder(box, 32, cache_dir=box.with_name('cache'))
                    except InputError as e: said += str(e)
                if re.search('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]', said): os.write(tells, b'cannot be printed: ')
                else: os.write(tells, word)
                os.write(tells, said.encode(errors='replace')[:3000])
            except BaseException as e: os.write(tells, f'{type(e).__name__}: {e}'.encode(errors='replace')[:500])
        finally: os._exit(0)
    os.close(tells)
    hang = not select.select([ends], [], [], 60)[0] # what it says is one write, or two
    if hang: os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    with os.fdopen(ends, 'rb') as f: said = f.read().decode(errors='replace')
    if hang: said = 'no end after 60 s'
    return said or f'died: {os.waitstatus_to_exitcode(status)}', time.perf_counter()-t0, used.ru_maxrss*(1 if sys.platform == 'darwin' else 1024)

def images_drill(here):
    "Odd and bomb images, one at a time beside a good one in a folder of two classes; then all bombs at once, in sixteen threads."
    tools, ran = here/'bin', here/'ran'
    tools.mkdir()
    for name in ('gs', 'gswin32c', 'gswin64c', 'djpeg', 'convert', 'inkscape'): # they would be found first
        (tools/name).write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\n'); (tools/name).chmod(0o755)
    os.environ['PATH'] = f"{tools}:{os.environ['PATH']}"
    def alone(data): # what Pillow does by itself, to know that the trap works
        ran.unlink(missing_ok=True)
        with contextlib.suppress(Exception): Image.open(io.BytesIO(data)).load()
        return ran.exists()
    trapped = [name for name, data in payloads().items() if alone(data)]
    ran.unlink(missing_ok=True)
    large, box, good = apart(bombs, here/'bombs'), here/'box', flat_png(8, 8, 8, 0)
    count, wrong, most, slowest, programs, over, hangs, tracebacks = dict(read=0, refused=0), [], 0, 0., 0, 0, 0, 0
    def tried(name, threads=0):
        nonlocal most, slowest, programs, over, hangs, tracebacks
        said, seconds, memory = look_at(box, threads)
        most, slowest, word = max(most, memory), max(slowest, seconds), said.partition(':')[0]
        if ran.exists() or said.startswith('a program'): programs += 1; wrong.append(f'{name!r}: a program was run')
        if memory > 2**30: over += 1; wrong.append(f'{name!r}: {memory/2**30:.2f} GiB')
        if said.startswith('no end'): hangs += 1; wrong.append(f'{name!r}: {said}')
        elif word in count: count[word] += 1
        else: tracebacks += 1; wrong.append(f'{name!r}: {said[:200]}')
        ran.unlink(missing_ok=True)
        return memory
    images = odd_images(large)
    for name, what in images.items():
        for c in 'ab':
            (box/c).mkdir(parents=True)
            for k in range(2): (box/c/f'good{k}.png').write_bytes(good)
        if callable(what): what(box/'a'/name)
        elif isinstance(what, Path): os.link(what, box/'a'/name)
        else: (box/'a'/name).write_bytes(what)
        tried(name)
        shutil.rmtree(box)
    one_by_one = dict(count)
    for c in 'ab':
        (box/c).mkdir(parents=True)
        for n, f in large.items(): os.link(f, box/c/n)
    memory = tried('all bombs at once', 16)
    return dict(images=len(images), **one_by_one, programs=programs, over_1_gib=over, hangs=hangs, tracebacks=tracebacks, most_memory_gib=round(most/2**30, 2), bombs_at_once=2*len(large), their_memory_gib=round(memory/2**30, 2), slowest_seconds=round(slowest, 2), pillow_alone_runs_a_program=len(trapped), wrong=wrong)

# ----

# ---- folders that were made to harm

VALUES = (None, -1, 0, 3, 10**9, 2**63, 1e308, True, '', 'x', '\x1b[2J\x07', '../../outside', '$' * 3, [], [None], [-1], {}, {'x': 1}, 50_000_000, [50_000_000], 'NaN', ['a'] * 40)

def spots(v, at=()):
    "The path to every value of a JSON object; of long lists, to the first two and the last."
    yield at
    inside = v.items() if isinstance(v, dict) else [(k, v[k]) for k in sorted({*range(min(2, len(v))), len(v)-1}) if v] if isinstance(v, list) else []
    for k, x in inside: yield from spots(x, (*at, k))

def changed(v, at, new, drop=False):
    "A copy of a JSON object with another value at a place, or with nothing there."
    if not at: return new
    out = dict(v) if isinstance(v, dict) else list(v)
    if drop and len(at) == 1: del out[at[0]]
    else: out[at[0]] = changed(v[at[0]], at[1:], new, drop)
    return out

def sealed(folder, name, data):
    "Write a file of a saved folder, and its right checksum into the manifest."
    manifest = load_json(folder/'manifest.json')
    manifest[name] = dict(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    (folder/name).write_bytes(data)
    save_json(folder/'manifest.json', manifest)

def harm_json(path, rng):
    "Change a value of a JSON file; every digest and checksum is right again afterwards."
    file = rng.choice([f for f in sorted(path.rglob('*.json')) for _ in range(4 if f.name == 'config.json' else 1)])
    v = load_json(file)
    # to learn for a billion epochs or of other classes is a wish that may be granted: that is no attack
    at = rng.choice([p for p in spots(v) if p and not set(p) & {'epochs', 'digest'} or 'epochs' in p and file.name != 'config.json'])
    drop, new = rng.random() < .2, rng.choice(VALUES)
    v = changed(v, at, new, drop)
    if file.name == 'config.json' and isinstance(v, dict) and rng.random() < .95: v['digest'] = _digest(v)
    data = json.dumps(v).encode()
    if file.parent != path and file.name != 'manifest.json': sealed(file.parent, file.name, data)
    else: file.write_bytes(data)
    return f"{file.relative_to(path)}: {'.'.join(map(str, at))} {'is gone' if drop else f'is {new!r}'[:60]}"

TENSORS = dict(nan=lambda v: v.float()*float('nan'), infinite=lambda v: v.float()+float('inf'), bool=lambda v: v.bool(), int8=lambda v: v.char(), double=lambda v: v.double(), row=lambda v: v[None], cut=lambda v: v.flatten()[:1],
               negative=lambda v: -v.abs()-1 if v.dtype != torch.uint8 else v, huge=lambda v: torch.full_like(v, 3e38) if v.is_floating_point() else torch.full_like(v, 100), empty=lambda v: v.flatten()[:0])

def harm_tensors(path, rng):
    "Change a tensor, or its name; the checksum is right."
    file = rng.choice(sorted(path.rglob('*.safetensors')))
    tensors, meta = load_tensors(file)
    name, how = rng.choice(sorted(tensors)), rng.choice([*TENSORS, 'gone', 'renamed', 'one more'])
    if how in TENSORS: tensors[name] = TENSORS[how](tensors[name])
    elif how == 'one more': tensors['more'] = torch.ones(3)
    else:
        v = tensors.pop(name)
        if how == 'renamed': tensors['other'] = v
    sealed(file.parent, file.name, to_tensors(tensors, meta))
    return f'{file.relative_to(path)}: {name} {how}'

def harm_text(path, rng):
    "Another content altogether: nested without end, a file full of holes, a line of a megabyte."
    file = rng.choice(sorted(f for f in path.rglob('*') if f.is_file()))
    how = rng.choice(('nested', 'holes', 'long', 'nothing', 'numbers'))
    if how == 'holes': os.truncate(file, 2**32)
    else:
        data = dict(nested=b'['*200_000, long=b'"'+b'x'*3_000_000+b'"', nothing=b'', numbers=b'['+b'9,'*1_500_000+b'9]')[how]
        if file.parent != path and file.name != 'manifest.json': sealed(file.parent, file.name, data)
        else: file.write_bytes(data)
    return f'{file.relative_to(path)}: {how}'

KINDS = ('link', 'hard link', 'link to /dev/zero', 'link to nothing', 'pipe', 'socket', 'folder')

def harm_kinds(path):
    "Every file that is read or written in a run, as every kind of what is no file of its own: (name, kind)."
    names = ['config.json', 'metrics.json', 'log.jsonl', '.lock', 'accuracy.png', 'matrix.png', 'weights.png', 'tensorboard', 'phase_01', 'phase_02']
    names += [str(f.relative_to(path)) for d in ('phase_01', next(iter(sorted(p.name for p in path.glob('phase_02*'))))) for f in sorted((path/d).iterdir())]
    return [(n, k) for n in names for k in KINDS]

def put_kind(path, name, kind, outside):
    at = path/name
    if at.is_dir() and not at.is_symlink(): shutil.rmtree(at)
    else: at.unlink(missing_ok=True)
    mine = outside/'precious' if '.' in name else outside/'folder'
    if kind == 'link': at.symlink_to(mine)
    elif kind == 'hard link': os.link(outside/'precious', at)
    elif kind == 'link to /dev/zero': at.symlink_to('/dev/zero')
    elif kind == 'link to nothing': at.symlink_to(outside/'made')
    elif kind == 'pipe': os.mkfifo(at)
    elif kind == 'folder': (at/'x').mkdir(parents=True)
    else:
        before = os.getcwd()
        os.chdir(at.parent)
        try: socket.socket(socket.AF_UNIX).bind(at.name)
        finally: os.chdir(before)
    return f'{name}: a {kind}'

def seen_in(folder):
    "What lies in a folder, and when it was changed."
    return {str(f.relative_to(folder)): (f.lstat().st_mtime_ns, f.read_bytes() if f.is_file() else None) for f in sorted(folder.rglob('*'))}

def command(words, here, seconds=60):
    "One command in a process of its own: exit code (None: it was stopped), what it said, the largest memory in MiB."
    out, pid = here/'said', os.fork()
    if not pid:
        code = 98
        try:
            with open(out, 'w') as f:
                for fd in (1, 2): os.dup2(f.fileno(), fd)
                sys.stdout, sys.stderr = os.fdopen(1, 'w', closefd=False), os.fdopen(2, 'w', closefd=False)
                try: code = cli.main([str(w) for w in words])
                except BaseException: traceback.print_exc(); code = 99
                sys.stdout.flush(); sys.stderr.flush()
        finally: os._exit(code if isinstance(code, int) else 1)
    end, status = time.monotonic()+seconds, None
    while time.monotonic() < end:
        done, status, used = os.wait4(pid, os.WNOHANG)
        if done: break
        time.sleep(.01)
    else:
        os.kill(pid, signal.SIGKILL)
        _, _, used = os.wait4(pid, 0)
        return None, out.read_text(errors='replace'), used.ru_maxrss//1024
    return os.waitstatus_to_exitcode(status), out.read_text(errors='replace'), used.ru_maxrss//1024

def hostile_drill(n, seed, here):
    "Run folders with one harmful change each, and every command on each of them."
    rng, cfg = random.Random(seed), configure(epochs=2, warmup=0, depth=8, width=4, batch=64, memory=20, classes=4, base=2, step=2)
    train(cfg, here/'whole', 'cpu', progress=False, save_every=1)
    class Killed(BaseException): "As kill -9."
    def stop(e):
        if e['kind'] == 'epoch' and e['phase'] == 2: raise Killed
    with contextlib.suppress(Killed): train(cfg, here/'half', 'cpu', progress=False, save_every=1, watch=stop)
    Image.new('L', (8, 8), 99).save(here/'image.png')
    outside, path, t = here/'outside', here/'run', dict(tracebacks=0, hangs=0, touched=0, over_1_GiB=0, nan=0)
    harms = [(base, name, kind) for base in ('whole', 'half') for name, kind in harm_kinds(here/base)]
    rng.shuffle(harms)
    codes, calls, wrong, most = {}, 0, [], 0
    for k in range(n):
        shutil.rmtree(outside, ignore_errors=True); (outside/'folder').mkdir(parents=True); (outside/'precious').write_text('precious'); (outside/'folder'/'events.out.tfevents.1').write_text('precious')
        shutil.rmtree(path, ignore_errors=True)
        how = ('json', 'kind', 'tensors', 'json', 'kind', 'text')[k % 6]
        base, name, kind = harms[k % len(harms)] if how == 'kind' else (rng.choice(('whole', 'half')), None, None)
        shutil.copytree(here/base, path)
        what = f'{base}, ' + (put_kind(path, name, kind, outside) if name else dict(json=harm_json, tensors=harm_tensors, text=harm_text)[how](path, rng))
        before = seen_in(outside)
        place = ['--device', 'cpu']
        for words in (['predict', path, here/'image.png', *place], ['eval', path, *place], ['plot', path], ['train', '--resume', path, '--log', 'tensorboard', *place]):
            code, said, mib = command(words, here)
            calls += 1
            most = max(most, mib)
            codes[str(code)] = codes.get(str(code), 0)+1
            found = [w for w, bad in dict(tracebacks='Traceback' in said or code in (98, 99), hangs=code is None, touched=seen_in(outside) != before, over_1_GiB=mib > 1024, nan=code == 0 and 'nan' in said).items() if bad]
            for w in found: t[w] += 1
            if found: wrong.append(f"{what}; akr {words[0]}: {', '.join(found)}: {said.strip().splitlines()[-1][:200] if said.strip() else ''}")
    return dict(folders=n, calls=calls, **t, exit_codes=codes, largest_MiB=most, wrong=wrong)

# ---- two starts at once

def starts_drill(n, seed, here):
    "Pairs of processes that train different runs into one folder: one must win, whole, and the other be told."
    rng, wrong, won = random.Random(seed), [], dict(one=0, both=0, none=0)
    cfgs = [configure(epochs=1, warmup=0, depth=8, width=4, batch=64, memory=20, classes=4, base=2, step=2, seed=k) for k in (1, 2)]
    want = []
    for k, c in enumerate(cfgs): train(c, here/f'reference{k}', 'cpu', progress=False); want.append(state(here/f'reference{k}'))
    for pair in range(n):
        path, at, pids = here/'both', time.time()+.05, []
        if pair % 2: path.mkdir()
        for c in cfgs:
            wait = max(0, at + rng.uniform(0, .04) - time.time())
            pid = os.fork()
            if not pid:
                code = 99
                try:
                    time.sleep(wait)
                    train(c, path, 'cpu', progress=False)
                    code = 0
                except InputError: code = 2
                except BaseException: traceback.print_exc()
                finally: os._exit(code)
            pids.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(p, 0)[1]) for p in pids]
        won['both' if codes == [0, 0] else 'one' if 0 in codes else 'none'] += 1
        if sorted(codes) != [0, 2]: wrong.append(f'pair {pair}: exit codes {codes}')
        elif state(path) != want[codes.index(0)] or load_json(path/'config.json')['config']['seed'] != cfgs[codes.index(0)].seed or evaluate_run(path, 'cpu')[1]: wrong.append(f'pair {pair}: mixed')
        shutil.rmtree(path, ignore_errors=True)
    return dict(pairs=n, won=won, mixed=len(wrong), wrong=wrong)

# ----

def fuzz_drill(n, seed, here): return dict(images=fuzz_images(n, seed, here), runs=fuzz_runs(max(1, n//100), seed, here))

DRILLS = dict( # name -> what it does with (how often, seed, folder), and how often if nobody says so; None: it is not counted
    kill=(kill_drill, 100), fault=(lambda n, seed, here: fault_drill(here), None), fuzz=(fuzz_drill, 20000),
    hostile=(hostile_drill, 240), starts=(starts_drill, 60), images=(lambda n, seed, here: images_drill(here), None),
    loads=(lambda n, seed, here: loads_drill(n, here), 500), savers=(lambda n, seed, here: savers_drill(n, here), 200), models=(models_drill, 240),
    words=(words_drill, 5000), driver=(driver_drill, 24))

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('drill', choices=DRILLS)
    p.add_argument('--n', type=int, help=f"how many (default: {', '.join(f'{n} for {k}' for k, (_, n) in DRILLS.items() if n)})")
    p.add_argument('--seed', type=int, default=1); p.add_argument('--out', default=str(Path(__file__).with_name('drills.json'))); p.add_argument('--commit', default='')
    a = p.parse_args()
    drill, usual = DRILLS[a.drill]
    n = a.n or usual
    torch.set_num_threads(1)
    t0 = time.perf_counter()
    with tempfile.TemporaryDirectory() as d: r = drill(n, a.seed, Path(d))
    parts = [r] if 'wrong' in r else list(r.values())
    commit = a.commit or subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    how = dict(command=f'python nbs/results/drill.py {a.drill} ' + (f'--n {n} ' if n else '') + f'--seed {a.seed}', commit=commit, versions=versions(),
               machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), one thread', seconds=round(time.perf_counter()-t0))
    print(json.dumps(r, indent=1))
    if a.out != '-':
        out = Path(a.out)
        save_json(out, {**(load_json(out) if out.exists() else {}), a.drill: {**how, **r}})
    return int(any(x['wrong'] for x in parts))

if __name__ == '__main__': sys.exit(main())
