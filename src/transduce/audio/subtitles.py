"""Words with their times as subtitles: SubRip (srt) and WebVTT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whose module loads more than a text needs
    from transduce.audio.word_times import Word

__all__ = ["VTT_HEAD", "cues", "srt_text", "vtt_text"]

VTT_HEAD = "WEBVTT\n\n"

_CUE_LETTERS, _CUE_SECONDS, _PAUSE = 84, 7.0, 0.8  # two lines of 42, as broadcasters have them


def cues(words: Sequence[Word]) -> list[list[Word]]:
    """Words that are shown together: until a pause, two lines' letters or seven seconds."""
    found: list[list[Word]] = []
    for word in words:
        now = found[-1] if found else []
        letters = sum(len(one.text) + 1 for one in now) + len(word.text)
        new = not now or word.start - now[-1].end > _PAUSE
        if new or letters > _CUE_LETTERS or word.end - now[0].start > _CUE_SECONDS:
            found.append([word])
        else:
            now.append(word)
    return found


def srt_text(words: Sequence[Word]) -> str:
    """Numbered cues."""
    blocks = [
        f"{number}\n{_stamps(cue, ',')}\n{_spoken(cue)}\n"
        for number, cue in enumerate(cues(words), 1)
    ]
    return "\n".join(blocks)


def vtt_text(words: Sequence[Word]) -> str:
    """Cues, as they stand behind ``VTT_HEAD``."""
    return "".join(f"{_stamps(cue, '.')}\n{_spoken(cue)}\n\n" for cue in cues(words))


def _spoken(cue: Sequence[Word]) -> str:
    """``-->`` would be read as times."""
    return " ".join(word.text for word in cue).replace("-->", "->")


def _stamps(cue: Sequence[Word], mark: str) -> str:
    """When a cue is shown: at least a millisecond, or players leave it out."""
    start = round(1000 * cue[0].start)
    end = max(round(1000 * cue[-1].end), start + 1)
    return f"{_clock(start, mark)} --> {_clock(end, mark)}"


def _clock(milliseconds: int, mark: str) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"
