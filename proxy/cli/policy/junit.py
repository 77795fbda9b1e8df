"""Policy tests as JUnit XML, which CI systems show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from proxy.errors import Problem
from proxy.policytest.coverage import Coverage
from proxy.policytest.run import Outcome

# What XML 1.0 cannot hold, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcomes: Sequence[Outcome], coverage: Coverage) -> str:
    """One suite for each file, one case for each test; the coverage is a property of the whole."""
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    root = ET.Element("testsuites", name="scopegate policy", tests=str(len(outcomes)), failures=str(failed))
    properties = ET.SubElement(root, "properties")
    ET.SubElement(properties, "property", name="coverage", value=f"{coverage.percent:.1f}")
    for source, of_file in groupby(outcomes, key=lambda outcome: outcome.test.place.source):
        _suite(root, source, list(of_file))
    return _text(root)


def refused(problems: Iterable[Problem]) -> str:
    """Files that were not read, so that no test ran: each problem is a case with an error."""
    listed = list(problems)
    root = ET.Element("testsuites", name="scopegate policy", tests=str(len(listed)), errors=str(len(listed)))
    suite = ET.SubElement(root, "testsuite", name="policy files", tests=str(len(listed)), errors=str(len(listed)))
    for problem in listed:
        case = ET.SubElement(suite, "testcase", classname=problem.source, name=_clean(str(problem)))
        ET.SubElement(case, "error", message=_clean(problem.message), type="refused")
    return _text(root)


def _suite(root: ET.Element, source: str, outcomes: list[Outcome]) -> None:
    failed = sum(bool(outcome.failures) for outcome in outcomes)
    suite = ET.SubElement(root, "testsuite", name=source, tests=str(len(outcomes)), failures=str(failed))
    for outcome in outcomes:
        place = outcome.test.place
        case = ET.SubElement(suite, "testcase", classname=source, name=_clean(outcome.test.name))
        case.set("file", source)
        case.set("line", str(place.line))
        if outcome.failures:
            lines = [_clean(str(failure.problem(outcome.test.name))) for failure in outcome.failures]
            ET.SubElement(case, "failure", message=lines[0], type="failed").text = "\n".join(lines)


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
