"""Slow float64 loops for the maths of the package, written from the equations of the paper.

They exist to be read beside the equation, so nothing is vectorised over samples or classes and nothing is
taken from the package. Symbols: ``z`` a feature, ``mu_c`` the centroid of class c, ``eps_c`` the radius of
its ball, ``S_c`` the samples of class c in the batch, ``T`` the temperature, ``m`` the margin.
"""

import math

import numpy as np


def direction_loop(a):
    r"""Unit vector :math:`a / |a|`; a zero vector has no direction and stays zero."""
    length = np.sqrt(np.sum(a * a))
    return a / length if length > 0 else a


def distance_loop(a, b, distance):
    r"""Distance of two vectors of shape ``(D,)``.

    euclidean: :math:`d(a, b) = \sqrt{\sum_i (a_i - b_i)^2}`, neither squared nor normalised.
    squared: :math:`\sum_i (a_i - b_i)^2`.
    chord: euclidean between :math:`a / |a|` and :math:`b / |b|`, the chord of the unit sphere.
    cosine: :math:`1 - a \cdot b / (|a| |b|)`; with a zero vector half the squared chord, as everywhere else.
    """
    if distance == 'cosine' and np.any(a != 0) and np.any(b != 0):
        return 1.0 - np.sum(a * b) / (np.sqrt(np.sum(a * a)) * np.sqrt(np.sum(b * b)))
    if distance in ('chord', 'cosine'):
        a, b = direction_loop(a), direction_loop(b)
    squared = np.sum((a - b) ** 2)
    return {'euclidean': np.sqrt(squared), 'chord': np.sqrt(squared), 'squared': squared, 'cosine': squared / 2}[
        distance
    ]


def dr_loss_loop(features, labels, centroids, radius, temperature, margin, scope, distance, class_weight=None):
    r"""Robust centroid loss, a softmax over the samples of the batch for one centroid.

    .. math::
        L = \frac{\sum_c w_c L_c}{\sum_c w_c}, \quad c \text{ over the classes present}, \qquad
        L_c = \frac{1}{|S_c|} \sum_{z \in S_c}
        -\log \frac{e^{-(d(\mu_c, z) + m \epsilon_c) / T}}
                   {\sum_{z'} e^{-(d(\mu_c, z') + m \epsilon_c \delta(z')) / T}}

    scope 'class': delta(z') = 1 for every z' of class c. scope 'sample': delta(z') = 1 for z' = z only.
    No class weight means w_c = 1. All weights of the present classes 0 means L = 0.
    """
    features, centroids, radius = (np.asarray(x, dtype=np.float64) for x in (features, centroids, radius))
    labels = [int(y) for y in labels]
    numerator, denominator = 0.0, 0.0
    for c in sorted(set(labels)):
        class_loss, class_size = 0.0, 0
        for i in range(len(labels)):
            if labels[i] != c:
                continue
            exponents = []
            for j in range(len(labels)):
                is_shifted = labels[j] == c if scope == 'class' else j == i
                shift = margin * radius[c] if is_shifted else 0.0
                exponents.append(-(distance_loop(centroids[c], features[j], distance) + shift) / temperature)
            largest = max(exponents)
            log_sum = largest + np.log(sum(np.exp(e - largest) for e in exponents))
            class_loss += log_sum - exponents[i]
            class_size += 1
        weight = 1.0 if class_weight is None else float(class_weight[c])
        numerator += weight * class_loss / class_size
        denominator += weight
    return numerator / denominator if denominator > 0 else 0.0


def class_weights_loop(counts, kind, beta=0.9999):
    r"""Weight of each class from its number of training samples :math:`n_c`.

    none: 1. relative: :math:`n_c / n_{max}`. balanced: :math:`N / (K n_c)`, scikit-learn's. effective: one over the
    effective number of samples :math:`\sum_{i=1}^{n_c} \beta^{i - 1}` (Cui et al., CVPR 2019), not normalised.
    """
    weights = []
    for n in counts:
        if kind == 'none':
            weights.append(1.0)
        elif kind == 'relative':
            weights.append(n / max(counts))
        elif kind == 'balanced':
            weights.append(sum(counts) / (len(counts) * n))
        elif kind == 'effective':
            weights.append(1.0 / math.fsum(beta**i for i in range(n)))
    return weights


def class_centroids_loop(features, labels, num_classes):
    r"""Class means :math:`\mu_c = \sum_{z \in S_c} z / |S_c|` and sizes :math:`|S_c|`; 0 where absent."""
    features = np.asarray(features, dtype=np.float64)
    mean = np.zeros((num_classes, features.shape[1]))
    count = np.zeros(num_classes, dtype=np.int64)
    for c in range(num_classes):
        for i in range(len(labels)):
            if int(labels[i]) == c:
                mean[c] += features[i]
                count[c] += 1
        if count[c] > 0:
            mean[c] /= count[c]
    return mean, count


def nearest_centroid_loop(features, centroids, metric='euclidean'):
    r"""Class nearest to each sample: :math:`\arg\min_c |z - \mu_c|`, or :math:`\arg\max_c \cos(z, \mu_c)`."""
    features, centroids = np.asarray(features, dtype=np.float64), np.asarray(centroids, dtype=np.float64)
    nearest = []
    for z in features:
        best, best_cost = -1, np.inf
        for c, mu in enumerate(centroids):
            if metric == 'euclidean':
                cost = distance_loop(z, mu, 'euclidean')
            else:
                cost = -np.sum(z * mu) / (np.sqrt(np.sum(z * z)) * np.sqrt(np.sum(mu * mu)))
            if cost < best_cost:
                best, best_cost = c, cost
        nearest.append(best)
    return np.array(nearest, dtype=np.int64)
