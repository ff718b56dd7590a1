"""The schema is what the API does: requests made from it never meet a 5xx, and every refusal has the one shape."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

STREAM = "/api/turns/{turn_id}/events"  # its own tests read it
NO_JSON = {STREAM, "/metrics", "/api/login", "/api/runs/{run_id}/report", "/api/runs/{run_id}/export/{name}"}
LEFT_OUT = {STREAM, "/api/data/pull", "/api/session"}  # a pull would go out to a venue; who logs out is out


def test_the_schema_is_complete(api: Any) -> None:
    """Each operation has a name, a description and the model of its answer; each refusal has the one error."""
    schema = api.get("/openapi.json").json()
    operations = [(path, method, o) for path, methods in schema["paths"].items() for method, o in methods.items()]
    assert len({o["operationId"] for _, _, o in operations}) == len(operations)
    for path, method, operation in operations:
        assert operation["description"], (method, path)
        if path in NO_JSON:
            continue
        good = next(answer for status, answer in operation["responses"].items() if status < "400")
        assert good["content"]["application/json"]["schema"], (method, path)
        failure = operation["responses"]["409"]["content"]["application/json"]["schema"]
        assert failure == {"$ref": "#/components/schemas/Failure"}


@pytest.mark.sample(1)
@pytest.mark.parametrize("examples", [2, pytest.param(40, marks=pytest.mark.long)])  # of each operation
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_whatever_the_schema_can_say_meets_no_5xx(served: Any, method: str, examples: int) -> None:
    """Property testing over every operation, bounded; what is refused says so in the one shape."""
    import schemathesis

    with served.client() as client:
        schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
        schema.config.update(base_url=served.url)
        headers = {"authorization": client.headers["authorization"]}
        tried = 0
        for made in schema.include(method=method).exclude(path=list(LEFT_OUT)).get_all_operations():
            operation = made.ok()

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def run(case: Any) -> None:
                answer = case.call(headers=headers, allow_redirects=False)
                assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text}"
                if answer.status_code >= 400:
                    assert set(answer.json()["error"]) == {"kind", "what", "hint"}

            run()
            tried += 1
    assert tried >= {"GET": 20, "POST": 8, "DELETE": 1}[method]
