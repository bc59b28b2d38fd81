"""Drills of images, for drill.py: programs within them, false claims, bombs, and things that are not files."""
import contextlib
import io
import os
import random
import re
import select
import shutil
import signal
import socket
import struct
import sys
import time
import zlib
from pathlib import Path

from PIL import Image

from akr.core import InputError
from akr.folder import check_folder, load_folder
from akr.images import AVIF, SUFFIXES

# ---- odd and bomb images

SUFFIX = ('jpg', 'png', 'gif', 'webp', 'tif', 'bmp', 'ppm', 'avif') # one of each kind of file that is read

def chunk(name, data): return struct.pack('>I', len(data)) + name + data + struct.pack('>I', zlib.crc32(name+data))

def png(w, h, bits, kind, rows=b'', *more, interlaced=0):
    "A PNG file by hand, with any claim about its size; `more` are chunks before its pixels."
    return b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', w, h, bits, kind, 0, 0, interlaced)) + b''.join(more) + chunk(b'IDAT', zlib.compress(rows, 9)) + chunk(b'IEND', b'')

def flat_png(w, h, bits, kind, *more):
    "A PNG file that holds what it claims: zeros."
    return png(w, h, bits, kind, bytes((1 + (w*bits*{0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]+7)//8)*h), *more)

def tiff(tags, data=b'', big=False, following=0):
    "A TIFF file by hand: numbered tags, then data, which begins at byte 1000."
    if big: head = b'II+\0\x08\0\0\0' + struct.pack('<QQ', 16, len(tags)) + b''.join(struct.pack('<HHQQ', k, 4, 1, v) for k, v in tags) + struct.pack('<Q', following)
    else: head = b'II*\0' + struct.pack('<IH', 8, len(tags)) + b''.join(struct.pack('<HHII', k, 4, 1, v) for k, v in tags) + struct.pack('<I', following)
    return head.ljust(1000, b'\0') + data

def grey_tiff(w, h, data=b'', *more, bits=8, packed=1, samples=1, **how):
    tags = {256: w, 257: h, 258: bits, 259: packed, 262: 1, 273: 1000, 277: samples, 278: h, 279: len(data), **dict(more)}
    return tiff([(k, v) for k, v in sorted(tags.items()) if v is not None], data, **how)

def saved(im, kind, **how):
    file = io.BytesIO(); im.save(file, kind, **how)
    return file.getvalue()

def patched(data, mark, at, new):
    "Bytes with others written `at` bytes behind a mark."
    i = data.find(mark) + at
    return data[:i] + new + data[i+len(new):] if data.find(mark) >= 0 else data

def iptc(payload, layers=1, colour=0):
    "An IPTC stream around a picture, which Pillow opens by its content when it is decoded."
    def field(record, number, value): return bytes([0x1c, record, number]) + (struct.pack('>H', len(value)) if len(value) < 1 << 15 else b'\x84' + struct.pack('>I', len(value))) + value
    return field(3, 60, bytes([layers, colour])) + b''.join(field(3, k, struct.pack('>H', 10)) for k in (20, 30)) + field(3, 120, b'\5') + field(8, 10, payload)

EPS = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n'

def payloads():
    "What a picture could smuggle in: programs, envelopes, stubs that ask for a helper, things that are no picture."
    eps, endless = EPS + b'(ran) print\n%%EOF\n', EPS + b'{} loop\n%%EOF\n'
    xpm = b'/* XPM */\nstatic char *x[] = {\n"20000 20000 1 1",\n"a c #ff0000",\n' + b'"' + b'a'*2000 + b'",\n};\n'
    jpeg, bomb = saved(Image.new('RGB', (16, 16)), 'JPEG'), png(60_000, 60_000, 8, 2)
    photoshop = b'Photoshop 3.0\x008BIM\x04\x04\0\0' + struct.pack('>I', len(iptc(eps))) + iptc(eps)
    app13 = jpeg[:2] + b'\xff\xed' + struct.pack('>H', 2+len(photoshop)) + photoshop + jpeg[2:]
    ico = b'\0\0\1\0\1\0' + struct.pack('<BBBBHHII', 0, 0, 0, 0, 1, 32, len(bomb), 22) + bomb
    return dict(
        eps=eps, eps_endless=endless, eps_dos=b'\xc5\xd0\xd3\xc6' + struct.pack('<II', 32, len(eps)) + bytes(20) + eps, eps_late=b'\n\n' + eps, ps=b'%!\n(ran) print showpage\n', pdf=b'%PDF-1.4\n1 0 obj<</OpenAction<</S/Launch/F(gs)>>>>endobj\n%%EOF\n',
        iptc_eps=iptc(eps), iptc_endless=iptc(endless), iptc_colour=iptc(eps, 3, 1), iptc_iptc=iptc(iptc(eps)), iptc_large=iptc(eps + bytes(1 << 16)), iptc_jpeg=iptc(jpeg),
        jpeg_app13=app13, tiff_iptc=grey_tiff(4, 4, bytes(16) + iptc(eps), (33723, 1016)), xpm=xpm, xbm=b'#define a_width 60000\n#define a_height 60000\nstatic char a_bits[] = {\n0x00};\n', ico_bomb=ico, svg=b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        grib=b'GRIB' + bytes(3) + b'\1' + bytes(40), bufr=b'BUFR' + bytes(40), hdf5=b'\x89HDF\r\n\x1a\n' + bytes(40), wmf=b'\xd7\xcd\xc6\x9a\0\0' + bytes(60), fpx=b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(600), mpeg=b'\0\0\1\xb3' + b'\xff'*40, msp=b'DanM' + b'\xff'*60, psd=b'8BPS\0\1' + bytes(6) + struct.pack('>HIIHH', 3, 30_000, 30_000, 8, 3) + bytes(40),
        pickle=b'\x80\x04cposix\nsystem\n(X\x02\0\0\0gstR.', zip=b'PK\3\4' + bytes(60), html=b'<html><script>gs</script>', shell=b'#!/bin/sh\ngs\n', lfs=b'version https://git-lfs.github.com/spec/v1\n')

def claims():
    "Small files that claim to be large, in every format; most hold next to nothing."
    out, one = {}, Image.new('RGB', (16, 16), (9, 80, 200))
    webp, lossless, still = saved(one, 'WEBP'), saved(one, 'WEBP', lossless=True), saved(one, 'WEBP')[12:]
    for w, h in ((100_000, 100_000), (65_535, 65_535), (16_383, 16_383), (16_383, 5_400), (9_400, 9_400), (65_535, 1), (1, 65_535), (0, 0)):
        n, w2, h2 = f'{w}x{h}', w & 65535, h & 65535
        out[f'claim_{n}.png'] = png(w, h, 8, 2, bytes(100))
        out[f'claim16_{n}.png'] = png(w, h, 16, 6, bytes(100), interlaced=1)
        out[f'claim_{n}.gif'] = b'GIF89a' + struct.pack('<HHBBB', w2, h2, 0x80, 0, 0) + bytes(6) + b',' + struct.pack('<HHHHB', 0, 0, w2, h2, 0) + b'\2\2\x4c\1\0;'
        out[f'frame_{n}.gif'] = b'GIF89a' + struct.pack('<HHBBB', 4, 4, 0x80, 0, 0) + bytes(6) + b'!\xf9\4\x08\0\0\0\0,' + struct.pack('<HHHHB', 0, 0, w2, h2, 0) + b'\2\2\x4c\1\0;' # larger than its canvas
        for kind in ('baseline', 'progressive'): out[f'{kind}_{n}.jpg'] = patched(saved(one, 'JPEG', progressive=kind == 'progressive'), b'\xff\xc2' if kind == 'progressive' else b'\xff\xc0', 5, struct.pack('>HH', h2, w2))
        out[f'claim_{n}.bmp'] = patched(saved(one, 'BMP'), b'BM', 18, struct.pack('<ii', w, -h))
        out[f'claim_{n}.ppm'] = b'P6 %d %d 255\n' % (w, h) + bytes(99)
        out[f'words_{n}.ppm'] = b'P3 %d %d 65535\n' % (w, h) + b'7 '*99
        out[f'claim_{n}.tif'] = grey_tiff(w, h, bytes(99))
        out[f'lzw_{n}.tif'] = grey_tiff(w, h, b'\x80\0\0\0'*9, packed=5, samples=3)
        out[f'tile_{n}.tif'] = grey_tiff(16, 16, zlib.compress(bytes(99)), (273, None), (278, None), (279, None), (322, w), (323, h), (324, 1000), (325, 20), packed=8)
        body = b'VP8X' + struct.pack('<I', 10) + b'\2\0\0\0' + (max(w, 1)-1).to_bytes(3, 'little') + (max(h, 1)-1).to_bytes(3, 'little') + b'ANIM' + struct.pack('<I', 6) + bytes(6) + b'ANMF' + struct.pack('<I', 16+len(still)) + bytes(6) + b'\x0f\0\0\x0f\0\0' + bytes(4) + still
        out[f'canvas_{n}.webp'] = b'RIFF' + struct.pack('<I', 4+len(body)) + b'WEBP' + body
        out[f'claim_{n}.webp'] = patched(webp, b'\x9d\1\x2a', 3, struct.pack('<HH', w & 16383, h & 16383))
        out[f'lossless_{n}.webp'] = patched(lossless, b'VP8L', 9, struct.pack('<I', (max(w, 1)-1) & 16383 | ((max(h, 1)-1) & 16383) << 14))
        if AVIF: out[f'claim_{n}.avif'] = patched(saved(one, 'AVIF', speed=10), b'ispe', 8, struct.pack('>II', w, h))
    return out

def bombs():
    "Files that keep what they claim: small on the disk, as large in memory as the limits allow, or larger."
    out = {f'flat_{w}_{bits}_{kind}.png': flat_png(w, w, bits, kind) for w, bits, kind in ((9_400, 8, 0), (9_400, 1, 0), (8_190, 8, 6), (8_190, 8, 2), (8_190, 8, 4), (5_700, 16, 6), (8_000, 16, 0), (13_000, 8, 0))}
    out['iptc.jpg'] = iptc(flat_png(13_000, 13_000, 8, 0))
    out['hole.png'] = flat_png(9_000, 9_000, 8, 3, chunk(b'PLTE', bytes(6)), chunk(b'tRNS', b'\0'))
    out['text.png'] = png(4, 4, 8, 0, bytes(20), *[chunk(b'zTXt', b'k%d\0\0' % k + zlib.compress(bytes(1 << 20), 9)) for k in range(100)])
    out['profile.png'] = png(4, 4, 8, 0, bytes(20), chunk(b'iCCP', b'p\0\0' + zlib.compress(bytes(1 << 30), 9)))
    out['length.png'] = png(4, 4, 8, 0, bytes(20), struct.pack('>I', 2**31-1) + b'teXt')
    wide = Image.new('RGB', (7_300, 7_300), (9, 80, 200))
    exif = Image.Exif(); exif[0x0112] = 6
    out['turned.jpg'], out['progressive.jpg'] = saved(wide, 'JPEG', exif=exif), saved(wide, 'JPEG', progressive=True, subsampling=0)
    out['cmyk.jpg'] = saved(wide.resize((6_600, 6_600), Image.Resampling.NEAREST).convert('CMYK'), 'JPEG', progressive=True)
    grey = wide.convert('L')
    out['flat.gif'], out['strip.tif'] = saved(grey, 'GIF'), grey_tiff(9_400, 9_400, zlib.compress(bytes(9_400**2), 9), packed=8)
    for side in (12_000, 22_000, 30_000):
        pack, z = zlib.compressobj(9), b''
        for _ in range(side): z += pack.compress(bytes(side))
        z += pack.flush()
        out[f'tile_{side}.tif'] = grey_tiff(16, 16, z, (273, None), (278, None), (279, None), (322, side), (323, side), (324, 1000), (325, len(z)), packed=8)
    out['two_tiles.tif'] = tiff([(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, 30_000), (322, 16), (323, 30_000), (323, 16), (324, 1000), (325, len(z))], z) # libtiff takes the first, Pillow the last
    small = Image.new('RGBA', (4_600, 4_600), (9, 80, 200, 90))
    for name, how in (('lossy', {}), ('lossless', dict(lossless=True)), ('film', dict(lossless=True, save_all=True, append_images=[Image.new('RGBA', small.size)]))): out[f'{name}.webp'] = saved(small, 'WEBP', method=0, quality=0, **how)
    out['over.webp'] = saved(Image.new('L', (16_383, 2_048)), 'WEBP', method=0, quality=0)
    out['words.pgm'], out['words.ppm'] = b'P2 2000 1000 255 ' + b'7 '*2_000_000, b'P3 1000 700 65535 ' + b'9 '*2_100_000
    if AVIF:
        out['flat.avif'] = saved(small, 'AVIF', speed=10, subsampling='4:4:4')
        out['liar.avif'] = patched(saved(Image.new('RGB', (5_000, 5_000)), 'AVIF', speed=10), b'ispe', 8, struct.pack('>II', 100, 100)) # the picture in it is larger than the file says
    return out

def oddities():
    "Deep and circular structures, and tags that make no sense."
    jpeg, gif = saved(Image.new('RGB', (16, 16)), 'JPEG'), saved(Image.new('P', (16, 16)), 'GIF')
    out = {f'deep_{bits}_{samples}_{sort}.tif': grey_tiff(8, 8, bytes(8*8*8*samples), (339, sort), bits=bits, samples=samples) for bits in (2, 12, 16, 24, 32, 64) for samples, sort in ((1, 1), (1, 2), (1, 3), (3, 1), (9, 1))}
    out['circle.tif'], out['big.tif'] = grey_tiff(4, 4, bytes(16), following=8), grey_tiff(4, 4, bytes(16), big=True)
    out['many_tags.tif'] = b'II*\0' + struct.pack('<IH', 8, 65535) + bytes(12*65535)
    out['count.tif'] = b'II*\0' + struct.pack('<IH', 8, 3) + b''.join(struct.pack('<HHII', k, 12, 2**31-1, 100) for k in (256, 257, 258)) + bytes(400)
    out['chain.tif'] = b'II*\0' + struct.pack('<I', 8) + b''.join(struct.pack('<HHHIII', 1, 256, 4, 1, 4, 8+18*(k+1)) for k in range(20_000))
    out['sub.tif'] = grey_tiff(4, 4, bytes(16), (330, 8), (34665, 8), (34853, 8))
    for name, tag, value in (('orientation', 274, 99), ('planes', 284, 2), ('order', 266, 2), ('paper', 262, 8), ('zero_rows', 278, 0), ('offset', 273, 2**32-1), ('bytes', 279, 2**32-1), ('no_bits', 258, 0), ('much', 277, 65535)): out[f'{name}.tif'] = grey_tiff(8, 8, bytes(64), (tag, value))
    for packed in (2, 3, 4, 6, 7, 32773, 34712, 34887, 34925, 50000, 50001, 9): out[f'packed_{packed}.tif'] = grey_tiff(64, 64, bytes(range(256)), packed=packed)
    out['comments.jpg'] = jpeg[:2] + (b'\xff\xfe\xff\xff' + bytes(65533))*50 + jpeg[2:]
    out['fillers.jpg'], out['frames.gif'] = jpeg[:2] + b'\xff'*2_000_000 + jpeg[2:], gif[:-1] + gif[13+768:-1]*3000 + b';'
    out['two_frames.jpg'] = jpeg[:2] + b'\xff\xc0\0\x11\x08' + struct.pack('>HH', 60_000, 60_000) + b'\3\1\x22\0\2\x11\1\3\x11\1' + jpeg[2:]
    out['extensions.gif'] = gif[:13+768] + b'!\xfe\1a\0'*200_000 + gif[13+768:]
    out['film.png'] = saved(Image.new('L', (16, 16)), 'PNG', save_all=True, append_images=[Image.new('L', (16, 16), k) for k in range(200)])
    out['rle.bmp'] = b'BM' + struct.pack('<IHHI', 0, 0, 0, 1078) + struct.pack('<IiiHHIIiiII', 40, 9_000, 9_000, 1, 8, 1, 0, 0, 0, 256, 256) + bytes(1024) + b'\0\2\xff\xff'*2000
    out['exif.webp'] = saved(Image.new('RGB', (16, 16)), 'WEBP', exif=b'Exif\0\0II*\0\x08\0\0\0\xff\xff' + b'\xff'*70_000)
    return out

def cut():
    "Files of every format that end too soon."
    im, out = Image.frombytes('RGB', (60, 60), random.Random(1).randbytes(60*60*3)), {}
    for suffix in SUFFIX:
        kind = SUFFIXES.get('.'+suffix)
        if kind is None: continue
        data = saved(im, kind)
        for part in (.01, .1, .3, .5, .7, .9, .99): out[f'cut_{part}.{suffix}'] = data[:int(len(data)*part)]
    return out

def special():
    "Things that bear the name of a picture and are not files, or not ordinary ones; each is made in a class folder."
    def link(to): return lambda f: f.symlink_to(to)
    def holes(f): f.touch(); os.truncate(f, 1 << 40)
    def bind(f):
        with socket.socket(socket.AF_UNIX) as s:
            before = os.getcwd(); os.chdir(f.parent)
            try: s.bind(f.name)
            finally: os.chdir(before)
    out = dict(pipe=os.mkfifo, socket=bind, holes=holes, empty=lambda f: f.touch(), folder=lambda f: f.mkdir(), **{to.replace('/', '_'): link(to) for to in ('/dev/zero', '/dev/random', '/dev/stdin', '/dev/tty', '/dev/full', '/proc/self/mem', '/proc/self/environ', '/proc/kmsg', '/', '..', 'nowhere')})
    out['round'] = lambda f: f.symlink_to(f.name)
    return out

def odd_images(large):
    "All of them, with the bombs in `large`: name -> bytes, a file to copy, or a function that makes the thing."
    out, other = {}, {}
    Image.init()
    for kind in sorted(Image.SAVE):
        for mode in ('RGB', 'L', 'P', '1', 'F', 'RGBA'):
            try: other[kind] = saved(Image.new(mode, (16, 16)), kind); break
            except (OSError, ValueError, KeyError): pass # not this mode; four formats can be written by helpers alone
    out |= {f'{kind.lower()}.{s}': data for kind, data in other.items() for s in SUFFIX}
    out |= {f'{name}.{s}': data for name, data in payloads().items() for s in SUFFIX[:3]}
    out |= claims() | large | oddities() | cut()
    out |= {f'{name}.{s}': make for name, make in special().items() for s in ('jpg', 'tif')}
    out |= {f'{name}.png': flat_png(4, 4, 8, 0) for name in ('a\nb', 'a\x1b]0;owned\x07', 'a\u202eb', '$x$', "a'b", '-rf', 'a'*250)}
    return out

def apart(make, folder):
    "What `make()` gives, written to files by a process of its own, whose memory goes with it: name -> file."
    folder.mkdir()
    if not (pid := os.fork()):
        try:
            for name, data in make().items(): (folder/name).write_bytes(data)
        finally: os._exit(0)
    os.waitpid(pid, 0)
    return {f.name: f for f in sorted(folder.iterdir())}

def look_at(box, threads=0):
    "What `akr data check` says of a folder, in a process of its own: what came out, its words, seconds, bytes of memory."
    ends, tells = os.pipe()
    t0, pid = time.perf_counter(), os.fork()
    if not pid:
        try:
            os.close(ends); os.dup2(os.open(os.devnull, os.O_RDWR), 0); os.dup2(0, 1); os.dup2(0, 2)
            def heard(event, words):
                if event in ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn', 'os.spawn'): os.write(tells, b'a program was run: ' + repr(words).encode()[:200]); os._exit(3)
            sys.addaudithook(heard)
            if threads: os.cpu_count = lambda: threads
            try:
                r = check_folder(box, 32)
                said = str(r)
                word = b'refused: ' if r.unreadable or r.problems or r.skipped else b'read: '
                if time.perf_counter()-t0 < 1: # as training would, too
                    try: load_folder(box, 32, cache_dir=box.with_name('cache'))
                    except InputError as e: said += str(e)
                if re.search('[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]', said): os.write(tells, b'cannot be printed: ')
                else: os.write(tells, word)
                os.write(tells, said.encode(errors='replace')[:3000])
            except BaseException as e: os.write(tells, f'{type(e).__name__}: {e}'.encode(errors='replace')[:500])
        finally: os._exit(0)
    os.close(tells)
    longest = 600 if threads else 60
    hang = not select.select([ends], [], [], longest)[0]
    if hang: os.kill(pid, signal.SIGKILL)
    _, status, used = os.wait4(pid, 0)
    with os.fdopen(ends, 'rb') as f: said = f.read().decode(errors='replace')
    if hang: said = f'no end after {longest} s'
    return said or f'died: {os.waitstatus_to_exitcode(status)}', time.perf_counter()-t0, used.ru_maxrss*(1 if sys.platform == 'darwin' else 1024)

def images_drill(here):
    "Odd and bomb images, one at a time beside a good one in a folder of two classes; then all bombs at once, in sixteen threads."
    tools, ran = here/'bin', here/'ran'
    tools.mkdir()
    for name in ('gs', 'gswin32c', 'gswin64c', 'djpeg', 'convert', 'inkscape'): # they would be found first
        (tools/name).write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\n'); (tools/name).chmod(0o755)
    os.environ['PATH'] = f"{tools}:{os.environ['PATH']}"
    def alone(data): # what Pillow does by itself, to know that the trap works
        ran.unlink(missing_ok=True)
        with contextlib.suppress(Exception): Image.open(io.BytesIO(data)).load()
        return ran.exists()
    trapped = [name for name, data in payloads().items() if alone(data)]
    ran.unlink(missing_ok=True)
    large, box, good = apart(bombs, here/'bombs'), here/'box', flat_png(8, 8, 8, 0)
    count, wrong, most, slowest, programs, over, hangs, tracebacks = dict(read=0, refused=0), [], 0, 0., 0, 0, 0, 0
    def tried(name, threads=0):
        nonlocal most, slowest, programs, over, hangs, tracebacks
        said, seconds, memory = look_at(box, threads)
        most, slowest, word = max(most, memory), max(slowest, seconds), said.partition(':')[0]
        if ran.exists() or said.startswith('a program'): programs += 1; wrong.append(f'{name!r}: a program was run')
        if memory > 2**30: over += 1; wrong.append(f'{name!r}: {memory/2**30:.2f} GiB')
        if said.startswith('no end'): hangs += 1; wrong.append(f'{name!r}: {said}')
        elif word in count: count[word] += 1
        else: tracebacks += 1; wrong.append(f'{name!r}: {said[:200]}')
        ran.unlink(missing_ok=True)
        return memory
    images = odd_images(large)
    for name, what in images.items():
        for c in 'ab':
            (box/c).mkdir(parents=True)
            for k in range(2): (box/c/f'good{k}.png').write_bytes(good)
        if callable(what): what(box/'a'/name)
        elif isinstance(what, Path): os.link(what, box/'a'/name)
        else: (box/'a'/name).write_bytes(what)
        tried(name)
        shutil.rmtree(box)
    one_by_one = dict(count)
    for c in 'ab':
        (box/c).mkdir(parents=True)
        for n, f in large.items(): os.link(f, box/c/n)
    memory = tried('all bombs at once', 16)
    return dict(images=len(images), **one_by_one, programs=programs, over_1_gib=over, hangs=hangs, tracebacks=tracebacks, most_memory_gib=round(most/2**30, 2), bombs_at_once=2*len(large), their_memory_gib=round(memory/2**30, 2), slowest_seconds=round(slowest, 2), pillow_alone_runs_a_program=len(trapped), wrong=wrong)
