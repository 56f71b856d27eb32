"""What comes with the package beside its modules: the configs and the model index.

An installed package has them in ``mmdrl/.mim``, where OpenMMLab's tools look; a source tree that is not installed has
them beside the package.
"""

import os
from difflib import get_close_matches
from pathlib import Path

from mmdrl.errors import ConfigError

PREFIX = 'mmdrl::'


def shipped_folder() -> Path | None:
    """Folder that holds ``configs`` and ``model-index.yml``; ``None`` if the installation lacks them."""
    package = Path(__file__).parent
    for folder in (package / '.mim', package.parent):
        if (folder / 'configs').is_dir() and (folder / 'model-index.yml').is_file():
            return folder
    return None


def shipped_configs() -> dict[str, Path]:
    """Paths of the configs that can be trained, by their names without ``.py``."""
    folder = shipped_folder()
    if folder is None:
        return {}
    found = sorted((folder / 'configs').rglob('*.py'))
    return {path.stem: path for path in found if '_base_' not in path.relative_to(folder).parts}


def find_config(name: str) -> Path:
    """Path of the config file that a user means.

    Args:
        name: A path; ``mmdrl::folder/x.py``, where the folder is one of the package's configs; or the bare name of one
            of these configs. The latter two also without ``.py``. A file of that path comes first.

    Raises:
        ConfigError: If there is none; the message has names that are similar.
    """
    path = Path(name)
    if os.path.isfile(path):
        return path
    configs, folder = shipped_configs(), shipped_folder()
    inside = name.removeprefix(PREFIX)
    if name.startswith(PREFIX) and folder is not None:
        for candidate in (folder / 'configs' / inside, folder / 'configs' / f'{inside}.py'):
            if candidate.is_file():
                return candidate
    is_bare = inside == Path(inside).name
    stem = Path(inside).name.removesuffix('.py')
    if is_bare and stem in configs:
        return configs[stem]
    similar = [f'{other}.py' for other in get_close_matches(stem, configs)]
    if folder is None:
        hint = 'This installation of mmdrl lacks its configs: install it again.'
    elif similar:
        hint = f'Configs of mmdrl with such a name: {", ".join(similar)}.'
    else:
        hint = '`mim search mmdrl --valid-config` lists those of mmdrl.'
    if is_bare or name.startswith(PREFIX):
        raise ConfigError(f'Expected {name} to be a file or the name of a config of mmdrl, found neither. {hint}')
    raise ConfigError(f'Expected a config file at {name}, found none. {hint}')


def is_config(name: str) -> bool:
    """Whether a name can only mean a config: one of Python's files, or what :func:`find_config` finds beside files."""
    return name.endswith('.py') or '::' in name or (not Path(name).exists() and name in shipped_configs())
