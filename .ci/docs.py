"""Build the documentation into _docs/ by smalldocs (or --quarto), check its pages and links, and how ten of them (or --all) look"""
import base64, contextlib, json, os, re, shutil, struct, subprocess, sys, tempfile
from html import unescape
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from urllib.parse import unquote, urlsplit
from lab import find_chromium, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PROC, DOCS, LOOKS = ROOT/'_proc', ROOT/'_docs', ROOT/'_looks'
SAMPLE = 'index blend tutorials/by_hand config results/table results/groceries results/drills explanations/glossary map compare'.split()
CHECKS = re.compile(r'(?:^|[;:]) *(?:assert\b|test_\w+\(|assert_\w+\(|same\(|refuses\()', re.M)
CODE = ('code', 'pre', 'script', 'style', 'title')

def plain(text): # prose of Markdown, in one line
    return ' '.join(re.sub(r'[`*_$\\]', '', re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)).split())

def alt_text(cells, k):
    "What is said of the picture of cell `k`: the sentence after it that tells what to see, or the title above it."
    prose = [''.join(c['source']) if c['cell_type'] == 'markdown' else '' for c in cells]
    if m := re.match(r'\*What to see:?\*:?\s*(.+?)(?:\n\n|\Z)', ''.join(prose[k+1:k+2]), re.S): return plain(m[1])[:300]
    titles = re.findall(r'^#+ +(.+)$', '\n'.join(prose[:k]), re.M)
    return f'Picture of the part: {plain(titles[-1])}' if titles else 'Picture'

def words(md): # no line ends inside a mean and its deviation, and the badge is a picture from elsewhere
    return re.sub(r' ± (?=[\d.])', '\xa0±\xa0', re.sub(r'!\[(Open in Colab)\]\([^)]*\)', r'\1', md))

def mend(nb, tests):
    """What nbdev leaves to be done: a signature is code and holds no links, every picture has a text for those who cannot see it, and
    a cell that checks something and shows nothing is folded. Its text is put into `tests`: the search leaves it out."""
    def signature(m): return re.sub(r'\[`([^`]*)`\]\([^)\s]*\)', r'\1', m[0]).replace(':NoneType=None', '=None')
    for k,c in enumerate(nb['cells']):
        outs, src = [o['data'] for o in c.get('outputs', ()) if 'data' in o], ''.join(c['source'])
        if c['cell_type'] == 'markdown': c['source'] = words(src)
        for d in outs:
            if 'text/markdown' in d: d['text/markdown'] = re.sub(r'```python\n.*?```', signature, words(''.join(d['text/markdown'])), flags=re.S)
        if any('image/png' in d for d in outs) and '#| fig-alt:' not in src:
            c['source'] = f"#| fig-alt: {json.dumps(c['metadata'].get('alt') or alt_text(nb['cells'], k), ensure_ascii=False)}\n{src}"
        if c['cell_type'] != 'code' or re.search(r'^(?:#\| *(?:echo|code-fold)\b|@part\(|def \w+_(?:slow|slowly|paper|running)\()', src, re.M): continue
        if any('text/markdown' in d for d in outs): c['source'] = '#| code-fold: true\n' + ''.join(c['source'])
        if not c['outputs'] and CHECKS.search(src):
            c['source'] = f'#| code-fold: true\n#| code-summary: "Tests"\n{src}'
            tests.add(re.sub(r'^#\|.*\n', '', src, flags=re.M))
        tests.update(o for o in src.splitlines() if CHECKS.search(o))
    return nb

def pages_source(dst, tests):
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
        if p.suffix == '.ipynb': text = json.dumps(mend(json.loads(text), tests), ensure_ascii=False)
        to.write_text(pattern.sub(lambda m: names[m[0]], text), encoding='utf-8')

