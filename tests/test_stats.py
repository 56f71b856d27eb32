"""Class counts and shot groups against published numbers."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from cases import saying
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmdrl.stats import class_statistics, gini, imbalance_ratio, long_tail_counts, shot_groups

PROFILES = ('exp', 'step', 'pareto')
# Training images of the public CIFAR-LT splits (imbalance factors 1/ratio): totals over all classes.
CIFAR_LT_TOTALS = [
    (100, 500, 200, 9502),
    (100, 500, 100, 10847),
    (100, 500, 50, 12608),
    (100, 500, 20, 15907),
    (100, 500, 10, 19573),
    (10, 5000, 200, 11203),
    (10, 5000, 100, 12406),
    (10, 5000, 50, 13996),
    (10, 5000, 20, 17023),
    (10, 5000, 10, 20431),
]


@pytest.mark.parametrize(('num_classes', 'max_count', 'ratio', 'total'), CIFAR_LT_TOTALS)
def test_exp_profile_gives_the_published_cifar_lt_totals(num_classes, max_count, ratio, total):
    counts = long_tail_counts(num_classes, max_count, ratio)
    assert counts.sum() == total
    assert counts[0] == max_count
    assert counts[-1] == max_count // ratio


def test_exp_profile_of_the_digits():
    # By hand: 120 * 50 ** (-c / 9) = 120, 77.7, 50.3, 32.6, 21.1, 13.7, 8.8, 5.7, 3.7, 2.4, truncated.
    counts = long_tail_counts(10, 120, 50)
    assert counts.tolist() == [120, 77, 50, 32, 21, 13, 8, 5, 3, 2]


@pytest.mark.parametrize(
    ('num_classes', 'expected'),
    [(4, [100, 100, 10, 10]), (5, [100, 100, 100, 10, 10]), (2, [100, 10]), (1, [100])],
)
def test_step_profile_keeps_the_larger_half_at_the_maximum(num_classes, expected):
    assert long_tail_counts(num_classes, 100, 10, profile='step').tolist() == expected


@pytest.mark.parametrize(
    ('num_classes', 'max_count', 'ratio', 'expected'),
    [
        (10, 5000, 10, [5000, 2500, 1666, 1250, 1000, 833, 714, 625, 555, 500]),  # a = 1: 5000 / (c + 1)
        (4, 160, 16, [160, 40, 17, 10]),  # a = 2: 160 / (c + 1) ** 2
    ],
)
def test_pareto_profile_is_a_power_of_the_rank(num_classes, max_count, ratio, expected):
    assert long_tail_counts(num_classes, max_count, ratio, profile='pareto').tolist() == expected


def whole_images(profile: str, num_classes: int, max_count: int, ratio: int, c: int) -> int:
    """The formula of the docstring in 60 digits, cut to whole images; 1e-40 keeps what is whole whole."""
    with localcontext() as context:
        context.prec = 60
        rho, last = Decimal(ratio), Decimal(max(num_classes - 1, 1))
        if profile == 'exp':
            images = max_count / (rho.ln() * c / last).exp()
        elif profile == 'step':
            images = Decimal(max_count) if c < (num_classes + 1) // 2 else max_count / rho
        else:
            images = max_count / (Decimal(c + 1).ln() * rho.ln() / Decimal(max(num_classes, 2)).ln()).exp()
        return int(images + Decimal('1e-40'))


@settings(deadline=None, max_examples=300)
@given(
    profile=st.sampled_from(PROFILES),
    num_classes=st.integers(2, 120),
    ratio=st.integers(1, 500),
    smallest=st.integers(1, 40),
    extra=st.integers(0, 3),
)
@example(profile='pareto', num_classes=8, ratio=8, smallest=12, extra=4)
@example(profile='pareto', num_classes=100, ratio=100, smallest=12, extra=0)
@example(profile='exp', num_classes=4, ratio=27, smallest=9, extra=0)
@example(profile='exp', num_classes=11, ratio=1024, smallest=3, extra=0)
def test_counts_are_the_formula_in_exact_arithmetic(profile, num_classes, ratio, smallest, extra):
    max_count = ratio * smallest + extra
    counts = long_tail_counts(num_classes, max_count, ratio, profile=profile)
    assert counts.tolist() == [whole_images(profile, num_classes, max_count, ratio, c) for c in range(num_classes)]


@settings(deadline=None)
@given(
    profile=st.sampled_from(PROFILES),
    num_classes=st.integers(2, 200),
    ratio=st.floats(1.0, 500.0),
    smallest=st.floats(2.0, 50.0),
)
def test_counts_fall_from_the_maximum_to_its_ratio(profile, num_classes, ratio, smallest):
    max_count = int(ratio * smallest) + 1
    counts = long_tail_counts(num_classes, max_count, ratio, profile=profile)
    assert counts.shape == (num_classes,)
    assert counts.dtype == np.int64
    assert counts[0] == max_count
    assert (np.diff(counts) <= 0).all()
    # Truncation loses less than one image; rounding of the power may lose the whole one.
    assert max_count / ratio - 1 - 1e-6 <= counts[-1] <= max_count / ratio + 1e-6


@pytest.mark.parametrize('profile', PROFILES)
def test_ratio_one_is_balanced(profile):
    assert long_tail_counts(7, 30, 1, profile=profile).tolist() == [30] * 7


@pytest.mark.parametrize('profile', PROFILES)
def test_one_class_holds_the_maximum(profile):
    assert long_tail_counts(1, 30, 10, profile=profile).tolist() == [30]


@pytest.mark.parametrize('profile', PROFILES)
def test_class_left_without_images_is_an_error(profile):
    with pytest.raises(ValueError, match=saying('20', '50')):
        long_tail_counts(10, 20, 50, profile=profile)


@pytest.mark.parametrize('profile', PROFILES)
@pytest.mark.parametrize('ratio', [7, 49, 98, 197])
def test_smallest_class_keeps_its_one_image(profile, ratio):
    # max_count = ratio leaves exactly one image; 49 * (1 / 49) is 0.9999999999999999 in floating point.
    assert long_tail_counts(10, ratio, ratio, profile=profile)[-1] == 1


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (dict(num_classes=0, max_count=10, imbalance_ratio=2), ('num_classes', r'\b0\b')),
        (dict(num_classes=3, max_count=0, imbalance_ratio=2), ('max_count', r'\b0\b')),
        (dict(num_classes=3, max_count=10, imbalance_ratio=0.5), ('imbalance_ratio', r'0\.5')),
        (dict(num_classes=3, max_count=10, imbalance_ratio=0), ('imbalance_ratio', r'\b0\b')),
        (dict(num_classes=3, max_count=10, imbalance_ratio=float('nan')), ('imbalance_ratio', 'nan')),
        (dict(num_classes=3, max_count=10, imbalance_ratio=2, profile='linear'), ('profile', 'linear')),
    ],
)
def test_bad_profile_arguments(arguments, words):
    with pytest.raises(ValueError, match=saying(*words)):
        long_tail_counts(**arguments)


@pytest.mark.parametrize(
    ('num_classes', 'max_count', 'edges', 'sizes'),
    [
        # Group sizes in the literature for ratio 100; OLTR and NCL include both edges.
        (100, 500, 'exclusive', (35, 35, 30)),
        (100, 500, 'inclusive', (35, 34, 31)),
        (10, 5000, 'exclusive', (8, 2, 0)),
    ],
)
def test_shot_groups_of_cifar_lt(num_classes, max_count, edges, sizes):
    groups = shot_groups(long_tail_counts(num_classes, max_count, 100), edges=edges)
    assert tuple(int(groups[name].sum()) for name in ('many', 'medium', 'few')) == sizes


@pytest.mark.parametrize(
    ('edges', 'names'),
    [
        ('exclusive', ['many', 'medium', 'medium', 'medium', 'few', 'few']),
        ('inclusive', ['many', 'many', 'medium', 'few', 'few', 'few']),
    ],
)
def test_edges_of_the_shot_groups(edges, names):
    groups = shot_groups([101, 100, 99, 20, 19, 0], edges=edges)
    assert [next(name for name in groups if groups[name][c]) for c in range(6)] == names


def test_default_edges_are_exclusive():
    groups = shot_groups(np.array([100, 20]))
    assert groups['medium'].tolist() == [True, True]


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 300), min_size=1, max_size=40),
    few=st.integers(0, 150),
    width=st.integers(0, 150),
    edges=st.sampled_from(['exclusive', 'inclusive']),
)
def test_shot_groups_partition_the_classes(counts, few, width, edges):
    groups = shot_groups(counts, many=few + width, few=few, edges=edges)
    assert list(groups) == ['many', 'medium', 'few']
    assert all(mask.dtype == np.bool_ and mask.shape == (len(counts),) for mask in groups.values())
    assert (sum(mask.astype(int) for mask in groups.values()) == 1).all()


@pytest.mark.parametrize(
    ('counts', 'options', 'words'),
    [
        ([5, 4], dict(many=10, few=20), ('many', '10', '20')),
        ([5, -3], {}, (r'-3',)),
        ([5, 4], dict(edges='open'), ('edges', 'open')),
        ([[5, 4], [3, 2]], {}, (r'2, 2',)),
    ],
)
def test_bad_shot_group_arguments(counts, options, words):
    with pytest.raises(ValueError, match=saying(*words)):
        shot_groups(counts, **options)


counts_of_sets = st.lists(st.integers(0, 5000), min_size=1, max_size=60).filter(any)


def mean_difference(counts: list[int]) -> float:
    """Gini's own definition: half the mean absolute difference of all pairs, over the mean."""
    size, total = len(counts), sum(counts)
    return sum(abs(one - other) for one in counts for other in counts) / (2 * size * total)


