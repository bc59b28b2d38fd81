import argparse
import json
import sys
from dataclasses import fields
from pathlib import Path

import akr
from fastcore.docments import docments

from akr.config import METHODS, PAPER, Config, configure
from akr.core import InputError
from akr.data import TORCHVISION
from akr.learner import LossError
from akr.plot import plot_accuracy, plot_matrix, plot_weights
from akr.run import Run, evaluate_run, predict, resume, train

MAIN = ('data', 'method', 'base', 'step', 'scheme', 'order', 'epochs', 'memory', 'seed')

class Parser(argparse.ArgumentParser):
    "An `ArgumentParser` whose errors are one sentence and exit code 2."
    def __init__(self, *args, **kw): super().__init__(*args, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **kw)
    def error(self, message:str): self.exit(2, f"{self.prog}: {message}\n")

def number(s:str): # int or float
    "A number as it is written: '3' is whole, '3.0' is not."
    try: return int(s)
    except ValueError: return float(s)

def add_setting(parser, field, doc:str)->None:
    "An option for one field of `Config`."
    kw = dict(dest=field.name, default=argparse.SUPPRESS, help=doc.replace('%', '%%'))
    if field.type is bool: kw['action'] = argparse.BooleanOptionalAction
    elif field.type is tuple: kw.update(nargs='+', type=number, metavar='N')
    else: kw.update(type=field.type, metavar={int: 'N', float: 'X', str: 'NAME'}[field.type])
    parser.add_argument('--'+field.name.replace('_', '-'), **kw)

def add_place(parser, files:bool=True)->None:
    "Options that say where a run is computed and where its images lie."
    parser.add_argument('--device', default='auto', metavar='NAME', help='auto (CUDA if there is one), cpu, cuda or cuda:N')
    if not files: return
    parser.add_argument('--download', action='store_true', help='fetch a torchvision data set that is missing')
    parser.add_argument('--cache', dest='cache_dir', metavar='DIR', help="where a folder's decoded images are kept")

TRAIN_HELP = """Learn a data set phase by phase, saving each phase.

examples:
  akr train                                        digits, AKR, five phases of two classes
  akr train --method base --memory 0               the same without exemplars
  akr train --data cifar100 --download             CIFAR-100, ten phases of ten classes
  akr train --data folder:photos --size 64         your own images: photos/CLASS/*.jpg
  akr train --resume runs/digits-akr-s1993         go on after the last finished phase"""

MAIN_HELP = """Attentive Knowledge Replay: class-incremental learning with blended exemplars.

  akr train      learn a data set phase by phase
  akr eval       recompute the accuracies of a saved run
  akr plot       draw a saved run
  akr predict    classify images with a saved run
  akr COMMAND --help says more; akr --version.

The paper's own flags are understood as they stand (python -m akr --c resnet32 --model ...):
  --c NAME           network: resnet20, resnet32, resnet44, resnet56 or resnet110
  --model NAME       icarl_attentive_replay (AKR), icarl_mixup (Mixup) or icarl (Base)
  --method NAME      the same choice as attentive_replay, mixup or base; it must agree with --model
  --name NAME        the run is written to runs/NAME
  -order K           class order: 0 fgp (the paper's, probably), 1 lucir, 2 icarl, or a name
  -init_base B       classes of the first phase
  -inc S             new classes of each later phase
  --alpha A1 A2      Beta distribution of the blending weights
  -e E               epochs of each phase, the warm-up included
  -sc E1 E2          epochs after the warm-up at which the learning rate falls to a fifth
  -wp W              warm-up: epochs of plain mixup before attention starts
  -alr R             learning rate of the attention module
  -lrds 0|1          does that rate follow the schedule of the network's? (our reading)
  -arl X             weight of a penalty that draws the weights back to their prior; 0: none (our reading)
  -mp 0|1|2          pairs: any with any, exemplar with new, or among exemplars (our reading)
  -fn 0|1            bring features to unit length for the attention module? (our reading)
  -seed K            seed
  --save             keep the models (akr always does)
  --load_path DIR    a saved run ...
  --eval             ... to evaluate
  beside them: --data, --data-dir, --download, --cache, --device, --memory, --out
The rest of that configuration is the iCaRL learner of the same authors' earlier code: see akr.config.PAPER."""

