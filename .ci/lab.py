"""Run the notebooks with widgets as a reader does, in JupyterLab in a Chromium without a window, and move their sliders.

python .ci/lab.py [NOTEBOOK...]

Without a name: each notebook of nbs/ with a cell that shows a widget (`#| output: false`), and a page with the formulas of all.
Copies are run, without cells flagged slow or cuda. A line for each page; exit code 1 if one fails, 3 if there is no browser.
"""
import json, os, re, secrets, shutil, socket, subprocess, sys, tempfile, time
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

try: from playwright.sync_api import Error as PlaywrightError, sync_playwright
except ImportError: sync_playwright = None

ROOT = Path(__file__).resolve().parent.parent
NBS, TIMEOUT = ROOT/'nbs', 300 # seconds for the cells of a notebook
SKIP = re.compile(r'^#\|\s*(?:slow|cuda)\b|^[^#]*\bnbdev_export\(\)', re.M)
WIDGET = re.compile(r'^#\| *output: *false', re.M)
SETTINGS = { # of JupyterLab: every cell is on the page, and nothing is fetched from the network
    'notebook-extension/tracker': {'windowingMode': 'none'},
    'apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False}}

class Failed(Exception): "A notebook does not do what it should."

def source(cell): return ''.join(cell['source'])

def reader_copy(nb):
    "A notebook as it is run: without outputs, and without what is not run here."
    def fresh(c): return c | dict(outputs=[], execution_count=None, source='# not run in this test' if SKIP.search(source(c)) else source(c))
    return nb | dict(cells=[fresh(c) if c['cell_type'] == 'code' else c for c in nb['cells'] if source(c).strip()])

def formulas(books):
    "All prose with a formula as one notebook; above each cell stands where it is from."
    cells = [c | dict(id=f'm{k}-{n}', source=f'{name}, cell {n}\n\n{source(c)}') for k,(name,nb) in enumerate(books.items())
             for n,c in enumerate(nb['cells']) if c['cell_type'] == 'markdown' and '$' in source(c)]
    return next(iter(books.values())) | dict(cells=cells)

@contextmanager
def server(root, home):
    "JupyterLab on a free port, with a token and with settings, kernels and workspaces of its own; gives what an address starts and ends with."
    for name,v in SETTINGS.items():
        f = home/'.jupyter'/'lab'/'user-settings'/'@jupyterlab'/f'{name}.jupyterlab-settings'
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_text(json.dumps(v))
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    token, log = secrets.token_hex(24), home/'server.log'
    env = {k: v for k,v in os.environ.items() if k not in ('IN_TEST', 'MPLBACKEND') and not k.startswith(('JUPYTER', 'XDG_', 'PYTHON'))} # as a reader's
    cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root', '--ip=127.0.0.1', f'--port={port}', '--LabApp.expose_app_in_browser=True',
           '--MappingKernelManager.cull_idle_timeout=600', '--ServerApp.shutdown_no_activity_timeout=600'] # if we are killed, it does not stay for ever
    p = subprocess.Popen(cmd, cwd=root, env=env | dict(HOME=str(home), JUPYTER_TOKEN=token, PYTHONPATH=str(root)), stdout=log.open('w'), stderr=subprocess.STDOUT)
    def up():
        if p.poll() is not None: raise Failed(log.read_text())
        try: return urlopen(f'http://127.0.0.1:{port}/api/status?token={token}', timeout=60)
        except OSError: return False
    try:
        until(up, 120, lambda: log.read_text())
        yield f'http://127.0.0.1:{port}/lab/workspaces/', f'?token={token}'
    finally:
        p.terminate() # and its kernels with it
        p.wait(60)

# What is on the page: how many code cells, which wait, what went wrong, what is not (yet) seen as it is meant
STATE = r"""() => {
  const text = e => e ? e.innerText.trim().replace(/\s+/g, ' ').slice(0, 300) : '', dialog = text(document.querySelector('.jp-Dialog-content'));
  const wrong = dialog ? [`JupyterLab asks: ${dialog}`] : [], waits = [], unseen = [];
  const book = window.jupyterapp?.shell.currentWidget, kernel = book?.context?.sessionContext?.session?.kernel;
  const cells = (book?.content?.widgets || []).filter(w => w.model.type == 'code');
  cells.forEach((w, k) => {
    const out = [...Array(w.model.outputs.length).keys()].map(k => w.model.outputs.get(k));
    for (const o of out.filter(o => o.type == 'error').map(o => o.toJSON())) wrong.push(`code cell ${k+1}: ${o.ename}: ${o.evalue}`);
    if (!w.model.executionCount || text(w.node.querySelector('.jp-InputPrompt')).includes('*')) waits.push(k+1);
    if (out.filter(o => 'application/vnd.jupyter.widget-view+json' in o.data).length > w.node.querySelectorAll('.jp-OutputArea-output > .jupyter-widgets').length)
      unseen.push(`code cell ${k+1}: its widget is not displayed`); });
  for (const e of document.querySelectorAll('.jp-NotebookPanel .jp-RenderedMarkdown')) { // a formula is marked as an error, or still text
    const rest = e.cloneNode(true);
    rest.querySelectorAll('code, pre, mjx-container').forEach(o => o.remove());
    if (e.querySelector('mjx-merror, mjx-container mtext[mathcolor=red]') || /\$\$|\\[a-zA-Z]+\{/.test(rest.textContent)) unseen.push(`a formula that is not understood: ${text(e)}`); }
  const idle = document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status == 'idle';
  return {n: cells.length, wrong, waits, unseen, idle: idle && kernel?.status == 'idle' && kernel.connectionStatus == 'connected'}; }"""

