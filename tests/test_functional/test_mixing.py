"""Label rule of Remix: the three cases of the paper, told one pair at a time."""

from itertools import product

import pytest
import torch
from torch.testing import assert_close

from mmdrl.functional import remix_weights

COUNTS = [1, 2, 3, 4, 9, 27, 500]
SHARES = [0.0, 0.1, 0.499, 0.5, 0.501, 0.9, 1.0]


def by_the_paper(share: float, n_i: int, n_j: int, kappa: float, tau: float) -> float:
    if n_i >= kappa * n_j and share < tau:
        return 0.0
    if kappa * n_i <= n_j and 1 - share < tau:
        return 1.0
    return share


@pytest.mark.parametrize(('kappa', 'tau'), [(3.0, 0.5), (2.0, 0.3), (1.0, 1.0), (3.0, 0.0)])
@pytest.mark.parametrize('share', SHARES)
def test_weights_are_the_three_cases_of_the_paper(share: float, kappa: float, tau: float) -> None:
    pairs = list(product(COUNTS, COUNTS))
    first, second = (torch.tensor(column) for column in zip(*pairs, strict=True))
    expected = torch.tensor([by_the_paper(share, *pair, kappa, tau) for pair in pairs])
    assert_close(remix_weights(share, first, second, kappa, tau), expected)


@pytest.mark.parametrize('share', [0.1, 0.3, 0.7, 0.9])
def test_it_does_not_matter_which_image_is_called_the_first(share: float) -> None:
    first, second = torch.tensor([9, 9, 1, 2]), torch.tensor([1, 9, 9, 3])
    there = remix_weights(share, first, second)
    back = remix_weights(torch.full((4,), 1 - share), second, first)
    assert_close(there, 1 - back)
    assert (there[first == second] == share).all()


def test_without_a_limit_to_give_away_it_is_mixup() -> None:
    assert_close(remix_weights(0.2, torch.tensor([900]), torch.tensor([1]), tau=0.0), torch.tensor([0.2]))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [(dict(kappa=0.5), 'kappa.*0.5'), (dict(kappa=float('inf')), 'kappa.*inf'), (dict(tau=1.5), 'tau.*1.5')],
)
def test_settings_out_of_range_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        remix_weights(0.5, torch.tensor([2]), torch.tensor([1]), **settings)
