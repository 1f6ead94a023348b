"""How pictures are read: the image section of the config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import model_validator

from transduce.config.base import Bounds, Section

__all__ = ["ImageAugmentationConfig", "ImageConfig"]

_MOST_PIXELS = 1 << 26  # after scaling


class ImageAugmentationConfig(Section):
    """What training pictures may differ by, each time anew. All zero: nothing.

    Each number is the largest change; what is drawn is uniform between it and its opposite,
    noise is normal.
    """

    shift: Annotated[float, Bounds(ge=0, le=0.5)] = 0.0  # of the height, in each direction
    rotation: Annotated[float, Bounds(ge=0, le=45)] = 0.0  # degrees
    slant: Annotated[float, Bounds(ge=0, le=45)] = 0.0  # degrees
    scale: Annotated[float, Bounds(ge=0, le=0.5)] = 0.0  # 0.1: from 1/1.1 to 1.1 times as large
    noise: Annotated[float, Bounds(ge=0, le=1)] = 0.0  # standard deviation; black to white is 1

    @property
    def active(self) -> bool:
        """Whether anything changes."""
        return any((self.shift, self.rotation, self.slant, self.scale, self.noise))


class ImageConfig(Section):
    """From a picture's file to columns of pixels, each of ``height`` times its channels.

    A picture is scaled to fill the height, or by ``scale`` where that is given, and centred on
    paper. It is never cut: one that would be too high or too wide is made smaller.
    """

    kind: Literal["image"] = "image"
    height: Annotated[int, Bounds(ge=1, le=4096)] = 32
    width: Annotated[int, Bounds(ge=1, le=65_536)] | None = (
        None  # of all pictures; none: as wide as each is
    )
    max_width: Annotated[int, Bounds(ge=1, le=65_536)] = 1024
    # None: so that the height is filled.
    scale: Annotated[float, Bounds(gt=0, le=100)] | None = None
    trim: bool = False  # cut off blank margins first
    color: bool = False  # three channels; else grey
    invert: bool = True  # paper is white and becomes 0; false: paper is black
    stretch: bool = False  # the palest of each picture becomes 0, the strongest 1
    max_pixels: Annotated[int, Bounds(ge=1, le=1 << 30)] = 40_000_000  # more are not unpacked
    augmentation: ImageAugmentationConfig = ImageAugmentationConfig()

    @model_validator(mode="after")
    def _fits(self) -> ImageConfig:
        widest = self.width or self.max_width
        if self.height * widest > _MOST_PIXELS:
            raise ValueError(
                f"height times {'width' if self.width else 'max_width'} must be at most "
                f"{_MOST_PIXELS:,}; got {self.height:,} x {widest:,}"
            )
        return self

    @property
    def channels(self) -> int:
        """Numbers a pixel has."""
        return 3 if self.color else 1

    @property
    def features(self) -> int:
        """Numbers a column has."""
        return self.channels * self.height
