"""How the tools of this folder end: what a user can mend in one sentence, with exit status 1."""

import argparse
import sys
from collections.abc import Callable


def run(main: Callable[[argparse.Namespace], None], args: argparse.Namespace) -> None:
    """Run ``main``."""
    try:
        from mmdrl.errors import MMDRLError

        try:
            main(args)
        except MMDRLError as error:
            sys.exit(f'error: {error}')
    except ImportError as error:  # mmdrl looks at the packages it needs when it is imported
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        sys.exit(130)
