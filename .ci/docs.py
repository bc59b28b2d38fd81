"""Build the documentation into _docs/ and check its links.

python .ci/docs.py           nbdev, then smalldocs: Python only
python .ci/docs.py --quarto  nbdev, then Quarto: the published site
"""
import json, os, re, shutil, subprocess, sys, tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
PROC, DOCS = ROOT/'_proc', ROOT/'_docs'
TEXT = {'.ipynb', '.md', '.qmd', '.yml'}

def page_name(name):
    "The name without its number, as nbdev gives it to the page: 10_data.ipynb -> data.ipynb"
    return re.sub(r'^\d+[a-zA-Z0-9]*_', '', name.lower()) if name.endswith('.ipynb') else name

def process():
    "nbdev's part: processed notebooks and configuration in _proc/."
    from nbdev import quarto
    quarto._ensure_quarto = lambda: None # nbdev would download and install Quarto, which this step does not need
    shutil.rmtree(PROC, ignore_errors=True)
    quarto.nbdev_proc_nbs.__wrapped__(n_workers=min(2, os.cpu_count() or 1))

def plain(text): # prose of Markdown, in one line
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)
    return ' '.join(re.sub(r'[`*_$\\\\]', '', text).split())

def alt_text(cells, k):
    "What is said of the picture of cell `k`: the sentence after it that tells what to see, or the title above it."
    after = next((''.join(c['source']) for c in cells[k+1:k+2] if c['cell_type'] == 'markdown'), '')
    if m := re.match(r'\*What to see:?\*:?\s*(.+?)(?:\n\n|\Z)', after, re.S): return plain(m[1])[:300]
    titles = [t for c in cells[:k] if c['cell_type'] == 'markdown' for t in re.findall(r'^#+ +(.+)$', ''.join(c['source']), re.M)]
    return f"Picture of the part: {plain(titles[-1])}" if titles else 'Picture'

def mend(nb):
    "What nbdev leaves to be done: a signature is code and holds no links, and every picture has a text for those who cannot see it."
    def signature(m): return re.sub(r'\[`([^`]*)`\]\([^)\s]*\)', r'\1', m[0]).replace(':NoneType=None', '=None')
    for k,c in enumerate(nb['cells']):
        outs = [o['data'] for o in c.get('outputs', ()) if 'data' in o]
        for d in outs:
            if 'text/markdown' in d: d['text/markdown'] = re.sub(r'```python\n.*?```', signature, ''.join(d['text/markdown']), flags=re.S)
        src = ''.join(c['source'])
        if any('image/png' in d for d in outs) and '#| fig-alt:' not in src: c['source'] = f"#| fig-alt: {json.dumps(alt_text(nb['cells'], k), ensure_ascii=False)}\n{src}"
    return nb

def mend_all():
    for p in PROC.rglob('*.ipynb'): p.write_text(json.dumps(mend(json.loads(p.read_text(encoding='utf-8'))), indent=1, ensure_ascii=False), encoding='utf-8')

def with_page_names(src, dst):
    "Copy the project, its notebooks and the links to them renamed: smalldocs does not read nbdev's `output-file`."
    files = [p for p in src.rglob('*') if p.is_file()]
    names = {p.name: page_name(p.name) for p in files if p.suffix == '.ipynb' and page_name(p.name) != p.name}
    pattern = re.compile(r'(?<![\w.-])(?:'+'|'.join(map(re.escape, names))+r')(?!\w)') if names else None
    for p in files:
        to = dst/p.relative_to(src).with_name(page_name(p.name))
        if to.exists(): sys.exit(f'two notebooks want the page {to.relative_to(dst)}')
        to.parent.mkdir(parents=True, exist_ok=True)
        if p.suffix not in TEXT: shutil.copy2(p, to); continue
        text = re.sub(r'\s*"output-file: [^"]*",', '', p.read_text(encoding='utf-8'), count=1)
        to.write_text(pattern.sub(lambda m: names[m[0]], text) if pattern else text, encoding='utf-8')

def render(quarto):
    "The site in _docs/."
    shutil.rmtree(DOCS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as tmp:
        src = PROC if quarto else Path(tmp)/'site'
        if not quarto: with_page_names(PROC, src)
        cmd = ['quarto', 'render', '--no-cache'] if quarto else ['smalldocs', 'render', '--quiet', '.']
        subprocess.run(cmd, cwd=src, check=True)
        shutil.move(src/DOCS.name, DOCS)

CODE = ('code', 'pre', 'script', 'style', 'title')

class Page(HTMLParser):
    "The anchors of a page, what it refers to, its pictures without a text, and Markdown that was not set."
    def __init__(self, path):
        super().__init__()
        self.ids, self.refs, self.mute, self.raw, self.code = set(), [], 0, [], 0
        self.feed(path.read_text(encoding='utf-8'))
    def handle_endtag(self, tag): self.code -= tag in CODE
    def handle_data(self, text):
        if not self.code: self.raw += re.findall(r'.{,30}(?:\]\(|\*\*|\[`|```).{,30}', text)
    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.code += tag in CODE
        self.mute += tag == 'img' and 'alt' not in a
        self.ids |= {a[o] for o in ('id', 'name') if a.get(o)}
        self.refs += [a[o] for o in ('href', 'src') if a.get(o)]

def check_pages(pages, site):
    "What is wrong inside a page, a line each."
    wrong = []
    for p,page in pages.items():
        if page.mute: wrong.append(f'{p.relative_to(site)}: {page.mute} pictures without alt')
        wrong += [f'{p.relative_to(site)}: raw Markdown: {" ".join(t.split())}' for t in page.raw]
    return wrong

def check_links(pages, site, home):
    "Broken links within the site: {target: pages}. Addresses under `home` are the site's own."
    broken = {}
    for page, parsed in pages.items():
        for ref in sorted(set(parsed.refs)):
            url = urlsplit('/'+ref.removeprefix(home).lstrip('/') if ref.startswith(home) else ref)
            if url.scheme or url.netloc: continue
            path = unquote(url.path)
            target = (site/path.lstrip('/') if path.startswith('/') else page.parent/path if path else page).resolve()
            if target.is_dir(): target /= 'index.html'
            anchor = unquote(url.fragment)
            lost = anchor and target in pages and anchor not in pages[target].ids
            if not target.exists() or lost: broken.setdefault(os.path.relpath(target, site)+('#'+anchor if lost else ''), []).append(page.relative_to(site))
    count = sum(len(set(p.refs)) for p in pages.values())
    print(f'{len(pages)} pages, {count} links and pictures looked at, {len(broken)} broken')
    return broken

def main(args):
    from nbdev.config import get_config
    os.chdir(ROOT)
    process()
    mend_all()
    render('--quarto' in args)
    cfg = get_config()
    site = DOCS.resolve()
    pages = {p: Page(p) for p in sorted(site.rglob('*.html'))}
    broken = check_links(pages, site, cfg.doc_host+cfg.doc_baseurl)
    wrong = [] if '--quarto' in args else check_pages(pages, site) # Quarto has parts of its own on a page; the text is the same
    for o in wrong: print(o)
    for target, pages in broken.items(): print(f"broken: {target}, linked from {', '.join(map(str, pages[:3]))}{' ...' if pages[3:] else ''}")
    return int(bool(broken or wrong) or not (DOCS/'index.html').exists())

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
