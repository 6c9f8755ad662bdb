"""Signals end long work in order; see test_cli, test_video and test_recorder for whole commands."""

import os
import signal
import threading

import pytest

from adain.progress import Stopped, StopRequest, open_fifo, read_stream, stop_on_signals

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_is_remembered_and_a_second_one_interrupts(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        assert stop.reason == name
        with pytest.raises(Stopped, match=name):
            stop.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before


def test_work_inside_of_other_work_is_given_its_request_so_that_a_stop_ends_both():
    with stop_on_signals() as outer:
        with stop_on_signals(outer) as inner:
            os.kill(os.getpid(), signal.SIGINT)
        assert inner is outer and outer.reason == "SIGINT"


def test_a_hangup_that_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
        assert stop.reason is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_who_asks_itself_leaves_signals_alone():
    before, own = signal.getsignal(signal.SIGINT), StopRequest()
    with stop_on_signals(own) as stop:
        assert stop is own and signal.getsignal(signal.SIGINT) is before


@pytest.fixture(params=["a pipe", "a named pipe without a writer"])
def silent(request, tmp_path):
    """A file that gives nothing and does not end."""
    if request.param == "a pipe":
        descriptor, writer = os.pipe()
        with os.fdopen(descriptor, "rb") as file:
            yield file
        os.close(writer)
    else:
        os.mkfifo(tmp_path / "pipe")
        with open_fifo(tmp_path / "pipe") as file:
            yield file


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_read_that_blocks_ends_at_once_when_it_is_stopped(silent, in_thread):
    ended = []

    def read():
        try:
            read_stream(silent, stop)
        except Stopped:
            ended.append(True)

    with stop_on_signals() as stop:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        if in_thread:
            reader = threading.Thread(target=read)
            reader.start()
            reader.join()
        else:
            read()
    assert ended


def test_all_that_comes_through_a_named_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with open_fifo(tmp_path / "pipe") as file:
        writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[b"picture" * 99999])
        writer.start()
        assert read_stream(file) == b"picture" * 99999
        writer.join()
