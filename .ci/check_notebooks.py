"""The rules of akr's notebooks that nbdev does not check: python .ci/check_notebooks.py [NBS_FOLDER]"""
import ast, builtins, json, re, symtable, sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIB, MAX_KB = 'akr', 400
MACHINE = re.compile(r'(?<![\w.:/}<-])/(?:home|root|Users|tmp|mnt|opt|srv|work|workspace|content|kaggle)/\w|\b[A-Z]:\\\\?Users\\')

def joined(s): return s if isinstance(s, str) else ''.join(s)

def directives(src): return {' '.join(o[2:].split()) for o in src.splitlines() if o.startswith('#|')}

def has(flags, *names): return any(o.split()[0].rstrip(':') in names for o in flags if o)

def imports(src):
    "(module, names) of each import in a cell; lines of shell and magics are left out."
    lines = [('pass' if o.lstrip()[:1] in ('!', '%') else o) for o in src.splitlines()]
    try: tree = ast.parse('\n'.join(lines))
    except SyntaxError: return []
    return [(n.module or '', [a.name for a in n.names]) if isinstance(n, ast.ImportFrom) else (a.name, [])
            for n in ast.walk(tree) if isinstance(n, (ast.Import, ast.ImportFrom))
            for a in (n.names if isinstance(n, ast.Import) else [None])]

def text_outputs(cell):
    for o in cell.get('outputs', []):
        if o['output_type'] == 'stream': yield joined(o['text'])
        for mime, v in o.get('data', {}).items():
            if mime.startswith('text/'): yield joined(v)

def default_exp(nb):
    for c in nb['cells']:
        for o in directives(joined(c['source'])):
            if o.startswith('default_exp '): return o.split()[1]

def lost_prose(nb):
    "What stands beside title and summary in the title's cell: nbdev drops it from the documentation."
    first = joined(nb['cells'][0]['source']) if nb['cells'] else ''
    return [o for o in first.splitlines() if o.strip() and not re.match(r'# |>|- \S+:', o)]

def colab(nb, path):
    "The addresses of Colab in a notebook that are not its own."
    ini = dict(re.findall(r'^(user|repo|branch) *= *(\S+)', (ROOT/'settings.ini').read_text(encoding='utf-8'), re.M))
    own = f"https://colab.research.google.com/github/{ini['user']}/{ini['repo']}/blob/{ini['branch']}/nbs/{path}"
    return [o for c in nb['cells'] for o in re.findall(r'https://colab\.research\.google\.com/github/[^)\s"]+', joined(c['source'])) if o != own]

def check_cell(cell, number, modules):
    "What is wrong with one cell."
    src = joined(cell['source'])
    texts = [src, *text_outputs(cell)]
    if any(MACHINE.search(t) for t in texts): yield f'holds a path of one machine: {next(m[0] for t in texts if (m := MACHINE.search(t)))}...'
    if cell['cell_type'] == 'raw' and 'skip_exec' in src or cell['cell_type'] == 'markdown' and re.search(r'^- *skip_exec', src, re.M): yield 'skip_exec: the notebook is never tested'
    if cell['cell_type'] != 'code': return
    flags = directives(src)
    if has(flags, 'export', 'exports', 'exporti') and any(re.fullmatch(r'eval: *false', o) for o in flags): yield 'exports code that is never run (eval: false)'
    if any(o['output_type'] == 'error' for o in cell['outputs']) or any('Traceback (most recent call last)' in t for t in texts[1:]): yield 'a traceback is saved in its output'
    if any('jupyter.widget' in m for o in cell['outputs'] for m in o.get('data', {})): yield 'a widget is saved in its output, where no kernel answers: clear that output'
    for module, names in imports(src):
        if '*' in names: yield f'from {module} import *: import by name'
        used = [f'{module}.{n}' for n in names] if module == LIB else [module]
        for m in (o.removeprefix(f'{LIB}.') for o in used if o.startswith(f'{LIB}.')):
            if number is not None and modules.get(m, -1) > number: yield f'imports {LIB}.{m}, which comes after it'

