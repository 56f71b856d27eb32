"""Nearest neighbours and nearest means against scikit-learn and loops."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from mmdrl.evaluation.representation import class_moments, knn_labels, ncm_labels, neighbours


@pytest.fixture
def data(rng):
    """Training features (90, 5) of four classes, 60 to 3 images, labels, and others (40, 5), far from the origin."""
    labels = np.repeat(range(4), (60, 20, 7, 3))
    centres = rng.normal(size=(4, 5))
    train = centres[labels] + rng.normal(size=(90, 5)) + 1000
    return train, labels, rng.normal(size=(40, 5)) * 1.5 + 1000


@pytest.fixture(params=[1 << 24, 1])
def as_tensors(data, request, monkeypatch):
    """The same, in double precision, compared with all rows at once and one by one."""
    monkeypatch.setattr(neighbours, '_SCORES', request.param)
    return tuple(torch.tensor(part) for part in data)


@pytest.mark.parametrize('k', [1, 5, 20])
def test_plain_votes_are_those_of_scikit_learn(data, as_tensors, k):
    train, labels, others = data
    wanted = KNeighborsClassifier(k, algorithm='brute').fit(train, labels).predict(others)
    assert knn_labels(*as_tensors, num_classes=4, k=k)[0].tolist() == wanted.tolist()


@pytest.mark.parametrize('k', [5, 20])
def test_votes_by_class_size_are_those_of_a_loop(data, as_tensors, k):
    train, labels, others = data
    sizes = np.bincount(labels)
    wanted = []
    for z in others:
        votes = np.zeros(4)
        for index in sorted(range(len(train)), key=lambda i: np.linalg.norm(train[i] - z))[:k]:
            votes[labels[index]] += 1 / sizes[labels[index]]
        wanted.append(int(votes.argmax()))
    plain, balanced = knn_labels(*as_tensors, num_classes=4, k=k)
    assert balanced.tolist() == wanted
    assert (plain != balanced).any()


def test_single_precision_far_from_the_origin_finds_the_same_neighbours(data):
    train, labels, others = data
    wanted = KNeighborsClassifier(1).fit(train, labels).predict(others)
    result = knn_labels(
        torch.tensor(train).float(), torch.tensor(labels), torch.tensor(others).float(), num_classes=4, k=1
    )
    assert result[0].tolist() == wanted.tolist()


def test_class_with_few_images_wins_by_size_only():
    train = torch.tensor([[0.0], [0.1], [3.0], [3.1], [3.2], [3.3]])
    labels = torch.tensor([1, 1, 0, 0, 0, 0])
    plain, balanced = knn_labels(train, labels, torch.tensor([[0.0]]), num_classes=2, k=5)
    assert (plain.item(), balanced.item()) == (0, 1)
    all_of_them = knn_labels(train, labels, torch.tensor([[0.0]]), num_classes=2, k=500)
    assert [part.item() for part in all_of_them] == [0, 0]  # every class has the same share of all: the lower wins


def test_features_stay_as_they_are(as_tensors):
    copies = [part.clone() for part in as_tensors]
    knn_labels(*as_tensors, num_classes=4)
    assert all(torch.equal(part, copy) for part, copy in zip(as_tensors, copies, strict=True))


def test_neighbours_want_rows_of_one_width(as_tensors):
    train, labels, others = as_tensors
    for arguments in ((train, labels[:1], others), (train, labels, others[:, :1]), (train[0], labels, others)):
        with pytest.raises(ValueError, match='Expected train'):
            knn_labels(*arguments, num_classes=4)
    with pytest.raises(ValueError, match=r'k must be at least 1, .* k=0'):
        knn_labels(train, labels, others, num_classes=4, k=0)
    with pytest.raises(ValueError, match='k=5 of 0'):
        knn_labels(train[:0], labels[:0], others, num_classes=4, k=5)


def test_nearest_mean_is_that_of_scikit_learn(data, as_tensors):
    train, labels, others = data
    wanted = NearestCentroid().fit(train, labels).predict(others)
    means = class_moments(as_tensors[0], as_tensors[1], 4).means
    assert ncm_labels(as_tensors[2], means).tolist() == wanted.tolist()
    assert ncm_labels(as_tensors[2].float(), means).tolist() == wanted.tolist()


def test_class_without_mean_is_never_the_nearest(as_tensors):
    means = class_moments(as_tensors[0], as_tensors[1] + 1, 5).means
    assert ncm_labels(as_tensors[2], means).tolist() == (ncm_labels(as_tensors[2], means[1:]) + 1).tolist()