def make_parser()->Parser:
    "The parser of akr's own commands."
    p = Parser(prog='akr', description=MAIN_HELP, usage='akr train|eval|plot|predict ...')
    p.add_argument('--version', action='version', version=f'akr {akr.__version__}')
    sub = p.add_subparsers(dest='command', required=True, metavar='COMMAND', help=argparse.SUPPRESS)
    add = lambda name, text: sub.add_parser(name, description=text)
    t = add('train', TRAIN_HELP)
    docs, by_name = docments(Config), {f.name: f for f in fields(Config)}
    g = t.add_argument_group('what to learn')
    for name in MAIN: add_setting(g, by_name[name], docs[name])
    g = t.add_argument_group('where')
    g.add_argument('--out', metavar='DIR', help='the run folder (default: a new one under runs/)')
    g.add_argument('--resume', metavar='DIR', help='go on with this run; its own settings apply')
    add_place(g)
    g.add_argument('--quiet', action='store_true', help='no progress bar, no lines')
    g = t.add_argument_group('more settings (the defaults suit the data set)')
    for name, f in by_name.items():
        if name not in MAIN: add_setting(g, f, docs[name])
    e = add('eval', 'Recompute the accuracies of a run from its saved files and compare them with metrics.json.\nExit code 1 if they differ.')
    e.add_argument('run', metavar='DIR'); e.add_argument('--data-dir', metavar='DIR', help="folder of torchvision's data sets"); add_place(e)
    e.add_argument('--json', action='store_true', help='print the metrics as JSON')
    d = add('plot', 'Write accuracy.png, matrix.png and, for blended runs, weights.png.')
    d.add_argument('run', metavar='DIR'); d.add_argument('--to', metavar='DIR', help='write them there (default: the run folder)')
    r = add('predict', 'Print the most probable classes of images.')
    r.add_argument('run', metavar='DIR'); r.add_argument('images', metavar='IMAGE', nargs='+')
    r.add_argument('--top', type=int, default=3, metavar='K', help='how many classes to print')
    r.add_argument('--phase', type=int, metavar='T', help='as the run was after this phase, from 1 (default: the last)')
    r.add_argument('--json', action='store_true', help='print JSON'); add_place(r, files=False)
    return p

def do_train(a)->int:
    "`akr train`"
    given = {f.name: getattr(a, f.name) for f in fields(Config) if hasattr(a, f.name)}
    where = dict(device=a.device, progress=False if a.quiet else None, download=a.download, cache_dir=a.cache_dir)
    if a.resume:
        odd = sorted(set(given)-{'data_dir'}) + (['out'] if a.out else [])
        if odd: raise InputError(f"--resume goes on with the run's own settings: leave out --{', --'.join(o.replace('_', '-') for o in odd)}")
        run = resume(a.resume, data_dir=given.get('data_dir'), **where)
    else:
        if ',' in str(given.get('order', '')): given['order'] = parse_order(given['order'])
        run = train(configure(**given), a.out, **where)
    if not a.quiet: report(run.write_metrics(), run.path)
    return 0

def parse_order(text:str)->list:
    "'3,1,2' as a list of class numbers."
    try: return [int(s) for s in text.split(',')]
    except ValueError: raise InputError(f"an order given as a list must hold class numbers, like 3,1,2, not {text!r}") from None

def percent(v)->str: return 'n/a' if v is None else f'{v:.2f} %'

def report(m:dict, path)->None:
    "The closing lines of a run."
    a, b, f, l = (m[k] for k in ('average_incremental_accuracy', 'average_incremental_accuracy_without_first', 'forgetting', 'last_accuracy'))
    print(f"{m['method']} on {m['data']}, seed {m['seed']}, order {m['order']}, {len(m['phases'])} of {len(m['sizes'])} phases: {path}")
    print(f"{'':46}{'head':>10}{'NME':>10}")
    for name, v in (('average incremental accuracy', a), ('... without the first phase', b), ('accuracy after the last phase', l)): print(f"  {name:44}{percent(v['head']):>10}{percent(v['nme']):>10}")
    points = lambda v: 'n/a' if v is None else f'{v:.2f}'
    print(f"  {'forgetting (points)':44}{points(f['head']):>10}{points(f['nme']):>10}")

def do_eval(a)->int:
    "`akr eval`"
    m, differ = evaluate_run(a.run, a.device, download=a.download, cache_dir=a.cache_dir, data_dir=getattr(a, 'data_dir', None))
    if getattr(a, 'json', False): print(json.dumps(m, indent=1))
    else: report(m, a.run)
    if differ: print('These differ from metrics.json (another machine or device rounds differently):\n  ' + '\n  '.join(differ), file=sys.stderr)
    elif not getattr(a, 'json', False): print('This agrees with metrics.json exactly.')
    return 1 if differ else 0

def do_plot(a)->int:
    "`akr plot`"
    run = Run(a.run)
    if not run.results(): raise InputError(f"the run in {a.run!r} has no finished phase yet")
    m, to = run.write_metrics(), Path(a.to or a.run)
    seen, known = [p['seen'] for p in m['phases']], [k for k, v in m['accuracy_matrix'].items() if v]
    name = dict(head='head', nme='NME')
    figs = dict(accuracy=plot_accuracy({name[k]: (seen, [p['top1'][k] for p in m['phases']]) for k in known}, f"{m['method']} on {m['data']}"),
                matrix=plot_matrix({name[k]: m['accuracy_matrix'][k] for k in known}))
    if run.cfg.blend != 'none':
        epochs = run.results()[-1]['epochs']
        figs['weights'] = plot_weights(epochs[-1]['hist'], [e['std'] for e in epochs], [e['exemplar'] for e in epochs])
    to.mkdir(parents=True, exist_ok=True)
    for k, f in figs.items():
        f.savefig(to/f'{k}.png')
        print(to/f'{k}.png')
    return 0

