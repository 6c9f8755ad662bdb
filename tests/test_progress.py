"""Signals end long work in order; see test_cli, test_video and test_recorder for whole commands."""

import os
import signal

import pytest

from adain.progress import StopRequest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_remembered_and_a_second_one_interrupts(name):
    number = getattr(signal, name)
    told, before = [], signal.getsignal(number)
    with StopRequest(told.append) as stop:
        os.kill(os.getpid(), number)
        assert stop.name == name and told == [name]
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.name is None
    finally:
        signal.signal(signal.SIGHUP, before)
