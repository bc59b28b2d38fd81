"""Run notebooks as a reader does, in JupyterLab in a Chromium without a window, and move their sliders.

python .ci/lab.py [NOTEBOOK...] [--pictures DIR] [--jobs N] [--timeout SECONDS]

Without a name: every notebook of nbs/. A copy is run; the checkout stays as it is. Cells flagged slow or cuda, and
nbdev_export(), are left out. One line a notebook; exit code 1 if one of them fails, 3 if there is no browser.
"""
import argparse, asyncio, json, os, re, secrets, shutil, signal, socket, subprocess, sys, tempfile, time
from contextlib import suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

try: from playwright.async_api import Error as PlaywrightError, async_playwright
except ImportError: PlaywrightError, async_playwright = OSError, None

ROOT = Path(__file__).resolve().parent.parent
SKIP = re.compile(r'^#\|\s*(?:slow|cuda)\b|^[^#]*\bnbdev_export\(\)', re.M)
SETTINGS = { # of JupyterLab: every cell is on the page, and nothing is fetched from the network
    'notebook-extension/tracker': {'windowingMode': 'none'},
    'apputils-extension/notification': {'fetchNews': 'false', 'checkForUpdates': False},
}
SIZE = dict(width=1100, height=1400)
SILENCE = 90 # seconds without a first answer from the kernel, after which the notebook is opened once more

class Failed(Exception): "A notebook does not do what it should."
class Late(Failed): "It was not there in time."
class Silent(Failed): "No cell of it was run at all, which may be JupyterLab's fault and not the notebook's."

# The copy

def reader_copy(path, to):
    "A notebook without outputs, and without what is not run here; gives how many code cells are left."
    nb = json.loads(path.read_text(encoding='utf-8'))
    cells = [c for c in nb['cells'] if c['cell_type'] == 'code' and ''.join(c['source']).strip()]
    for c in cells:
        src = ''.join(c['source'])
        c.update(outputs=[], execution_count=None, source='# not run in this test' if SKIP.search(src) else src)
    nb['cells'] = [c for c in nb['cells'] if c['cell_type'] != 'code' or c in cells]
    to.write_text(json.dumps(nb), encoding='utf-8')
    return len(cells)

def copy_all(given, root):
    "The project in `root`, ready to run: name of each notebook -> number of its code cells."
    for o in ('nbs', 'akr', '.ci'): shutil.copytree(ROOT/o, root/o, ignore=shutil.ignore_patterns('__pycache__', '.*'))
    shutil.copy2(ROOT/'settings.ini', root)
    nbs = sorted((ROOT/'nbs').rglob('*.ipynb'), key=lambda p: (len(p.relative_to(ROOT).parts), p))
    nbs = [p for p in nbs if not any(o[0] in '._' for o in p.relative_to(ROOT).parts)]
    names = {}
    for k,p in enumerate(given or nbs):
        inside = p.is_relative_to(ROOT/'nbs')
        name = str(p.relative_to(ROOT)) if inside else f'given_{k}/{p.name}'
        (root/name).parent.mkdir(exist_ok=True)
        names[name] = reader_copy(p, root/name)
    return names

# The server

def is_root(): return hasattr(os, 'geteuid') and os.geteuid() == 0

def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]

