"""Python blocks of pages: programs are run, configs are loaded and what they name is built or looked up.

A page is read by Sybil. Its blocks share one namespace, in order, and a folder of their own. A block that cannot run
has a comment above it, ``<!--- skip: next "reason" -->``; names that only readers have are given by
``<!--- invisible-code-block: python ... -->``.
"""

import ast
import inspect
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmengine.registry import FUNCTIONS, DefaultScope
from mmpretrain.registry import BATCH_AUGMENTS, MODELS
from readers_folder import prepare
from sybil import Document
from sybil.parsers.markdown import CodeBlockParser, SkipParser

from mmdrl import registry
from mmdrl.engine.config import load_config, stage_hooks
from mmdrl.engine.describe import describe_run
from mmdrl.engine.stages import StagePlan
from mmdrl.models.preprocessors.augments import BATCH_TRANSFORMS
from mmdrl.registry import ScopedRegistry

WHOLE = {'model', 'train_dataloader', 'train_cfg', 'optim_wrapper'}


class Snippets:
    """Blocks of one page.

    Args:
        page: The file.
        folder: An empty one, for the configs that are written down.
    """

    def __init__(self, page: Path, folder: Path):
        self.folder = folder
        prepare(page.read_text(encoding='utf-8'), folder)
        self.document = Document.parse(str(page), CodeBlockParser('python', self._evaluate), SkipParser())

    def run(self) -> None:
        """Evaluate all blocks that are not skipped."""
        for example in self.document.examples():
            try:
                example.evaluate()
            except unittest.SkipTest:
                continue

    def _evaluate(self, example: Any) -> None:
        source = example.parsed
        if is_config(source):
            check_config(source, self.folder / f'line_{example.line}.py')
        else:
            place = f'{example.path}:{example.line + example.parsed.line_offset}'
            exec(compile(source, place, 'exec', dont_inherit=True), example.namespace)


def is_config(source: str) -> bool:
    """Whether a block only sets names to dicts, lists and the like, as a config does."""
    body = ast.parse(source).body
    kinds = (ast.Dict, ast.List, ast.Constant, ast.Call, ast.Name)
    if not body or not all(isinstance(line, ast.Assign) and isinstance(line.value, kinds) for line in body):
        return False
    calls = [node for line in body for node in ast.walk(line.value) if isinstance(node, ast.Call)]
    return all(isinstance(call.func, ast.Name) and call.func.id == 'dict' for call in calls)


def check_config(source: str, path: Path) -> None:
    """Load a config, build its model, set up its run as far as it has one."""
    path.write_text(source)
    cfg = load_config(str(path))
    for part in typed(cfg.to_dict()):
        check_keys(part)
    for hook in stage_hooks(cfg):
        StagePlan(hook['stages'])
    model = cfg.get('model', {})
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        if 'type' in model:
            MODELS.build(model)
        elif 'type' in model.get('head', {}):
            MODELS.build(model['head'])
    if set(cfg) >= WHOLE and 'type' in model:
        describe_run(cfg)


def typed(part: Any) -> Iterator[dict[str, Any]]:
    """Every dict that names a type."""
    if isinstance(part, dict):
        if isinstance(part.get('type'), str):
            yield part
        for value in part.values():
            yield from typed(value)
    elif isinstance(part, (list, tuple)):
        for value in part:
            yield from typed(value)


def check_keys(part: dict[str, Any]) -> None:
    """Whether the type exists and takes the keys of its dict."""
    kind = part['type']
    found = [found for node in nodes() if (found := node.get(kind)) is not None]
    assert found, f'no registry knows {kind}'
    keys = {key for key in part if key not in ('type', '_scope_', '_delete_')}
    unknown = [keys - known for value in found if (known := accepted(value)) is not None]
    assert len(unknown) < len(found) or not all(unknown), f'{kind} takes no {unknown}'


def nodes() -> list[Any]:
    """Registries a type may be of."""
    others = (BATCH_AUGMENTS, BATCH_TRANSFORMS, FUNCTIONS)
    return [*(node for node in vars(registry).values() if isinstance(node, ScopedRegistry)), *others]


def accepted(value: Any) -> set[str] | None:
    """Names of the arguments that a class takes itself or hands on to its bases; None if it takes any."""
    if not inspect.isclass(value):
        return None
    names = set[str]()
    for base in value.__mro__[:-1]:
        if '__init__' not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        names |= {part.name for part in parameters if part.kind is not part.VAR_KEYWORD}
        if all(part.kind is not part.VAR_KEYWORD for part in parameters):
            return names
    return None
