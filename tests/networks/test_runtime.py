import subprocess
import sys
import threading

from adain.networks.openvino import compiled


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_the_converter_is_loaded_by_who_asks_for_it():
    shown = python("import sys; from adain.networks.openvino.runtime import op, openvino; "
                   "print('openvino.tools.ovc' in sys.modules, hasattr(openvino, 'convert'), "
                   "openvino.convert_model.__name__, 'openvino.tools.ovc' in sys.modules)")
    assert shown.stdout.split() == ["False", "False", "convert_model", "True"]


def test_an_openvino_that_is_there_already_stays_as_it_is():
    shown = python("import openvino; from adain.networks.openvino.runtime import openvino as ours; "
                   "print(ours is openvino, hasattr(openvino, '__getattr__'))")
    assert shown.stdout.split() == ["True", "False"]


def test_the_first_run_of_a_process_is_alone(monkeypatch):
    """OpenVINO's bindings deadlock where two threads are the first ones at once."""
    monkeypatch.setattr(compiled, "_has_run", False)
    begun, end, order = threading.Event(), threading.Event(), []

    def first():
        begun.set()
        end.wait(10)
        order.append("first")
        return []

    threads = [threading.Thread(target=compiled._alone_at_first, args=(first,)),
               threading.Thread(target=compiled._alone_at_first,
                                args=(lambda: order.append("second") or [],))]
    threads[0].start()
    begun.wait(10)
    threads[1].start()
    end.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "second"]