@settings(deadline=None)
@given(counts_of_sets)
def test_gini_is_half_the_relative_mean_difference(counts):
    assert gini(counts) == pytest.approx(mean_difference(counts), abs=1e-12)


@settings(deadline=None)
@given(counts_of_sets, st.integers(1, 9), st.randoms(use_true_random=False))
def test_gini_knows_neither_order_nor_scale_nor_copies(counts, times, random):
    value = gini(counts)
    assert 0 <= value <= 1 - 1 / len(counts) + 1e-12
    assert gini(random.sample(counts, len(counts))) == value
    assert gini([count * times for count in counts]) == pytest.approx(value, abs=1e-12)
    assert gini(counts * times) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ('counts', 'value'),
    [([7] * 9, 0), ([5], 0), ([1, 0, 0, 0], 3 / 4), ([1, 2, 3, 4], 1 / 4), ([1000] + [0] * 999, 0.999)],
)
def test_gini_by_hand(counts, value):
    assert gini(counts) == pytest.approx(value, abs=1e-15)


def test_gini_of_counts_that_overflow_as_integers():
    assert gini(np.full(8142, 2**40)) == 0
    assert gini(np.array([200, 1], dtype=np.uint8)) == pytest.approx(199 / 402)


@pytest.mark.parametrize(('counts', 'ratio'), [([500, 5, 30], 100), ([7, 7], 1), ([3], 1), ([5, 2], 2.5)])
def test_imbalance_ratio_is_largest_over_smallest(counts, ratio):
    assert imbalance_ratio(counts) == ratio


