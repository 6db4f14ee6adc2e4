"""The API keeps to its own description, whatever it is asked: schemathesis draws the requests."""

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="no schemathesis; pip install schemathesis")
EXAMPLES = 8
CHECKS = (
    "not_a_server_error",
    "response_schema_conformance",
    "content_type_conformance",
    "status_code_conformance",
    "response_headers_conformance",
)


@pytest.mark.parametrize("kind", ["positive", "negative"])
def test_whatever_is_asked_is_answered_as_described(served, kind):
    from schemathesis import checks as known

    address = served[0]
    schema = schemathesis.openapi.from_dict(httpx.get(f"{address}v1/openapi.json").json())
    checks, labels, statuses = [known.CHECKS.get_one(name) for name in CHECKS], set(), set()
    for result in schema.get_all_operations():
        operation = result.ok()
        mode = schemathesis.GenerationMode(kind)
        if kind == "negative" and not list(operation.iter_parameters()):
            continue

        @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            answer = case.call(base_url=address)
            case.validate_response(answer, checks=checks)
            statuses.add(answer.status_code)

        ask()
        labels.add(operation.label)
    assert len(labels) >= 10 and statuses >= {422} and not statuses - {200, 201, 400, 403, 404, 409, 422, 429}, (
        statuses
    )
