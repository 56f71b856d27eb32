"""What a training hears of signals that come together."""

import logging
import os
import signal

import pytest

from mmdrl.engine import signals


@pytest.mark.faults
def test_signal_that_comes_again_while_it_is_heard_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As what has started a process passes on what the process has heard itself, at the same moment."""
    monkeypatch.setenv('RANK', '1')
    calls = []

    def is_inside(function: object, frame: object) -> bool:
        calls.append(function)
        if len(calls) == 1:
            os.kill(os.getpid(), signal.SIGTERM)  # heard before the next line
        return function is signals.Runner.train

    monkeypatch.setattr(signals, 'is_inside', is_inside)
    heard, before = signals.HeardSignals(), signal.getsignal(signal.SIGTERM)
    heard.begin(logging.getLogger('silent'))
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        heard.is_deaf = True  # nothing is to be said later
        heard.end()
    assert calls
    assert heard.first == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
