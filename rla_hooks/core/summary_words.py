"""The words of SummaryWriter as methods of a run: each calls that of a part that has it."""

from __future__ import annotations

from typing import Any, TypeVar

from rla_hooks.core.summary_plugins import PluginSummaries
from rla_hooks.core.summary_writer import SummaryWriter
from rla_hooks.delegation import of_part

_Self = TypeVar("_Self")


class SummaryWords:
    """What code that was written for a SummaryWriter calls.

    The object has the parts ``tensorboard``, a SummaryWriter, and ``plugin_summaries``.
    """

    add_scalar = of_part("tensorboard", SummaryWriter.add_scalar)
    add_scalars = of_part("tensorboard", SummaryWriter.add_scalars)
    add_text = of_part("tensorboard", SummaryWriter.add_text)
    add_figure = of_part("tensorboard", SummaryWriter.add_figure)
    add_image = of_part("tensorboard", SummaryWriter.add_image)
    add_images = of_part("tensorboard", SummaryWriter.add_images)
    add_histogram = of_part("tensorboard", SummaryWriter.add_histogram)
    add_video = of_part("tensorboard", SummaryWriter.add_video)
    add_hparams = of_part("tensorboard", SummaryWriter.add_hparams)
    get_logdir = of_part("tensorboard", SummaryWriter.get_logdir)
    close = of_part("tensorboard", SummaryWriter.close)
    add_audio = of_part("plugin_summaries", PluginSummaries.add_audio)
    add_custom_scalars = of_part("plugin_summaries", PluginSummaries.add_custom_scalars)
    add_custom_scalars_marginchart = of_part("plugin_summaries", PluginSummaries.add_custom_scalars_marginchart)
    add_custom_scalars_multilinechart = of_part("plugin_summaries", PluginSummaries.add_custom_scalars_multilinechart)
    add_embedding = of_part("plugin_summaries", PluginSummaries.add_embedding)
    add_event = of_part("plugin_summaries", PluginSummaries.add_event)
    add_graph = of_part("tensorboard", SummaryWriter.add_graph)
    add_histogram_raw = of_part("plugin_summaries", PluginSummaries.add_histogram_raw)
    add_image_with_boxes = of_part("plugin_summaries", PluginSummaries.add_image_with_boxes)
    add_mesh = of_part("plugin_summaries", PluginSummaries.add_mesh)
    add_onnx_graph = of_part("tensorboard", SummaryWriter.add_onnx_graph)
    add_openvino_graph = of_part("tensorboard", SummaryWriter.add_openvino_graph)
    add_pr_curve = of_part("plugin_summaries", PluginSummaries.add_pr_curve)
    add_pr_curve_raw = of_part("plugin_summaries", PluginSummaries.add_pr_curve_raw)
    add_summary = of_part("plugin_summaries", PluginSummaries.add_summary)
    add_summary_to_logger = of_part("plugin_summaries", PluginSummaries.add_summary_to_logger)
    add_tensor = of_part("plugin_summaries", PluginSummaries.add_tensor)
    dict_to_table_text_summary = of_part("plugin_summaries", PluginSummaries.dict_to_table_text_summary)
    export_scalars_to_json = of_part("plugin_summaries", PluginSummaries.export_scalars_to_json)

    @property
    def logdir(self) -> str | None:
        """tensorboardX's name of the log folder."""
        return self.get_logdir()

    @property
    def writer(self: _Self) -> _Self:
        """RLA's name of what writes TensorBoard's files: this object, which has the words of a SummaryWriter."""
        return self

    @property
    def file_writer(self) -> Any:
        """What writes the files, for code that asks a SummaryWriter for it."""
        return self

    def __enter__(self: _Self) -> _Self:
        """``with`` this object: at the end of the block it is flushed, as by :meth:`close`; the run goes on."""
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.close()
