"""Pictures of the digits: their long tail, how far centroids of few images scatter, and two trained feature spaces."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from mmdrl.datasets import Digits, LongTailDataset
from mmdrl.engine.trained_model import trained_model
from mmdrl.errors import DataError
from mmdrl.functional import class_centroids
from mmdrl.stats import long_tail_counts, shot_groups
from mmdrl.visualization.style import COLOURS, GROUP_STYLES, LINE_STYLES, new_figure

ROOT = Path(__file__).parents[2]
RUNS = ROOT / 'work_dirs' / 'docs_figures'
LONG_TAIL = dict(imbalance_ratio=50, max_count=120, holdout_per_class=50, seed=0)  # of configs/digits_lt
EDGES = (60, 20)
CONFIG = """_base_ = 'mmdrl::digits_lt/{method}_r8_digits-lt-ir50.py'
two_features = dict(type='LinearNeck', in_channels=64, out_channels=2, norm_cfg=None, act_cfg=None)
model = dict(neck=[dict(type='GlobalAveragePooling'), two_features], head=dict(in_channels=2))
"""


def long_tail() -> Figure:
    """Images per class: the digits as bars, CIFAR-100-LT at its three ratios as curves."""
    figure = new_figure(8, 3.4)
    left, right = figure.subplots(1, 2)
    counts = long_tail_counts(10, 120, 50)
    for name, members in shot_groups(counts, *EDGES).items():
        places = np.flatnonzero(members)
        hatch = {'many': '', 'medium': '//', 'few': 'xx'}[name]
        left.bar(places, counts[places], color=GROUP_STYLES[name].colour, hatch=hatch, edgecolor='white', label=name)
    for place, count in enumerate(counts):
        left.text(place, count + 2, str(count), ha='center', fontsize=8)
    left.set(title='digits-LT', xlabel='digit', ylabel='training images', xticks=range(10), ylim=(0, 132))
    left.legend(title='shot group', fontsize=9)
    for ratio, style, colour in zip((10, 50, 100), LINE_STYLES, COLOURS, strict=False):
        right.plot(
            np.arange(1, 101), long_tail_counts(100, 500, ratio), linestyle=style, color=colour, label=str(ratio)
        )
    right.set(title='CIFAR-100-LT', xlabel='class, from the largest', ylabel='training images', yscale='log')
    right.legend(title='imbalance ratio', fontsize=9)
    return figure


def uncertain_centroid() -> Figure:
    """Centroids of few images of one digit, drawn again and again, and how their error falls with the images."""
    model = _trained('crt')
    features, labels = _features(model, 'holdout')
    figure = new_figure(8, 3.6)
    left, right = figure.subplots(1, 2)
    own = features[labels == 3]
    truth = own.mean(dim=0)
    left.plot(*own.T, '.', color='0.7', label='50 images of the digit 3')
    generator = torch.Generator().manual_seed(0)
    for number, colour, marker in zip((2, 8, 32), COLOURS, 's^o', strict=False):
        drawn = own[torch.randint(len(own), (25, number), generator=generator)].mean(dim=1)
        left.plot(*drawn.T, marker, color=colour, markersize=4, label=f'centroids of {number} of them', linestyle='')
    left.plot(*truth, 'X', color='white', markeredgecolor='black', markersize=11, label='centroid of all')
    left.set(xlabel='feature 1', ylabel='feature 2', title='one class, centroids of few images')
    left.legend(fontsize=7)
    numbers = np.array([1, 2, 4, 8, 16, 32, 64])
    for digit in range(10):
        own = features[labels == digit]
        spread = (own - own.mean(dim=0)).square().sum(dim=1).mean().sqrt().item()
        errors = [
            (own[torch.randint(len(own), (2000, n), generator=generator)].mean(dim=1) - own.mean(dim=0))
            .square()
            .sum(dim=1)
            .mean()
            .sqrt()
            .item()
            / spread
            for n in numbers.tolist()
        ]
        right.plot(numbers, errors, '.', color=COLOURS[0], label='each of the ten digits' if digit == 0 else None)
    right.plot(numbers, 1 / np.sqrt(numbers), color='black', linewidth=1, label='1 / sqrt(n)')
    right.set(xscale='log', yscale='log', xlabel='images n of the centroid', title='error of the centroid')
    right.set_ylabel('error / spread of the class')
    right.set_xticks(numbers, [str(n) for n in numbers])
    right.minorticks_off()
    right.set_yticks([1, 0.5, 0.25, 0.125], ['1', '1/2', '1/4', '1/8'])
    right.legend(fontsize=9)
    return figure


def feature_space() -> Figure:
    """Two features of the held-out digits, trained without and with the DR loss.

    How far a centroid is off is a share of the way to the nearest other centroid.
    """
    figure = new_figure(9, 5.3)
    for axes, method in zip(figure.subplots(1, 2), ('crt', 'drl'), strict=True):
        _draw_space(axes, _trained(method), {'crt': 'without the DR loss', 'drl': 'with the DR loss'}[method])
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc='outside lower center', ncols=4, fontsize=9)
    return figure


def digits_seeds() -> Figure:
    """Accuracy of each seed in ``benchmarks/results/digits_seeds.json``, with the mean of each method."""
    runs = json.loads((ROOT / 'benchmarks' / 'results' / 'digits_seeds.json').read_text())['runs']
    figure = new_figure(8, 3.2)
    for axes, (metric, title) in zip(
        figure.subplots(1, 3, sharey=True),
        {'few': 'few-shot, linear', 'all': 'all, linear', 'ncm/few': 'few-shot, nearest class mean'}.items(),
        strict=True,
    ):
        for place, method in enumerate(('ce', 'crt', 'drl')):
            values = np.array([run['metrics'][metric] for run in runs if run['method'] == method])
            shift = np.linspace(-0.2, 0.2, len(values))
            axes.plot(place + shift, values, 'os^'[place], color=COLOURS[place], markersize=4)
            axes.plot([place - 0.3, place + 0.3], [values.mean()] * 2, color='black', linewidth=2)
            axes.text(place, 100.5, f'{values.mean():.1f}', ha='center', fontsize=9)
        axes.set(title=title, xticks=range(3), xticklabels=['ce', 'crt', 'drl'], xlim=(-0.5, 2.5), ylim=(58, 104))
        axes.grid(axis='y', color='0.9', linewidth=0.5)
    figure.axes[0].set_ylabel('accuracy (%), one mark per seed')
    return figure


def _trained(method: str) -> torch.nn.Module:
    config, checkpoint = RUNS / f'{method}_two-features.py', RUNS / method / 'epoch_50.pth'
    if not checkpoint.is_file():
        RUNS.mkdir(parents=True, exist_ok=True)
        config.write_text(CONFIG.format(method=method))
        train = [sys.executable, '-W', 'ignore', str(ROOT / 'tools' / 'train.py'), str(config), '--gpus', '0']
        ended = subprocess.run([*train, '--work-dir', str(checkpoint.parent)], capture_output=True, text=True)
        if ended.returncode:
            raise DataError(f'Training {config} failed: {ended.stderr[-500:]}')
    return trained_model(config, checkpoint)


@torch.no_grad()
def _features(model: torch.nn.Module, part: str) -> tuple[Tensor, Tensor]:
    dataset = LongTailDataset(Digits(pipeline=[]), part=part, **LONG_TAIL)  # type: ignore[arg-type]
    samples = [dataset[position] for position in range(len(dataset))]
    images = torch.from_numpy(np.stack([sample['img'] for sample in samples])).permute(0, 3, 1, 2)  # (N, 1, 8, 8)
    batch = model.data_preprocessor(dict(inputs=list(images)))['inputs']  # type: ignore[operator]
    return model.extract_feat(batch)[-1], torch.tensor([sample['gt_label'] for sample in samples])  # type: ignore[operator]


def _draw_space(axes: Axes, model: torch.nn.Module, title: str) -> None:
    features, labels = _features(model, 'holdout')
    centroids, counts = class_centroids(*_features(model, 'train'), 10)
    true, _ = class_centroids(features, labels, 10)
    for name, members in shot_groups(counts.numpy(), *EDGES).items():
        style = GROUP_STYLES[name]
        drawn = features[torch.from_numpy(members)[labels]]
        axes.plot(*drawn.T, style.marker, color=style.colour, markersize=3, alpha=0.6, label=f'{name}-shot, held out')
    for digit in range(10):
        label = 'centroid in training' if digit == 0 else None
        axes.plot(*torch.stack([centroids[digit], true[digit]]).T, color='black', linewidth=1.5)
        axes.plot(*centroids[digit], 'kX', markersize=7, label=label)
        axes.text(
            true[digit, 0].item(),
            true[digit, 1].item(),
            str(digit),
            fontsize=11,
            weight='bold',
            ha='center',
            va='center',
            bbox=dict(boxstyle='circle,pad=0.15', facecolor='white', edgecolor='black', linewidth=0.8),
        )
    nearest = torch.cdist(centroids, centroids).fill_diagonal_(torch.inf).amin(dim=1)
    few = counts < EDGES[1]
    off = ((centroids - true).norm(dim=1) / nearest)[few].mean()
    axes.set_title(f'{title}\nfew-shot centroids off by {off:.2f}', fontsize=11)
    axes.set(xlabel='feature 1', ylabel='feature 2')
    axes.set_aspect('equal', adjustable='datalim')
