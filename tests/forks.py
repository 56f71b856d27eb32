"""Scripts of several processes, started by one that lives as long as the tests do: see ``worker_forks.py``."""

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

TESTS = Path(__file__).parent


class Forks:
    """The one that starts them, itself started when it is first needed."""

    def __init__(self) -> None:
        self._starter: subprocess.Popen[str] | None = None

    def start(
        self, count: int, script: str | Path, *arguments: object, cwd: Path, timeout: float = 300
    ) -> tuple[list[int], str]:
        """Statuses of so many processes of a script, and what they said.

        Args:
            count: How many.
            script: Name of a file in ``tests/``, or a path.
            *arguments: For each of them.
            cwd: Their folder.
            timeout: Seconds after which they are killed.
        """
        if self._starter is None:
            self._starter = subprocess.Popen(
                [sys.executable, '-W', 'ignore', str(TESTS / 'worker_forks.py')],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''},
            )
        assert self._starter.stdin
        assert self._starter.stdout
        log = cwd / f'{Path(script).stem}.{len(list(cwd.glob("*.log")))}.log'
        job = dict(script=str(TESTS / script), arguments=[str(word) for word in arguments], count=count)
        self._starter.stdin.write(json.dumps(job | dict(cwd=str(cwd), log=str(log), timeout=timeout)) + '\n')
        self._starter.stdin.flush()
        # The host may say something when it is imported.
        answer = next(line for line in self._starter.stdout if line.startswith('['))
        return json.loads(answer), log.read_text()

    def run(self, count: int, script: str | Path, *arguments: object, cwd: Path) -> str:
        """What so many processes of a script have said, all of which must end well."""
        statuses, said = self.start(count, script, *arguments, cwd=cwd)
        assert statuses == [0] * count, said
        return said

    def close(self, timeout: float = 30) -> None:
        """Tell it to end, and wait for that.

        The end of its input would not tell it: forks of the tests, as the workers of data loaders, may hold that open.

        Args:
            timeout: Seconds after which it is killed.
        """
        if self._starter is None:
            return
        with suppress(BrokenPipeError), self._starter as starter:
            print('end', file=starter.stdin, flush=True)
            try:
                starter.wait(timeout)
            except subprocess.TimeoutExpired:
                starter.kill()
