import subprocess
import sys


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