def until(what, seconds, why):
    "Wait until `what()` is true."
    end = time.time() + seconds
    while not what():
        if time.time() > end: raise Failed(why())
        time.sleep(.3)

def run_all(page, n):
    "Run all `n` code cells; every one of them must have run, and what it shows must be seen."
    s = {}
    def look():
        s.update(page.evaluate(STATE))
        if s['wrong']: raise Failed(s['wrong'][0])
        return s['idle'] and s['n'] == n
    until(look, 90, lambda: 'JupyterLab did not open it, or started no kernel, within 90 s')
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    until(lambda: look() and not s['waits'], TIMEOUT, lambda: f"not at its end after {TIMEOUT} s: code cells {s['waits'][:5]} have not run")
    until(lambda: look() and not s['unseen'], 20, lambda: ' | '.join(s['unseen'])) # formulas and widgets come a little later than the kernel's answer

def move(page, slider, name, picture):
    "Move one slider by the keyboard: its value and the picture beside must change."
    def value(): return slider.get_attribute('aria-valuenow')
    before, start = picture.screenshot(), value()
    for key in ('ArrowRight', 'ArrowLeft', 'End', 'Home'): # it may be at that end already, or a step may show the same
        slider.focus() # again: a slider may be drawn anew, when another one changes its range
        page.keyboard.press(key)
        try: return until(lambda: value() != start and picture.screenshot() != before, 6, lambda: '')
        except Failed: moved = value() != start
    raise Failed(f'the slider "{name}" ' + ('moves, but the picture beside it stays the same' if moved else 'cannot be moved'))

def move_all(page):
    "Move every slider of every widget that shows a picture; gives how many."
    moved = 0
    for cell in page.locator('.jp-NotebookPanel .jp-CodeCell:has([role=slider])').all():
        picture = cell.locator('.jp-OutputArea-output :is(img, canvas, svg.main-svg)').first
        for box in cell.locator('.widget-slider').all():
            name, slider = box.locator('.widget-label').first.inner_text().strip(), box.locator('[role=slider]').first
            if slider.get_attribute('aria-valuemin') == slider.get_attribute('aria-valuemax'): continue # one value alone
            if not picture.count(): raise Failed(f'the slider "{name}" has no picture beside it')
            slider.scroll_into_view_if_needed()
            move(page, slider, name, picture)
            moved += 1
    return moved

def find_chromium(p):
    "The Chromium of playwright `p`, or the system's; None without one."
    own = p.chromium.executable_path
    return own if Path(own).exists() else next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)

def main(args):
    paths = [Path(o).resolve() for o in args] or [p for p in sorted(NBS.rglob('*.ipynb')) if not re.search(r'/[._]', p.relative_to(ROOT).as_posix())]
    books = {(str(p.relative_to(ROOT)) if p.is_relative_to(NBS) else p.name): json.loads(p.read_text(encoding='utf-8')) for p in paths}
    todo = {k: reader_copy(nb) for k,nb in books.items() if args or any(WIDGET.search(source(c)) for c in nb['cells'])}
    if not args: todo['formulas.ipynb'] = formulas(books)
    if not sync_playwright: return print("playwright is missing, so nothing was tested: pip install -e '.[dev]'", file=sys.stderr) or 3
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp, sync_playwright() as p:
        if not (chromium := find_chromium(p)): return print('no Chromium was found, so nothing was tested: apt install chromium, or: playwright install chromium', file=sys.stderr) or 3
        root, failed = Path(tmp).resolve()/'akr', 0
        for o in ('nbs', 'akr'): shutil.copytree(ROOT/o, root/o, ignore=shutil.ignore_patterns('__pycache__', '.*'))
        for name,nb in todo.items(): (root/name).write_text(json.dumps(nb), encoding='utf-8')
        with server(root, Path(tmp)/'home') as (head, tail):
            browser = p.chromium.launch(executable_path=chromium, args=['--disable-gpu', '--disable-dev-shm-usage'])
            for name,nb in todo.items():
                page, start, n = browser.new_page(viewport=dict(width=1100, height=1400)), time.time(), sum(c['cell_type'] == 'code' for c in nb['cells'])
                try:
                    page.goto(f'{head}{len(name)}-{start:.0f}/tree/{name}{tail}', timeout=90_000) # a workspace of its own: nothing else is open
                    run_all(page, n)
                    verdict, said = 'ok', f'{n} code cells, sliders moved: {move_all(page)}'
                except (Failed, PlaywrightError) as e: verdict, said, failed = 'FAILED', ' '.join(str(e).split())[-600:], failed+1
                print(f'{verdict:6} {time.time()-start:6.1f} s  {name}: {said}', flush=True)
                page.close()
    print(f'{len(todo)} pages, {failed} failed')
    return int(bool(failed))

if __name__ == '__main__': sys.exit(main(sys.argv[1:]))
