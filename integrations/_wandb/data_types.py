"""``wandb.data_types``: all that ``wandb.log`` takes beside numbers and texts."""

from rla_hooks.integrations._wandb.charts import CustomChart
from rla_hooks.integrations._wandb.media import Audio, Histogram, Html, Media, Molecule, Object3D, Plotly
from rla_hooks.integrations._wandb.pictures import Image, Video
from rla_hooks.integrations._wandb.table import Table

# fmt: off
__all__ = [
    "Audio", "CustomChart", "Histogram", "Html", "Image", "Media", "Molecule", "Object3D", "Plotly", "Table", "Video",
]
# fmt: on
