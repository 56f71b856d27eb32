"""Files that would touch another file if what they ask for were run: real ones, as torch, pickle and tar write them."""

import builtins
import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from mmengine.logging import HistoryBuffer


class Call:
    """Pickles into a call, and into what the result is filled with."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None):
        self.function, self.arguments, self.state = function, arguments, state

    def __call__(self) -> None:
        """Pickle lets only what can be called be called."""

    def __reduce__(self) -> tuple:
        return (self.function, self.arguments) + (() if self.state is None else (self.state,))


def calls(touched: Path) -> dict[str, Call]:
    """Calls that would make ``touched``."""
    code = f'open({str(touched)!r}, "w").close()'
    methods = Call(getattr, HistoryBuffer, 'update')
    return dict(
        open=Call(builtins.open, str(touched), 'w'),
        system=Call(os.system, f'touch {touched}'),
        eval=Call(eval, code),
        exec=Call(exec, code),
        touch=Call(Path.touch, Call(Path, str(touched))),
        getattr_chain=Call(Call(getattr, Call(getattr, methods, '__globals__'), 'get'), 'np'),
        memmap=Call(np.memmap, str(touched), 'u1', 'w+', 0, (1,)),
        torch_load=Call(torch.load, str(touched.with_suffix('.inner'))),
    )


def sound() -> dict[str, Any]:
    """A small checkpoint as MMEngine writes one."""
    history = HistoryBuffer([1.0], [1])
    return dict(
        meta=dict(epoch=1, iter=4, cfg='model = dict()', seed=0),
        state_dict=OrderedDict(weight=torch.ones(1, 2)),
        message_hub=dict(log_scalars={'train/loss': history}, runtime_info={}, resumed_keys={}),
        optimizer=dict(state={}, param_groups=[]),
        param_schedulers=[],
    )


def places(call: Any) -> dict[str, dict[str, Any]]:
    """Checkpoints with a call in each of their parts."""
    found = {}
    for part in ('meta', 'state_dict', 'message_hub', 'optimizer', 'param_schedulers'):
        found[part] = sound() | {part: call}
    found['cfg'] = sound()
    found['cfg']['meta']['cfg'] = call
    found['history'] = sound()
    found['history']['message_hub']['log_scalars']['train/loss'].statistics_methods = dict(mean=call)
    found['history values'] = sound()
    found['history values']['message_hub']['log_scalars']['train/loss']._log_history = call
    found['object array'] = sound() | dict(extra=np.array([call], dtype=object))
    found['dtype metadata'] = sound() | dict(extra=np.zeros(1, np.dtype('f8', metadata=dict(x=1))))
    found['dtype metadata']['extra'] = Call(
        np.dtype, 'f8', False, True, state=(4, '<', None, None, None, -1, -1, 0, call)
    )
    return found


@patch.object(HistoryBuffer, '__getstate__', lambda buffer: vars(buffer))  # its own would not save what it was given
def formats(content: dict[str, Any]) -> dict[str, bytes]:
    """The same content in every kind of file that torch reads."""
    new, old = io.BytesIO(), io.BytesIO()
    torch.save(content, new)
    torch.save(content, old, _use_new_zipfile_serialization=False)
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name in ('sys_info', 'pickle', 'storages', 'tensors'):
            blob = pickle.dumps(content, 2)
            member = tarfile.TarInfo(name)
            member.size = len(blob)
            tar.addfile(member, io.BytesIO(blob))
    if isinstance(content['state_dict'], dict):
        content = content | dict(state_dict=dict(weight=1.0))  # a tensor would be refused before the call
    return dict(zip=new.getvalue(), legacy=old.getvalue(), pickle=pickle.dumps(content, 2), tar=tape.getvalue())


def torchscript() -> bytes:
    """An archive with a program."""
    stream = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 1), torch.ones(1, 2)), stream)
    return stream.getvalue()


def overlaid_dtype(field: str = 'O8') -> dict[str, Any]:
    """An array of numbers whose dtype has a field; to read one of objects would take the numbers for addresses."""
    objects = Call(np.dtype, field, False, True)
    kind = Call(np.dtype, 'f8', False, True, state=(3, '|', None, ('f0',), {'f0': (objects, 0)}, 8, 1, 0))
    reconstruct: Callable[..., Any] = np.zeros(0).__reduce__()[0]
    array = Call(reconstruct, np.ndarray, (0,), b'b', state=(1, (1,), kind, False, b'A' * 8))
    return sound() | dict(extra=array)


def filled_twice() -> bytes:
    """A checkpoint with an array that is filled again, which frees what a tensor made of it in between reads."""

    def code(value: Any) -> bytes:
        return pickle.dumps(value, 2)[2:-1]

    size = 1 << 16
    array, again = code(np.zeros(size, np.uint8)), code((1, (1,), np.dtype('u1'), False, b'x'))
    tensor = code(Call(torch._utils._rebuild_device_tensor_from_numpy, 'HERE', torch.uint8, 'cpu', False))
    kept, get = (op + (1000).to_bytes(4, 'little') for op in (pickle.LONG_BINPUT, pickle.LONG_BINGET))
    tensor = tensor.replace(b'X\4\0\0\0HERE', get)
    content = pickle.PROTO + b'\2]' + array + kept + b'a' + tensor + b'a' + get + again + b'b0.'
    saved, made = io.BytesIO(), io.BytesIO()
    torch.save(sound(), saved)
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(made, 'w') as new:
        for member in old.namelist():
            new.writestr(member, content if member.endswith('data.pkl') else old.read(member))
    return made.getvalue()
