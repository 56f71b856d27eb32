"""Classes of images: ``python tools/predict.py CONFIG CHECKPOINT IMAGE_OR_FOLDER ...``.

Prints file, class and score of each image, and writes them as JSON or CSV. A broken image is named, the others go on,
and the exit status is 1. Also ``mim run mmdrl predict ...``.
"""

import argparse
import csv
import io
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch_options import add_config_options, add_rule_options, run

if TYPE_CHECKING:
    from mmdrl.engine.predict import Prediction


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Classes of images')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='image file, or folder with images at any depth')
    add_rule_options(parser)
    parser.add_argument('--topk', type=int, default=5, metavar='K', help='classes per image (default: %(default)s)')
    parser.add_argument('--out', metavar='FILE', help='also write them to this .json or .csv')
    parser.add_argument('--batch-size', type=int, default=32, metavar='N', help='images at a time (default: 32)')
    parser.add_argument(
        '--device', dest='where', choices=['cpu', 'cuda'], help='where to run (default: the GPU, if there is any)'
    )
    add_config_options(parser)
    args = parser.parse_args()
    return argparse.Namespace(
        **vars(args), gpus=0 if args.where == 'cpu' else None, device=None, launcher='none', local_rank=0
    )


def main(args: argparse.Namespace) -> None:
    """Predict, print, write; imported late, so that ``-h`` answers at once."""
    from rich.markup import escape
    from rich.table import Table

    from mmdrl.datasets.preparation import disk_errors, new_file
    from mmdrl.engine.config import load_config
    from mmdrl.engine.environment import describe_environment
    from mmdrl.engine.predict import predict
    from mmdrl.errors import ConfigError
    from mmdrl.launch import check_device
    from mmdrl.visualization.bars import result_console

    check_device(args.where)
    out = Path(args.out) if args.out else None
    if out is not None and out.suffix not in ('.json', '.csv'):
        raise ConfigError(f'Expected --out to end in .json or .csv, got {out}.')
    cfg = load_config(args.config, args.cfg_options)
    rule = dict(classifier=args.classifier, tau=args.tau)
    answers = predict(
        cfg, args.checkpoint, args.images, **rule, topk=args.topk, batch_size=args.batch_size, device=args.where
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors='backslashreplace'
        )  # names of files need not be text, nor of this terminal's kind
    sound = [answer for answer in answers if not answer.error]
    broken = [answer for answer in answers if answer.error]
    if sound:
        table = Table('file', 'class', 'score', *(['next'] if len(sound[0].labels) > 1 else []))
        for answer in sound:
            first, *others = (f'{name} {score:.3f}' for name, score in zip(answer.classes, answer.scores, strict=True))
            cells = [answer.image, answer.classes[0], first.rpartition(' ')[2], ', '.join(others)]
            table.add_row(*map(escape, cells[: len(table.columns)]))
        result_console().print(table)
    if out is not None:
        made_with = describe_environment(cfg.filename)
        about = dict(config=args.config, checkpoint=Path(args.checkpoint).name, **rule, made_with=made_with)
        text = as_json(answers, about) if out.suffix == '.json' else as_csv(answers)
        with disk_errors(f'Writing {out}'):
            out.parent.mkdir(parents=True, exist_ok=True)
            with new_file(out) as stream:
                stream.write(text.encode(errors='surrogateescape'))  # the very bytes of a name
        print(f'Written: {out}')
    for answer in broken:
        print(f'error: {answer.image} {answer.error}', file=sys.stderr)
    if broken:
        sys.exit(1)


def as_json(answers: 'list[Prediction]', about: dict[str, Any]) -> str:
    """Settings, and per image its classes from the most likely on, or what is wrong with it."""
    images = [
        dict(file=answer.image, error=answer.error)
        if answer.error
        else dict(
            file=answer.image,
            top=[
                dict(label=label, name=name, score=score)
                for label, name, score in zip(answer.labels, answer.classes, answer.scores, strict=True)
            ],
        )
        for answer in answers
    ]
    return f'{json.dumps(about | dict(images=images), indent=1)}\n'


def as_csv(answers: 'list[Prediction]') -> str:
    """One row per image and class; an image that is broken has one row without a class."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator='\n')
    rows.writerow(['file', 'rank', 'label', 'class', 'score', 'error'])
    for answer in answers:
        if answer.error:
            rows.writerow([answer.image, '', '', '', '', answer.error])
        found = zip(answer.labels, answer.classes, answer.scores, strict=True)
        rows.writerows([answer.image, rank, *one, ''] for rank, one in enumerate(found, 1))
    return text.getvalue()


if __name__ == '__main__':
    run(main, parse_args())
