"""Parts of a model that a stage begins with anew."""

from mmengine.runner import Runner

from mmdrl.engine.model_parts import initialise_anew, matching_modules, unwrap

from .averaged import begin_anew
from .stage import Stage


def reset_parts(runner: Runner, stage: Stage) -> None:
    """Initialise what the stage resets; the optimiser and the averages of an ``EMAHook`` forget what it was."""
    model = unwrap(runner.model)
    for pattern in stage.reset:
        for module in matching_modules(model, pattern, stage.name):
            initialise_anew(model, module)
            for parameter in module.parameters():
                runner.optim_wrapper.optimizer.state.pop(parameter, None)
    begin_anew(runner, stage.reset)