class Server:
    "JupyterLab on a free port, with a token and with settings, kernels and workspaces of its own."
    def __init__(self, root, own, jobs):
        self.url, self.token = f'http://127.0.0.1:{(port := free_port())}', secrets.token_hex(24)
        for name,v in SETTINGS.items():
            f = own/'settings'/'@jupyterlab'/f'{name}.jupyterlab-settings'
            f.parent.mkdir(parents=True, exist_ok=True)
            f.write_text(json.dumps(v))
        env = {k: v for k,v in os.environ.items() if k not in ('IN_TEST', 'MPLBACKEND', 'PYTHONHOME')} # what nbdev_test sets is not the reader's
        env |= {f'JUPYTER{k}': str(own/k.strip('_').lower()) for k in ('_CONFIG_DIR', '_DATA_DIR', '_RUNTIME_DIR', 'LAB_WORKSPACES_DIR')}
        env |= dict(JUPYTERLAB_SETTINGS_DIR=str(own/'settings'), IPYTHONDIR=str(own/'ipython'), JUPYTER_TOKEN=self.token, PYTHONPATH=str(root))
        env.setdefault('OMP_NUM_THREADS', str(max(1, (os.cpu_count() or 1)//jobs)))
        cmd = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--ip=127.0.0.1', f'--port={port}', '--LabApp.expose_app_in_browser=True', '--ServerApp.port_retries=0', f'--ServerApp.root_dir={root}',
               '--MappingKernelManager.cull_idle_timeout=600', '--MappingKernelManager.cull_interval=60', '--ServerApp.shutdown_no_activity_timeout=600'] # if we are killed, it does not stay for ever
        if is_root(): cmd.append('--allow-root')
        self.log = own/'server.log'
        self.process = subprocess.Popen(cmd, cwd=root, env=env, stdin=subprocess.DEVNULL, stdout=open(self.log, 'w'), stderr=subprocess.STDOUT, start_new_session=True)
    def ask(self, path, method='GET'):
        with urlopen(Request(f'{self.url}/api/{path}', method=method, headers={'Authorization': f'token {self.token}'}), timeout=60) as r: return json.loads(r.read() or 'null')
    def __enter__(self):
        end = time.time() + 120
        while time.time() < end and self.process.poll() is None:
            try: self.ask('status'); return self
            except (URLError, OSError): time.sleep(.3)
        self.__exit__()
        sys.exit('JupyterLab did not start:\n' + self.log.read_text(errors='replace')[-2000:])
    def __exit__(self, *_):
        for s in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None: os.killpg(self.process.pid, s)
            try: return self.process.wait(20)
            except subprocess.TimeoutExpired: pass

# What is on the page

STATE = r"""() => {
  const text = e => e ? e.innerText.trim() : '';
  const panel = window.jupyterapp?.shell.currentWidget, book = panel?.content, kernel = panel?.context?.sessionContext?.session?.kernel;
  const cells = (book?.widgets || []).filter(w => w.model.type == 'code').map(w => {
    const out = [...Array(w.model.outputs.length).keys()].map(k => w.model.outputs.get(k));
    const views = out.filter(o => 'application/vnd.jupyter.widget-view+json' in o.data);
    const seen = w.node.querySelectorAll('.jp-OutputArea-output > .jupyter-widgets');
    return {count: w.model.executionCount, waits: text(w.node.querySelector('.jp-InputPrompt')).includes('*'), widgets: views.length - seen.length,
      error: out.filter(o => o.type == 'error').map(o => o.toJSON()).map(o => `${o.ename}: ${o.evalue}`)[0],
      trace: out.filter(o => o.type == 'error').map(o => o.toJSON().traceback.join('\n'))[0]}; });
  const raw = () => { // formulas that are still text: they are not set yet, or cannot be
    const found = [], all = [...document.querySelectorAll('.jp-NotebookPanel .jp-RenderedMarkdown')];
    for (const m of all) for (let n, w = document.createTreeWalker(m, NodeFilter.SHOW_TEXT); n = w.nextNode();)
      if (!n.parentElement.closest('code, pre, mjx-container') && /\$\$|\\[a-zA-Z]+\{/.test(n.data)) found.push(n.data.trim());
    return found; };
  const lost = i => i.getAttribute('src') && i.complete && !i.naturalWidth && new URL(i.src, location).origin == location.origin;
  return {cells, dialog: text(document.querySelector('.jp-Dialog-content')), kernel: kernel ? `${kernel.status}, ${kernel.connectionStatus}` : 'none',
    idle: kernel?.status == 'idle' && kernel.connectionStatus == 'connected' && document.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status == 'idle',
    images: [...document.querySelectorAll('.jp-NotebookPanel img')].filter(lost).map(i => i.getAttribute('alt') || i.src),
    formulas: [...document.querySelectorAll('.jp-NotebookPanel :is(mjx-merror, mjx-container mtext[mathcolor=red])')].map(e => e.textContent).concat(raw())}; }"""

async def until(what, seconds, why):
    "Wait until `what()` is true, and give it."
    end = time.time() + seconds
    while not (v := await what()):
        if time.time() > end: raise Late(why() if callable(why) else why)
        await asyncio.sleep(.3)
    return v

def trouble(state):
    "What a reader would see go wrong."
    if state['dialog']: return f"JupyterLab asks: {' '.join(state['dialog'].split())[:200]}"
    for n,c in enumerate(state['cells']):
        if c['error']: return f"code cell {n+1}: {c['error'][:300]}"

def unseen(state):
    "What a reader would not see as it is meant."
    if state['images']: return f"images that are not found: {', '.join(state['images'])[:200]}"
    if state['formulas']: return f"formulas that are not understood: {' '.join(', '.join(state['formulas']).split())[:200]}"
    for n,c in enumerate(state['cells']):
        if c['widgets'] > 0: return f'code cell {n+1}: its widget is not displayed'

INTERRUPT = "() => window.jupyterapp?.shell.currentWidget?.context?.sessionContext?.session?.kernel?.interrupt()"

async def held(page):
    "Interrupt the kernel: the line at which each function stood, from the cell's to the innermost."
    await page.evaluate(INTERRUPT)
    async def stopped(): return next(((k+1, c['trace']) for k,c in enumerate((await page.evaluate(STATE))['cells']) if c['trace']), None)
    try: k,trace = await until(stopped, 15, '')
    except Late: return 'its kernel did not answer an interrupt'
    lines = re.findall(r'^-+> *(\d+ .*)$', re.sub(r'\x1b\[[\d;]*m', '', trace), re.M)
    return f"code cell {k} was interrupted at: {' / '.join(' '.join(o.split()) for o in lines)}"

async def run_all(page, n, timeout):
    "Run all cells by the menu; every one of them must have run, and its output must be shown."
    await page.click('.lm-MenuBar-item:has-text("Run")')
    await page.click('.lm-Menu-item[data-command="runmenu:run-all"]')
    last, begin = {}, time.time()
    async def done():
        last.update(await page.evaluate(STATE))
        if why := trouble(last): raise Failed(why)
        if time.time() > begin + SILENCE and not any(c['count'] for c in last['cells']): raise Silent(f'no cell was run within {SILENCE} s: {stand()}')
        return len(last['cells']) == n and last['idle'] and all(c['count'] and not c['waits'] for c in last['cells'])
    def stand():
        waiting, never = ([k+1 for k,c in enumerate(last['cells']) if c['waits'] == w and (w or not c['count'])] for w in (True, False))
        return f"of {n} code cells {waiting[:5]}... ({len(waiting)}) wait, {never[:5]}... ({len(never)}) were never asked for; kernel {last['kernel']}"
    def why(): return f'not at its end after {timeout:.0f} s: {stand()}'
    try: await until(done, timeout, why)
    except Late as e: raise Late(f'{e}; {await held(page)}') from None
    async def shown(): # images, formulas and widgets come a little later than the kernel's answer
        last.update(await page.evaluate(STATE))
        return not unseen(last)
    await until(shown, 20, lambda: unseen(last))

# Sliders

async def move(page, slider, name, picture):
    "Move one slider by the keyboard: its value and the picture beside must change."
    value = lambda: slider.get_attribute('aria-valuenow')
    before, start, went = await picture.screenshot(), await value(), False
    async def moved(): return await value() != start
    async def changed(): return await picture.screenshot() != before
    for key in ('ArrowRight', 'ArrowLeft', 'End', 'Home'):
        await slider.focus() # again: a slider may be drawn anew, when another one changes its range
        await page.keyboard.press(key)
        try: await until(moved, 3, ''); went = True; return await until(changed, 10, '')
        except Failed: pass # it was at that end already, or this step shows the same: another one
    raise Failed(f'the slider "{name}" ' + ('moves, but the picture beside it stays the same' if went else 'cannot be moved'))

async def move_all(page):
    "Move every slider of every widget that shows a picture; gives how many."
    moved = 0
    for cell in await page.locator('.jp-NotebookPanel .jp-CodeCell:has([role=slider])').all():
        picture = cell.locator('.jp-OutputArea-output :is(img, canvas, svg.main-svg)').first
        for box in await cell.locator('.widget-slider').all():
            name = (await box.locator('.widget-label').first.inner_text()).strip()
            slider = box.locator('[role=slider]').first
            if await slider.get_attribute('aria-valuemin') == await slider.get_attribute('aria-valuemax'): continue # one value alone
            if not await picture.count(): raise Failed(f'the slider "{name}" has no picture beside it')
            await slider.scroll_into_view_if_needed()
            await move(page, slider, name, picture)
            moved += 1
    return moved

# A notebook, and all of them

async def take_pictures(page, to):
    "The notebook from top to bottom, a file a screen."
    box = page.locator('.jp-NotebookPanel .jp-WindowedPanel-outer').first
    height, view = await box.evaluate("e => [Math.max(0, ...[...e.querySelectorAll('.jp-Cell')].map(c => c.getBoundingClientRect().bottom)) - e.getBoundingClientRect().top + e.scrollTop, e.clientHeight]")
    for k in range(min(60, max(1, int(-(-height//view))))):
        await box.evaluate('(e, y) => e.scrollTop = y', k*view)
        await asyncio.sleep(.3)
        await page.screenshot(path=f'{to}-{k+1:02d}.png')

async def run_notebook(browser, server, name, n, pictures, timeout):
    "Open a notebook, run it, move its sliders; gives a few words, or raises `Failed`."
    context = await browser.new_context(viewport=SIZE)
    page = await context.new_page()
    try:
        await page.goto(f"{server.url}/lab/workspaces/{re.sub(r'[^A-Za-z0-9]', '-', name)}/tree/{name}?token={server.token}", timeout=90_000)
        async def ready():
            s = await page.evaluate(STATE)
            if why := trouble(s): raise Failed(why)
            return len(s['cells']) == n and s['idle']
        await until(ready, 90, 'JupyterLab did not open it, or started no kernel, within 90 s')
        await run_all(page, n, timeout)
        moved = await move_all(page)
        return f'{n} cells' + (f', {moved} slider{"s"*(moved > 1)} moved' if moved else '')
    finally:
        try:
            if pictures: await take_pictures(page, pictures/re.sub(r'\W', '_', name.removeprefix('nbs/').removesuffix('.ipynb')))
        except PlaywrightError as e: print(f'no picture of {name}: {e}', file=sys.stderr)
        with suppress(PlaywrightError): await context.close()
        for s in await asyncio.to_thread(server.ask, 'sessions'):
            if s['path'] == name: await asyncio.to_thread(server.ask, f"sessions/{s['id']}", 'DELETE') # its kernel ends, and frees its memory

async def run_many(names, root, own, a):
    "All notebooks, `a.jobs` at a time; gives how many failed, or None if there is no browser."
    if not async_playwright: return print("playwright is missing, so nothing was tested: pip install -e '.[dev]'", file=sys.stderr)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel) # so that the server ends with us
    async with async_playwright() as p:
        own_browser = Path(p.chromium.executable_path)
        path = own_browser if own_browser.exists() else next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
        if not path: return print('no Chromium was found, so nothing was tested: apt install chromium, or: playwright install chromium', file=sys.stderr)
        quiet = ['--disable-gpu', '--disable-dev-shm-usage', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run']
        failed, todo = 0, iter(names.items())
        with Server(root, own, a.jobs) as server:
            launch = lambda sandbox: p.chromium.launch(executable_path=str(path), chromium_sandbox=sandbox, args=quiet)
            try: browser = await launch(not is_root())
            except PlaywrightError: # some systems give a sandbox to nobody; the pages are our own
                print('note: Chromium did not start in its sandbox, and is tried without', file=sys.stderr)
                browser = await launch(False)
            async def worker():
                nonlocal failed
                for name,n in todo:
                    start = time.time()
                    run = lambda: asyncio.wait_for(run_notebook(browser, server, name, n, a.pictures, a.timeout), a.timeout + 300)
                    try:
                        try: verdict, said = 'ok', await run()
                        except Silent as e: # seen once in some hundred notebooks; why is not known
                            print(f'again: {name}: {e}', file=sys.stderr, flush=True)
                            verdict, said = 'ok', f'{await run()}, at the second try'
                    except (Failed, PlaywrightError, OSError, asyncio.TimeoutError) as e: verdict, said, failed = 'FAILED', ' '.join(str(e).split())[:400] or type(e).__name__, failed+1
                    print(f'{verdict:6} {time.time()-start:6.1f} s  {name}: {said}', flush=True)
            await asyncio.gather(*(worker() for _ in range(a.jobs)))
            await browser.close()
    return failed

def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('notebooks', nargs='*', type=lambda s: Path(s).resolve(), metavar='NOTEBOOK', help='without: all of nbs/')
    p.add_argument('--pictures', type=Path, metavar='DIR', help='save what was seen, a PNG a screen')
    p.add_argument('--jobs', type=int, default=min(2, os.cpu_count() or 1), metavar='N', help='notebooks at a time (%(default)s)')
    p.add_argument('--timeout', type=float, default=300, metavar='SECONDS', help='for the cells of a notebook (%(default)s)')
    a = p.parse_args()
    if odd := [o for o in a.notebooks if not o.is_file()]: p.error(f'there is no notebook {odd[0]}')
    if a.pictures: a.pictures = a.pictures.resolve(); a.pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp:
        root, own, start = Path(tmp).resolve()/'akr', Path(tmp).resolve()/'own', time.time()
        names = copy_all(a.notebooks, root)
        try: failed = asyncio.run(run_many(names, root, own, a))
        except (asyncio.CancelledError, KeyboardInterrupt): sys.exit('stopped')
    if failed is None: return 3
    print(f'{len(names)} notebooks, {failed} failed, {time.time()-start:.0f} s')
    return int(bool(failed))

if __name__ == '__main__': sys.exit(main())
