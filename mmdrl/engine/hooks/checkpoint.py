"""MMEngine's checkpoints, of which at every moment a whole one is there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import BaseStorageBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmdrl.engine.atomic_files import ATOMIC, note_last, remove_leftovers
from mmdrl.registry import HOOKS

OUTDATED = 'outdated_ckpts'  # in the message hub, and so in checkpoints


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """Saves checkpoints as MMEngine's ``CheckpointHook`` does, and never leaves a run without a whole one.

    MMEngine writes a checkpoint and ``last_checkpoint`` in place, and removes the old checkpoint first: a run that is
    killed meanwhile, or whose disk is full, may have lost both. This hook writes aside and renames, then notes the
    new one as the last, and only then removes old ones; ``max_keep_ckpts=1`` is safe. For that a disk must have room
    for one checkpoint more. What a killed run has left behind is removed when it goes on.

    Args:
        **settings: Of MMEngine's ``CheckpointHook``. With ``backend_args`` or ``file_client_args`` of your own, or an
            ``out_dir`` that is an address such as ``s3://...``, checkpoints are written by that storage.
    """

    backend_args: dict[str, Any] | None
    file_backend: Any

    def __init__(self, *args: Any, **settings: Any):
        super().__init__(*args, **settings)
        is_local = '://' not in str(self.out_dir or '')
        if is_local and self.backend_args is None and self.file_client_args is None:
            self.backend_args = dict(ATOMIC)

    def before_train(self, runner: Runner) -> None:
        """Open the storage, and remove what a killed run has left."""
        super().before_train(runner)
        self.file_backend = PatientRemoval(self.file_backend, str(self.out_dir))
        if is_main_process():
            remove_leftovers(runner.work_dir)
            if self.backend_args == ATOMIC:
                remove_leftovers(self.out_dir)
            self._remove_of_killed(runner.message_hub.runtime_info.get(OUTDATED))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save, note it as the last, remove what is outdated, in this order."""
        if self.max_keep_ckpts > 0 and step not in list(self.keep_ckpt_ids)[-1:]:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.filename_tmpl.format(self.keep_ckpt_ids.popleft())
                if is_main_process():
                    self.file_backend.remove(outdated)
            self.keep_ckpt_ids.append(step)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        # A run that is killed before they are gone removes them when it goes on from this checkpoint.
        runner.message_hub.update_info(OUTDATED, list(self.file_backend.waiting))
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            note_last(runner.work_dir, self.last_ckpt)
            self.file_backend.remove_now(self._needed())
        runner.message_hub.update_info(OUTDATED, [])

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if is_main_process():
            self.file_backend.remove_now(self._needed())

    def _remove_of_killed(self, names: Any) -> None:
        """What the checkpoint says was to be removed; it may come from anywhere, so only what is a checkpoint goes."""
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            return
        for name in names:
            if Path(name).suffix == Path(self.filename_tmpl).suffix:
                self.file_backend.remove(name)
        self.file_backend.remove_now(self._needed())

    def _needed(self) -> set[str]:
        """Names of the files that checkpoints or the run speak of."""
        best = [getattr(self, 'best_ckpt_path', None), *getattr(self, 'best_ckpt_path_dict', {}).values()]
        kept = map(self.filename_tmpl.format, getattr(self, 'keep_ckpt_ids', ()))
        return {*kept, *(Path(str(path)).name for path in (self.last_ckpt, *best) if path is not None)}


class PatientRemoval:
    """A storage that removes files only when it is told that what takes their place is there.

    Args:
        storage: Of MMEngine; does all the rest.
        folder: With the checkpoints. Nothing else is removed, whatever a checkpoint says was the best before.

    Attributes:
        waiting: Names of what is to be removed.
    """

    def __init__(self, storage: BaseStorageBackend, folder: str):
        self.storage = storage
        self.folder = folder
        self.waiting: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    def remove(self, path: str | Path) -> None:
        """Remove a file, or a folder as checkpoints of deepspeed are, later."""
        self.waiting.append(Path(str(path)).name)

    rmtree = remove

    def remove_now(self, needed: Iterable[str] = ()) -> None:
        """Remove what waits, but for what has been written again under the same name."""
        names, self.waiting = [name for name in self.waiting if name not in set(needed)], []
        for name in names:
            path = self.storage.join_path(self.folder, name)
            if self.storage.isfile(path):
                self.storage.remove(path)
            elif self.storage.isdir(path):
                self.storage.rmtree(path)
