"""Write akr/_listing.py: what the help of `akr train`, `compare` and `bench` says of akr's own parts (see nbs/79_help.ipynb)."""
import pprint
from dataclasses import asdict
from pathlib import Path

from akr.options import listing
from akr.parts import only_own

HEAD = '''"""What the help says of akr's own parts: `akr.help` reads it, since the parts need PyTorch."""

# Written by .ci/listing.py from the parts: edit these.
LISTING = '''

with only_own(): text = pprint.pformat(asdict(listing()), width=118, sort_dicts=False)
(Path(__file__).resolve().parent.parent/'akr'/'_listing.py').write_text(f'{HEAD}{text}\n', encoding='utf-8')
