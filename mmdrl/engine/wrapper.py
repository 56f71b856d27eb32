"""How the model of a run is wrapped so that several processes train it together."""

from inspect import signature
from typing import Any

import torch
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import MODEL_WRAPPERS
from torch.nn.parallel import DistributedDataParallel


def set_wrapper(cfg: Config) -> None:
    """Fill in ``model_wrapper_cfg`` for several processes on this machine's kind of device.

    What the config says of it stays. What is filled in leaves buffers alone while training, as MMEngine does by itself,
    and needs no GPU.

    Args:
        cfg: Config of a run that a launcher has started.
    """
    wrapper: dict[str, Any] = dict(cfg.get('model_wrapper_cfg') or {})
    wrapper.setdefault('type', 'MMDistributedDataParallel')
    kind = MODEL_WRAPPERS.get(wrapper['type']) if isinstance(wrapper['type'], str) else wrapper['type']
    if kind is MMDistributedDataParallel:
        arguments = signature(DistributedDataParallel.__init__).parameters
        if not {'broadcast_buffers', 'forward_sync_buffers'} & set(wrapper):
            # torch 2.13 has given it this name, and warns of the old one in every process.
            name = 'forward_sync_buffers' if 'forward_sync_buffers' in arguments else 'broadcast_buffers'
            wrapper[name] = False
        wrapper.setdefault('find_unused_parameters', cfg.get('find_unused_parameters', False))
        if not torch.cuda.is_available():
            wrapper.setdefault('device_ids', None)
    cfg.model_wrapper_cfg = wrapper
