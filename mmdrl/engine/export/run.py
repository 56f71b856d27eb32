"""Config and checkpoint in, one checked file out."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

import torch
from mmengine.config import Config
from torch import Tensor

from mmdrl.datasets.preparation import disk_errors, new_file
from mmdrl.engine.image_input import image_size, is_rgb, num_channels
from mmdrl.engine.output_files import check_target
from mmdrl.engine.trained_model import Classifier, class_names, trained_model
from mmdrl.errors import ConfigError, DataError
from mmdrl.models import DRHead
from mmdrl.models.heads.prediction import scores
from mmdrl.version import __version__

from . import onnx_file, torchscript_file
from .graph import PixelsToScores, normalisation

TOLERANCE = 1e-4
PixelType = Literal['float32', 'uint8']
FORMATS = {'.onnx': 'ONNX', '.pt': 'TorchScript'}


@dataclass(frozen=True)
class Exported:
    """What exporting has come to.

    Attributes:
        path: Of the file.
        kind: ``'ONNX'`` or ``'TorchScript'``.
        metadata: What the file says of itself.
        difference: Largest difference to the model's own scores, relative to the largest of these; ``None`` if it was
            not looked at.
    """

    path: Path
    kind: str
    metadata: Mapping[str, Any]
    difference: float | None


def export(
    config: str | Path | Config,
    checkpoint: str | Path,
    out: str | Path,
    classifier: Classifier | None = None,
    tau: float | None = None,
    *,
    size: tuple[int, int] | None = None,
    dtype: PixelType = 'float32',
    opset: int | None = None,
    check: bool = True,
) -> Exported:
    """Write a model from pixels to scores, whole and checked or not at all.

    Args:
        config: As for :func:`mmdrl.engine.trained_model.trained_model`.
        checkpoint: Likewise.
        out: File; ``.onnx`` or ``.pt`` (TorchScript).
        classifier: As for :func:`mmdrl.engine.trained_model.trained_model`.
        tau: Likewise.
        size: Height and width of the images; those after the test pipeline if not given.
        dtype: Type of the pixels that an ONNX file takes; TorchScript takes any.
        opset: Version of ONNX's operators.
        check: Whether to compare the file's scores of random images, one and three at a time, with the model's.

    Raises:
        MMDRLError: If the model cannot be exported, its scores of random images are not finite, packages are missing,
            or the scores differ by more than 1e-4.
    """
    path = Path(out).expanduser()
    _check_target(path, str(checkpoint), opset, dtype)
    model = trained_model(config, checkpoint, classifier, tau)
    channels = num_channels(model)
    if size is not None and min(size) < 1:
        raise ConfigError(f'--size must be at least 1 x 1, got {size[0]} x {size[1]}.')
    found_size = size or image_size(model._config, channels)
    if found_size is None:
        raise ConfigError(
            'The pipelines of the config make images of no one size, so that of the exported model is not known. Give '
            '--size HEIGHT WIDTH.'
        )
    height, width = found_size
    batches = [torch.randint(0, 256, (count, channels, height, width), dtype=torch.uint8) for count in (1, 3)]
    from_rgb = channels != 3 or is_rgb(model._config)
    metadata = _metadata(model, str(checkpoint), (channels, height, width), dtype if path.suffix == '.onnx' else None)
    expected = [_scores(model, batch, from_rgb) for batch in batches]
    # The data set hands out RGB or BGR, and the preprocessor turns round either.
    wants_bgr = channels == 3 and model.data_preprocessor.to_rgb == from_rgb
    graph = PixelsToScores(model, wants_bgr).eval()
    typed = [batch.to(getattr(torch, dtype)) for batch in batches]
    with TemporaryDirectory() as folder:
        draft = Path(folder, path.name)
        difference = None
        if path.suffix == '.onnx':
            onnx_file.write(graph, typed[1], draft, metadata, opset)
            found = onnx_file.outputs(draft, typed) if check else []
        else:
            torchscript_file.write(graph, typed[1], draft, metadata)
            found = torchscript_file.outputs(draft, typed) if check else []
        if check:
            differences = [_difference(*pair) for pair in zip(found, expected, strict=True)]
            difference = max(differences)
            if not all(one <= TOLERANCE for one in differences):  # nan is not
                raise DataError(
                    f'The exported model differs from the trained one by {difference:.2g} of the largest score, more '
                    f'than {TOLERANCE:g}; nothing was written. Does its backbone do something that depends on the '
                    'number of images?'
                )
        with disk_errors(f'Writing {path}'), new_file(path) as stream:
            stream.write(draft.read_bytes())
    return Exported(path, FORMATS[path.suffix], metadata, difference)


def _check_target(path: Path, checkpoint: str, opset: int | None, dtype: str) -> None:
    if dtype not in get_args(PixelType):
        raise ConfigError(f'dtype must be one of {", ".join(get_args(PixelType))}, got {dtype!r}.')
    if path.suffix not in FORMATS:
        raise ConfigError(f'--out must end in .onnx or .pt (TorchScript), got {path}.')
    if path.suffix == '.onnx':
        onnx_file.check_available()
    elif opset is not None:
        raise ConfigError(f'--opset={opset} is for .onnx, got {path}. Leave it out.')
    check_target('--out', path, checkpoint)


def _scores(model: Any, images: Tensor, from_rgb: bool) -> Tensor:
    """Scores on the way that testing takes, of RGB images; ``from_rgb`` if the data set hands out such."""
    inputs = model.data_preprocessor(dict(inputs=images if from_rgb else images.flip(1)))['inputs']
    try:
        with torch.no_grad():
            feats = model.extract_feat(inputs)
            answer = _head_scores(model.head, feats)
    except (AssertionError, RuntimeError, ValueError) as error:
        height, width = images.shape[-2:]
        reason = (str(error).strip().partition('\n')[0] or type(error).__name__).rstrip('.')
        raise ConfigError(
            f'The model does not take images of {height} x {width} pixels: {reason}. Give --size HEIGHT WIDTH.'
        ) from error
    if not isinstance(answer, Tensor) or answer.ndim != 2:
        raise ConfigError(
            f'Exporting needs a head that gives one score per class; {type(model.head).__name__} gives '
            f'{"something else" if isinstance(answer, Tensor) else f"a {type(answer).__name__}"}.'
        )
    if answer.isnan().any():
        raise DataError("The model's scores of random images hold nan; had its training diverged?")
    return answer


def _head_scores(head: Any, feats: Any) -> Any:
    return scores(head, head.pre_logits(feats)) if isinstance(head, DRHead) else head(feats)


def _difference(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest score; inf where only one is finite or shapes differ."""
    if found.shape != expected.shape:
        return float('inf')
    differs = torch.where(found == expected, 0.0, (found - expected).abs())  # equal infinities do not
    largest = torch.where(expected.isfinite(), expected.abs(), 0.0).max()
    return float(differs.max() / largest.clamp_min(torch.finfo(torch.float32).tiny))


