"""Classes of images in files or arrays, by a trained model: MMPretrain's inferencer, many images at a time.

Ours are the rule of prediction, images of as many channels and in the order that the model was trained on, and that a
broken image is named while the others go on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.model import BaseModel
from mmpretrain import ImageClassificationInferencer
from mmpretrain.models.heads import MultiLabelClsHead, MultiTaskHead

from mmdrl.errors import ConfigError, DataError
from mmdrl.visualization.bars import with_bar

from .image_files import BrokenImage, Image, found_images, read_pixels
from .image_input import image_size, is_rgb, num_channels, sample, test_pipeline
from .trained_model import Classifier, class_names, set_rule, trained_model


@dataclass(frozen=True)
class Prediction:
    """What a model says of one image.

    Attributes:
        image: Path, or position among those given for an array.
        label: Number of the class; -1 for a broken image.
        labels: Those of the largest scores, ``label`` first.
        scores: Of these classes, softmax.
        classes: Their names; the numbers where the checkpoint has no names.
        error: What is wrong with the image, as the end of a sentence; empty if nothing.
    """

    image: str
    label: int = -1
    labels: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    classes: tuple[str, ...] = ()
    error: str = ''


class ImagePredictor(ImageClassificationInferencer):
    """MMPretrain's inferencer for a model of :func:`mmdrl.engine.trained_model.trained_model`.

    Args:
        model: In eval mode, with its config.
        device: Where to run; stays if not given.

    Raises:
        ConfigError: If the model has more than one answer per image.
    """

    def __init__(self, model: BaseModel, device: str | None = None):
        head: Any = getattr(model, 'head', None)
        if isinstance(head, (MultiLabelClsHead, MultiTaskHead)):
            raise ConfigError(
                f'{type(head).__name__} has several labels per image, and one class is expected here. Take an '
                'inferencer of MMPretrain, such as mmpretrain.MultiLabelInferencer.'
            )
        super().__init__(model, pretrained=None, device=device)
        self.classes = class_names(model)
        self.channels = num_channels(model)
        self.is_rgb = is_rgb(self.config)
        self.size = image_size(self.config, self.channels)

    def _init_pipeline(self, cfg: Config) -> Any:
        return test_pipeline(cfg)

    def predictions(self, images: Iterable[Image], batch_size: int = 32, topk: int = 5) -> Iterator[Prediction]:
        """What the model says of each image, in order, loaded as they are asked for.

        Args:
            images: Paths; or arrays, uint8, BGR of shape ``(H, W, 3)`` as cv2 reads files, or grey.
            batch_size: Images at a time; one where their size is not known to be the same.
            topk: Classes to name, at most those that there are.
        """
        numbered = enumerate(images)
        while chunk := list(islice(numbered, batch_size if self.size else 1)):
            loaded: dict[int, Any] = {}
            reasons = {}
            for position, image in chunk:
                try:
                    loaded[position] = self._loaded(image)
                except BrokenImage as reason:
                    reasons[position] = str(reason)
            samples = self.forward(default_collate(list(loaded.values()))) if loaded else []
            answers = dict(zip(loaded, samples, strict=True))
            for position, image in chunk:
                name = str(position) if isinstance(image, np.ndarray) else str(image)
                if position in reasons:
                    yield Prediction(name, error=reasons[position])
                else:
                    yield self._prediction(name, answers[position], topk)

    def _loaded(self, image: Image) -> Any:
        """The image behind the test pipeline."""
        pixels = image if isinstance(image, np.ndarray) else read_pixels(str(image), self.channels)
        if pixels.ndim == 2:
            pixels = pixels[..., np.newaxis]
        if pixels.ndim != 3 or pixels.dtype != np.uint8 or pixels.shape[2] != self.channels:
            raise BrokenImage(f'is {pixels.dtype} of shape {pixels.shape}, not uint8 of {self.channels} channels')
        if self.is_rgb and self.channels == 3:
            pixels = np.ascontiguousarray(pixels[..., ::-1])
        result = self.pipeline(sample(pixels))
        size = tuple(result['inputs'].shape[-2:])
        if self.size and size != self.size:
            raise BrokenImage(
                f'has {size[0]} x {size[1]} pixels, and the test pipeline of the config takes {self.size[0]} x '
                f'{self.size[1]} as they are'
            )
        return result

    def _prediction(self, name: str, answer: Any, topk: int) -> Prediction:
        if answer.pred_score.isnan().any():
            return Prediction(name, error='has scores that are not numbers; had the training of the model diverged?')
        label = int(answer.pred_label)
        ranked = torch.argsort(answer.pred_score, descending=True, stable=True).tolist()
        labels = [label, *(other for other in ranked[: topk + 1] if other != label)][
            :topk
        ]  # by rounding, scores may tie
        names = self.classes or [str(number) for number in range(len(ranked))]
        scores = tuple(float(answer.pred_score[number]) for number in labels)
        return Prediction(name, label, tuple(labels), scores, tuple(names[number] for number in labels))


def predict(
    model: str | Path | Config | BaseModel,
    checkpoint: str | Path | None,
    images: Image | Sequence[Image],
    classifier: Classifier | None = None,
    tau: float | None = None,
    *,
    topk: int = 5,
    batch_size: int = 32,
    device: str | None = None,
) -> list[Prediction]:
    """What a trained model says of images, in their order.

    Args:
        model: Config, path or name of one; or a model of ``mmpretrain.get_model`` or
            :func:`mmdrl.engine.trained_model.trained_model`, whose rule changes if ``classifier`` is given.
        checkpoint: Path or address; ``None`` for a model that has its weights.
        images: One or more: paths, folders with images in them at any depth, or arrays as cv2 reads files, BGR.
        classifier: As for :func:`mmdrl.engine.trained_model.trained_model`.
        tau: Likewise.
        topk: Classes to name per image.
        batch_size: Images at a time.
        device: Such as ``'cpu'``; a GPU if there is any, for a model that is built here.

    Raises:
        MMDRLError: If config, checkpoint and rule do not fit each other, or there is no image. A broken image raises
            nothing: its ``error`` says what is wrong.
    """
    if topk < 1 or batch_size < 1:
        raise ConfigError(f'topk and batch_size must be at least 1, got {topk} and {batch_size}.')
    given = [images] if isinstance(images, (str, Path, np.ndarray)) else list(images)
    found: list[Image] = [one for image in given for one in found_images(image)]
    if not found:
        raise DataError('Expected images, got none.')
    if not isinstance(model, BaseModel):
        if checkpoint is None:
            raise ConfigError('A config needs a checkpoint with the weights, got None.')
        model = trained_model(model, checkpoint, classifier, tau)
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
    elif checkpoint is not None:
        raise ConfigError(f'A model that is built has its weights: expected checkpoint=None, got {checkpoint}.')
    elif not hasattr(model, '_config'):
        raise ConfigError('The model does not know its config. Build it with mmpretrain.get_model or trained_model.')
    else:
        set_rule(model, classifier, tau)
    return list(with_bar(ImagePredictor(model, device).predictions(found, batch_size, topk), 'images', len(found)))
