"""Passphrases over HTTP: the sixth wrong one is not checked, in the API's one shape of errors, and halting goes on working."""

from typing import Any

from app.people.identity import add_person


def test_too_many_wrong_passphrases_say_when_it_may_be_tried_again(served: Any) -> None:
    """Five wrong ones, then one clear line with a time; the halt can be set again meanwhile; a restart forgets nothing."""
    token = add_person(served.home.path, "ann", "open sesame")
    with served.client("ann") as ann:
        assert ann.post("/api/session", json={"name": "ann", "token": token}).json()["assurance"] == "session"
        assert ann.post("/api/halt", json={"reason": "stop"}).status_code == 200
        for _ in range(5):
            answer = ann.request("DELETE", "/api/halt", json={"reason": "mended", "passphrase": "wrong"})
            assert (answer.status_code, answer.json()["error"]["what"]) == (409, "wrong passphrase")
        served.stop()
        served.start()
        answer = ann.request("DELETE", "/api/halt", json={"reason": "mended", "passphrase": "open sesame"})
        said = answer.json()["error"]
        assert answer.status_code == 409
        assert said["kind"] == "Refused"
        assert said["what"] == "5 wrong passphrases in a row for ann: this one was not checked"
        assert "next attempt at 20" in said["hint"]
        assert ann.post("/api/halt", json={"reason": "stop again"}).json()["halted"] is True
