"""Drills of run folders, for drill.py: those that somebody else has made to harm, and two starts at once."""
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

import torch
from PIL import Image

from akr import cli
from akr.config import configure
from akr.core import InputError, load_json, load_tensors, save_json, to_tensors
from akr.run import _digest, evaluate_run
from akr.train import train
from drill_run import state

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
    """One command in a process of its own: exit code (None: it was stopped), what it said, the largest memory in MiB, and whether it ran again.

    The process is a fork, which is quick, but a fork of a process with threads may wait for ever for a lock that one of them held.
    What does not end is therefore called again as a user calls it, and that decides."""
    code, said, mib = forked(words, here, seconds)
    if code is not None: return code, said, mib, 0
    try: r = subprocess.run([sys.executable, '-m', 'akr', *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=3*seconds)
    except subprocess.TimeoutExpired as e: return None, (e.stdout or b'').decode(errors='replace'), mib, 1
    return r.returncode, r.stdout.decode(errors='replace'), mib, 1

def forked(words, here, seconds):
    "One command in a fork of this process: exit code (None: it was stopped), what it said, the largest memory in MiB."
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
        codes, calls, again, wrong, most = {}, 0, 0, [], 0
        for k in range(job, n, jobs):
            shutil.rmtree(outside, ignore_errors=True); (outside/'folder').mkdir(parents=True); (outside/'precious').write_text('precious'); (outside/'folder'/'events.out.tfevents.1').write_text('precious')
            shutil.rmtree(path, ignore_errors=True)
            how, mine = ('json', 'kind', 'tensors', 'json', 'kind', 'text')[k % 6], random.Random(f'{seed} {k}')
            base, name, kind = harms[k % len(harms)] if how == 'kind' else (mine.choice(('whole', 'half')), None, None)
            shutil.copytree(here/base, path)
            what = f'{base}, ' + (put_kind(path, name, kind, outside) if name else apart(dict(json=harm_json, tensors=harm_tensors, text=harm_text)[how], path, mine))
            before = contents(outside)
            for words in commands(path):
                code, said, mib, anew = command(words, own)
                calls, again = calls+1, again+anew
                most = max(most, mib)
                codes[str(code)] = codes.get(str(code), 0)+1
                found = [w for w, bad in dict(tracebacks='Traceback' in said or code in (98, 99), hangs=code is None, touched=contents(outside) != before, over_1_GiB=mib > 1024, nan=code == 0 and 'nan' in said).items() if bad]
                for w in found: t[w] += 1
                if found:
                    wrong.append(f"{what}; akr {words[0]}: {', '.join(found)}: {said.strip().splitlines()[-1][:200] if said.strip() else ''}")
                    print(wrong[-1], said[-1500:], file=sys.stderr, flush=True)
        save_json(here/f'job{job}.json', dict(calls=calls, **t, forks_called_again=again, exit_codes=codes, largest_MiB=most, wrong=wrong))
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
