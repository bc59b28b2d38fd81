"""What was never taught, and how sure an answer is: 40 of 60 groceries are taught in four calls, the other 20 never.

    python nbs/results/unknown.py FOLDER RUNS [--only tuning|test|later|whole|speed]

FOLDER and RUNS are those of groceries.py, and so are the frozen features, which stand in for the photos: a classifier gets images that
hold a photo's number, and its backbone looks up the features of that photo. All else is the classifier's own way, from `partial_fit` to
`predict(unknown=...)`. Figures go to unknown.json beside this file; what is there is not computed again.

`tuning` chooses the score on training photos alone: a fifth of each taught class is kept for judging, and the photos of classes that
are not taught are the unknown ones. `test` reports on the test photos, with other choices of classes and three draws of the held-out
photos each, once. `later` holds out half of the test photos, which are of other visits to shops, and reports on the other half. `whole`
teaches eight classes with photos and network in place of numbers and features. `speed` measures photos a second, from files to answers.
"""
import argparse
import platform
import time
from pathlib import Path

import numpy as np
import torch
from groceries import NETWORK, features, weights

from akr.certainty import SCORES, calibration_error
from akr.classifier import IncrementalClassifier, to_images
from akr.core import generator, load_json, save_json, versions
from akr.cost import use_threads
from akr.parts import part

OUT = Path(__file__).with_name('unknown.json')
SIZE, KNOWN, CALLS = 224, 40, 4 # pixels of the photos; classes that are taught, in so many calls
TUNING, CHOICES = range(101, 107), (1, 2, 3) # seeds of the choices of classes
DRAWS = (0,) # seeds that draw the held-out photos
TAUGHT = { # what the classifier is made with -> names of its two answers
    'Ridge': (dict(method='ridge', settings=dict(ridge=.1)), dict(head='Ridge', nme='Nearest mean of exemplars')),
    'Trained head': (dict(method='base', epochs=20, settings=dict(lr=.05, batch=32, head='cosine')), dict(head='Trained head'))}
HELD = dict(held=.2, refuse=.05, per_class=20)
FEATURES:dict = {} # the features of all photos, by number

@part('backbone', 'by-number')
class ByNumber(torch.nn.Module):
    "Images whose two first colours are a number (b,3,8,8), to the features of the photo of that number (b,1280)."
    def __init__(self, channels): super().__init__(); self.out_features, self.shrinks = 1280, 1
    @classmethod
    def pixels(cls, channels): return torch.zeros(channels), torch.ones(channels) # so that a number stays what it is
    def forward(self, x):
        high, low = (x[:, :2, 4, 4]*255).round().long().T # in the middle: a shifted crop leaves it there
        return FEATURES['x'][(256*high + low).clamp(0, len(FEATURES['x'])-1)]

