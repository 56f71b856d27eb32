"""Settings of the documentation site; ``make docs`` builds it, without network, into ``docs/_build/html``."""

import os
import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / '_ext'))
os.environ.setdefault('OMP_NUM_THREADS', '1')
warnings.filterwarnings('ignore', message='(pkg_resources is deprecated|Fail to import ``MultiScale)')

from mmdrl.version import __version__  # noqa: E402  (warnings of its host first)

project = 'mmdrl'
author = 'The mmdrl contributors'
project_copyright = author
version = release = __version__
extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.mathjax',
    'sphinx.ext.viewcode',
    'sphinx-mathjax-offline',
    'sphinx_copybutton',
    'myst_nb',
    'site_pages',  # docs/_ext: pages made from registries, docstrings, configs and tools
]
exclude_patterns = ['_build', '_ext', '**.ipynb_checkpoints']
nitpicky = True
nitpick_ignore_regex = [
    # Packages around us: their pages are not at hand without network.
    (
        r'py:.*',
        r'(torch|torchvision|numpy|np|matplotlib|rich|sklearn|PIL|mmengine|mmcv|mmpretrain|argparse|pathlib)\b.*',
    ),
    (r'py:.*', r'(collections|typing|types|os|io|abc|dataclasses)\..*'),
    # Of Python, and short names that annotations of the host are printed with.
    (
        r'py:class',
        r'(optional|callable|Path|PathLike|Tensor|Module|Figure|Table|Any|Ellipsis|NDArray|ndarray|ArrayLike)',
    ),
]

# Pages
html_theme = 'furo'
html_title = 'mmdrl'
html_static_path = ['_static']
html_css_files = ['site.css']
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
myst_enable_extensions = ['dollarmath', 'amsmath', 'colon_fence', 'deflist']
myst_heading_anchors = 4
suppress_warnings = ['myst.header']  # a page copied from elsewhere may begin below level 1
pygments_style = 'friendly'
pygments_dark_style = 'github-dark'
copybutton_prompt_text = r'\$ |>>> |\.\.\. '
copybutton_prompt_is_regexp = True

# Docstrings
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
autodoc_member_order = 'bysource'
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

# Notebooks are stored without outputs and run while the site is built.
nb_execution_mode = os.environ.get('MMDRL_NOTEBOOKS', 'force')
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True
