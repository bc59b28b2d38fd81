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
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from drill_classifier import loads_drill, models_drill, savers_drill
from drill_command import driver_drill, words_drill
from drill_folder import hostile_drill, starts_drill
from drill_images import images_drill
from drill_run import fault_drill, fuzz_drill, kill_drill

from akr.core import load_json, save_json, versions

DRILLS = dict( # name -> what it does with (how often, seed, folder), and how often if nobody says so; None: it is not counted
    kill=(kill_drill, 100), fault=(lambda n, seed, here: fault_drill(here), None), fuzz=(fuzz_drill, 20000),
    hostile=(hostile_drill, 240), starts=(starts_drill, 60), images=(lambda n, seed, here: images_drill(here), None),
    loads=(loads_drill, 500), savers=(savers_drill, 200), models=(models_drill, 240),
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
