"""BalancedMixup: what is mixed, with what, how much, and how it looks to whatever asks a data set."""

from typing import Any

import numpy as np
import pytest
import torch
from mmengine.dataset import RepeatDataset
from mmpretrain.structures import DataSample
from torch.utils.data import ConcatDataset, Subset

from mmdrl.datasets import ArrayDataset, BalancedMixup, LongTailDataset, dataset_labels, distinct_images, image_ids
from mmdrl.engine.clean_set import with_pipeline
from mmdrl.errors import ConfigError, DataError
from mmdrl.registry import DATASETS

COUNTS = [40, 8, 2]
LABELS = np.random.default_rng(7).permutation(np.repeat(np.arange(3), COUNTS))


class Rows:
    """Images of one pixel that is their position; no more than a data set must have."""

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixel = torch.full((1, 1, 1), index, dtype=torch.uint8)
        return dict(inputs=pixel, data_samples=DataSample().set_gt_label(int(LABELS[index])))

    def get_gt_labels(self) -> np.ndarray:
        return LABELS


@pytest.fixture
def arrays(tmp_path) -> ArrayDataset:
    np.savez(tmp_path / 'a.npz', images=np.arange(50, dtype=np.uint8)[:, None, None], labels=LABELS)
    return ArrayDataset(str(tmp_path / 'a.npz'), pipeline=[dict(type='PackInputs')])


def test_sample_keeps_one_minus_lambda_and_the_balanced_image_gets_lambda(arrays: ArrayDataset) -> None:
    """As in the released code: (1 - lam) * instance + lam * balanced, lam from Beta(alpha, 1)."""
    mixed = BalancedMixup(arrays, alpha=0.3)
    for position in range(50):
        np.random.seed(position)
        sample = mixed[position]
        np.random.seed(position)
        share, other = np.random.beta(0.3, 1), mixed.draw_balanced()
        pixel = (1 - share) * position + share * other
        assert sample['inputs'].dtype == torch.float32
        assert sample['inputs'].flatten()[0] == pytest.approx(pixel, rel=1e-5)
        score = np.zeros(3)
        score[LABELS[position]] += 1 - share
        score[LABELS[other]] += share
        assert sample['data_samples'].gt_score.numpy() == pytest.approx(score)
        assert 'gt_label' not in sample['data_samples']
        assert sample['data_samples'].sample_idx == position


def test_share_follows_beta_of_alpha_and_one() -> None:
    """Its distribution function is x ** alpha."""
    mixed = BalancedMixup(Rows(), alpha=0.5)
    np.random.seed(0)
    position = int(np.flatnonzero(LABELS == 0)[0])
    # A partner of class 1 or 2 leaves lambda alone in the label.
    scores = np.stack([mixed[position]['data_samples'].gt_score.numpy() for _ in range(3000)])
    shares = 1 - scores[scores[:, 0] < 1, 0]
    for quantile in (0.1, 0.25, 0.5, 0.9):
        assert abs((shares < quantile**2).mean() - quantile) < 0.03


def test_partner_is_uniform_over_classes_and_over_the_images_of_a_class() -> None:
    mixed = BalancedMixup(Rows())
    np.random.seed(0)
    drawn = np.bincount([mixed.draw_balanced() for _ in range(30_000)], minlength=50)
    for label, count in enumerate(COUNTS):
        expected, of_class = 10_000 / count, label == LABELS
        assert (np.abs(drawn[of_class] - expected) < 4 * expected**0.5).all()  # four standard deviations


def test_a_class_without_images_is_never_drawn() -> None:
    mixed = BalancedMixup(Subset(Rows(), np.flatnonzero(LABELS != 1).tolist()), num_classes=4)
    np.random.seed(0)
    assert {int(LABELS[mixed.dataset.indices[mixed.draw_balanced()]]) for _ in range(200)} == {0, 2}
    assert len(mixed[0]['data_samples'].gt_score) == 4


def test_switched_off_it_hands_samples_through_and_draws_nothing(arrays: ArrayDataset) -> None:
    mixed = BalancedMixup(arrays)
    mixed.is_mixing = False
    np.random.seed(1)
    sample = mixed[3]
    assert np.random.random() == np.random.RandomState(1).random_sample()
    assert sample['inputs'].dtype == torch.uint8
    assert sample['data_samples'].gt_label.item() == LABELS[3]


