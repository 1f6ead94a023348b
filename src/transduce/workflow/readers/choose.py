"""What reads the sources of a model, from what its directory holds."""

from __future__ import annotations

from transduce.config import Config
from transduce.reading.frames import FrameReader
from transduce.workflow.readers.files import FileReader
from transduce.workflow.readers.joined_reader import JoinedReader
from transduce.workflow.readers.source_reader import SourceReader
from transduce.workflow.readers.text_reader import TextReader
from transduce.workflow.tokenizer_files import JoinedSide, SourceSide

__all__ = ["reader_of"]


def reader_of(source: SourceSide, config: Config) -> SourceReader:
    """The reader around a tokenizer, around what turns files into frames, or around both."""
    # The one place that tells them apart: from here on all are asked alike.
    if isinstance(source, JoinedSide):
        return JoinedReader(source, config)
    if isinstance(source, FrameReader):
        return FileReader(source, config.data.input)
    return TextReader(source)
