"""What a stage initialises anew, and what it thereby forgets."""

from pathlib import Path
from typing import Any

import pytest
from digits_run import short_config, train
from mmengine.hooks import Hook


def test_resetting_the_head_keeps_the_rule_by_which_projections_start(tmp_path: Path) -> None:
    stages = [dict(name='a', epochs=1), dict(name='b', epochs=1, reset=['head'], freeze=['head.*'])]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.model.head.dr_projection = (64,)
    head = train(cfg).model.head
    bound = 64**-0.5  # torch's: uniform within the root of the width
    assert 0.5 * bound < head.dr_layers[0].projection[0].weight.std() < bound
    assert head.fc.weight.std() < 0.02


def test_reset_brings_learned_radii_back_to_their_start(tmp_path: Path) -> None:
    stages = [dict(name='a', epochs=2), dict(name='b', epochs=1, reset=['head.dr_layers.*.radius'], freeze=['head.*'])]
    cfg = short_config(tmp_path / 'run', stages)
    cfg.model.head.dr_loss.radius = dict(type='mmdrl.LearnedRadius', init=0.7)
    head = train(cfg).model.head
    assert head.dr_loss.radius(head.statistics).tolist() == pytest.approx([0.7] * 10)


@pytest.mark.parametrize(
    ('reset', 'is_kept', 'is_kept_by_layers'),
    [('head', False, False), ('head.dr_layers', True, False), ('head.fc', True, True)],
)
@pytest.mark.parametrize('mode', ['running', 'ema'])
def test_reset_of_a_part_forgets_the_centroids_in_it(
    tmp_path: Path, reset: str, is_kept: bool, is_kept_by_layers: bool, mode: str
) -> None:
    class Seen(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.epoch == 1 and batch_idx == 0:
                head = runner.model.head
                self.states = [
                    {name: bool(buffer.any()) for name, buffer in module.named_buffers() if 'sums' not in name}
                    for module in (head.centroids, head.dr_layers[0].centroids)
                ]

    seen = Seen()
    cfg = short_config(tmp_path / 'run', [dict(name='a', epochs=1), dict(name='b', epochs=1, reset=[reset])])
    cfg.model.head.update(dr_projection=(16,), centroids=dict(mode=mode))
    train(cfg, seen)
    assert [set(state.values()) for state in seen.states] == [{is_kept}, {is_kept_by_layers}]


def test_exact_pass_follows_a_reset_of_the_centroids(tmp_path: Path) -> None:
    class Seen(Hook):
        def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
            if runner.epoch == 1 and batch_idx == 0:
                self.classes = runner.model.head.dr_layers[0].centroids.is_seen.clone()

    seen = Seen()
    cfg = short_config(tmp_path / 'run', [dict(name='a', epochs=1), dict(name='b', epochs=1, reset=['head'])])
    cfg.model.head.update(dr_projection=(16,), centroids=dict(mode='epoch'))
    train(cfg, seen)
    assert seen.classes.all()


def test_reset_layer_starts_by_the_rule_of_the_part_that_it_lies_in(tmp_path: Path) -> None:
    """The head draws its classifier from a normal distribution of deviation 0.01; torch's own rule gives 0.07."""
    stages = [dict(name='a', epochs=1), dict(name='b', epochs=1, reset=['head.fc'], freeze=['head.fc'])]
    weight = train(short_config(tmp_path / 'run', stages)).model.head.fc.weight
    assert 0.008 < weight.std() < 0.012
