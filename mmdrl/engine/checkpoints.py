"""Checkpoints looked at before they are used: whole, harmless, and of this model."""

import logging
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.runner import find_latest_checkpoint
from torch import Tensor, nn

from mmdrl.checkpoint_file import load_data
from mmdrl.datasets.preparation import disk_errors, new_file
from mmdrl.errors import DataError
from mmdrl.hashed_files import check_hash, fetch

from .finite import first_not_finite
from .saved_weights import check_weights

LAST = 'last_checkpoint'  # MMEngine's name of the file that names the last checkpoint
INTERRUPTED = 'interrupted.pth'  # what mmdrl.PreemptionHook saves
_IS_SUM = re.compile(r'\.sums\.\w+$')  # of mmdrl.models.ClassMoments


def read_checkpoint(path: str) -> dict[str, Any] | None:
    """Content of a checkpoint, on the CPU; ``None`` for an address such as ``s3://``, which MMEngine reads itself.

    Args:
        path: File, or an address of http(s), whose file goes into the cache of torch's hub.

    Raises:
        DataError: If the file is missing, is no checkpoint, holds more than data, or has another hash than its name
            promises.
    """
    is_fetched = path.startswith(('http://', 'https://'))
    if is_fetched:
        path = str(fetch(path))
    if '://' in path:
        return None
    if not os.path.isfile(path):
        raise DataError(f'Expected a checkpoint at {path}, found none.')
    check_hash(Path(path))
    again = f'Remove {path}, and it is fetched anew.' if is_fetched else 'Copy or download it again.'
    checkpoint = load_data(Path(path), again=again)
    if not isinstance(checkpoint, dict):
        raise DataError(f'Expected a dict with state_dict in {path}, got a {type(checkpoint).__name__}.')
    if not isinstance(checkpoint.get('meta') or {}, dict):
        raise DataError(
            f"{path} must hold 'meta' as a dict, got {checkpoint['meta']!r:.80}. It is damaged: take another."
        )
    return checkpoint


def latest_checkpoint(work_dir: str) -> str | None:
    """The checkpoint that ``--resume`` goes on from, or ``None`` if the folder has none.

    MMEngine writes checkpoints, and the file that names the last, in place. If a run was killed meanwhile, this is the
    newest whole one beside it.

    Raises:
        DataError: If the folder names one that is gone.
    """
    if not Path(work_dir, LAST).is_file():  # of which MMEngine would print a line
        return None
    path: str = find_latest_checkpoint(work_dir)
    if (path == '' or Path(path).is_file()) and not zipfile.is_zipfile(path):
        folder = Path(path).parent if path else Path(work_dir)
        others = [*folder.glob('iter_*.pth'), *folder.glob('epoch_*.pth'), *folder.glob(INTERRUPTED)]
        whole = [other for other in others if zipfile.is_zipfile(other)]
        if whole:
            newest = max(whole, key=lambda other: other.stat().st_mtime)
            print_log(
                f'{path or Path(work_dir) / LAST} is not whole: was a run killed while it wrote? Going on '
                f'from {newest}.',
                logger='current',
                level=logging.WARNING,
            )
            return str(newest)
    if not os.path.isfile(path):
        raise DataError(
            f'{work_dir}/last_checkpoint names {path}, which is gone. Give --resume another checkpoint, or leave it '
            'out to start anew.'
        )
    return path


def check_resumable(checkpoint: Mapping[str, Any], path: str) -> None:
    """A checkpoint must say how far training had come, or nothing can go on from it.

    Raises:
        DataError: If it does not.
    """
    if not {'epoch', 'iter'} <= set(checkpoint.get('meta') or {}):
        raise DataError(
            f'{path} holds a model only, not how far its training had come: nothing can be resumed from it. To begin '
            'with its weights, use --cfg-options load_from=... instead of --resume.'
        )


def check_belongs(
    checkpoint: Mapping[str, Any], model: nn.Module, path: str, head: nn.Module | None = None, losses: bool = True
) -> None:
    """The weights must be those of this model: the same names and shapes. Sums for centroids may be absent.

    They must be finite numbers, too. What the model does not know is left alone, as statistics of a loss are, but for
    parts of the classifier: without the factors of LWS, for one, the others would predict something else.

    Args:
        checkpoint: Content of the file.
        model: Not wrapped.
        path: Of the file, for the message.
        head: In place of the model's own.
        losses: Whether what the head's loss keeps must be there, too.

    Raises:
        DataError: If they are not; the message names the first that differ.
    """
    saved: Mapping[str, Tensor] = checkpoint.get('state_dict', checkpoint)
    wanted = model.state_dict()
    if head is not None:
        wanted = {name: value for name, value in wanted.items() if not name.startswith('head.')}
        wanted |= {f'head.{name}': value for name, value in head.state_dict().items()}
    check_weights(saved, wanted, path)
    unknown = [name for name in saved if name.startswith('head.fc.') and name not in wanted]
    if unknown and any(name.startswith('head.fc.') for name in wanted):
        raise DataError(
            f'The checkpoint {path} does not belong to this config: its classifier has {unknown[0]}, which that of the '
            'model has not. Take the config that it was trained by.'
        )
    wanted = {name: value for name, value in wanted.items() if not _IS_SUM.search(name) or _has_group(saved, name)}
    if not losses:
        wanted = {name: value for name, value in wanted.items() if '.loss_module.' not in name}
    shapes = {name: tuple(saved[name].shape) for name in wanted if name in saved}
    wrong = [f'{name} is {shape} in it' for name, shape in shapes.items() if shape != tuple(wanted[name].shape)]
    missing = [f'{name} is missing in it' for name in wanted if name not in saved]
    if wrong or missing:
        first = (wrong + missing)[0]
        name = first.split(' ')[0]
        raise DataError(
            f'The checkpoint {path} does not belong to this config: {first}, and {tuple(wanted[name].shape)} in the '
            f'model ({len(wrong) + len(missing)} of {len(wanted)} entries differ).'
        )
    found = first_not_finite(model, {name: saved[name] for name in wanted})
    if found is not None:
        raise DataError(
            f'{path} holds weights to compute nothing with: {found}. Training had diverged before it was saved: take '
            'another checkpoint.'
        )


def without_sums(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a model's state that are not sums for the centroids to come, which only resuming needs."""
    return {name: value for name, value in state.items() if not _IS_SUM.search(name)}


def _has_group(saved: Mapping[str, Tensor], name: str) -> bool:
    """Whether anything of the module that an entry belongs to is there."""
    return any(other.startswith(f'{name.rpartition(".")[0]}.') for other in saved)


def write_checkpoint(content: dict[str, Any], path: Path) -> None:
    """Write a checkpoint whole or not at all; behind a link, where that leads.

    Raises:
        DataError: If the disk or the rights do not allow it.
    """
    path = path.resolve()
    with disk_errors(f'Writing {path}'), new_file(path) as stream:
        try:
            torch.save(content, stream)
        except RuntimeError as error:  # how torch's archives say that a disk is full
            raise OSError(28, str(error)) from error