@pytest.mark.parametrize('function', [gini, imbalance_ratio, class_statistics])
@pytest.mark.parametrize(
    ('counts', 'words'),
    [
        ([], (r'\(0,\)',)),
        ([[1, 2]], (r'\(1, 2\)',)),
        (3, (r'\(\)',)),
        ([3, -1], ('-1', 'class 1')),
        ([3, float('nan')], ('nan', 'class 1')),
        ([0, 0], ('none|empty', '2')),
    ],
)
def test_counts_that_are_none(function, counts, words):
    with pytest.raises(ValueError, match=saying(*words)):
        function(counts)


def test_empty_class_has_no_ratio():
    with pytest.raises(ValueError, match=saying('1 of 3', 'class 1')):
        imbalance_ratio([4, 0, 2])
    assert class_statistics([4, 0, 2])['imbalance_ratio'] is None
    assert class_statistics([4, 0, 2])['empty_classes'] == 1


def test_statistics_of_cifar_lt():
    """Total and groups as published for ratio 100; mean and ratio follow from them."""
    numbers = class_statistics(long_tail_counts(100, 500, 100))
    assert numbers['images'] == 10_847
    assert (numbers['largest'], numbers['smallest']) == (500, 5)
    assert (numbers['mean'], numbers['imbalance_ratio']) == (108.47, 100)
    assert tuple(numbers[f'{group}_classes'] for group in ('many', 'medium', 'few')) == (35, 35, 30)
    assert sum(numbers[f'{group}_images'] for group in ('many', 'medium', 'few')) == 10_847
    assert class_statistics(long_tail_counts(100, 500, 100), edges='inclusive')['few_classes'] == 31


def test_statistics_by_hand():
    assert class_statistics([200, 50, 30, 4]) == dict(
        images=284,
        classes=4,
        empty_classes=0,
        largest=200,
        smallest=4,
        mean=71.0,
        median=40.0,
        imbalance_ratio=50.0,
        gini=pytest.approx(mean_difference([200, 50, 30, 4])),
        many_classes=1,
        many_images=200,
        medium_classes=2,
        medium_images=80,
        few_classes=1,
        few_images=4,
    )
