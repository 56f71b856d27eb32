"""The core of the DR loss with its gradient in closed form.

Left to autograd, the step would keep and pass through a dozen matrices, and on an accelerator the gradient of the
distances would take memory for (classes, batch, features). In closed form it is one softmax and one matrix product.
"""

from typing import Any

import torch
from torch import Tensor

from .distance import Distance, Pairs, squared_distances, weighted_differences


class CentroidSoftmax(torch.autograd.Function):
    r"""Weighted sum over the batch of :math:`-\log P(z_i | \mu_{y_i})`, the softmax over the samples.

    ``apply(features, radius, centroids, row_of, weight, has_margin, distance, temperature, margin)``, differentiable
    once in the first two:

    * features: Shape ``(B, D)``.
    * radius: Of each sample's class, shape ``(B,)``; its type is that of the result.
    * centroids: Shape ``(R, D)``.
    * row_of: Row of each sample's centroid, shape ``(B,)``; ``None``: sample i's is row i, and no value is looked at.
    * weight: Shape ``(B,)``.
    * has_margin: Which samples carry the margin in each sample's row, shape ``(B, B)``; ``None``: itself only.
    * distance, temperature, margin: As in :func:`mmdrl.functional.dr_loss`; for chord and cosine rows have length 1.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        radius: Tensor,
        centroids: Tensor,
        row_of: Tensor | None,
        weight: Tensor,
        has_margin: Tensor | None,
        distance: Distance,
        temperature: float,
        margin: float,
    ) -> Tensor:
        """The sum, a scalar."""
        squares, pairs = squared_distances(features, centroids, static=row_of is None)
        if distance in ('euclidean', 'chord'):
            rows = squares.sqrt_()
        else:  # 1 - cos(x, y) = |x - y|^2 / 2 at length 1
            rows = squares if distance == 'squared' else squares.div_(2)
        rows = rows.to(radius.dtype)  # (R, B)
        logits = rows.clone() if row_of is None else rows.index_select(0, row_of)  # (B, B)
        if has_margin is None:
            logits.diagonal().add_(radius, alpha=margin)
        else:
            logits.addcmul_(has_margin.to(radius.dtype), radius[:, None], value=margin)
        # Row-wise: each centroid competes for the samples of the batch, not the reverse.
        log_prob = logits.mul_(-1 / temperature).log_softmax(dim=1)
        ctx.save_for_backward(rows, log_prob, weight, row_of, has_margin, pairs.x, pairs.y, *(pairs.close or ()))
        ctx.distance, ctx.temperature, ctx.margin = distance, temperature, margin
        ctx.features_dtype, ctx.may_coincide = features.dtype, pairs.may_coincide
        return -torch.dot(log_prob.diagonal(), weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of features and radius.

        Raises:
            RuntimeError: If they are to be differentiated once more; ``once_differentiable`` would not notice when
                the loss is the last thing computed.
        """
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError('dr_loss can be differentiated once only, and create_graph=True asks for more.')
        rows, log_prob, weight, row_of, has_margin, x, y, *close = ctx.saved_tensors
        pull = weight * (gradient / -ctx.temperature)
        by_logit = log_prob.exp().mul_(pull[:, None])  # by the distances with margin, (B, B)
        by_logit.diagonal().sub_(pull)
        by_radius = None
        if ctx.needs_input_grad[1]:
            by_margin = by_logit.diagonal() if has_margin is None else (by_logit * has_margin).sum(dim=1)
            by_radius = ctx.margin * by_margin
        by_features = None
        if ctx.needs_input_grad[0]:
            if row_of is not None:
                by_logit = torch.zeros_like(rows).index_add_(0, row_of, by_logit)  # (R, B)
            if ctx.distance in ('euclidean', 'chord'):
                by_difference = by_logit / rows
                if ctx.may_coincide:  # no direction to go; below this bound squares are 0, too
                    by_difference.masked_fill_(rows < torch.finfo(rows.dtype).tiny ** 0.5, 0)
            else:
                by_difference = by_logit * (2 if ctx.distance == 'squared' else 1)
            pairs = Pairs(x, y, (close[0], close[1], close[2]) if close else None, ctx.may_coincide)
            by_features = weighted_differences(pairs, by_difference).to(ctx.features_dtype)
        return by_features, by_radius, None, None, None, None, None, None, None
