"""What if another token had been written: each opens by mouse or keyboard, without a script."""

from __future__ import annotations

from html import escape
from math import exp

from transduce.drawing.figures import OTHER
from transduce.drawing.labels import readable
from transduce.explain.records.weighed import Weighed

__all__ = ["WHAT_IF_STYLE", "what_if"]

WHAT_IF_STYLE = """
.transduce ol.steps{list-style:none;padding:0;margin:0}
.transduce ol.steps>li{display:flex;flex-wrap:wrap;gap:.3em .8em;align-items:baseline;
 padding:.25em 0;border-top:1px solid #e4e7eb}
.transduce ol.steps b{min-width:6em}
.transduce ol.steps details{max-width:100%}
.transduce ol.steps details[open]{flex-basis:100%}
.transduce ol.steps summary{cursor:pointer;color:OTHER}
.transduce summary:focus{outline:2px solid OTHER}
.transduce ol.steps p{margin:.2em 0 .4em 1em;overflow-wrap:anywhere}
""".replace("OTHER", OTHER)


def what_if(explanation: Weighed) -> str:
    """A list of the output's tokens; behind each its alternatives, which open to what comes then.

    Nothing where no continuations were asked for.
    """
    by_step: dict[int, list[str]] = {}
    for other in explanation.continuations:
        text = other.text or ("(nothing)" if other.finished else "")
        end = "" if other.finished else " …"
        by_step.setdefault(other.step, []).append(
            f"<details><summary>{escape(readable(other.name, 60))} "
            f"{_percent(other.log_probability)}</summary><p>{escape(text)}{end}</p></details>"
        )
    if not by_step:
        return ""
    lines = [
        f"<li><b>{escape(readable(explanation.target[step], 60))} "
        f"{_percent(explanation.log_probabilities[step])}</b>{''.join(others)}</li>"
        for step, others in by_step.items()
    ]
    return (
        "<h2>What if it had written another token?</h2>"
        '<p class="note">Each token of the output, and what else was near. Open one to see how the '
        f'model would have gone on.</p><ol class="steps">{"".join(lines)}</ol>'
    )


def _percent(log_probability: float) -> str:
    share = 100 * exp(log_probability)
    return f"{share:.1f} %" if share >= 0.05 else "&lt; 0.1 %"
