"""MMPretrain's ways to mix a batch, reachable from configs of our scope.

MMPretrain keeps them in a registry of its own that has no root in MMEngine. A dict inherited through ``mmdrl::`` looks
there for a node of our scope, and would warn that there is none.
"""

from mmengine.registry import Registry
from mmpretrain.registry import BATCH_AUGMENTS as PARENT

BATCH_AUGMENTS = Registry('batch augment', parent=PARENT, scope='mmdrl', locations=['mmdrl.models'])
