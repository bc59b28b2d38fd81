"""Build the documentation into _docs/, by nbdev and smalldocs, and check its pages and links: python .ci/docs.py"""
import json, os, re, shutil, subprocess, sys, tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
PROC, DOCS = ROOT/'_proc', ROOT/'_docs'
CODE = ('code', 'pre', 'script', 'style', 'title')

def process():
    "nbdev's part: processed notebooks and configuration in _proc/."
    from nbdev import quarto
    quarto._ensure_quarto = lambda: None # nbdev would download and install Quarto, which this step does not need
    shutil.rmtree(PROC, ignore_errors=True)
    quarto.nbdev_proc_nbs.__wrapped__(n_workers=min(2, os.cpu_count() or 1))

def plain(text): # prose of Markdown, in one line
    return ' '.join(re.sub(r'[`*_$\\]', '', re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)).split())

def alt_text(cells, k):
    "What is said of the picture of cell `k`: the sentence after it that tells what to see, or the title above it."
    prose = [''.join(c['source']) if c['cell_type'] == 'markdown' else '' for c in cells]
    if m := re.match(r'\*What to see:?\*:?\s*(.+?)(?:\n\n|\Z)', ''.join(prose[k+1:k+2]), re.S): return plain(m[1])[:300]
    titles = re.findall(r'^#+ +(.+)$', '\n'.join(prose[:k]), re.M)
    return f'Picture of the part: {plain(titles[-1])}' if titles else 'Picture'

def mend(nb):
    "What nbdev leaves to be done: a signature is code and holds no links, and every picture has a text for those who cannot see it."
    def signature(m): return re.sub(r'\[`([^`]*)`\]\([^)\s]*\)', r'\1', m[0]).replace(':NoneType=None', '=None')
    for k,c in enumerate(nb['cells']):
        outs, src = [o['data'] for o in c.get('outputs', ()) if 'data' in o], ''.join(c['source'])
        for d in outs:
            if 'text/markdown' in d: d['text/markdown'] = re.sub(r'```python\n.*?```', signature, ''.join(d['text/markdown']), flags=re.S)
        if any('image/png' in d for d in outs) and '#| fig-alt:' not in src:
            c['source'] = f"#| fig-alt: {json.dumps(alt_text(nb['cells'], k), ensure_ascii=False)}\n{src}"
    return nb

def pages_source(dst):
    "_proc/ as smalldocs wants it: mended, and a notebook bears its page's name, 10_data.ipynb -> data.ipynb (nbdev says it in `output-file`)."
    files = [p for p in PROC.rglob('*') if p.is_file()]
    names = {p.name: new for p in files if (new := re.sub(r'^\d+[a-zA-Z0-9]*_(?=.*\.ipynb$)', '', p.name)) != p.name}
    pattern = re.compile(r'(?<![\w.-])(?:'+'|'.join(map(re.escape, names))+r')(?!\w)')
    for p in files:
        to = dst/p.relative_to(PROC).with_name(names.get(p.name, p.name))
        if to.exists(): sys.exit(f'two notebooks want the page {to.relative_to(dst)}')
        to.parent.mkdir(parents=True, exist_ok=True)
        if p.suffix not in ('.ipynb', '.md', '.qmd', '.yml'): shutil.copy2(p, to); continue
        text = re.sub(r'\s*"output-file: [^"]*",', '', p.read_text(encoding='utf-8'), count=1)
        if p.suffix == '.ipynb': text = json.dumps(mend(json.loads(text)), ensure_ascii=False)
        to.write_text(pattern.sub(lambda m: names[m[0]], text), encoding='utf-8')

class Page(HTMLParser):
    "The anchors of a page, what it refers to, its pictures without a text, and Markdown that was not set."
    def __init__(self, path):
        super().__init__()
        self.ids, self.refs, self.mute, self.raw, self.code = set(), set(), 0, [], 0
        self.feed(path.read_text(encoding='utf-8'))
    def handle_endtag(self, tag): self.code -= tag in CODE
    def handle_data(self, text):
        if not self.code: self.raw += re.findall(r'.{,30}(?:\]\(|\*\*|\[`|```).{,30}', text)
    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.code += tag in CODE
        self.mute += tag == 'img' and 'alt' not in a
        self.ids |= {a[o] for o in ('id', 'name') if a.get(o)}
        self.refs |= {a[o] for o in ('href', 'src') if a.get(o)}

def problems(pages, site, home):
    "What is wrong with the pages, a line each. Addresses under `home` are the site's own."
    for path,page in pages.items():
        if page.mute: yield f'{path.relative_to(site)}: {page.mute} pictures without alt'
        for t in page.raw: yield f'{path.relative_to(site)}: raw Markdown: {" ".join(t.split())}'
        for ref in sorted(page.refs):
            url = urlsplit('/'+ref.removeprefix(home).lstrip('/') if ref.startswith(home) else ref)
            if url.scheme or url.netloc: continue
            to = unquote(url.path)
            target = (site/to.lstrip('/') if to.startswith('/') else path.parent/to if to else path).resolve()
            if target.is_dir(): target /= 'index.html'
            lost = url.fragment and target in pages and unquote(url.fragment) not in pages[target].ids
            if lost or not target.exists(): yield f'{path.relative_to(site)}: broken link {ref}'

def main():
    from nbdev.config import get_config
    os.chdir(ROOT)
    process()
    shutil.rmtree(DOCS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tmp:
        pages_source(Path(tmp)/'site')
        subprocess.run(['smalldocs', 'render', '--quiet', '.'], cwd=Path(tmp)/'site', check=True)
        shutil.move(Path(tmp)/'site'/DOCS.name, DOCS)
    cfg, pages = get_config(), {p: Page(p) for p in sorted(DOCS.rglob('*.html'))}
    wrong = list(problems(pages, DOCS, cfg.doc_host+cfg.doc_baseurl))
    print(*wrong, f'{len(pages)} pages, {sum(len(p.refs) for p in pages.values())} links and pictures looked at, {len(wrong)} problems', sep='\n')
    return int(bool(wrong) or not (DOCS/'index.html').exists())

if __name__ == '__main__': sys.exit(main())
