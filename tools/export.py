"""Write a trained model as ONNX or TorchScript.

``python tools/export.py CONFIG CHECKPOINT --out model.onnx``, or ``mim run mmdrl export ...``. The file goes from
pixels to scores: normalisation and the rule of prediction are inside, and it is compared with the model before it is
kept.
"""

import argparse

from launch_options import add_config_options, add_rule_options, run


def parse_args() -> argparse.Namespace:
    """Command line of the tool."""
    parser = argparse.ArgumentParser(description='Write a trained model as ONNX or TorchScript')
    parser.add_argument('config', help='config file, or name of a config of mmdrl')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, metavar='FILE', help='model.onnx, or model.pt for TorchScript')
    add_rule_options(parser)
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help='of the images, in pixels (default: what the test pipeline makes of any image)',
    )
    parser.add_argument(
        '--dtype',
        choices=['float32', 'uint8'],
        default='float32',
        help='type of the pixels that an ONNX file takes, 0 to 255; TorchScript takes both (default: %(default)s)',
    )
    parser.add_argument('--opset', type=int, metavar='N', help='version of the ONNX operators, 17 to 20 (default: 17)')
    parser.add_argument('--no-check', action='store_true', help='do not compare its scores with those of the model')
    add_config_options(parser)
    parser.set_defaults(gpus=0, device='cpu', launcher='none', local_rank=0)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Export; imported late, so that ``-h`` answers at once."""
    from mmdrl.engine.config import load_config
    from mmdrl.engine.export import export

    exported = export(
        load_config(args.config, args.cfg_options),
        args.checkpoint,
        args.out,
        args.classifier,
        args.tau,
        size=args.size and tuple(args.size),
        dtype=args.dtype,
        opset=args.opset,
        check=not args.no_check,
    )
    said = exported.metadata
    shape = ' x '.join(map(str, said['input']['shape'][1:]))
    rule = said['classifier'] + (f', tau {said["tau"]:g}' if said['tau'] is not None else '')
    print(f'{exported.kind}: {exported.path} ({exported.path.stat().st_size / 2**20:.2f} MiB)')
    print(f'images (batch, {shape}), {said["input"]["channels"]}, 0 to 255 -> scores before softmax, by {rule}')
    if exported.difference is None:
        print('Not compared with the model.')
    else:
        print(f'Largest difference to the model: {exported.difference:.1e} of the largest score.')


if __name__ == '__main__':
    run(main, parse_args())
