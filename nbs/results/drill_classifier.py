"""Drills of saved classifiers, for drill.py: loads against a saver, pairs of savers, folders that somebody else has written."""
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import safetensors.torch
import torch

from akr.classifier import IncrementalClassifier
from akr.core import InputError
from akr.data import load_data
from akr.store import MANIFEST, checksum

def taught(k, device='cpu'):
    "One of two classifiers that differ in all that is saved: labels, weights, exemplars."
    data = load_data('digits')
    x, y = data.x_train[:200], data.y_train[:200]
    names = [f'{"ab"[k]}{i}' for i in range(3+k)]
    rows = [i for i in range(len(y)) if int(y[i]) < len(names)]
    c = IncrementalClassifier('base', size=8, per_class=3, epochs=1, flip=False, device=device, random_state=k, settings=dict(depth=8, width=4, batch=32))
    return c.partial_fit(x[rows], [names[int(y[i])] for i in rows])

def forked(work):
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

def loads_drill(n, seed, here):
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

def savers_drill(n, seed, here):
    "Pairs of processes that save into one place at the same moment; in every tenth pair one of them is killed on the way."
    both, photos, wrong, last, killed, rng = [taught(0), taught(1)], load_data('digits').x_test[:20], [], [0, 0], 0, random.Random(seed)
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
