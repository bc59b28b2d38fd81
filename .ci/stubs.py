"""Write akr/*.pyi, the type stubs, from akr/*.py.

python .ci/stubs.py           write them
python .ci/stubs.py --check   write nothing; exit code 1 if one of them is out of date

The notebooks add methods to a class in later cells (`@patch`), which no type checker sees. In the stubs each method stands in its
class. What the notebooks leave to custom is written out: a parameter or field that may be None by its default, `list` for
`list[Any]`, the same few parameters that bear no hint anywhere (`path`, `device`, ...), the attributes that methods set, and the
call of a module, which has the types of its `forward`, and the settings that a function takes as `**given`. Private names are left
out.
"""
import ast, re, sys, textwrap
from pathlib import Path

LIB = Path(__file__).resolve().parent.parent/'akr'
PATH = 'str | PathLike[str]'
CUSTOM = {**dict.fromkeys(('path', 'out', 'root', 'data_dir', 'cache_dir', 'folder', 'file'), PATH), 'device': 'str | torch.device', 'say': 'Callable[[str], object]'} # hints of parameters without one
BARE = dict(list='list[Any]', dict='dict[Any, Any]', tuple='tuple[Any, ...]', set='set[Any]', type='type[Any]', Iterator='Iterator[Any]', Callable='Callable[..., Any]')
SETTINGS = {'configure': 'Config'} # function -> the class whose fields its **given are
WIDER = dict(order='str | Sequence[int]', alpha='Sequence[float]', milestones='Sequence[int]') # what may be given, where it is more than what becomes of it
UNTYPED = ('sklearn',) # packages without types: a checker that is strict shall not complain of our stubs
HOMES = {'Any': 'typing', 'PathLike': 'os', 'Callable': 'collections.abc', 'Iterator': 'collections.abc', 'Sequence': 'collections.abc'}
SAME = ('to', 'cpu', 'cuda', 'eval', 'train', 'clone', 'detach', 'contiguous', 'double', 'float') # methods that give what they are called on
TENSORS = ('arange', 'cat', 'empty', 'full', 'ones', 'stack', 'tensor', 'zeros')
VALUES = dict(len='int', str='str', float='float', int='int', bool='bool', list='list[Any]', dict='dict[Any, Any]', tuple='tuple[Any, ...]', set='set[Any]', sorted='list[Any]', round='float')

def public(name): return not name.startswith('_') or (name.startswith('__') and name.endswith('__'))

def called(node): # the name in `name`, `a.name`, `name(...)` and `a.name(...)`
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, 'id', '')

def or_none(t): return t if t == 'Any' or re.search(r'\bNone$', t) else f'{t} | None'

def hint(node, none=False):
    "An annotation as text; `none`: it may be None as well."
    if isinstance(node, ast.Constant) and isinstance(node.value, str): node = ast.parse(node.value, mode='eval').body
    class Whole(ast.NodeTransformer):
        def visit_Subscript(self, n): n.slice = self.visit(n.slice); return n # its name is not bare
        def visit_Name(self, n): return ast.parse(BARE[n.id], mode='eval').body if n.id in BARE else n
    t = ast.unparse(Whole().visit(ast.parse(ast.unparse(node), mode='eval').body))
    return or_none(t) if none else t

def is_none(node): return isinstance(node, ast.Constant) and node.value is None

def own(f): # the nodes of a function without those of functions in it
    todo = list(f.body)
    while todo:
        n = todo.pop()
        yield n
        if not isinstance(n, (ast.FunctionDef, ast.Lambda, ast.ClassDef)): todo += ast.iter_child_nodes(n)

def gives_none(f): # is there a `return None`, or a `return ... if ... else None`?
    def may(v): return is_none(v) or (isinstance(v, ast.IfExp) and (may(v.body) or may(v.orelse)))
    return any(isinstance(n, ast.Return) and n.value is not None and may(n.value) for n in own(f))

class Module:
    "A module of akr: what it imports and defines; patched methods in their classes."
    def __init__(self, path):
        self.name, self.tree = path.stem, ast.parse(path.read_text(encoding='utf-8'))
        self.imports, self.classes, self.functions, self.patched = {}, {}, {}, {}
        for n in self.tree.body:
            if isinstance(n, (ast.Import, ast.ImportFrom)):
                for a in n.names: self.imports[a.asname or a.name] = (n, a)
            elif isinstance(n, ast.ClassDef): self.classes[n.name] = n
            elif isinstance(n, ast.FunctionDef): self.add(n)
    def add(self, f):
        how = next((d for d in f.decorator_list if called(d) == 'patch'), None)
        if how is None: self.functions[f.name] = f; return
        flags = {k.arg for k in getattr(how, 'keywords', ()) if k.value.value}
        kind = dict(as_prop='property', cls_method='classmethod', static_method='staticmethod')
        f.decorator_list = [ast.Name(kind[k]) for k in kind if k in flags] + [d for d in f.decorator_list if d is not how]
        first = (f.args.posonlyargs + f.args.args)[0]
        owners, first.annotation = first.annotation, None
        for o in ast.walk(owners):
            if isinstance(o, ast.Name): self.patched.setdefault(o.id, []).append(f)

