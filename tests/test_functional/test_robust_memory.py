"""No step of the robust loss makes a tensor of size (classes, batch, features), whatever the features look like."""

from cases import SCENES, every_distance, every_scope, scene, value_and_gradients
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from mmdrl.functional import dr_loss


class LargestTensor(TorchDispatchMode):
    """``numel`` is the number of elements of the largest tensor that an operation has returned."""

    numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.numel = max(self.numel, *(x.numel() for x in tree_leaves(result) if isinstance(x, Tensor)), 0)
        return result


@every_scope
@every_distance
def test_largest_tensor_grows_with_two_of_the_three_sizes_only(rng, scope, distance):
    batch, classes, dim = 96, 12, 80
    for name in SCENES:
        with LargestTensor() as largest:
            value_and_gradients(dr_loss, *scene(rng, name, batch, dim=dim), scope=scope, distance=distance)
        # A few rows per sample and class, and a few matrices of the batch: 92,160 elements would be one by one.
        assert largest.numel <= 3 * (batch + classes) * dim, name