def bundle(site, tests):
    "A page fetches nothing from elsewhere: KaTeX lies in the site, and the themes go without web fonts. Wide pictures and subtitles are marked."
    def size(m): # a PNG tells it in its bytes 16 to 24
        w, h = struct.unpack('>2I', base64.b64decode(m[1])[16:])
        return f'<img width="{w}" height="{h}"' + ' data-wide=""'*(w > max(450, 1.8*h))
    for p in [*site.rglob('*.css'), *site.rglob('*.html'), site/'search.json']:
        text = re.sub(r'@import\s*(?:url\()?["\']?https?:[^)"\']*["\']?\)?;', '', p.read_text(encoding='utf-8'))
        text = re.sub(r'https://cdn\.jsdelivr\.net/npm/katex@[\w.]+/dist', os.path.relpath(site/'katex', p.parent), text)
        text = re.sub(r'<img(?=[^>]* src="data:image/png;base64,(.{32}))', size, text)
        text = re.sub(r'(<span class="menu-text">[^<:]+): ([^<]+)</span>', r'\1<small>\2</small></span>', text)
        text = re.sub(r'(<li class="breadcrumb-item">(?:<a[^>]*>)?[^<:]+): [^<]+', r'\1', text)
        for t in sorted(tests, key=len, reverse=True) if p.suffix == '.json' else (): # as smalldocs puts it there
            text = text.replace(json.dumps(unescape(re.sub(r'<[^>]+>', ' ', ' '.join(t.split()))), ensure_ascii=False)[1:-1], '')
        p.write_text(text, encoding='utf-8')

class Page(HTMLParser):
    "The anchors of a page, what it refers to, what it fetches from elsewhere, its pictures without a text, and Markdown that was not set."
    def __init__(self, path):
        super().__init__()
        self.ids, self.refs, self.mute, self.raw, self.web, self.code = set(), set(), 0, [], [], 0
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
        self.web += [o for o in (a.get('src'), a.get('rel') == 'stylesheet' and a['href']) if o and re.match('(http:|https:)?//', o)]

def problems(pages, site, home):
    "What is wrong with the pages, a line each. Addresses under `home` are the site's own."
    for path,page in pages.items():
        if page.mute: yield f'{path.relative_to(site)}: {page.mute} pictures without alt'
        for t in [f'raw Markdown: {" ".join(t.split())}' for t in page.raw] + [f'fetches {o}' for o in page.web]: yield f'{path.relative_to(site)}: {t}'
        for ref in sorted(page.refs):
            url = urlsplit('/'+ref.removeprefix(home).lstrip('/') if ref.startswith(home) else ref)
            if url.scheme or url.netloc: continue
            to = unquote(url.path)
            target = (site/to.lstrip('/') if to.startswith('/') else path.parent/to if to else path).resolve()
            if target.is_dir(): target /= 'index.html'
            lost = url.fragment and target in pages and unquote(url.fragment) not in pages[target].ids
            if lost or not target.exists(): yield f'{path.relative_to(site)}: broken link {ref}'

