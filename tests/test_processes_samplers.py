"""Samplers under real processes: they agree on a seed nobody gave, and split one order."""

import json
from pathlib import Path

import pytest
from forks import Forks
from sampler_cases import SAMPLERS, Rows

from mmdrl.registry import DATA_SAMPLERS

pytestmark = [pytest.mark.slow, pytest.mark.distributed]


@pytest.mark.parametrize('count', [2, 4])
def test_processes_agree_on_an_unset_seed_and_share_the_order_of_a_single_one(
    forks: Forks, tmp_path: Path, count: int
) -> None:
    forks.run(count, 'worker_samplers.py', tmp_path, cwd=tmp_path)
    told = [json.loads((tmp_path / f'{rank}_of_{count}.json').read_text()) for rank in range(count)]
    for name, arguments in SAMPLERS.items():
        (seed,) = {shares[name][0] for shares in told}
        alone = DATA_SAMPLERS.build(dict(type=f'mmdrl.{name}', dataset=Rows(), num_samples=25, seed=seed, **arguments))
        alone.set_epoch(4)
        by_turns = [position for turn in zip(*(shares[name][1] for shares in told), strict=True) for position in turn]
        whole = list(alone)
        assert by_turns[:25] == whole
        assert by_turns[25:] == whole[: -25 % count]
