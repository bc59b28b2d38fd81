"""Drills: breaks runs on purpose, mends them, and counts what came out the same.

    python nbs/results/drill.py kill --n 100     kill -9 at random moments, then resume
    python nbs/results/drill.py fault            a file system that fails at each of its calls in turn, then resume
    python nbs/results/drill.py fuzz --n 20000   damaged images, and a hundredth as many damaged runs (needs hypothesis)
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
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from unittest import mock

import torch
from PIL import Image

from akr import cli
from akr.config import configure
from akr.core import InputError, load_json, load_tensors, save_json, to_tensors, versions
from akr.images import decode
from akr.log import read_log, untimed
from akr.run import _digest, evaluate_run
from akr.store import checksum, damage
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

# ---- folders that were made to harm

VALUES = (None, -1, 0, 3, 10**9, 2**63, 1e308, True, '', 'x', '\x1b[2J\x07', '../../outside', '$' * 3, [], [None], [-1], {}, {'x': 1}, 50_000_000, [50_000_000], 'NaN', ['a'] * 40)

def places(v, at=()):
    "The path to every value of a JSON object; of long lists, to the first two and the last."
    yield at
    inside = v.items() if isinstance(v, dict) else [(k, v[k]) for k in sorted({*range(min(2, len(v))), len(v)-1}) if v] if isinstance(v, list) else []
    for k, x in inside: yield from places(x, (*at, k))

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
    at = rng.choice([p for p in places(v) if p and not set(p) & {'epochs', 'digest'} or 'epochs' in p and file.name != 'config.json'])
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

def contents(folder):
    "What lies in a folder, and when it was changed."
    return {str(f.relative_to(folder)): (f.lstat().st_mtime_ns, f.read_bytes() if f.is_file() else None) for f in sorted(folder.rglob('*'))}

def apart(f, *args):
    "What a function gives, as text, computed in a process of its own: what it takes of the memory is not counted with the next ones."
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        try: os.write(w, str(f(*args)).encode())
        finally: os._exit(0)
    os.close(w)
    with os.fdopen(r) as out: text = out.read()
    os.waitpid(pid, 0)
    return text

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

def hostile_drill(n, seed, here, jobs=4):
    "Run folders with one harmful change each, and every command on each of them; some folders at a time."
    rng, cfg = random.Random(seed), configure(epochs=2, warmup=0, depth=8, width=4, batch=64, memory=20, classes=4, base=2, step=2)
    train(cfg, here/'whole', 'cpu', progress=False, save_every=1)
    class Killed(BaseException): "As kill -9."
    def stop(e):
        if e['kind'] == 'epoch' and e['phase'] == 2: raise Killed
    with contextlib.suppress(Killed): train(cfg, here/'half', 'cpu', progress=False, save_every=1, watch=stop)
    Image.new('L', (8, 8), 99).save(here/'image.png')
    commands = lambda path: (['predict', path, here/'image.png', '--device', 'cpu'], ['eval', path, '--device', 'cpu'], ['plot', path], ['train', '--resume', path, '--log', 'tensorboard', '--device', 'cpu'])
    shutil.copytree(here/'whole', here/'warm')
    with open(os.devnull, 'w') as null, contextlib.redirect_stdout(null): # what is imported now need not be imported by each of them
        for words in commands(here/'warm'): cli.main([str(w) for w in words])
    harms = [(base, name, kind) for base in ('whole', 'half') for name, kind in harm_kinds(here/base)]
    rng.shuffle(harms)
    def some(job):
        "Every `jobs`-th folder."
        (own := here/f'job{job}').mkdir()
        outside, path, t = own/'outside', own/'run', dict(tracebacks=0, hangs=0, touched=0, over_1_GiB=0, nan=0)
        codes, calls, wrong, most = {}, 0, [], 0
        for k in range(job, n, jobs):
            shutil.rmtree(outside, ignore_errors=True); (outside/'folder').mkdir(parents=True); (outside/'precious').write_text('precious'); (outside/'folder'/'events.out.tfevents.1').write_text('precious')
            shutil.rmtree(path, ignore_errors=True)
            how, mine = ('json', 'kind', 'tensors', 'json', 'kind', 'text')[k % 6], random.Random(f'{seed} {k}')
            base, name, kind = harms[k % len(harms)] if how == 'kind' else (mine.choice(('whole', 'half')), None, None)
            shutil.copytree(here/base, path)
            what = f'{base}, ' + (put_kind(path, name, kind, outside) if name else apart(dict(json=harm_json, tensors=harm_tensors, text=harm_text)[how], path, mine))
            before = contents(outside)
            for words in commands(path):
                code, said, mib = command(words, own)
                calls += 1
                most = max(most, mib)
                codes[str(code)] = codes.get(str(code), 0)+1
                found = [w for w, bad in dict(tracebacks='Traceback' in said or code in (98, 99), hangs=code is None, touched=contents(outside) != before, over_1_GiB=mib > 1024, nan=code == 0 and 'nan' in said).items() if bad]
                for w in found: t[w] += 1
                if found:
                    wrong.append(f"{what}; akr {words[0]}: {', '.join(found)}: {said.strip().splitlines()[-1][:200] if said.strip() else ''}")
                    print(wrong[-1], said[-1500:], file=sys.stderr, flush=True)
        save_json(here/f'job{job}.json', dict(calls=calls, **t, exit_codes=codes, largest_MiB=most, wrong=wrong))
    pids = []
    for job in range(jobs):
        if not (pid := os.fork()):
            try: some(job)
            finally: os._exit(0)
        pids.append(pid)
    for pid in pids: os.waitpid(pid, 0)
    each = [load_json(here/f'job{job}.json') for job in range(jobs)]
    total = {k: sum(e[k] for e in each) for k in each[0] if isinstance(each[0][k], int)} | dict(largest_MiB=max(e['largest_MiB'] for e in each))
    codes = {c: sum(e['exit_codes'].get(c, 0) for e in each) for c in sorted({c for e in each for c in e['exit_codes']})}
    return dict(folders=n, **total, exit_codes=codes, wrong=[w for e in each for w in e['wrong']])

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

DRILLS = dict(kill=(kill_drill, 100), hostile=(hostile_drill, 240), starts=(starts_drill, 60), fuzz=(None, 20000), fault=(None, 1))

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('drill', choices=DRILLS); p.add_argument('--n', type=int, help='kills (default: 100), damaged images (20000), hostile folders (240), pairs of starts (60)')
    p.add_argument('--seed', type=int, default=1); p.add_argument('--out', default=str(Path(__file__).with_name('drills.json'))); p.add_argument('--commit', default='')
    a = p.parse_args()
    a.n = a.n or DRILLS[a.drill][1]
    torch.set_num_threads(1)
    t0 = time.perf_counter()
    with tempfile.TemporaryDirectory() as d:
        here = Path(d)
        r = DRILLS[a.drill][0](a.n, a.seed, here) if DRILLS[a.drill][0] else fault_drill(here) if a.drill == 'fault' else dict(images=fuzz_images(a.n, a.seed, here), runs=fuzz_runs(max(1, a.n//100), a.seed, here))
    parts = [r] if 'wrong' in r else list(r.values())
    commit = a.commit or subprocess.run(['git', 'rev-parse', '--short', 'HEAD'], capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    how = dict(command=f"python nbs/results/drill.py {a.drill} " + f'--n {a.n} '*(a.drill != 'fault') + f'--seed {a.seed}', commit=commit, versions=versions(), machine=f'{os.cpu_count()} CPU cores ({platform.machine()}), one thread', seconds=round(time.perf_counter()-t0))
    print(json.dumps(r, indent=1))
    if a.out != '-':
        out = Path(a.out)
        save_json(out, {**(load_json(out) if out.exists() else {}), a.drill: {**how, **r}})
    return int(any(x['wrong'] for x in parts))

if __name__ == '__main__': sys.exit(main())
