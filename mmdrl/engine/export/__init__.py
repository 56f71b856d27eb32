"""A trained model as one file that other programs run: ONNX or TorchScript."""

from .run import Exported, export

__all__ = ['Exported', 'export']
