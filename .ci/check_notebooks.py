"""The rules of akr's notebooks that neither nbdev nor ruff checks: python .ci/check_notebooks.py [NBS_FOLDER]"""
import ast, json, re, sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIB, MAX_KB, MAX_LINE, METHODS = 'akr', 400, 120, 75 # a notebook of methods/ is read after the learner and before the runs
MACHINE = re.compile(r'(?<![\w.:/}<-])/(?:home|root|Users|tmp|mnt|opt|srv|work|workspace|content|kaggle)/\w|\b[A-Z]:\\\\?Users\\')
COLAB = re.compile(r'https://colab\.research\.google\.com/github/[^)\s"]+')

def joined(s): return s if isinstance(s, str) else ''.join(s)

def directives(src): return [o[2:].split() for o in src.splitlines() if re.match(r'#\|\s*\S', o)]

def exports(src): return any(o[0] in ('export', 'exports', 'exporti') for o in directives(src))

def imported(src):
    "The modules of akr that a cell imports, and names that may be modules: `config`, `methods.icarl`, `config.Config`."
    try: tree = ast.parse(re.sub(r'^(\s*)[!%].*', r'\1pass', src, flags=re.M)) # without lines of shell and magics
    except SyntaxError: return
    for n in ast.walk(tree):
        if isinstance(n, ast.Import): names = [a.name for a in n.names]
        elif isinstance(n, ast.ImportFrom): names = [n.module or ''] + [f'{n.module}.{a.name}' for a in n.names]
        else: continue
        yield from (o.removeprefix(f'{LIB}.') for o in names if o.startswith(f'{LIB}.'))

def text_outputs(cell):
    for o in cell.get('outputs', []):
        yield from (joined(v) for mime,v in {'text/plain': o.get('text', ''), **o.get('data', {})}.items() if mime.startswith('text/'))

def long_lines(lib):
    "The lines of the exported modules that are too long; nbdev itself writes `__all__` and _modidx.py."
    for p in sorted(lib.rglob('*.py')):
        for n,o in enumerate(p.read_text(encoding='utf-8').splitlines() if p.name != '_modidx.py' else [], 1):
            if len(o) > MAX_LINE and not o.startswith('__all__'): yield p, f'line {n} has {len(o)} characters; at most {MAX_LINE}'

class Book:
    "A notebook: its module, and where it stands in the order of reading."
    def __init__(self, path, nbs):
        self.path, self.name = path, path.relative_to(nbs)
        self.nb = json.loads(path.read_text(encoding='utf-8'))
        folder, (first, _, rest) = self.name.parent.as_posix(), path.stem.partition('_')
        self.method = folder == 'methods'
        self.number = METHODS if self.method else int(first) if folder == '.' and first.isdigit() else None
        self.wanted = f'methods.{path.stem}' if self.method else rest if self.number is not None else None # its module's name
        self.module = next((o[1] for c in self.nb['cells'] for o in directives(joined(c['source'])) if o[0] == 'default_exp'), None)

    def check(self, modules, count, sidebar, home):
        "What is wrong with it, given each module's number, how often each is exported, and where its badge should lead."
        cells = self.nb['cells']
        if self.module and count[self.module] > 1: yield f'exports to {self.module}, as another notebook does'
        if self.module and not self.wanted: yield 'exports, but its name does not start with a number, nor is it a method'
        elif self.module and self.module.strip('_') != self.wanted: yield f'exports to {self.module}: name and module differ'
        if self.name.as_posix() not in sidebar: yield 'is missing from sidebar.yml'
        if (kb := self.path.stat().st_size//1024) >= MAX_KB: yield f'has {kb} KB; at most {MAX_KB}'
        title = joined(cells[0]['source']).splitlines() or [''] if cells and cells[0]['cell_type'] != 'code' else ['']
        if cells and cells[0]['cell_type'] == 'raw': title = ['# in front matter']
        if not title[0].startswith('# '): yield 'does not start with a cell "# title"'
        if lost := [o for o in title if o.strip() and not re.match(r'# |>|- \S+:', o)]: yield f'cell 0: the documentation would lose {lost[0][:40]!r}'
        yield from (f'its badge opens another notebook on Colab: {o}' for c in cells for o in COLAB.findall(joined(c['source'])) if o != f'{home}/nbs/{self.name.as_posix()}')
        if 'widgets' in self.nb['metadata']: yield 'has the state of widgets in its metadata: clear it'
        if len({c.get('id') for c in cells} - {None, ''}) < len(cells): yield 'has cells without an id of their own: run nbdev_clean'
        for n,c in enumerate(cells): yield from (f'cell {n}: {o}' for o in self.check_cell(c, modules))

    def check_cell(self, cell, modules):
        src, outputs = joined(cell['source']), list(text_outputs(cell))
        if m := next(filter(None, map(MACHINE.search, [src, *outputs])), None): yield f'holds a path of one machine: {m[0]}...'
        if cell['cell_type'] != 'code':
            if re.search(r'^(- *)?skip_exec', src, re.M): yield 'skip_exec: the notebook is never tested'
            return
        if exports(src) and re.search(r'^#\|\s*eval: *false', src, re.M): yield 'exports code that is never run (eval: false)'
        if any(o['output_type'] == 'error' for o in cell['outputs']) or any('Traceback (most recent call last)' in t for t in outputs): yield 'a traceback is saved in its output'
        if any('jupyter.widget' in m for o in cell['outputs'] for m in o.get('data', {})): yield 'a widget is saved in its output, where no kernel answers: clear that output'
        for m in modules.keys() & imported(src) if self.number is not None else ():
            if m.startswith('methods.') and not self.method:
                if exports(src): yield f'exports an import of {LIB}.{m}: a method is found by its name'
            elif modules[m] > self.number: yield f'imports {LIB}.{m}, which comes after it'

def main(nbs):
    root = nbs.parent
    files = [p for p in nbs.rglob('*.ipynb') if not any(o[0] in '._' for o in p.relative_to(nbs).parts)]
    books = [Book(p, nbs) for p in sorted(files)]
    modules = {b.module: b.number for b in books if b.module and b.number is not None}
    sidebar = (nbs/'sidebar.yml').read_text(encoding='utf-8')
    ini = dict(re.findall(r'^(\w+) *= *(\S+)', (root/'settings.ini').read_text(encoding='utf-8'), re.M))
    home = f"https://colab.research.google.com/github/{ini['user']}/{ini['repo']}/blob/{ini['branch']}"
    count = Counter(b.module for b in books)
    wrong = [(b.path, o) for b in books for o in b.check(modules, count, sidebar, home)]
    wrong += long_lines(root/LIB)
    wrong += [(p, 'is named .notest: its folder is never tested') for p in nbs.rglob('.notest')]
    for p,o in ((root/'CITATION.cff', f"version: {ini['version']}"), (nbs/'index.ipynb', f"version {ini['version']}.")):
        if o not in p.read_text(encoding='utf-8'): wrong.append((p, f"does not name the version of settings.ini, {ini['version']}"))
    for p,o in wrong: print(f'{p.relative_to(root)}: {o}')
    print(f'{len(books)} notebooks looked at, {len(wrong)} problems')
    return int(bool(wrong) or not books)

if __name__ == '__main__': sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT/'nbs'))
