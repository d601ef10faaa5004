"""Protocol violations of a lake in short, as Markdown: for Prefect's pages."""

from __future__ import annotations

from collections import Counter

from flows.new_findings import findings
from flows.report.run_summary import markdown_table
from lake import Lake

_BY_CENTRE = (
    "SELECT centre, rule_id, n_studies, n_warn, n_fail, n_not_checkable FROM protocol_coverage "
    "WHERE n_warn + n_fail > 0 ORDER BY n_fail DESC, n_warn DESC, centre, rule_id LIMIT 60"
)


def protocol_summary(lk: Lake) -> str:
    """Count violations by centre and rule, and the new ones since the last check; no patients.

    Returns
    -------
    str
        Markdown.
    """
    new = findings(lk, is_new=True, severity="warn", only_protocol=True)
    names = zip(
        new["severity"].to_pylist(), new["centre"].to_pylist(), new["rule"].to_pylist(), strict=True
    )
    counted = sorted(Counter(names).items(), key=lambda item: str(item[0]))
    blocks = [
        "# Protocol",
        f"{new.num_rows} new violations since the last check."
        if new.num_rows
        else "No new violations since the last check.",
        markdown_table(("new", "centre", "rule", "times"), [(*name, n) for name, n in counted]),
        markdown_table(
            ("centre", "rule", "studies", "warn", "fail", "not checkable"),
            lk.sql(_BY_CENTRE).fetchall(),
        ),
        "Everything else: `reports/latest.html`, `tracerlake findings`.",
    ]
    return "\n\n".join(block for block in blocks if block)
