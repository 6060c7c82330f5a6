"""The methods of SummaryWriter whose content TensorBoard's further plugins show: sounds, curves, meshes, embeddings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import compress, repeat
from pathlib import Path
from typing import Any

from rla_hooks import rowfiles
from rla_hooks.core.summary_writer import WrittenRun, showing
from rla_hooks.old_words import tell_modern_name
from rla_hooks.texts import text_of
from rla_hooks.writers import parameter_tables
from rla_hooks.writers.base import STEP, TIME, Graph, Media, RawSummary


class PluginSummaries:
    """What cannot be shown gives one warning for each tag. ``run``: what :class:`SummaryWriter` uses, too."""

    def __init__(self, run: WrittenRun):
        self._run = run
        self._turns: dict[str, int | None] = {}  # of add_summary_to_logger: by name, when it was the last time

    def _show(self, tag: Any, content: Media, step: Any, walltime: Any) -> None:
        self._run.logger.write_media(text_of(tag), content, step, walltime)

    # --- pictures, histograms and sounds --------------------------------------------------------------------------

    def add_histogram_raw(
        self,
        tag: str,
        min: Any,
        max: Any,
        num: Any,
        sum: Any,
        sum_squares: Any,
        bucket_limits: Any,
        bucket_counts: Any,
        global_step: int | None = None,
        walltime: Any = None,
    ) -> None:
        """Show a histogram of which everything is known. bucket_limits: the upper limit of each bin."""
        with showing(self._run, "histogram", tag):
            from rla_hooks.summaries.histograms import raw_histogram

            content = raw_histogram(min, max, num, sum, sum_squares, bucket_limits, bucket_counts)
            self._show(tag, content, global_step, walltime)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: int | None = None,
        walltime: Any = None,
        rescale: float | str = 1,
        dataformats: Any = "CHW",
        labels: Any = None,
    ) -> None:
        """Save an image with red boxes, (left, top, right, bottom) each, and show it. labels: one for each box.

        tensorboardX has ``dataformats`` and ``labels`` where torch has ``rescale``: both orders are understood.
        """
        with showing(self._run, "image", tag):
            from rla_hooks.summaries.pictures import with_boxes

            if isinstance(rescale, str):
                labels = labels if isinstance(dataformats, str) else dataformats
                dataformats, rescale = rescale, 1
            image = with_boxes(img_tensor, box_tensor, rescale, dataformats, labels)
            self._run.figures.add(tag, image, global_step, walltime)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: int | None = None,
        sample_rate: int = 44100,
        walltime: Any = None,
    ) -> None:
        """Save one channel of sound in results/ as a WAV file and show it in the Audio tab.

        snd_tensor: floats of -1 to 1 of shape (1, L) or (L,), which are cut there, or int16.
        """
        with showing(self._run, "sound", tag):
            from rla_hooks.summaries.plugins import sound

            content = sound(snd_tensor, sample_rate)
            self._run.figures.save_file(tag, content.wav, global_step, ".wav")
            self._show(tag, content, global_step, walltime)

    # --- arrays that a plugin draws -------------------------------------------------------------------------------

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: Any = None,
    ) -> None:
        """Show precision over recall. predictions: 0 to 1; labels: whether each of them should be 1."""
        with showing(self._run, "curve", tag):
            from rla_hooks.summaries.plugins import pr_curve

            self._show(tag, pr_curve(labels, predictions, num_thresholds, weights), global_step, walltime)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: int | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: Any = None,
    ) -> None:
        """Show precision over recall, of known counts. ``weights`` has no effect, as in torch."""
        counts = true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts
        with showing(self._run, "curve", tag):
            from rla_hooks.summaries.plugins import pr_curve_raw

            content = pr_curve_raw(*counts, precision, recall, thresholds=num_thresholds)
            self._show(tag, content, global_step, walltime)

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Any = None,
        global_step: int | None = None,
        walltime: Any = None,
    ) -> None:
        """Show a mesh, or a cloud of points. All of shape (B, N, 3)."""
        with showing(self._run, "mesh", tag):
            from rla_hooks.summaries.plugins import mesh

            for name, content in [*mesh(text_of(tag), vertices, colors, faces, config_dict)]:
                self._show(name, content, global_step, walltime)

    def add_tensor(self, tag: str, tensor: Any, global_step: int | None = None, walltime: Any = None) -> None:
        """Keep an array of numbers in the event file, for a program that reads it."""
        with showing(self._run, "tensor", tag):
            from rla_hooks.summaries.plugins import tensor as content_of

            self._show(tag, content_of(tensor), global_step, walltime)

    def add_custom_scalars(self, layout: Mapping[str, Mapping[str, Sequence[Any]]]) -> None:
        """Show several scalars in one chart of the Custom Scalars tab.

        layout: ``{category: {title: ["Multiline", tags]}}``, or ``["Margin", [value, lower, upper]]``.
        """
        with showing(self._run, "layout", "of custom scalars"):
            from rla_hooks.summaries.plugins import LAYOUT_TAG
            from rla_hooks.summaries.plugins import layout as content_of

            self._show(LAYOUT_TAG, content_of(layout), 0, None)

    def add_custom_scalars_multilinechart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show these scalars in one chart of the Custom Scalars tab."""
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: Sequence[str], category: str = "default", title: str = "untitled"
    ) -> None:
        """Show a scalar with a margin in the Custom Scalars tab. tags: of the value, its lower and its upper limit."""
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    def add_embedding(
        self,
        mat: Any,
        metadata: Any = None,
        label_img: Any = None,
        global_step: int | None = None,
        tag: str = "default",
        metadata_header: Any = None,
    ) -> None:
        """Show points of shape (N, D) in the Projector tab; its files stand beside the event files.

        metadata: a label for each point. label_img: a picture of each, of shape (N, C, H, W).
        """
        with showing(self._run, "embedding", tag):
            from rla_hooks.summaries.projector import add

            paths = self._run.ownership.paths
            if paths is not None and self._run.ownership.is_writing:
                step = 0 if global_step is None else self._run.logger.current_step(global_step)
                add(paths.tensorboard_dir, mat, metadata, label_img, step, text_of(tag), metadata_header)

    # --- what was made by somebody else ---------------------------------------------------------------------------

    def add_summary(self, summary: Any, global_step: int | None = None, walltime: Any = None) -> None:
        """Write a ``Summary`` message of TensorBoard: its scalars as rows, hyper-parameters to those of the run.

        summary: the message, or its bytes, as ``session.run`` of TensorFlow 1 returns them.
        """
        with showing(self._run, "summary", "message"):
            from rla_hooks.summaries.messages import parsed, scalars, without

            message = parsed(summary)
            for tag, value in scalars(message):
                self._run.logger.add_scalar(tag, value, global_step, walltime)
            rest = without(message, self._is_known)
            if rest:
                self._show("summary", RawSummary(rest), global_step, walltime)

    def _is_known(self, value: Any) -> bool:
        """Whether the run has a value of a message in another way: as a row, or as its hyper-parameters."""
        is_hparams = value.metadata.plugin_data.plugin_name == "hparams"
        return value.HasField("simple_value") or (is_hparams and self._took_hparams(value))

    def add_summary_to_logger(self, summary: Any, name: str = "", simple_val: bool = False, freq: int = 20) -> None:
        """Write a ``Summary`` message, or its bytes, to TensorBoard at the time step; RLA's word.

        name: that of a series of messages, of which there is at most one in ``freq`` time steps; 0 takes all.
        simple_val: dump the scalars of the message as a row, as ``<name>/<tag>``, in place of it.
        """
        tell_modern_name("add_summary_to_logger", "run.add_summary(message, step)")
        with showing(self._run, "summary", name):
            from rla_hooks.summaries.messages import parsed, scalars

            step = self._run.logger.current_step()
            turn = step // freq if freq > 0 else None
            if turn is not None and self._turns.get(name) == turn:
                return
            message = parsed(summary)
            if simple_val:
                self._run.log({f"{name}/{tag}": value for tag, value in scalars(message)}, step)
            else:
                self._show("summary", RawSummary(message.SerializeToString()), step, None)
            self._turns[name] = turn

    def dict_to_table_text_summary(self, input_dict: Mapping[str, Any], name: str) -> bytes:
        """Return the bytes of a ``Summary`` message with a table for the Text tab; RLA's word.

        >>> import rla_hooks as rla
        >>> with rla.run(task="demo", writers=["csv", "tensorboard"], backup="none") as run:
        ...     table = run.dict_to_table_text_summary({"buffer": "1.2 GiB"}, "large_memory")
        ...     run.add_summary_to_logger(table, "large_memory")
        """
        from rla_hooks.writers.events import summary_message

        tell_modern_name("dict_to_table_text_summary", "run.add_text(tag, table)")
        return summary_message(f"{name}/text_summary", parameter_tables.text(input_dict))

    def _took_hparams(self, value: Any) -> bool:
        """Whether it says how a session has begun or ended, as the run does by itself; its values are the run's."""
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

        data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
        found = data.session_start_info.hparams
        given = {key: getattr(found[key], found[key].WhichOneof("kind") or "string_value") for key in found}
        if given:
            self._run.add_hyper_params(given)
        return bool(data.WhichOneof("data") != "experiment")

    def add_event(self, event: Any, step: int | None = None, walltime: Any = None) -> None:
        """Write the summary or the graph of an ``Event`` message of TensorBoard. Other events have no effect."""
        with showing(self._run, "event", "message"):
            step = event.step if step is None and event.step else step
            if event.HasField("summary"):
                self.add_summary(event.summary, step, walltime)
            elif event.HasField("graph_def"):
                self._show("graph", Graph(event.graph_def), step, walltime)

    def export_scalars_to_json(self, path: str | os.PathLike[str]) -> None:
        """Write all rows so far to a JSON file: ``{tag: [[time, step, value], ...]}``."""
        with showing(self._run, "file", path):
            paths = self._run.ownership.paths
            if paths is None or not self._run.ownership.is_writing:
                return
            self._run.logger.settle()
            columns = dict(rowfiles.columns(rowfiles.files(paths.log_dir)))
            times, steps = (columns.pop(name).values.tolist() for name in (TIME, STEP))
            found: dict[str, list[Any]] = {}
            for tag, column in columns.items():
                rows = zip(times, steps, column.values.tolist())
                is_there = repeat(True) if column.present is None else column.present.tolist()
                found[tag] = [list(row) for row in compress(rows, is_there)]
            Path(path).write_text(json.dumps(found), encoding="utf-8")