def do_predict(a)->int:
    "`akr predict`"
    p, nme, names = predict(a.run, a.images, a.phase, a.device)
    top = p.topk(max(1, min(a.top, len(names))), 1)
    rows = [dict(image=f, head=[dict(label=names[i], probability=round(v, 6)) for v, i in zip(vs, ix)], nme=None if nme is None else names[nme[k]])
            for k, (f, vs, ix) in enumerate(zip(a.images, top.values.tolist(), top.indices.tolist()))]
    if a.json: print(json.dumps(rows, indent=1))
    else:
        for r in rows: print(f"{r['image']}: " + ', '.join(f"{h['label']} {h['probability']:.1%}" for h in r['head']) + (f"  (NME: {r['nme']})" if r['nme'] else ''))
    return 0

MODELS = dict(icarl_attentive_replay='akr', icarl_mixup='mixup', icarl='base')
PAPER_METHODS = dict(attentive_replay='akr', mixup='mixup', base='base')
PAPER_ORDERS = {'0': 'fgp', '1': 'lucir', '2': 'icarl'}

def make_paper_parser()->Parser:
    "The parser of the paper's two command lines."
    p = Parser(prog='python -m akr', add_help=False)
    p.add_argument('--c', default='resnet32', choices=[f'resnet{d}' for d in (20, 32, 44, 56, 110)])
    p.add_argument('--model', default='icarl_attentive_replay', choices=MODELS); p.add_argument('--method', choices=PAPER_METHODS)
    p.add_argument('--name'); p.add_argument('-order', default='0')
    p.add_argument('-init_base', type=int, default=PAPER['base']); p.add_argument('-inc', type=int, default=PAPER['step'])
    p.add_argument('--alpha', type=float, nargs=2, default=[1., 1.])
    p.add_argument('-e', type=int, default=PAPER['epochs']); p.add_argument('-sc', type=int, nargs='+', default=[50, 64]); p.add_argument('-wp', type=int, default=PAPER['warmup'])
    p.add_argument('-alr', type=float, default=PAPER['attention_lr']); p.add_argument('-lrds', type=int, default=1, choices=(0, 1)); p.add_argument('-arl', type=float, default=0.)
    p.add_argument('-mp', type=int, default=0, choices=(0, 1, 2)); p.add_argument('-fn', type=int, default=1, choices=(0, 1)); p.add_argument('-seed', type=int, default=PAPER['seed'])
    p.add_argument('--save', action='store_true'); p.add_argument('--load_path'); p.add_argument('--eval', action='store_true')
    p.add_argument('--data', default=PAPER['data']); p.add_argument('--data-dir'); p.add_argument('--memory', type=int, default=PAPER['memory']); p.add_argument('--out')
    add_place(p)
    return p

def paper_config(a # From `make_paper_parser`
)->Config:
    "What the paper's flags mean here."
    method = MODELS[a.model]
    if a.method and PAPER_METHODS[a.method] != method: raise InputError(f"--model {a.model} and --method {a.method} do not go together")
    return configure(**{**PAPER, **dict(data=a.data, data_dir=a.data_dir, method=method, depth=int(a.c.removeprefix('resnet')), order=PAPER_ORDERS.get(a.order, a.order),
        base=a.init_base, step=a.inc, memory=a.memory, alpha=a.alpha, epochs=a.e, warmup=a.wp, milestones=[a.wp+s for s in a.sc], attention_lr=a.alr,
        attention_schedule=bool(a.lrds), attention_reg=a.arl, pairing=('any', 'mixed', 'exemplars')[a.mp], normalise=bool(a.fn), seed=a.seed)})

def do_paper(a)->int:
    "The paper's own command lines."
    if a.eval:
        if not a.load_path: raise InputError("--eval needs --load_path DIR, the folder of a saved run")
        a.run = a.load_path
        return do_eval(a)
    run = train(paper_config(a), a.out or (Path('runs')/a.name if a.name else None), a.device, download=a.download, cache_dir=a.cache_dir)
    report(run.write_metrics(), run.path)
    return 0

COMMANDS = dict(train=do_train, eval=do_eval, plot=do_plot, predict=do_predict)

def main(
    argv:list=None # The words of the command line; None: those of this process
)->int: # 0: done; 1: a check or the training failed; 2: bad input
    "The command `akr`."
    argv = sys.argv[1:] if argv is None else [str(a) for a in argv]
    paper = bool(argv) and argv[0].startswith('-') and argv[0] not in ('-h', '--help', '--version')
    a = (make_paper_parser() if paper else make_parser()).parse_args(argv or ['--help'])
    try: return do_paper(a) if paper else COMMANDS[a.command](a)
    except InputError as e: print(f'akr: {e}', file=sys.stderr); return 2
    except LossError as e: print(f'akr: {e}. The finished phases are kept.', file=sys.stderr); return 1
    except KeyboardInterrupt: print('akr: stopped; the finished phases are kept: go on with akr train --resume DIR', file=sys.stderr); return 130
