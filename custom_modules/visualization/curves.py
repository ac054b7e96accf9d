"""MMEngine's logs read back: curves of losses and metrics, and the best epoch of each run.

A run's log is the ``scalars.json`` that LocalVisBackend writes, one JSON object a line. Lines with ``iter`` are of
training. The others are of validation; their ``step`` is the epoch, or 0 in training by iterations, which is why they
are placed at the iteration of the training line before them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from os.path import commonpath
from pathlib import Path

from mmengine.config import Config

from classicpose.errors import UserError, suggestion

_PLACES = frozenset({'iter', 'epoch', 'step'})
_NO_METRICS = _PLACES | {'time', 'data_time', 'memory'}
# Parts of the names of metrics that are better when they are lower.
_LOWER_IS_BETTER = ('loss', 'error', 'epe', 'nme', 'mpjpe')
# A loss that falls this far is drawn on a logarithmic axis.
_LOGARITHMIC_RANGE = 30
_TOTAL_LOSS = 'loss'
_COLUMNS = 3


@dataclass(frozen=True)
class Run:
    """What a run logged, oldest first; every record has ``iter``, and ``epoch`` where training is by epochs.

    Attributes:
        path: the work dir, or the log file.
        training: records of training lines.
        validation: records of validation lines.
        monitor: the metric that tells the best epoch, None where there is none.
        greater: whether a higher ``monitor`` is better.
    """

    path: Path
    training: list[dict]
    validation: list[dict]
    monitor: str | None
    greater: bool

    @property
    def by_epoch(self) -> bool:
        """Whether every record knows its epoch."""
        return all('epoch' in record for record in (*self.training, *self.validation))

    def curve(self, key: str, by_epoch: bool = False) -> tuple[list[int], list[float]]:
        """Where and what the finite values of a key were: metrics by iterations or epochs, others by iterations."""
        metric = key in metric_names([self])
        place = 'epoch' if metric and by_epoch else 'iter'
        records = self.validation if metric else self.training
        points = [(record[place], record[key]) for record in records if math.isfinite(record.get(key, math.nan))]
        return [place for place, _ in points], [value for _, value in points]

    def best(self) -> dict | None:
        """The first validation record with the best finite ``monitor``, None where there is none."""
        records = [record for record in self.validation if math.isfinite(record.get(self.monitor, math.nan))]
        choose = max if self.greater else min
        return choose(records, key=lambda record: record[self.monitor], default=None)


def read_runs(path: str | Path) -> list[Run]:
    """The runs in a log file, a work dir, or a cascade's work dir, whose ``stage_*`` are runs of their own.

    The logs of one work dir, of a run that was killed and resumed, are one run: a later log replaces what the earlier
    ones say of the iterations from its first on.

    Raises:
        UserError: when there is no log, or one is damaged elsewhere than in its last line, where a killed run ends.
    """
    path = Path(path)
    if path.is_file():
        runs = [_read_run(path, [path])]
    elif path.is_dir():
        stages = sorted(path.glob('stage_*'), key=lambda stage: (len(stage.name), stage.name))
        runs = [_read_run(folder, _log_files(folder)) for folder in (path, *stages)]
    else:
        raise UserError(f'{path} does not exist; give a work dir of tools/train.py, or a scalars.json in it')
    found = [run for run in runs if run.training or run.validation]
    if not found:
        raise UserError(f'{path} has no logs; give a work dir of tools/train.py, or a scalars.json in it')
    return found


def _log_files(folder: Path) -> list[Path]:
    """Of every start of a run in a work dir (or of the one in a folder named by its time), oldest first."""
    starts = sorted(folder.glob('*/vis_data')) or [folder / 'vis_data']
    # LoggerHook's own file beside it says the same.
    logs = (sorted(start.glob('scalars.json')) or sorted(start.glob('*.json'))[:1] for start in starts)
    return [log for found in logs for log in found]


def _read_run(path: Path, logs: Sequence[Path]) -> Run:
    training: list[dict] = []
    validation: list[dict] = []
    for log in logs:
        lines = _read_lines(log)
        trained = [line for line in lines if 'iter' in line]
        if trained:
            training = [record for record in training if record['iter'] < trained[0]['iter']]
            validation = [record for record in validation if record['iter'] < trained[0]['iter']]
        validation += _placed_validations(lines, trained[:1] or training[-1:])
        training += trained
    run = Run(path, training, validation, None, True)
    monitor, greater = _monitor(metric_names([run]), *_save_best(path, logs))
    return replace(run, monitor=monitor, greater=greater)


def _read_lines(log: Path) -> list[dict]:
    """The numbers of each line."""
    try:
        # A machine that loses power leaves any bytes at the end.
        lines = log.read_text(encoding='utf-8', errors='replace').splitlines()
    except OSError as error:
        raise UserError(f'log {log} cannot be read ({error.strerror})') from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            if 'step' not in record:
                raise ValueError('it has no step')
        except (ValueError, TypeError) as error:
            if number == len(lines):
                break
            raise UserError(f"log {log}, line {number} is not a line of MMEngine's log ({error}); remove it") from error
        records.append({key: value for key, value in record.items() if isinstance(value, (int, float))})
    return records


def _placed_validations(lines: Sequence[dict], first: Sequence[dict]) -> Iterator[dict]:
    """The validation lines with ``iter``, and ``epoch`` if training lines have it.

    Args:
        first: the training line, if any, by which validations are placed that none goes before.
    """
    before = first[0] if first else {'iter': 0}
    for line in lines:
        if 'iter' in line:
            before = line
        else:
            epoch = {'epoch': line['step']} if 'epoch' in before else {}
            yield line | epoch | {'iter': before['iter']}


def _monitor(metrics: Sequence[str], save_best: str | None, rule: str | None) -> tuple[str | None, bool]:
    """What the best checkpoint is kept by, else the first metric that is better when higher; and whether higher is."""
    if save_best in (None, 'auto'):
        upward = (name for name in metrics if _higher_is_better(name))
        save_best = next(upward, metrics[0] if metrics else None)
    return save_best, rule == 'greater' if rule else save_best is None or _higher_is_better(save_best)


def _save_best(path: Path, logs: Sequence[Path]) -> tuple[str | None, str | None]:
    """The checkpoint hook's ``save_best`` and ``rule`` in the dumped config, the first where there are several."""
    dumped = [*(log.parent / 'config.py' for log in reversed(logs)), *sorted(path.glob('*.py'))]
    config = next((file for file in dumped if file.is_file()), None)
    if config is None:
        return None, None
    try:
        cfg = Config.fromfile(str(config), import_custom_modules=False)
    except Exception as error:  # whatever a half-written Python file fails as
        raise UserError(f'config {config} cannot be read ({type(error).__name__}: {error}); remove it') from error
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    values = (hook.get(key) for key in ('save_best', 'rule'))
    return tuple(value[0] if isinstance(value, (list, tuple)) else value for value in values)


