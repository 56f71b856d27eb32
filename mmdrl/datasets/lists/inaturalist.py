"""iNaturalist 2018, from its list or from the JSON of the competition."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmdrl.datasets.lists.layouts import Layout, Place
from mmdrl.datasets.lists.path_checks import check_classes, check_different, check_inside
from mmdrl.datasets.lists.path_lists import parse_path_list, read_bytes
from mmdrl.datasets.lists.placed_paths import Layouts
from mmdrl.datasets.lists.published import PUBLISHED
from mmdrl.datasets.lists.published_lists import PublishedListDataset
from mmdrl.datasets.lists.shared_columns import PathColumn
from mmdrl.errors import DataError
from mmdrl.registry import DATASETS

FOLDER = 'train_val2018'
_ROW = re.compile(rf'(?:{FOLDER}/)?(.+)/([^/]+)')


def place(row: str) -> Place | None:
    """Class folder and name of ``train_val2018/Plantae/7291/9f8e....jpg`` with or without the first folder."""
    match = _ROW.fullmatch(row)
    return Place(FOLDER, match[1], match[2]) if match else None


def with_folder(part: str, folder: str, name: str) -> str:
    """``train_val2018/Plantae/7291/9f8e....jpg``."""
    return f'{part}/{folder}/{name}'


def without_folder(part: str, folder: str, name: str) -> str:
    """``Plantae/7291/9f8e....jpg``, for a ``data_root`` that is ``train_val2018`` itself."""
    return f'{folder}/{name}'


@DATASETS.register_module()
class INaturalist2018(PublishedListDataset):
    """iNaturalist 2018: train 437,513 images of 8142 classes of 1000 to 2, val 24,426.

    ``layout='train_val2018'`` has that folder in ``data_root``, ``layout='inside'`` is that folder. The
    annotations are the published list or the JSON of the competition, whose numbers are the same.

    Args:
        split: ``'train'`` or ``'val'``; the test labels were never published.
        data_root: Folder of annotations and images.
        ann_file: List or JSON; if not given the published list, or ``train2018.json`` and its like where only
            that lies in ``data_root``.
        **kwargs: Of :class:`mmdrl.datasets.PublishedListDataset`.

    Source: Van Horn et al., "The iNaturalist Species Classification and Detection Dataset", CVPR 2018; lists of
    Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", ICLR 2020.
    """

    NAME = 'iNaturalist 2018'
    LAYOUTS = Layouts(
        by_name={FOLDER: Layout(with_folder, ()), 'inside': Layout(without_folder, ())},
        place=place,
        num_classes=8142,
    )

    def __init__(
        self, split: str = 'train', data_root: str = 'data/inaturalist2018', ann_file: str = '', **kwargs: Any
    ):
        if not ann_file and split in PUBLISHED[self.NAME]:
            root = Path(data_root).expanduser()
            is_json = not (root / PUBLISHED[self.NAME][split].list_name).is_file()
            if is_json and (root / f'{split}2018.json').is_file():
                ann_file = f'{split}2018.json'
        super().__init__(split, data_root, ann_file, **kwargs)

    def read_list(self, num_classes: int | None) -> tuple[PathColumn, NDArray[np.int64]]:
        """Paths and labels of list or JSON; the JSON names the classes, too."""
        if not str(self.ann_file).endswith('.json'):
            return super().read_list(num_classes)
        rows, names = read_json(self.ann_file)
        where = str(self.ann_file)
        paths, labels = parse_path_list(rows.encode(), where, unit='image')
        check_inside(paths, where, unit='image')
        check_different(paths, where, unit='image')
        check_classes(labels, num_classes, where, unit='image', allow_empty_classes=self.allow_empty_classes)
        if names is not None:
            self._metainfo.setdefault('classes', names)
        return paths, labels


def read_json(path: str | Path) -> tuple[str, tuple[str, ...] | None]:
    """``path label`` rows of a JSON with ``images``, ``annotations`` and ``categories``, and the names of the classes.

    The names are None if the categories are not numbered from 0 without a gap.

    Raises:
        DataError: If it is no such JSON, or an image has no annotation or several.
    """
    try:
        content = json.loads(read_bytes(path))
        files = {image['id']: image['file_name'] for image in content['images']}
        labels = {entry['image_id']: entry['category_id'] for entry in content['annotations']}
        categories = {entry['id']: str(entry['name']) for entry in content.get('categories', ())}
        counts = len(content['images']), len(content['annotations'])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path} must be JSON with 'images' of id and file_name and 'annotations' of image_id and category_id, as "
            f'the competition has it; reading it fails with {type(error).__name__}: {error}.'
        ) from error
    if counts != (len(files), len(files)) or files.keys() != labels.keys():
        odd = next(iter(files.keys() ^ labels.keys()), 'one of them')
        raise DataError(
            f'{path} must have one annotation per image, got {counts[0]} images and {counts[1]} annotations; image id '
            f'{odd} does not match.'
        )
    names = tuple(categories.get(label, '') for label in range(len(categories)))
    if any(re.search(r'[\n\ud800-\udfff]', str(name)) for name in files.values()):
        raise DataError(f'{path} has a file name with a line end or half a character in it.')
    rows = '\n'.join(f'{name} {labels[key]}' for key, name in files.items())
    return rows, names if names and all(names) else None
