"""Rebalance a trained classifier without training: ``python tools/analysis/rebalance.py CONFIG CHECKPOINT``.

Takes the features of the validation images once, tries tau-normalisation, logit adjustment and nearest class mean on
them, and saves the best as a checkpoint that is tested by the same config. Also ``mim run mmdrl rebalance ...``.
"""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sentences import run

if TYPE_CHECKING:
    from collections.abc import Collection

    from rich.console import Console

    from mmdrl.engine.rebalance import Outcome

STRENGTHS = [number / 10 for number in range(1, 21)]
METRICS = ('all', 'mean', 'many', 'medium', 'few')
OPTIMISTIC = (
    'Warning: validation and test set of the config show the same images. The rule was chosen on the test images, so '
    'its accuracy on them is optimistic. Choose on images of their own.'
)


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Rebalance a trained classifier without training')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', metavar='FILE.pth', help='checkpoint to write with the best rule (default: none)')
    parser.add_argument('--json', metavar='FILE', help='file for the numbers of all rules')
    parser.add_argument(
        '--choose',
        choices=METRICS,
        default='all',
        help='accuracy by which the best is chosen; mean is that of the three groups (default: %(default)s)',
    )
    for option, what in (
        ('--tau-norm', 'exponents of the row lengths'),
        ('--logit-adjustment', 'factors of the prior'),
    ):
        parser.add_argument(
            option,
            nargs='*',
            type=float,
            default=STRENGTHS,
            metavar='TAU',
            help=f'{what}; without a value, none (default: 0.1 0.2 ... 2)',
        )
    parser.add_argument(
        '--ncm',
        nargs='*',
        choices=['euclidean', 'cosine'],
        default=['euclidean', 'cosine'],
        help='distances for nearest class mean; without a value, none (default: both)',
    )
    parser.add_argument(
        '--all', action='store_true', help='show every strength; otherwise, of the default ones, the best of each rule'
    )
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='where to run (default: the GPU, if there is any)')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin host memory for loaded batches')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings of the config, for instance val_dataloader.batch_size=64, a list as key="[a,b]"',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Try, print, save; imported late, so that ``-h`` answers at once."""
    from mmdrl.launch import check_device, start

    start(0 if args.device == 'cpu' else None, None, 'none')  # before MMEngine is imported, which looks for a GPU
    check_device(args.device)

    from mmdrl.engine.config import load_config
    from mmdrl.engine.environment import describe_environment
    from mmdrl.engine.output_files import check_target
    from mmdrl.engine.rebalance import Rule, rebalance
    from mmdrl.visualization.bars import result_console

    sources = [args.config, args.checkpoint]
    out, numbers = (Path(path) if path else None for path in (args.out, args.json))
    for option, path in (('--out', out), ('--json', numbers)):
        if path is not None:
            check_target(option, path, *sources)
            sources.append(str(path))
    rules = [Rule('tau-norm', tau) for tau in args.tau_norm]
    rules += [Rule('logit-adjustment', tau) for tau in args.logit_adjustment]
    rules += [Rule('ncm-euclidean' if metric == 'euclidean' else 'ncm-cosine') for metric in args.ncm]
    cfg = load_config(args.config, args.cfg_options, pin_memory=not args.no_pin_memory)
    outcome = rebalance(cfg, args.checkpoint, rules, args.choose, out)
    console = result_console()
    swept = {'tau-norm': args.tau_norm, 'logit-adjustment': args.logit_adjustment}
    shortened = {name for name, strengths in swept.items() if strengths is STRENGTHS and not args.all}
    show(outcome, Path(args.checkpoint).name, console, shortened)
    if numbers is not None:
        write(outcome, Path(args.checkpoint).name, numbers, describe_environment(cfg.filename))
    if out is not None:
        console.print(f'Written: {out}', soft_wrap=True, markup=False)


def show(outcome: 'Outcome', title: str, console: 'Console', shortened: 'Collection[str]') -> None:
    """Print the table, the choice, and what is to be said about them; of ``shortened`` rules the best strength only."""
    from mmdrl.engine.rebalance import best_per_rule
    from mmdrl.visualization import accuracy_table

    results, best, metric = outcome.results, outcome.best, outcome.chosen_by
    shown = best_per_rule(results, metric, shortened)
    rows = {f'{rule} *' if rule == best else str(rule): results[rule] for rule in shown}
    columns = ('many', 'medium', 'few', 'all', 'mean')
    name = f'{title}, {outcome.held_out["images"]} held-out images'
    console.print(accuracy_table(rows, name, columns, console.width))
    if len(shown) < len(results):
        names = ' and '.join(dict.fromkeys(rule.name for rule in results if rule.name in shortened))
        text = (
            f'{len(results)} rules were tried; of {names} the strength that is best by {metric!r} is shown, with --all'
        )
        console.print(f'{text} every one.', markup=False)
    for name, reason in outcome.left_out.items():
        console.print(f'Left out {name}: {reason}', soft_wrap=True, markup=False)
    plain = next(iter(results.values()))[metric]
    text = f'* Best by {metric!r}: {best}, {results[best][metric]:.1f} (plain {plain:.1f}).'
    console.print(text, markup=False)
    if outcome.held_out['shows_test_images']:
        console.print(OPTIMISTIC, markup=False)


def write(outcome: 'Outcome', source: str, path: Path, made_with: dict[str, Any]) -> None:
    """Write the numbers; nan becomes null."""
    from mmdrl.datasets.preparation import disk_errors, new_file

    rules = [
        dict(rule=rule.name, strength=rule.strength)
        | {name: None if math.isnan(value) else value for name, value in values.items()}
        for rule, values in outcome.results.items()
    ]
    content = dict(
        source=source,
        held_out=outcome.held_out,
        shot_groups=outcome.shot_groups,
        centroids=outcome.centroids,
        chosen_by=outcome.chosen_by,
        chosen=dict(rule=outcome.best.name, strength=outcome.best.strength),
        rules=rules,
        left_out=outcome.left_out,
        made_with=made_with,
    )
    with disk_errors(f'Writing {path}'), new_file(path) as stream:
        stream.write(f'{json.dumps(content, indent=1)}\n'.encode())


if __name__ == '__main__':
    run(main, parse_args())
