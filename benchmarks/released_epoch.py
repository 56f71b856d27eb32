"""An epoch of the authors' released code, whose functions run as they are; what is stated anew is said in epoch.py."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)  # as the released code has them


class Images(Dataset[Any]):
    """Arrays as torchvision's CIFAR hands them out."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: Callable[[Any], Any]):
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, position: int) -> tuple[Any, int]:
        return self.transform(Image.fromarray(self.images[position])), int(self.labels[position])


@contextmanager
def released_code(path: Path, device: str) -> Iterator[Callable[[str], Any]]:
    """Imports files of the released code by name."""
    if not (path / 'main.py').is_file():
        raise SystemExit(f"error: expected main.py of the authors' code in {path}, found no such file.")
    kept = torch.Tensor.cuda, torch.nn.Module.cuda
    vars(np)['int'] = int  # gone since NumPy 1.24
    if device == 'cpu':
        torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *_, **__: self  # type: ignore[method-assign, assignment]
    sys.path.insert(0, str(path))
    try:
        yield importlib.import_module
    finally:
        sys.path.remove(str(path))
        del vars(np)['int']
        torch.Tensor.cuda, torch.nn.Module.cuda = kept  # type: ignore[method-assign]


def released_epoch(
    code: Callable[[str], Any], data: dict[str, Any], is_plain: bool, args: argparse.Namespace
) -> Callable[[], None]:
    """One epoch of the feature stage of the released code."""
    classes = len(np.unique(data['labels']))
    main, losses, policy = code('main'), code('losses'), code('autoaugment')
    plain = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    augmented = [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        policy.CIFAR10Policy(),
        plain[0],
        policy.Cutout(n_holes=1, length=16),
        plain[1],
    ]
    clean = transforms.Compose(plain)
    drawn = clean if is_plain else transforms.Compose(augmented)
    labels = data['labels']
    sampler = code('ClassAwareSampler').ClassAwareSampler(labels, num_samples_cls=args.per_class)
    loading = dict(batch_size=args.batch, num_workers=args.workers, pin_memory=args.device == 'cuda')
    train_loader = DataLoader(Images(data['images'], labels, drawn), sampler=sampler, **loading)
    clean_loader = DataLoader(Images(data['images'], labels, clean), shuffle=False, **loading)
    loading['batch_size'] = 100
    val_loader = DataLoader(Images(data['val_images'], data['val_labels'], clean), shuffle=False, **loading)
    model = code('models').resnet32(num_classes=classes).to(args.device)
    _meet(model, train_loader, args.device)
    radii = torch.nn.Parameter(torch.ones(classes, device=args.device))
    features = [value for name, value in model.named_parameters() if 'linear' not in name]
    optimiser = torch.optim.SGD([*features, radii], 0.01, momentum=0.9, weight_decay=1e-4)
    loss = [torch.nn.CrossEntropyLoss(), losses.DROLoss(temperature=1.0, base_temperature=1.0, epsilons=radii)]
    said = SimpleNamespace(gpu=0 if args.device == 'cuda' else None, print_freq=10)

    def epoch() -> None:
        with open(os.devnull, 'w') as nowhere, redirect_stdout(nowhere):
            _, known, known_labels, _ = main.validate(train_loader, model, 0, said, labels, flag='train')
            main.freeze_layers(model, fe_bool=True, cls_bool=False)
            main.train(train_loader, model, loss, 0, optimiser, said, known, known_labels)
            _, known, known_labels, _ = main.validate(clean_loader, model, 0, said, labels, flag='train', verbose=False)
            main.validate(
                val_loader, model, 0, said, labels, flag='val', base_features=known, base_targets=known_labels
            )

    return epoch


@torch.no_grad()
def _meet(model: torch.nn.Module, loader: Any, device: str) -> None:
    """Give the layers batch statistics: without any, centroids lie so far away that the released loss is nan."""
    layers = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for layer in layers:
        layer.momentum = None  # the mean of all
    for images, _ in islice(loader, 2):
        model(images.to(device))
    for layer in layers:
        layer.momentum = 0.1
