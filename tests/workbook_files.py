"""Small workbooks, written member by member, so that each can be damaged."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

__all__ = ["cells", "members", "sheet", "workbook"]

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"


def cells(row: Sequence[str]) -> str:
    """Texts that stand in the row itself."""
    return "".join(f'<c t="inlineStr"><is><t>{escape(text)}</t></is></c>' for text in row)


def sheet(*rows: str, before: str = "") -> str:
    """The XML of a sheet; each row as what stands in it, or whole."""
    whole = (row if row.startswith("<row") else f"<row>{row}</row>" for row in rows)
    data = f"<sheetData>{''.join(whole)}</sheetData>"
    return f'{before}<worksheet xmlns="{_MAIN}">{data}</worksheet>'


def members(first: str, texts: Sequence[str] = (), second: str = "") -> dict[str, bytes]:
    """What a workbook of one sheet or two holds."""
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    sheets = {"One": first, **({"Two": second} if second else {})}
    numbered = list(enumerate(sheets, 1))
    listed = "".join(f'<sheet name="{n}" sheetId="{i}" r:id="r{i}"/>' for i, n in numbered)
    related = "".join(
        f'<Relationship Id="r{i}" Type="{_RELATIONS}/worksheet" Target="worksheets/s{i}.xml"/>'
        for i, _ in numbered
    )
    kinds = "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="{_KIND}.{kind}+xml"/>'
        for name, kind in (
            ("workbook", "sheet.main"),
            ("sharedStrings", "sharedStrings"),
            ("styles", "styles"),
            *((f"worksheets/s{i}", "worksheet") for i, _ in numbered),
        )
    )
    found = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{kinds}</Types>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">'
        f"<sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f"{related}</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">{shared}</sst>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs><xf numFmtId="0"/>'
        '<xf numFmtId="14" applyNumberFormat="1"/><xf numFmtId="22"/><xf numFmtId="20"/></cellXfs>'
        "</styleSheet>",
    }
    found |= {f"xl/worksheets/s{i}.xml": sheets[name] for i, name in numbered}
    return {name: text.encode() for name, text in found.items()}


def workbook(held: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """The members in an archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in held.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()
