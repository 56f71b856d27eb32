"""What a trained model shows of its classes, its balls and its losses, as numbers that fit into JSON.

``python benchmarks/evidence/insight.py RUN_DIR`` measures the last checkpoint of a run that has ended, on the images it
was validated on, and prints the numbers; ``--out FILE`` writes them. docs/understanding.md says what they mean.
"""

import argparse
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

BATCHES = 8  # for the gradients
# Arrays that figures draw; all other numbers are means over groups of classes.
PER_CLASS = (
    'train_images',
    'test_images',
    'spread_train',
    'spread_test',
    'nearest_centroid',
    'centroid_error',
    'expected_error',
    'error_to_spread',
    'error_to_nearest',
    'error_to_expected',
    'radius',
)
_OF_REPORT = ('space', 'normalized', 'k', 'images', 'feature_size', 'accuracy', 'classes', 'overall', 'collapse')


def insight(run_dir: Path | str, device: str = 'auto') -> dict[str, Any]:
    """Measures of the last checkpoint of a run.

    Args:
        run_dir: Its work folder.
        device: Where the gradients are computed: ``'auto'``, ``'cpu'`` or ``'cuda'``. All else goes where MMEngine puts
            models, the GPU if one is visible.

    Returns:
        ``space``, ``normalized``, ``k``, ``images``, ``feature_size``, ``accuracy``, ``classes``, ``overall`` and
        ``collapse`` of :func:`mmdrl.engine.representation.representation_report`; of its ``per_class`` the arrays in
        :data:`PER_CLASS`; ``pull``, ``balls`` and ``gradients``, the last two ``None`` for a run without the DR loss,
        the balls also where they are of another space; ``seconds``. Numbers have four digits; nan is ``None``.

    Raises:
        MMDRLError: If the run has not ended, or its data are not there.
    """
    from mmengine.device import get_device

    from evidence.balls_and_pull import balls, pull
    from evidence.gradient_shares import batch_pulls, gradient_shares
    from evidence.losses_at_work import losses_at_work
    from mmdrl.engine.representation import read_sources, representation_report
    from mmdrl.stats import shot_groups

    begin = time.perf_counter()
    source = read_sources([str(run_dir)])[0]
    report = representation_report(source.config, source.checkpoint, split='val')
    groups = shot_groups(report['class_counts'], **report['shot_groups'])
    at_work = losses_at_work(source.config, source.checkpoint, BATCHES)
    gradients = in_balls = None
    if at_work is not None:
        model = at_work.model.to(get_device() if device == 'auto' else device)
        shares = gradient_shares((batch_pulls(model, batch) for batch in at_work.batches), groups)
        weights = [layer.weight * layer.dr_loss.loss_weight for layer in model.head.dr_layers]
        gradients = dict(stage=at_work.stage, loss_weights=weights, **shares)
        if _is_same_space(model.head, report):
            in_balls = balls(report['per_class'], groups)
    found = {name: report[name] for name in _OF_REPORT}
    found['classes'] = {name: value for name, value in found['classes'].items() if name not in ('radius', 'in_ball')}
    found |= dict(pull=pull(report['per_class'], groups), balls=in_balls, gradients=gradients)
    found['per_class'] = {name: report['per_class'].get(name) for name in PER_CLASS}
    found['seconds'] = round(time.perf_counter() - begin, 1)
    shortened: dict[str, Any] = short(found)
    return shortened


def short(value: Any) -> Any:
    """Numbers with four digits, ``None`` for those that are not finite, arrays as lists."""
    if isinstance(value, dict):
        return {name: short(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [short(entry) for entry in value]
    if hasattr(value, 'tolist'):
        return short(value.tolist())
    if not isinstance(value, float):
        return value
    return float(f'{value:.4g}') if math.isfinite(value) else None


def _is_same_space(head: Any, report: dict[str, Any]) -> bool:
    """Whether the balls of the last layer are in the features that were measured."""
    layer = head.dr_layers[-1]
    return layer.position == -1 and layer.projection is None and layer.normalize == report['normalized']


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('run_dir', type=Path, help='work folder of a run that has ended')
    parser.add_argument('--out', type=Path, help='file for the numbers (default: they are printed)')
    parser.add_argument(
        '--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='where to run (default: %(default)s)'
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure, and write or print."""
    from measure import take_device

    if args.device != 'auto':
        take_device(args.device)
    from mmdrl.engine.results import write_json
    from mmdrl.errors import MMDRLError

    try:
        found = insight(args.run_dir, args.device)
        if args.out is None:
            print(json.dumps(found, indent=1))
        else:
            write_json(found, args.out)
    except MMDRLError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    sys.path[0] = str(Path(__file__).parents[1])  # for the modules beside evidence, and evidence itself
    main(parse_args())