def _metadata(model: Any, checkpoint: str, shape: tuple[int, int, int], dtype: str | None) -> dict[str, Any]:
    head, cfg = model.head, model._config
    mean, std = (value.flatten().tolist() for value in normalisation(model))
    is_known = isinstance(head, DRHead) and bool(head.class_counts.any())
    rule, tau = 'linear', None
    if isinstance(head, DRHead):
        rule = 'ncm' if head.predict_with == 'ncm' else 'adjusted' if head.logit_adjustment else 'linear'
        tau = head.logit_adjustment if rule == 'adjusted' else None
    layer = getattr(head, 'fc', None)
    return dict(
        made_by=f'mmdrl {__version__}, torch {torch.__version__}',
        config=Path(cfg.filename).stem if cfg.filename else None,
        checkpoint=Path(checkpoint).name,
        checkpoint_sha256=sha256(Path(checkpoint).read_bytes()).hexdigest() if Path(checkpoint).is_file() else None,
        classes=class_names(model),
        class_counts=head.class_counts.tolist() if is_known else None,
        classifier=rule,
        tau=tau,
        layer=None if rule == 'ncm' or layer is None else type(layer).__name__,
        input=dict(
            shape=['batch', *shape],
            dtype=dtype or 'any',
            range=[0, 255],
            channels='RGB' if shape[0] == 3 else 'grey' if shape[0] == 1 else 'as trained',
        ),
        normalisation_inside=dict(mean=mean, std=std),
        output='scores before softmax, (batch, classes)',
    )