def _higher_is_better(metric: str) -> bool:
    return not any(part in metric.lower() for part in _LOWER_IS_BETTER)


def metric_names(runs: Sequence[Run]) -> list[str]:
    """What the runs logged in validation only, in the order of the logs."""
    names = dict.fromkeys(key for run in runs for record in run.validation for key in record)
    return [key for key in names if key not in {*_NO_METRICS, *training_names(runs)}]


def training_names(runs: Sequence[Run]) -> list[str]:
    """What the runs logged in training, in the order of the logs."""
    names = dict.fromkeys(key for run in runs for record in run.training for key in record)
    return [key for key in names if key not in _PLACES]


def panels(runs: Sequence[Run], keys: Sequence[str] = ()) -> dict[str, list[str]]:
    """The keys to draw by kind: losses together, metrics together, anything else alone.

    Args:
        keys: by default the total loss and what each run's best epoch is told by.

    Raises:
        UserError: when no run logged a key, or there is none to draw by default.
    """
    metrics, training = metric_names(runs), training_names(runs)
    chosen = list(dict.fromkeys(keys or [_TOTAL_LOSS, *(run.monitor for run in runs)]))
    known = [*training, *metrics]
    for key in keys:
        if key not in known:
            raise UserError(f'--keys {key}: no run logged it{suggestion(key, known)}; there are {", ".join(known)}')
    kinds: dict[str, list[str]] = {}
    for key in chosen:
        if key in known:
            kind = 'metrics' if key in metrics else 'losses' if 'loss' in key else key
            kinds.setdefault(kind, []).append(key)
    if not kinds:
        raise UserError(f'the logs have neither {_TOTAL_LOSS} nor metrics; choose --keys of {", ".join(known)}')
    return kinds


