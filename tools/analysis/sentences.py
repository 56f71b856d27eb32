"""How the tools of this folder end: what a user can mend in one sentence, with exit status 1."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn


def run(main: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run ``main``."""
    try:
        from mmdrl.data_only import insist
        from mmdrl.errors import MMDRLError, name_too_long

        insist()
        try:
            main(args)
        except MMDRLError as error:
            _end(error)
        except OSError as error:
            if (sentence := name_too_long(error)) is None:
                raise
            _end(sentence)
    except ImportError as error:  # mmdrl looks at the packages it needs when it is imported
        _end(error)
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        sys.exit(130)


def _end(error: object) -> NoReturn:
    """The sentence is the last line, also where output and errors go into one file."""
    sys.stdout.flush()
    sys.exit(f'error: {error}')
