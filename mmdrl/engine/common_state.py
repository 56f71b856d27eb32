"""What all processes together have gathered inside an epoch, in place of the share of the first.

A checkpoint is written by the first process, from its own model. Two kinds of buffers differ between processes until an
epoch ends: the moments that become centroids, and running batch statistics, whose mean ``SyncBuffersHook`` takes. If
the first process goes on with the moments of all, and all with the mean, the end of the epoch is the same: moments add
up, and running averages are linear.
"""

from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import SyncBuffersHook
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mmdrl.models import ClassCentroids

from .model_parts import unwrap


def common_buffers(runner: Runner) -> dict[str, Tensor]:
    """Buffers as they are to be saved inside an epoch, by their names in the state dict of the unwrapped model.

    All processes must call this. The model stays as it is.

    Args:
        runner: A runner that trains.

    Returns:
        The moments that all processes have gathered, and the mean of batch statistics and other real buffers if a
        ``SyncBuffersHook`` takes it at the end of the epoch. Nothing if there is one process.
    """
    if get_world_size() == 1:
        return {}
    model = unwrap(runner.model)
    found = _total_moments(model)
    if any(isinstance(hook, SyncBuffersHook) for hook in runner.hooks) and not _broadcasts(runner.model):
        found |= _means(model)
    saved = model.state_dict().keys()
    return {name: value for name, value in found.items() if name in saved}


def _total_moments(model: nn.Module) -> dict[str, Tensor]:
    """Sums of mode ``'running'``, under all names of centroids that several layers share."""
    totals: dict[ClassCentroids, tuple[Tensor, Tensor, Tensor]] = {}
    found = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, ClassCentroids) and module.mode == 'running' and module.sums is not None:
            if module not in totals:
                totals[module] = module.sums.of_all_processes()
            for key, value in zip(('mean', 'variance', 'counts'), totals[module], strict=True):
                found[f'{name}.sums.{key}'] = value
    return found


def _means(model: nn.Module) -> dict[str, Tensor]:
    """Real buffers, except those of centroids: published ones are the same everywhere, and sums have no mean."""
    own = {id(buffer) for part in model.modules() if isinstance(part, ClassCentroids) for buffer in part.buffers()}
    means: dict[int, Tensor] = {}
    found = {}
    for name, buffer in model.named_buffers(remove_duplicate=False):
        if buffer.is_floating_point() and id(buffer) not in own:
            if id(buffer) not in means:
                means[id(buffer)] = buffer.detach().clone()
                all_reduce(means[id(buffer)], op='mean')
            found[name] = means[id(buffer)]
    return found


def _broadcasts(model: nn.Module) -> bool:
    """Whether every step begins with the buffers of the first process, which are then all that counts."""
    return any(isinstance(part, DistributedDataParallel) and part.broadcast_buffers for part in model.modules())
