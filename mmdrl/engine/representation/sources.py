"""Which models are wanted: configs, checkpoints and run folders as they stand on a command line."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from mmengine.config import Config

from mmdrl.engine.config import load_config
from mmdrl.engine.publish.run_folder import read_run
from mmdrl.errors import ConfigError


class Source(NamedTuple):
    """A model.

    Attributes:
        config: As loaded.
        checkpoint: Path or address.
        path: What it is known by: the checkpoint, or the run folder.
    """

    config: Config
    checkpoint: str
    path: str


def read_sources(words: Sequence[str], options: Sequence[str] = (), pin_memory: bool = True) -> list[Source]:
    """The models that are meant.

    Args:
        words: A config is one that ends in ``.py`` or names a package's config (``mmdrl::...``), and holds for the
            checkpoints after it; a folder is a run that has ended, with its own config and last checkpoint.
        options: Overrides of all configs.
        pin_memory: As for :func:`mmdrl.engine.config.load_config`.

    Raises:
        MMDRLError: If a checkpoint has no config, a config no checkpoint, or something cannot be read.
    """
    sources: list[Source] = []
    config: Config | None = None
    unused: str | None = None
    for word in words:
        if Path(word).is_dir():
            sources.append(_run_folder(word, options, pin_memory))
        elif word.endswith('.py') or ('::' in word):
            _check_used(unused)
            config, unused = load_config(word, list(options), pin_memory=pin_memory), word
        elif config is None:
            raise ConfigError(f'Expected a config (.py) before the checkpoint {word}, or the folder of a run.')
        else:
            sources.append(Source(config, word, word))
            unused = None
    _check_used(unused)
    return sources


def labels_of(sources: Sequence[Source]) -> list[str]:
    """A short name for each, all different: the end of its path, as much of it as is needed.

    Raises:
        ConfigError: If two are the same.
    """
    paths = [
        Path(source.path).parts if '://' in source.path else Path(source.path).absolute().parts for source in sources
    ]
    for length in range(1, max(map(len, paths), default=0) + 1):
        names = ['/'.join(parts[-length:]) for parts in paths]
        if len(set(names)) == len(names):
            return names
    twice = Counter(source.path for source in sources).most_common(1)[0][0]
    raise ConfigError(f'{twice} is named twice. Name each model once.')


def _run_folder(word: str, options: Sequence[str], pin_memory: bool) -> Source:
    run = read_run(Path(word))
    with TemporaryDirectory() as folder:  # the text in the checkpoint is that of the training, whatever came later
        path = Path(folder) / f'{run.config}.py'
        path.write_text(run.config_text)
        config = load_config(str(path), list(options), pin_memory=pin_memory)
    return Source(config, str(run.checkpoint), word)


def _check_used(config: str | None) -> None:
    if config is not None:
        raise ConfigError(f'Expected a checkpoint after the config {config}, got none.')