def numbers(rows):
    "Images (n,3,8,8) that hold the numbers of photos."
    out = torch.zeros(len(rows), 3, 8, 8, dtype=torch.uint8)
    out[:, 0], out[:, 1] = (rows//256).byte()[:, None, None], (rows%256).byte()[:, None, None]
    return out

def choice(seed):
    "The classes that are taught, in the order of their calls."
    return torch.randperm(60, generator=generator(seed, 'taught'))[:KNOWN]

def classifier(given, draw=0):
    further = dict(backbone='by-number', brightness=0., precision='float32') | given.get('settings', {})
    return IncrementalClassifier(**{**HELD, 'answer': 'head', **given, 'size': 8, 'flip': False, 'device': 'cpu', 'random_state': draw, 'settings': further})

def teach(c, taught, rows, y, images):
    "Teach classes in a few calls; `rows` are photos, `y` the classes of all photos, `images` makes images of photos."
    for new in taught.split(len(taught)//CALLS):
        now = rows[torch.isin(y[rows], new)]
        c.partial_fit(images(now), y[now].numpy(), progress=False)
    return c

def figures(c, images, y, taught, scores=SCORES):
    "How a taught classifier does on photos of taught and of other classes."
    known = torch.isin(y, taught).numpy()
    p, y = c.predict_proba(images), y.numpy()
    at = np.searchsorted(c.classes_, y[known])
    made = c.calibration_
    before = torch.from_numpy(p[known]).double().log().mul(made['temperature']).softmax(1) # as without a temperature
    out = dict(accuracy=float((c.predict(images)[known] == y[known]).mean()), temperature=made['temperature'], held=made['photos'],
               ece_held=[made['ece_before'], made['ece_after']],
               ece=[calibration_error(v, torch.from_numpy(at)) for v in (before, torch.from_numpy(p[known]))], scores={})
    for by in scores:
        sure = c.set_params(refuse_by=by).is_known(images)
        out['scores'][by] = dict(found=float((~sure[~known]).mean()), refused=float((~sure[known]).mean()))
    return out

def rows_of(part, out, keep, taught, seed, taught_with, judged, y, **row):
    "Teach each kind of classifier, and keep a row for each of its answers."
    for given, answers in TAUGHT.values():
        if all(any((dict(name=n) | row).items() <= r.items() for r in out[part]) for n in answers.values()): continue
        c = teach(classifier(given, seed), taught, taught_with, y, numbers)
        for answer, name in answers.items():
            if not any((dict(name=name) | row).items() <= r.items() for r in out[part]):
                keep(part, dict(name=name, **row, **figures(c.set_params(answer=answer), numbers(judged), y[judged], taught)))

def tuning(f, out, keep):
    y = f['y_train']
    fifth = torch.cat([torch.arange(int(k)) for k in torch.bincount(y)]) % 5 == 4 # of each class; the labels are sorted
    FEATURES['x'] = f['x_train']
    for seed in TUNING:
        taught = choice(seed)
        judged = (fifth | ~torch.isin(y, taught)).nonzero().squeeze(1)
        rows_of('tuning', out, keep, taught, seed, (~fifth).nonzero().squeeze(1), judged, y, choice=seed)

def test(f, out, keep):
    FEATURES['x'], y = torch.cat([f['x_train'], f['x_test']]), torch.cat([f['y_train'], f['y_test']])
    n = len(f['x_train'])
    for seed in CHOICES:
        for draw in DRAWS:
            rows_of('test', out, keep, choice(seed), draw, torch.arange(n), torch.arange(n, len(y)), y, choice=seed, draw=draw)

def later(f, out, keep):
    FEATURES['x'], y = torch.cat([f['x_train'], f['x_test']]), torch.cat([f['y_train'], f['y_test']])
    n, given = len(f['x_train']), TAUGHT['Ridge'][0]
    half = torch.cat([torch.arange(int(k)) for k in torch.bincount(f['y_test'])]) % 2 == 0 # of each class
    for seed in CHOICES:
        if any(r['choice'] == seed for r in out['later']): continue
        taught = choice(seed)
        known = torch.isin(f['y_test'], taught)
        c = teach(classifier({**given, 'held': 0.}), taught, torch.arange(n), y, numbers)
        apart = n + (half & known).nonzero().squeeze(1)
        c.hold_out(numbers(apart), y[apart].numpy())
        judged = n + (~(half & known)).nonzero().squeeze(1)
        keep('later', dict(name='Ridge', choice=seed, **figures(c, numbers(judged), y[judged], taught)))

def files(folder):
    "The files of a folder with a folder for each class, sorted, and their classes."
    classes = sorted(d for d in Path(folder).iterdir() if d.is_dir())
    each = [(p, k) for k, d in enumerate(classes) for p in sorted(d.iterdir())]
    return np.array([str(p) for p, _ in each]), torch.tensor([k for _, k in each])

def network(runs, **given):
    "A classifier with the pretrained network, frozen, and ridge regression."
    return IncrementalClassifier('ridge', SIZE, answer='head', flip=False, device='cpu', **{**HELD, **given}, settings=dict(
        backbone=NETWORK, weights=weights(runs), train_backbone='none', input_size=SIZE, precision='float32'))

def whole(a, out, keep):
    if out['whole']: return
    (train, y), (judged, y_test), every = files(a.folder/'train'), files(a.folder/'test'), choice(CHOICES[0])
    taught = every[:8]
    other = torch.tensor([k for k in range(60) if k not in every][:4])
    t0 = time.process_time()
    c = teach(network(a.runs), taught, torch.arange(len(y)), y, lambda rows: train[rows.numpy()])
    seconds, some = round(time.process_time()-t0), torch.isin(y_test, torch.cat([taught, other]))
    x = to_images(judged[some.numpy()], SIZE)
    keep('whole', dict(name='Ridge', taught=len(taught), never=len(other), seconds=seconds, **figures(c, x, y_test[some], taught, SCORES[:1])))

def speed(a, out, keep):
    if out['speed']: return
    (train, y), (judged, _) = files(a.folder/'train'), files(a.folder/'test')
    few = torch.isin(y, torch.arange(2)).numpy().nonzero()[0]
    c = network(a.runs, held=0., per_class=0).partial_fit(train[few], y[few].numpy(), progress=False)
    some = judged[::len(judged)//100][:100]
    for threads in (1, 2):
        with use_threads(threads):
            for what, work in (('files', lambda: to_images(some, SIZE)), ('predict', lambda: c.predict(some))):
                work()
                t0, p0 = time.perf_counter(), time.process_time()
                work()
                clock, processor = time.perf_counter()-t0, time.process_time()-p0
                keep('speed', dict(what=what, threads=threads, photos=len(some), per_second=round(len(some)/clock, 1),
                                   per_processor_second=round(len(some)/processor, 1)))

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder', type=Path); p.add_argument('runs', type=Path)
    p.add_argument('--only', choices=('tuning', 'test', 'later', 'whole', 'speed'))
    a = p.parse_args()
    torch.set_num_threads(1)
    a.runs.mkdir(parents=True, exist_ok=True)
    out = dict(tuning=[], test=[], later=[], whole=[], speed=[]) | (load_json(OUT) if OUT.is_file() else {})
    out |= dict(versions=versions(), processor=platform.processor() or platform.machine(), network=NETWORK, size=SIZE, known=KNOWN,
                calls=CALLS, held=HELD)
    def keep(part, row):
        out[part].append(row); save_json(OUT, out); print(part, row, flush=True)
    if a.only in (None, 'tuning', 'test', 'later'): f = features(a.folder, a.runs, SIZE)
    if a.only in (None, 'tuning'): tuning(f, out, keep)
    if a.only in (None, 'test'): test(f, out, keep)
    if a.only in (None, 'later'): later(f, out, keep)
    if a.only in (None, 'whole'): whole(a, out, keep)
    if a.only in (None, 'speed'): speed(a, out, keep)

if __name__ == '__main__': main()
