"""Pictures of the DR loss in two dimensions. Every number in them is a value of ``mmdrl.functional.dr_loss``."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from mmdrl.functional import Scope, dr_loss
from mmdrl.visualization.style import COLOURS, new_figure

RADIUS = 0.8
# Three images of a rare class and eight of its neighbour, in feature units.
RARE = torch.tensor([[-0.9, 0.4], [0.2, -0.7], [0.5, 0.6]], dtype=torch.float64)
COMMON = torch.tensor(
    [[1.9, 0.1], [2.3, 0.9], [2.6, -0.4], [1.7, 1.3], [3.0, 0.5], [2.2, -1.0], [2.9, 1.4], [1.4, -0.5]],
    dtype=torch.float64,
)


def loss_of_rare(features: Tensor, centroid: Tensor, radius: float = 0.0, margin: float = 2.0) -> Tensor:
    """Sample-scope loss of the three rare images alone, a scalar; plain with ``radius`` 0."""
    labels = torch.tensor([0] * len(RARE) + [1] * len(COMMON))
    centroids = torch.stack([centroid, COMMON.mean(dim=0)])
    only_rare = torch.tensor([1.0, 0.0], dtype=torch.float64)
    radii = torch.full((2,), radius, dtype=torch.float64)
    return dr_loss(features, labels, centroids, radii, scope='sample', margin=margin, class_weight=only_rare)


def plain_losses(centroids: Tensor) -> Tensor:
    """Plain loss of the rare images under each of many centroids, shape ``(M, 2)`` to ``(M,)``."""
    features = torch.cat([RARE, COMMON])
    return torch.stack([loss_of_rare(features, centroid) for centroid in centroids])


def points_of_ball(centre: Tensor, radius: float) -> Tensor:
    """Points that fill a disc, its edge included, shape ``(M, 2)``."""
    angle, length = torch.meshgrid(
        torch.linspace(0, 2 * torch.pi, 73, dtype=torch.float64)[:-1],
        torch.linspace(0, radius, 9, dtype=torch.float64),
        indexing='ij',
    )
    return centre + torch.stack([length * angle.cos(), length * angle.sin()], dim=-1).reshape(-1, 2)


def worst_case() -> Figure:
    """Plain loss as the centroid of the rare class moves, its worst place in the ball, and the bound."""
    figure = new_figure(6.8, 4.4)
    axes = figure.add_subplot()
    centre = RARE.mean(dim=0)
    x, y = np.linspace(-1.8, 3.4, 53), np.linspace(-1.7, 1.9, 37)
    grid = torch.tensor(np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2))
    values = plain_losses(grid).numpy().reshape(len(y), len(x))
    shades = axes.contourf(x, y, values, levels=np.arange(1, 5.01, 0.25), cmap='Greys', extend='both', alpha=0.75)
    figure.colorbar(shades, label='plain loss of the rare class, if its centroid lay here')
    _draw_images(axes)
    _draw_ball(axes, centre)
    places = points_of_ball(centre, RADIUS)
    losses = plain_losses(places)
    worst = places[losses.argmax()]
    axes.plot(
        *worst.tolist(), '*', color='white', markeredgecolor='black', markersize=15, label='worst place in the ball'
    )
    bound = loss_of_rare(torch.cat([RARE, COMMON]), centre, RADIUS)
    axes.set_title(
        f'at the measured centroid {plain_losses(centre[None]).item():.2f}, '
        f'at the worst place {losses.max():.2f}, bound {bound:.2f}',
        fontsize=10,
    )
    axes.legend(loc='upper left', fontsize=8, framealpha=1)
    return figure


def loss_and_radius() -> Figure:
    """The worst case in the ball and what the scopes say of it, as the ball grows."""
    figure = new_figure(6.4, 4)
    axes = figure.add_subplot()
    centre, features = RARE.mean(dim=0), torch.cat([RARE, COMMON])
    radii = np.linspace(0, 1.5, 16)
    worst = [plain_losses(points_of_ball(centre, radius)).max() for radius in radii]
    axes.plot(radii, worst, color='black', linewidth=2.5, label='worst case in the ball (searched)')
    choices: list[tuple[Scope, float, str]] = [('sample', 2, '-'), ('class', 2, '--'), ('class', 1, ':')]
    for (scope, margin, style), colour in zip(choices, COLOURS, strict=False):
        labels = torch.tensor([0] * len(RARE) + [1] * len(COMMON))
        values = [
            dr_loss(
                features,
                labels,
                torch.stack([centre, COMMON.mean(dim=0)]),
                torch.full((2,), radius, dtype=torch.float64),
                scope=scope,
                margin=margin,
                class_weight=torch.tensor([1.0, 0.0], dtype=torch.float64),
            )
            for radius in radii
        ]
        axes.plot(
            radii,
            values,
            style,
            color=colour,
            marker='os^'[choices.index((scope, margin, style))],
            markersize=4,
            label=f"scope='{scope}', margin={margin:g}",
        )
    axes.set(xlabel='radius (feature units)', ylabel='loss of the rare class', xlim=(0, 1.5))
    axes.grid(color='0.9', linewidth=0.5)
    axes.legend(fontsize=9)
    return figure


def violations() -> Figure:
    """The two scopes against a searched worst case in 300 random batches: above the diagonal is a violation."""
    figure = new_figure(7.6, 3.2)
    generator = torch.Generator().manual_seed(0)
    pairs: dict[Scope, list[tuple[float, float]]] = {'sample': [], 'class': []}
    for _ in range(300):
        batch, classes = 6, int(torch.randint(1, 4, (1,), generator=generator))
        labels = torch.arange(batch) % classes
        features = torch.randn(batch, 2, generator=generator, dtype=torch.float64)
        centroids = torch.stack([features[labels == c].mean(dim=0) for c in range(classes)])
        radius = torch.rand(classes, generator=generator, dtype=torch.float64)
        angle = 2 * torch.pi * torch.rand(64, classes, generator=generator, dtype=torch.float64)
        moved = centroids + radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1)  # (64, K, 2)
        worst = max(dr_loss(features, labels, centres, torch.zeros_like(radius)).item() for centres in moved)
        pairs['sample'].append((dr_loss(features, labels, centroids, radius, scope='sample', margin=2).item(), worst))
        pairs['class'].append((dr_loss(features, labels, centroids, radius, scope='class', margin=1).item(), worst))
    for axes, (scope, values), colour in zip(figure.subplots(1, 2, sharey=True), pairs.items(), COLOURS, strict=False):
        robust, worst_found = np.array(values).T
        axes.plot([1, 2.5], [1, 2.5], color='0.4', linewidth=1)
        axes.plot(robust, worst_found, '.', color=colour, markersize=4)
        above = int((worst_found > robust).sum())
        axes.set(
            title=f"scope='{scope}', margin={2 if scope == 'sample' else 1}: {above} of 300 above",
            xlabel='robust loss',
            xlim=(1, 4),
            ylim=(1, 2.5),
        )
        axes.title.set_fontsize(10)
    figure.axes[0].set_ylabel('worst plain loss found in the balls')
    return figure


def _draw_images(axes: Axes) -> None:
    axes.plot(*COMMON.T, 's', color=COLOURS[0], markersize=7, label='common class, 8 images')
    axes.plot(*RARE.T, 'o', color=COLOURS[1], markersize=8, markeredgecolor='black', label='rare class, 3 images')
    axes.set(xlim=(-1.8, 3.4), ylim=(-1.7, 1.9), xlabel='feature 1', ylabel='feature 2', aspect='equal')


def _draw_ball(axes: Axes, centre: Tensor) -> None:
    axes.add_patch(Circle(tuple(centre.tolist()), RADIUS, fill=False, linewidth=1.5, linestyle='--', label='its ball'))
    axes.plot(*centre.tolist(), 'X', color='black', markersize=9, label='measured centroid')