class Writer:
    "Writes the stub of one module; `every` has all of them by name."
    def __init__(self, module, every):
        self.m, self.every = module, every

    # ---- looking things up

    def find(self, name, kind): # a class or function of akr by the name that this module has for it
        m = self.m
        if name in getattr(m, kind): return m, getattr(m, kind)[name]
        n, a = m.imports.get(name, (None, None))
        if isinstance(n, ast.ImportFrom) and n.level and n.module in self.every: return Writer(self.every[n.module], self.every).find(a.name, kind)
        for o in self.every.values(): # a type that comes by way of a function's result
            if kind == 'classes' and name in o.classes and public(name): return o, o.classes[name]
        return None, None

    def methods(self, name): # of a class of akr, by name, base classes included
        m, c = self.find(name, 'classes')
        if c is None: return {}
        w = Writer(m, self.every)
        out = {}
        for b in c.bases: out |= w.methods(called(b))
        return out | {f.name: f for f in (*c.body, *m.patched.get(name, ())) if isinstance(f, ast.FunctionDef)}

    def is_module(self, name): # of PyTorch?
        if name == 'Module': return True
        m, c = self.find(name, 'classes')
        return c is not None and any(Writer(m, self.every).is_module(called(b)) for b in c.bases)

    def returns(self, f):
        if f.returns is None:
            gen = next((n for n in own(f) if isinstance(n, ast.Yield)), None)
            if gen is not None: return f"Iterator[{'None' if gen.value is None else 'Any'}]"
            return 'str' if f.name in ('__repr__', '__str__') else 'None' if f.name in ('__init__', '__post_init__') or not any(isinstance(n, ast.Return) and n.value for n in own(f)) else 'Any'
        return hint(f.returns, gives_none(f))

    # ---- what is the type of an expression?

    def infer(self, v, known): # Any, where it takes more than a look
        if isinstance(v, ast.Constant): return 'None' if v.value is None else type(v.value).__name__
        if isinstance(v, ast.Name): return known.get(v.id, 'Any')
        if isinstance(v, ast.JoinedStr): return 'str'
        if isinstance(v, (ast.List, ast.ListComp)): return 'list[Any]'
        if isinstance(v, (ast.Dict, ast.DictComp)): return 'dict[Any, Any]'
        if isinstance(v, ast.Tuple):
            kinds = {self.infer(o, known) for o in v.elts}
            return f'tuple[{kinds.pop()}, ...]' if len(kinds) == 1 else BARE['tuple']
        if isinstance(v, ast.Attribute):
            return known.get(f'self.{v.attr}', 'Any') if isinstance(v.value, ast.Name) and v.value.id == 'self' else 'Any'
        if isinstance(v, ast.BinOp) and isinstance(v.op, ast.Div) and 'Path' in (self.infer(v.left, known), self.infer(v.right, known)): return 'Path'
        if isinstance(v, ast.BinOp):
            left, right = self.infer(v.left, known), self.infer(v.right, known)
            return left if left == right and left in ('int', 'float', 'str') and not isinstance(v.op, ast.Div) else 'Any'
        if not isinstance(v, ast.Call): return 'Any'
        name = called(v)
        if isinstance(v.func, ast.Attribute):
            if ast.unparse(v.func) in ('nn.Parameter', 'torch.device', 'torch.Generator'): return ast.unparse(v.func)
            if isinstance(v.func.value, ast.Name) and v.func.value.id == 'torch': return 'torch.Tensor' if name in TENSORS else 'Any'
            if ast.unparse(v.func) == 'math.ceil': return 'int'
            if name in SAME: return self.infer(v.func.value, known)
            owner = v.func.value.id if isinstance(v.func.value, ast.Name) and self.find(v.func.value.id, 'classes')[1] is not None else self.infer(v.func.value, known)
            f = self.methods(re.sub(r' \| None$', '', owner)).get(name)
            return self.returns(f) if f is not None else 'Any'
        if name == 'Path' or self.find(name, 'classes')[1] is not None: return name
        m, f = self.find(name, 'functions')
        if f is not None: return Writer(m, self.every).returns(f)
        return VALUES.get(name, 'Any')

    # ---- writing

    def args(self, f, method):
        a = f.args
        every = a.posonlyargs + a.args
        defaults = [None]*(len(every)-len(a.defaults)) + a.defaults
        def one(p, default, stars=''):
            none = is_none(default)
            if isinstance(default, ast.Tuple) and ast.unparse(p.annotation or ast.Name('')) == 'list': t = 'Sequence[Any]' # it takes both
            elif p.annotation is not None: t = hint(p.annotation, none)
            else:
                t = CUSTOM.get(p.arg, 'Any') if not stars else 'Any'
                t = or_none(t) if none else t
            return f'{stars}{p.arg}: {t}' + (' = ...' if default is not None else '')
        out = [one(p, d) for p, d in zip(every, defaults)]
        if method: out[0] = every[0].arg
        if a.posonlyargs: out.insert(len(a.posonlyargs), '/')
        if a.vararg: out.append(one(a.vararg, None, '*'))
        elif a.kwonlyargs: out.append('*')
        out += [one(p, d) for p, d in zip(a.kwonlyargs, a.kw_defaults)]
        if a.kwarg and f.name in SETTINGS: out += ['*'] + self.settings(SETTINGS[f.name], {p.arg for p in every})
        elif a.kwarg: out.append(one(a.kwarg, None, '**'))
        return out

    def settings(self, name, known): # the fields of a class as parameters
        fields = [n for n in self.find(name, 'classes')[1].body if isinstance(n, ast.AnnAssign) and n.target.id not in known]
        return [f'{n.target.id}: {WIDER.get(n.target.id) or hint(n.annotation, is_none(n.value))} = ...' for n in fields]

    def function(self, f, indent='', method=False, name=None):
        marks = [ast.unparse(d) for d in f.decorator_list if called(d) in ('property', 'classmethod', 'staticmethod', 'contextmanager') or (isinstance(d, ast.Attribute) and d.attr == 'setter')]
        head, args, tail = f'{indent}def {name or f.name}(', ', '.join(self.args(f, method and 'staticmethod' not in marks)), f') -> {self.returns(f)}: ...'
        if len(head+args+tail) > 140: args = '\n' + textwrap.fill(', '.join(a.replace(' ', '\0') for a in self.args(f, method and 'staticmethod' not in marks)), 132, initial_indent=indent+'    ', subsequent_indent=indent+'    ', break_long_words=False, break_on_hyphens=False).replace('\0', ' ') + '\n' + indent
        return [f'{indent}@{m}' for m in marks] + [head+args+tail]

    def attributes(self, c, methods, fields):
        "The public attributes that methods set, and their types."
        known = {f'self.{k}': t for k, t in fields.items()}
        types = {}
        for f in methods:
            local = dict(known)
            a = f.args
            for p, text in zip(a.posonlyargs+a.args, self.args(f, True)): local[p.arg] = text.partition(': ')[2].removesuffix(' = ...') or 'Any'
            for n in sorted((n for n in own(f) if isinstance(n, (ast.Assign, ast.AnnAssign))), key=lambda n: n.lineno):
                for target in n.targets if isinstance(n, ast.Assign) else [n.target]:
                    pairs = zip(target.elts, n.value.elts) if isinstance(target, ast.Tuple) and isinstance(n.value, ast.Tuple) else [(t, None) for t in target.elts] if isinstance(target, ast.Tuple) else [(target, n.value)]
                    for t, v in [(t, 'Any' if v is None else self.infer(v, local)) for t, v in pairs]:
                        if isinstance(t, ast.Name): local[t.id] = v
                        elif isinstance(t, ast.Attribute) and isinstance(t.value, ast.Name) and t.value.id == 'self' and t.attr not in fields:
                            types.setdefault(t.attr, []).append(v)
                            local[f'self.{t.attr}'] = known[f'self.{t.attr}'] = self.union(types[t.attr])
                        elif isinstance(t, ast.Subscript): continue
        for f in methods:
            for n in sorted((n for n in own(f) if isinstance(n, ast.Call)), key=lambda n: (n.lineno, n.col_offset)):
                if called(n) == 'register_buffer': types.setdefault(n.args[0].value, []).append('torch.Tensor')
        return {k: self.union(v) for k, v in types.items() if public(k)}

    def union(self, types):
        kinds = dict.fromkeys(p for t in types for p in (t.split(' | ') if '[' not in t or t.endswith(' | None') else [t]))
        none = kinds.pop('None', 0) is None
        if 'Any' in kinds or len(kinds) != 1: return 'Any'
        return or_none(next(iter(kinds))) if none else next(iter(kinds))

    def cls(self, c):
        methods = [f for f in c.body if isinstance(f, ast.FunctionDef)] + self.m.patched.get(c.name, [])
        fields, body = {}, []
        for n in c.body:
            if isinstance(n, ast.AnnAssign) and public(n.target.id):
                fields[n.target.id] = hint(n.annotation, n.value is not None and is_none(n.value))
                body.append(f'    {n.target.id}: {fields[n.target.id]}' + (' = ...' if n.value is not None else ''))
            elif isinstance(n, ast.Assign):
                for t in n.targets:
                    if isinstance(t, ast.Name) and public(t.id): fields[t.id] = self.infer(n.value, {}); body.append(f'    {t.id}: {fields[t.id]}')
        names = {f.name for f in methods}
        body += [f'    {k}: {t}' for k, t in self.attributes(c, methods, fields).items() if k not in names]
        if 'forward' in names and '__call__' not in names and self.is_module(c.name):
            body += self.function(next(f for f in methods if f.name == 'forward'), '    ', True, '__call__')
        for f in methods:
            if public(f.name) and f.name not in ('__post_init__', '__sklearn_is_fitted__'): body += self.function(f, '    ', True)
        bases = [ast.unparse(b) for b in (*c.bases, *c.keywords)]
        head = f"class {c.name}{'(' + ', '.join(bases) + ')' if bases else ''}:"
        if any(getattr(self.m.imports.get(called(b), [None])[0], 'module', '').split('.')[0] in UNTYPED for b in c.bases): head += '  # type: ignore[misc, unused-ignore]'
        return [f'@{ast.unparse(d)}' for d in c.decorator_list if called(d) == 'dataclass'] + [head + ('' if body else ' ...')] + body

    def render(self):
        body, known = [], {}
        for n in self.m.tree.body:
            after = body[-1:] != [] and body[-1].startswith('    ') # a class ends here
            if isinstance(n, ast.ClassDef) and public(n.name): body += ['', *self.cls(n)]
            elif isinstance(n, ast.FunctionDef) and n in self.m.functions.values() and public(n.name): body += ['']*after + self.function(n)
            elif isinstance(n, ast.Assign):
                for t in n.targets:
                    for name, v in zip(t.elts, n.value.elts) if isinstance(t, ast.Tuple) else [(t, n.value)]:
                        if not isinstance(name, ast.Name): continue
                        known[name.id] = self.infer(v, known)
                        if name.id == '__all__': body.append(textwrap.fill(ast.unparse(n), 132, subsequent_indent='           '))
                        elif public(name.id): body += ['']*after + [f'{name.id}: {known[name.id]}']; after = False
        text = '\n'.join(body)
        return f'# Written by .ci/stubs.py from {self.m.name}.py: edit the notebook.\n' + '\n'.join(self.needed(text)) + '\n\n' + text + '\n'

    def needed(self, text):
        "The imports of the names in `text`."
        names = {n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        own_names = set(self.m.classes) | set(self.m.functions)
        lines = {}
        for name in sorted(names-own_names):
            whole = [f'import {k}' for k in self.m.imports if k.startswith(f'{name}.')] # import a.b
            if whole: lines |= dict.fromkeys(whole, ())
            elif name in self.m.imports:
                n, a = self.m.imports[name]
                if isinstance(n, ast.Import): lines[f'import {a.name}' + (f' as {a.asname}' if a.asname else '')] = ()
                else: lines.setdefault(f"from {'.'*n.level}{n.module or ''} import", []).append(name)
            elif name in HOMES: lines.setdefault(f'from {HOMES[name]} import', []).append(name)
            elif (m := self.find(name, 'classes')[0]) is not None: lines.setdefault(f'from .{m.name} import', []).append(name)
            elif name == 'torch': lines['import torch'] = ()
            else: # a type that another module's function gives
                for n, a in (o.imports[name] for o in self.every.values() if name in o.imports and getattr(o.imports[name][0], 'level', 1) == 0): lines.setdefault(f'from {n.module} import', []).append(a.name); break
        mark = lambda k: '  # type: ignore[import-untyped, unused-ignore]' if k.split()[1].split('.')[0] in UNTYPED else ''
        return [(f"{k} {', '.join(v)}" if v else k) + mark(k) for k, v in sorted(lines.items(), key=lambda o: (o[0].startswith('from .'), o[0].startswith('from'), o[0]))]

def stubs():
    "Everything to be written: path -> text."
    every = {p.stem: Module(p) for p in sorted(LIB.glob('*.py')) if not p.stem.startswith('_')}
    return {LIB/f'{k}.pyi': Writer(m, every).render() for k, m in every.items()}

def main(args):
    files = stubs()
    stale = [p for p, t in files.items() if not p.exists() or p.read_text(encoding='utf-8') != t] + sorted(set(LIB.glob('*.pyi'))-set(files))
    if '--check' in args:
        for p in stale: print(f'akr/{p.name} is out of date: run python .ci/stubs.py')
        return int(bool(stale))
    for p in stale:
        if p in files: p.write_text(files[p], encoding='utf-8')
        else: p.unlink()
    return 0

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
