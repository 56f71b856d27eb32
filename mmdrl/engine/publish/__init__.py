"""From a run folder to a checkpoint that others can trust."""

from .publish import Published, publish

__all__ = ['Published', 'publish']
