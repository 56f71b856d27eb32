"""ONNX: written by torch, labelled by ``onnx``, run by ``onnxruntime``.

Of torch's two exporters this takes the older one: it serves every torch from 2.6 on, while the newer one cannot
convert batch normalisation in 2.6.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmdrl.errors import ConfigError, HostError

OPSETS = range(17, 21)  # the first knows layer normalisation, the last is the exporter's last


def check_available() -> None:
    """Raise HostError unless the packages are installed."""
    missing = [name for name in ('onnx', 'onnxruntime') if find_spec(name) is None]
    if missing:
        raise HostError(
            f'Exporting to ONNX needs {" and ".join(missing)}: pip install {" ".join(missing)}, or take a file name '
            'that ends in .pt for TorchScript, which needs neither.'
        )


def write(graph: nn.Module, example: Tensor, path: Path, metadata: Mapping[str, Any], opset: int | None) -> None:
    """Write the graph.

    Args:
        graph: From images to scores.
        example: Images, of the type that the file takes.
        path: Of the file.
        metadata: Text and data, put into ``metadata_props`` as JSON.
        opset: Version of the operators; 17 if not given.

    Raises:
        ConfigError: If the exporter does not know the version, or cannot follow the model.
    """
    import onnx

    if opset is not None and opset not in OPSETS:
        raise ConfigError(f'--opset must lie in {OPSETS[0]} to {OPSETS[-1]}, got {opset}.')
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # of shapes that are constants here, and that a newer exporter is there
        try:
            torch.onnx.export(
                graph,
                (example,),
                str(path),
                input_names=['images'],
                output_names=['scores'],
                dynamic_axes={'images': {0: 'batch'}, 'scores': {0: 'batch'}},
                opset_version=opset or OPSETS[0],
                dynamo=False,
            )
        except (torch.onnx.OnnxExporterError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(f"torch's exporter cannot follow this model: {reason} Try .pt, TorchScript.") from error
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {key: json.dumps(value) for key, value in metadata.items()})
    onnx.save(model, str(path))


def outputs(path: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """Scores of batches of images, by ``onnxruntime`` on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    return [torch.from_numpy(session.run(['scores'], {'images': batch.numpy()})[0]) for batch in batches]
