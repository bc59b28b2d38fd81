"""Drills of runs, for drill.py: kill -9, a file system that fails, damaged files."""
import contextlib
import errno
import io
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path
from unittest import mock

from PIL import Image

from akr.config import configure
from akr.core import InputError, load_json
from akr.images import decode
from akr.log import read_log, untimed
from akr.run import evaluate_run
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

def fuzz_drill(n, seed, here): return dict(images=fuzz_images(n, seed, here), runs=fuzz_runs(max(1, n//100), seed, here))