def run_names(runs: Sequence[Run]) -> list[str]:
    """A short name for each run: its path below what all their paths have in common; a single run's path as it is."""
    if len(runs) == 1:
        return [str(runs[0].path)]
    paths = [run.path.resolve() for run in runs]
    common = Path(commonpath(paths))
    return [str(path.relative_to(common)) if path != common else path.name for path in paths]


def plot_runs(runs: Sequence[Run], path: str | Path, keys: Sequence[str] = ()) -> None:
    """Draw the runs over one another to a PNG, a panel for each kind of value, the best epoch marked.

    Training values are over iterations, metrics over epochs, or over iterations unless all runs know their epochs.

    Raises:
        UserError: as :func:`panels`, or when the file cannot be written.
    """
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    kinds = panels(runs, keys)
    by_epoch = all(run.by_epoch for run in runs)
    columns = min(len(kinds), _COLUMNS)
    rows = math.ceil(len(kinds) / columns)
    figure = pyplot.figure(figsize=(6 * columns, 4 * rows), layout='constrained')
    if len(runs) == 1:
        figure.suptitle(*run_names(runs))
    for position, (kind, names) in enumerate(kinds.items(), start=1):
        axis = figure.add_subplot(rows, columns, position)
        _draw_panel(axis, runs, names, by_epoch)
        in_epochs = kind == 'metrics' and by_epoch
        axis.set(title=names[0] if len(names) == 1 else kind, xlabel='epoch' if in_epochs else 'iteration')
        if in_epochs:
            axis.xaxis.get_major_locator().set_params(integer=True)
        drawn = [value for line in axis.lines for value in line.get_ydata()]
        if kind == 'losses' and drawn and 0 < _LOGARITHMIC_RANGE * min(drawn) < max(drawn):
            axis.set_yscale('log')
        axis.grid(alpha=0.25)
        axis.spines[['top', 'right']].set_visible(False)
        if len(runs) * len(names) > 1 or kind == 'metrics':
            axis.legend(fontsize=8, frameon=False)
    try:
        figure.savefig(path, dpi=120, format='png')
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
    finally:
        pyplot.close(figure)


def _draw_panel(axis: object, runs: Sequence[Run], keys: Sequence[str], by_epoch: bool) -> None:
    """Runs differ in colour and keys in style; a single run's keys in colour."""
    alone = len(runs) == 1
    for number, (run, name) in enumerate(zip(runs, run_names(runs), strict=True)):
        for index, (key, style) in enumerate(zip(keys, cycle(('-', '--', ':', '-.')))):
            places, values = run.curve(key, by_epoch)
            if not places:
                continue
            color = f'C{index if alone else number}'
            label = key if alone else name if len(keys) == 1 else f'{name}: {key}'
            # A validation or two would be no line.
            marker = 'o' if len(places) <= 30 else None
            line = dict(color=color, linestyle='-' if alone else style, marker=marker, markersize=3, linewidth=1.4)
            if key == run.monitor:
                best = run.best()
                place, value = best['epoch' if by_epoch else 'iter'], best[key]
                axis.plot(place, value, marker='*', markersize=11, color=color, markeredgecolor='white', zorder=3)
                label += f', best {value:.4g}'
            axis.plot(places, values, label=label, **line)


def table(runs: Sequence[Run]) -> str:
    """A line a run: the best and the last value of its main metric, how far it trained, its last training loss."""
    rows = [('run', 'metric', 'best', 'at', 'last', 'epochs', 'iterations', 'loss')]
    for run, name in zip(runs, run_names(runs), strict=True):
        best = run.best() or {}
        where = next((f'{place} {best[place]}' for place in ('epoch', 'iter') if place in best), '-')
        last = [record[run.monitor] for record in run.validation if run.monitor in record][-1:]
        losses = [record[_TOTAL_LOSS] for record in run.training if _TOTAL_LOSS in record][-1:]
        reached = [max((record.get(key, 0) for record in run.training), default=0) for key in ('epoch', 'iter')]
        numbers = _number([best[run.monitor]] if best else []), where, _number(last)
        rows.append((name, run.monitor or '-', *numbers, *(str(count or '-') for count in reached), _number(losses)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = (0, 1, 3)  # words; the rest are numbers
    return '\n'.join(
        '  '.join(
            cell.ljust(width) if index in left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _number(values: Sequence[float]) -> str:
    return f'{values[0]:.4g}' if values else '-'
