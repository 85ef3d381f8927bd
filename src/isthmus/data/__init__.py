"""Named sets and openers for files: `load_data` takes either and gives a `Dataset`."""

from isthmus.data.checks import check_table
from isthmus.data.cutting import ImageOptions
from isthmus.data.dataset import Dataset, Skipped
from isthmus.data.load import load_data
from isthmus.data.named import NAMES, SetInfo, describe_sets
from isthmus.data.outputs import write_image, write_numbers, write_table
from isthmus.data.sheets import write_animation, write_sheet

__all__ = [
    "NAMES",
    "Dataset",
    "ImageOptions",
    "SetInfo",
    "Skipped",
    "check_table",
    "describe_sets",
    "load_data",
    "write_animation",
    "write_image",
    "write_numbers",
    "write_sheet",
    "write_table",
]
