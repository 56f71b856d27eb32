"""One of several processes: ``tools/train.py`` itself, watched by a hook, in double precision.

The first argument is a file that gets one JSON line per iteration, the second the iteration at whose end all processes
get SIGKILL, or ``-``; the rest is the command line of the tool.

The network has no batch statistics, so that a step of several processes can equal that of one.
"""

import runpy
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn
from worker_resume import Witness

from mmdrl.models.backbones import ResNet8
from mmdrl.registry import HOOKS, MODELS


@MODELS.register_module()
class GroupNormResNet8(ResNet8):
    """ResNet-8 with groups of channels in place of the batch."""

    def __init__(self, **settings: Any):
        super().__init__(**settings)
        for part in list(self.modules()):
            for name, child in list(part.named_children()):
                if isinstance(child, nn.BatchNorm2d):
                    setattr(part, name, nn.GroupNorm(4, child.num_features))


@HOOKS.register_module()
class Watch(Witness):
    """The same by its name in a config."""

    def __init__(self) -> None:
        super().__init__(Path(sys.argv[1]), None if sys.argv[2] == '-' else int(sys.argv[2]))


if __name__ == '__main__':
    torch.set_default_dtype(torch.float64)
    tool = Path(__file__).parents[1] / 'tools/train.py'
    sys.path.insert(0, str(tool.parent))
    record, kill, *command = sys.argv[1:]
    watched, sys.argv = sys.argv, [str(tool), *command]
    namespace = runpy.run_path(str(tool), run_name='train')
    arguments = namespace['parse_args']()
    sys.argv = watched
    namespace['run'](namespace['main'], arguments)
