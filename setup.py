"Everything that pip needs to know is read from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

root = Path(__file__).parent
ini = ConfigParser()
ini.read(root/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
lib, dev = cfg['lib_path'], cfg['dev_requirements'].split() # no spaces inside a requirement

def some(*names): return [o for o in dev if o.startswith(names)]

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=(root/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host']+cfg['doc_baseurl']},
    keywords=cfg['keywords'].split(),
    license='Apache-2.0',
    python_requires=f">={cfg['min_python']}",
    packages=find_packages(include=[lib, f'{lib}.*']),
    package_data={lib: ['py.typed', 'photos/*']},
    install_requires=cfg['requirements'].split(),
    extras_require={'dev': dev, 'widgets': some('ipywidgets'), 'app': some('ipywidgets', 'voila'), 'onnx': some('onnx>', 'onnxscript'), 'tensorboard': some('tensorboard'), 'completion': some('shtab'), 'vision': some('timm'), 'ray': some('ray'), 'slurm': some('submitit'), 'mlflow': some('mlflow'), 'hub': some('huggingface_hub'), 'hf': some('datasets'), 'bench': ['avalanche-lib>=0.6']},
    entry_points={
        'console_scripts': cfg['console_scripts'].split(),
        'nbdev': [f'{lib}={lib}._modidx:d'], # lets nbdev link names in prose to their documentation
    },
    zip_safe=False,
)
