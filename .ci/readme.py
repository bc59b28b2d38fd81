"""Write README.md from nbs/index.ipynb. (nbdev_readme needs Quarto; this needs only Python.)

python .ci/readme.py             write README.md, and the pictures of code cells under nbs/images/
python .ci/readme.py --commands  print the two commands of README.md, each ended by a NUL
"""
import base64, json, posixpath, re, sys
from pathlib import Path
from check_notebooks import joined

ROOT = Path(__file__).resolve().parent.parent
NB, README = ROOT/'nbs'/'index.ipynb', ROOT/'README.md'
HIDDEN = {'hide', 'default_exp', 'export', 'exporti', 'exports'}
FENCED = re.compile(r'(^ {0,3}```.*?^ {0,3}```[ \t]*$)', re.M | re.S)
TARGET = re.compile(r'(\]\(|(?:src|href)=")(?![a-z][a-z+.-]*:|[/#])([^)\s"]+)')

def relink(md):
    "Links and images relative to nbs/, made relative to the top folder, outside fences."
    def fix(m): return m[1] + posixpath.normpath(posixpath.join('nbs', m[2]))
    return ''.join(o if i%2 else TARGET.sub(fix, o) for i,o in enumerate(FENCED.split(md)))

def output(out, name, files, alt=''):
    "One output of a code cell as markdown; a picture is put into `files` under `name`, and `alt` is its text."
    data = out.get('data') or {'text/plain': out.get('text', '') if out.get('name') == 'stdout' else ''}
    if 'text/markdown' in data: return relink(joined(data['text/markdown']).strip())
    if 'image/png' in data:
        files[NB.parent/'images'/f'{name}.png'] = base64.b64decode(joined(data['image/png']))
        return f'![{alt}](nbs/images/{name}.png)'
    return f'```text\n{text}\n```' if (text := joined(data.get('text/plain', '')).rstrip()) else ''

def code(cell, files):
    "A code cell and its outputs as a list of markdown blocks."
    lines = joined(cell['source']).splitlines()
    flags = dict((o[2:].strip().split(None, 1)+[''])[:2] for o in lines if re.match(r'#\|\s*\S', o))
    if HIDDEN & flags.keys() or flags.get('include:') == 'false' or 'nbdev_export(' in joined(cell['source']): return []
    src = '\n'.join(o for o in lines if not o.startswith('#|')).strip('\n')
    blocks = [f'```python\n{src}\n```'] if src and flags.get('echo:') != 'false' else []
    outs = cell.get('outputs', []) if flags.get('output:') != 'false' else []
    return blocks + [output(o, f"index-{cell['id']}-{n}", files, json.loads(flags.get('fig-alt:', '""'))) for n,o in enumerate(outs)]

def commands():
    "The first two sh blocks of README.md: the main job, and the tests."
    found = re.findall(r'^``` ?sh\n(.*?)^```', README.read_text(encoding='utf-8'), re.M | re.S)[:2]
    for what, cmd in zip(('akr train', 'nbdev_test'), found+['']*2):
        if what not in cmd: sys.exit(f'README.md: its first two sh blocks must run `akr train`, then `nbdev_test`; found {found}')
    return found

def main(args):
    if '--commands' in args: return sys.stdout.write(''.join(o.strip()+'\0' for o in commands())) and 0
    files, blocks = {}, ['<!-- Written by .ci/readme.py from nbs/index.ipynb: edit the notebook. -->'] # path -> bytes, and what README.md will be
    for cell in json.loads(NB.read_text(encoding='utf-8'))['cells']:
        blocks += [relink(joined(cell['source'])).strip()] if cell['cell_type'] == 'markdown' else code(cell, files) if cell['cell_type'] == 'code' else []
    files[README] = ('\n\n'.join(o for o in blocks if o)+'\n').encode()
    for p in set((ROOT/'nbs'/'images').glob('index-*.png')) - set(files): p.unlink()
    for p,b in files.items(): p.write_bytes(b)

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
