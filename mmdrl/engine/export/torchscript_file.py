"""TorchScript: traced, and run where nothing but torch is imported.

torch calls tracing deprecated and still has it; its successor files need the torch that wrote them.
"""

import json
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from mmdrl.errors import ConfigError, DataError

METADATA = 'metadata.json'
_RUN = """
import sys, warnings
warnings.simplefilter('ignore')
import torch
model = torch.jit.load(sys.argv[1])
with torch.no_grad():
    torch.save([model(images) for images in torch.load(sys.argv[2], weights_only=True)], sys.argv[3])
"""


def write(graph: nn.Module, example: Tensor, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write the graph.

    Args:
        graph: From images to scores.
        example: Images.
        path: Of the file.
        metadata: Text and data, put into the extra file ``metadata.json``.

    Raises:
        ConfigError: If tracing cannot follow the model.
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')  # of shapes that are constants here, and of the deprecation
        try:
            traced = torch.jit.trace(graph, example, check_trace=False)
        except RuntimeError as error:
            raise ConfigError(f'Tracing cannot follow this model: {str(error).strip().splitlines()[0]}') from error
        torch.jit.save(traced, str(path), _extra_files={METADATA: json.dumps(metadata, indent=1)})


def outputs(path: Path, batches: Sequence[Tensor]) -> list[Tensor]:
    """Scores of batches of images, by a fresh process that imports torch alone.

    Raises:
        DataError: If it cannot run the file.
    """
    with TemporaryDirectory() as folder:
        given, answer = Path(folder, 'images.pth'), Path(folder, 'scores.pth')
        torch.save(list(batches), given)
        # In an empty folder, and not by -I, without which Python finds no torch in the user's own site-packages.
        command = [sys.executable, '-c', _RUN, *(str(file.resolve()) for file in (path, given, answer))]
        process = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        if process.returncode:
            raise DataError(f'A fresh process cannot run {path.name}: {process.stderr.strip()[-500:]}')
        scores: list[Tensor] = torch.load(answer, weights_only=True)
        return scores