# Of a page as it is displayed: what is cut off, a formula that is not set, and text whose contrast to its ground is below 4.5
LOOK = r"""() => {
  const wrong = new Set(), texts = new Set(), css = getComputedStyle, walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const say = (e, what) => wrong.add(`${e.tagName.toLowerCase()}.${[...e.classList].join('.')} ${what}: ${e.innerText?.trim().slice(0, 40).replace(/\s+/g, ' ')}`);
  const shown = e => e.checkVisibility({visibilityProperty: true}) && !e.closest('script, style, svg, .katex-mathml, .katex-html *') && e.getBoundingClientRect().width > 1;
  const scrolled = e => e && (/auto|scroll/.test(css(e).overflowX) || scrolled(e.parentElement));
  for (const e of document.querySelectorAll('html, main, main *')) if (shown(e) && e.scrollWidth > e.clientWidth + 1 && !/inline|contents/.test(css(e).display))
    if (/hidden|clip/.test(css(e).overflowX) || !scrolled(e)) say(e, `is ${e.scrollWidth - e.clientWidth} pixels too narrow`);
  for (const e of document.querySelectorAll('.math')) if (!e.querySelector('.katex') || e.querySelector('.katex-error, [mathcolor="#cc0000"]')) say(e, 'is a formula that is not set');
  const rgb = s => { const v = s.match(/[\d.]+/g).map((v, k) => v*(s.startsWith('color') && k < 3 ? 255 : 1)); return v.length < 4 ? [...v, 1] : v; };
  const over = (f, b) => [0, 1, 2].map(k => f[3]*f[k] + (1-f[3])*b[k]), opacity = e => e ? css(e).opacity*opacity(e.parentElement) : 1;
  const ground = e => { const c = e ? rgb(css(e).backgroundColor) : [255, 255, 255, 1]; return c[3] == 1 ? c : over(c, ground(e.parentElement)); };
  const light = c => { const [r, g, b] = c.map(v => v/255 <= .03928 ? v/255/12.92 : ((v/255+.055)/1.055)**2.4); return .2126*r + .7152*g + .0722*b + .05; };
  while (walk.nextNode()) if (walk.currentNode.data.trim()) texts.add(walk.currentNode.parentElement);
  for (const e of texts) if (shown(e)) {
    const [r, g, b, a] = rgb(css(e).color), back = ground(e), c = [light(over([r, g, b, a*opacity(e)], back)), light(back)], ratio = Math.max(...c)/Math.min(...c);
    if (ratio < 4.49) say(e, `has a contrast of ${ratio.toFixed(2)}`); }
  return [...wrong]; }"""

def looks(paths, site):
    "How pages look, wide and narrow, light and dark: pictures in LOOKS, and what is wrong, a line each."
    shutil.rmtree(LOOKS, ignore_errors=True)
    with (sync_playwright or contextlib.nullcontext)() as p:
        if not (chromium := p and find_chromium(p)): return print('No Chromium was found, so how the pages look was not checked: apt install chromium')
        page = p.chromium.launch(executable_path=chromium, args=['--disable-gpu', '--disable-dev-shm-usage']).new_page(reduced_motion='reduce')
        for path in paths:
            page.goto(path.as_uri())
            for width, scheme in product((1280, 390), ('light', 'dark')):
                page.set_viewport_size(dict(width=width, height=1600))
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(150) # the theme is changed after 50 ms
                name = f'{path.relative_to(site).with_suffix("").as_posix().replace("/", "-")}-{width}-{scheme}'
                page.screenshot(path=LOOKS/f'{name}.png')
                yield from (f'{name}: {o}' for o in page.evaluate(LOOK))

def main(args):
    from nbdev import quarto
    os.chdir(ROOT)
    for o in (PROC, DOCS): shutil.rmtree(o, ignore_errors=True)
    quarto._ensure_quarto = lambda: None # nbdev would download and install Quarto, which its part does not need: notebooks in _proc/
    quarto.nbdev_proc_nbs.__wrapped__(n_workers=min(2, os.cpu_count() or 1))
    tests = set()
    with tempfile.TemporaryDirectory() as tmp:
        pages_source(Path(tmp)/'site', tests)
        subprocess.run(['quarto', 'render'] if '--quarto' in args else ['smalldocs', 'render', '--quiet', '.'], cwd=Path(tmp)/'site', check=True)
        shutil.move(Path(tmp)/'site'/DOCS.name, DOCS)
    bundle(DOCS, tests)
    cfg, pages = quarto.get_config(), {p: Page(p) for p in sorted(DOCS.rglob('*.html'))}
    wrong = [*problems(pages, DOCS, cfg.doc_host+cfg.doc_baseurl)]
    wrong += looks(pages if '--all' in args else [DOCS/f'{o}.html' for o in SAMPLE], DOCS)
    print(*wrong, f'{len(pages)} pages, {sum(len(p.refs) for p in pages.values())} links and pictures looked at, {len(wrong)} problems', sep='\n')
    return int(bool(wrong) or not (DOCS/'index.html').exists())

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
