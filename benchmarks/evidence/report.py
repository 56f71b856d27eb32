"""Tables and figures of accuracy, from plans and committed records alone."""

from pathlib import Path

from mmdrl.errors import ConfigError

from .measured import RECORDS, MeasuredPlan, read_all
from .pages import between_marks, headline, listing, pictures, results

RESULTS, README = 'docs/results.md', 'README.md'


def write_report(root: Path, check: bool = False) -> list[str]:
    """Write the pages that are out of date, and all figures.

    Args:
        root: The repository.
        check: Write nothing, draw nothing.

    Returns:
        Names of the pages written, or, with ``check``, of those out of date; below the repository.

    Raises:
        ConfigError: If a plan is wrong, or a page lacks the marks.
        DataError: If a record is damaged or fits no plan, or the records of a row were trained by different configs.
    """
    plans = read_all(root)
    made = {RESULTS: results(plans), README: headline(plans)}
    pages = {name: between_marks(_read(root / name), text, name) for name, text in made.items()}
    pages |= {f'{RECORDS}/{plan.plan.name}/README.md': listing(plan) for plan in plans if plan.cells}
    stale = [name for name, text in pages.items() if not (root / name).is_file() or _read(root / name) != text]
    if check:
        return stale
    for name in stale:
        (root / name).write_text(pages[name], encoding='utf-8')
    _draw(root / 'docs' / 'images', plans)
    return stale


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding='utf-8')
    except OSError as error:
        raise ConfigError(f'Expected a page to write tables into at {path}, got: {error.strerror}.') from None


def _draw(folder: Path, plans: list[MeasuredPlan]) -> None:
    """Draw the figures of every plan with a record."""
    if not any(plan.cells for plan in plans):
        return
    from .figures import FIGURES, save  # matplotlib takes seconds, and tables are to be checked without

    folder.mkdir(parents=True, exist_ok=True)
    for plan in plans:
        for kind in pictures(plan):
            save(FIGURES[kind](plan), folder / f'{kind}_{plan.plan.name}.png')
