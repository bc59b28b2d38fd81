"""Drills of the command, for drill.py: strange words and settings files, and the death of a comparison."""
import contextlib
import io
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from unittest import mock

import torch
from PIL import Image

from akr import cli
from akr.config import configure
from akr.core import load_json
from akr.store import checksum
from akr.train import train
from drill_run import settings

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
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context
    train(settings('fault'), here/'run', 'cpu', progress=False)
    with ProcessPoolExecutor(2, get_context('spawn')) as pool: # an error, if a call ends its process
        parts = [f.result() for f in [pool.submit(strange_calls, n//2 + k*(n % 2), f'{seed}, {k}', here, here/f'part{k}') for k in range(2)]]
    codes = sum((Counter(p['exit_codes']) for p in parts), Counter())
    slowest = max(parts, key=lambda p: p['slowest_cpu_seconds'])
    return dict(calls=n, exit_codes=dict(sorted(codes.items())), slowest_cpu_seconds=slowest['slowest_cpu_seconds'], slowest=slowest['slowest'], wrong=[w for p in parts for w in p['wrong']])

def strange_calls(n, seed, home, here):
    "Some of them, in this process, with the run at `home`."
    import warnings
    from collections import Counter

    from akr.bench import check_bench
    from akr.command import subcommands
    from akr.compare import compare, expected
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
    def no_runs(cells, out, device, jobs, threads, dry_run, *rest): return compare(cells, out, device, None if jobs == 'measure' else jobs, threads, True, *rest)
    def no_bench(data='cifar100', methods=(), against=(), also=(), out=None, where=None, device='cpu', timing=None, **given): check_bench(methods, against, also, out); configure(data, **given); raise SystemExit(0)
    limit = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path('/proc/self/statm').read_text().split()[0])*resource.getpagesize() if Path('/proc').exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (used + 4*2**30, limit[1])) # a call that wants more is told so by the system
    for k in range(n):
        words = strange_call(rng, of, here/'run', here/'photos'/'a'/'0.png', here)
        t0, out = time.process_time(), io.StringIO()
        signal.alarm(300)
        try:
            with mock.patch.object(cli, 'make_parser', lambda: parser), mock.patch.object(cli, 'train', no_training), mock.patch.object(cli, 'compare', no_runs), mock.patch.object(cli, 'bench', no_bench), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), warnings.catch_warnings():
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