def unknown_names(path):
    "Names that a module uses and nobody defines: a notebook has more of them (imports of its tests) than what is exported."
    top = symtable.symtable(path.read_text(encoding='utf-8'), path.name, 'exec')
    known = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()} | set(dir(builtins)) | {'__file__', '__name__'}
    def used(t):
        for s in t.get_symbols():
            if s.is_referenced() and (t is top or s.is_global()): yield s.get_name()
        for c in t.get_children(): yield from used(c)
    return sorted(set(used(top)) - known)

def main(nbs):
    files = sorted(p for p in nbs.rglob('*.ipynb') if not any(o[0] in '._' for o in p.relative_to(nbs).parts))
    books = {p: json.loads(p.read_text(encoding='utf-8')) for p in files}
    exports = {p: default_exp(nb) for p,nb in books.items()}
    number = lambda p: int(m[0]) if p.parent == nbs and (m := re.match(r'\d+', p.name)) else None
    modules = {e: number(p) for p,e in exports.items() if e and number(p) is not None}
    sidebar = (nbs/'sidebar.yml').read_text(encoding='utf-8') if (nbs/'sidebar.yml').exists() else ''
    wrong = [(p, 'is named .notest: its folder is never tested') for p in nbs.rglob('.notest')]
    count = Counter(e for e in exports.values() if e)
    for p,nb in books.items():
        e = exports[p]
        if e and count[e] > 1: wrong.append((p, f'exports to {e}, as another notebook does'))
        if e and number(p) is None: wrong.append((p, 'exports, but its name does not start with a number'))
        if e and p.stem.split('_', 1)[-1] != e.strip('_').replace('.', '_'): wrong.append((p, f'exports to {e}: name and module differ'))
        if p.relative_to(nbs).as_posix() not in sidebar: wrong.append((p, 'is missing from sidebar.yml'))
        if p.stat().st_size > MAX_KB*1024: wrong.append((p, f'has {p.stat().st_size//1024} KB; at most {MAX_KB}'))
        title = nb['cells'][0] if nb['cells'] else dict(cell_type='', source='')
        if title['cell_type'] == 'markdown' and not joined(title['source']).startswith('# ') or title['cell_type'] == 'code': wrong.append((p, 'does not start with a cell "# title"'))
        elif title['cell_type'] == 'markdown' and (o := lost_prose(nb)): wrong.append((p, f'cell 0: the documentation would lose what stands beside title and summary: {o[0][:40]}'))
        wrong += [(p, f'its badge opens another notebook on Colab: {o}') for o in colab(nb, p.relative_to(nbs).as_posix())]
        if 'widgets' in nb['metadata']: wrong.append((p, 'has the state of widgets in its metadata: clear it'))
        ids = [c.get('id') for c in nb['cells']]
        if not all(ids) or len(set(ids)) < len(ids): wrong.append((p, 'has cells without an id of their own: run nbdev_clean'))
        for n,c in enumerate(nb['cells']): wrong += [(p, f'cell {n}: {o}') for o in check_cell(c, number(p), modules)]
    version = re.search(r'^version *= *(\S+)', ini.read_text(), re.M)[1] if (ini := nbs.parent/'settings.ini').exists() else ''
    for p,o in ((nbs.parent/'CITATION.cff', f'version: {version}'), (nbs/'index.ipynb', f'{{{version}}}')):
        if version and p.exists() and o not in p.read_text(encoding='utf-8'): wrong.append((p, f'does not name the version of settings.ini, {version}'))
    for p in sorted((nbs.parent/LIB).glob('*.py')): wrong += [(p, f'uses {o}, which is not defined there') for o in unknown_names(p)]
    for p,o in wrong: print(f'{p.relative_to(nbs.parent)}: {o}')
    print(f'{len(files)} notebooks looked at, {len(wrong)} problems')
    return int(bool(wrong) or not files)

if __name__ == '__main__': sys.exit(main(Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT/'nbs'))
