"""Whether a choice made by validation would be one made on the test images."""

from typing import Any

_LOOKS = ('pipeline', 'test_mode', 'lazy_init', 'serialize_data', 'max_refetch', '_scope_')  # not which images


def shows_same_images(first: Any, second: Any) -> bool:
    """Whether two loaders show the same data set.

    Args:
        first: Config of a loader, ``None`` if there is none.
        second: Another.

    Returns:
        True if their data sets are configured alike, but for the transforms; other ways to come by the same images are
        not seen through.
    """
    if not (isinstance(first, dict) and isinstance(second, dict)):
        return False
    return bool(_images(first.get('dataset')) == _images(second.get('dataset')))


def _images(value: Any) -> Any:
    """A data set's config without what only changes how its images look."""
    if isinstance(value, dict):
        return {key: _images(entry) for key, entry in value.items() if key not in _LOOKS}
    return [_images(entry) for entry in value] if isinstance(value, (list, tuple)) else value