def test_labels_and_images_are_those_of_the_wrapped_set(arrays: ArrayDataset) -> None:
    twice = RepeatDataset(arrays, 2)
    mixed = BalancedMixup(twice)
    assert len(mixed) == 100
    assert dataset_labels(mixed).tolist() == dataset_labels(twice).tolist()
    assert image_ids(mixed).tolist() == image_ids(twice).tolist()
    assert distinct_images(mixed).tolist() == list(range(50))
    assert mixed.get_data_info(3)['gt_label'] == LABELS[3]
    assert [mixed.get_cat_ids(i) for i in range(100)] == [[label] for label in dataset_labels(twice)]


def test_a_long_tail_is_mixed_with_its_own_images_alone(arrays: ArrayDataset) -> None:
    """Cut from the mixture it would get held-out images, too, so that is refused."""
    mixed = BalancedMixup(LongTailDataset(arrays, 1.0, max_count=1, holdout_per_class=1))
    own, shown = set(mixed.dataset.indices.tolist()), mixed.dataset.indices[0]
    assert len(own) == 3
    np.random.seed(0)
    for _ in range(50):
        state = np.random.get_state()
        pixel = float(mixed[0]['inputs'].flatten()[0])
        np.random.set_state(state)
        share = np.random.beta(0.2, 1)
        assert any(pixel == pytest.approx((1 - share) * shown + share * other, rel=1e-4) for other in own)
    for inside in (BalancedMixup(arrays), ConcatDataset([BalancedMixup(arrays)]), Subset(mixed, [0, 1, 2])):
        with pytest.raises(ConfigError, match=r'mixed images.*held-out.*Put it around'):
            LongTailDataset(inside, 1.0)
    mixed.is_mixing = False
    assert len(LongTailDataset(mixed, 1.0)) == 3


def test_an_exact_pass_sees_every_image_once_and_unmixed(arrays: ArrayDataset) -> None:
    mixed = BalancedMixup(RepeatDataset(arrays, 2))
    clean = with_pipeline(mixed, arrays.pipeline)
    samples = [clean[position] for position in range(len(clean))]
    assert [int(sample['inputs'].flatten()[0]) for sample in samples] == list(range(50))
    assert [sample['data_samples'].gt_label.item() for sample in samples] == LABELS.tolist()
    assert mixed.is_mixing


def test_names_of_the_classes_tell_how_many_there_are(tmp_path) -> None:
    np.savez(tmp_path / 'a.npz', images=np.zeros((50, 2, 2), np.uint8), labels=LABELS)
    config = dict(
        type='mmdrl.BalancedMixup',
        dataset=dict(
            type='mmdrl.ArrayDataset',
            data_file=str(tmp_path / 'a.npz'),
            pipeline=[dict(type='PackInputs')],
            metainfo=dict(classes=tuple('abcde')),
        ),
    )
    mixed = DATASETS.build(config)
    assert mixed.metainfo['classes'] == tuple('abcde')
    assert len(mixed[0]['data_samples'].gt_score) == 5


def test_it_is_read_at_the_first_use_if_asked_to_be_lazy() -> None:
    mixed = BalancedMixup(Rows(), lazy_init=True)
    assert mixed.num_classes is None
    assert len(mixed[0]['data_samples'].gt_score) == 3


@pytest.mark.parametrize('alpha', [0, -1.0, float('nan'), float('inf'), '1'])
def test_impossible_alpha_is_refused(alpha: Any) -> None:
    with pytest.raises(ConfigError, match='alpha'):
        BalancedMixup(Rows(), alpha=alpha)


def test_labels_beyond_num_classes_are_refused() -> None:
    with pytest.raises(DataError, match=r'Rows must be in \[0, 2\), got 2'):
        BalancedMixup(Rows(), num_classes=2)


def test_no_images_at_all_are_refused() -> None:
    with pytest.raises(DataError, match='Subset is empty'):
        BalancedMixup(Subset(Rows(), []))


def test_images_of_different_sizes_are_refused() -> None:
    class Growing(Rows):
        def __getitem__(self, index: int) -> dict[str, Any]:
            return {**super().__getitem__(index), 'inputs': torch.zeros(3, 2, 2 + index)}

    np.random.seed(0)
    with pytest.raises(DataError, match=r'one size.*\(3, 2, 2\).*resize'):
        BalancedMixup(Growing())[0]


def test_images_that_are_mixed_already_are_refused() -> None:
    with pytest.raises(DataError, match='mixed already'):
        BalancedMixup(BalancedMixup(Rows()))[0]
