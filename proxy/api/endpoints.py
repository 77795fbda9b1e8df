"""The endpoints of ``/v1``: each parses, calls the gateway and answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from proxy.administration import Administration
from proxy.api import answers, wire
from proxy.api.middleware import problem_document
from proxy.call import Call
from proxy.entrance import HeldBack, Result
from proxy.errors import GatewayError, NotFound, Unavailable
from proxy.gateway import Gateway
from proxy.identity import is_id
from proxy.prompt import format_hits
from proxy.review import Review
from proxy.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Endpoints:
    """HTTP over one gateway."""

    gateway: Gateway
    review: Review
    administration: Administration
    metrics: Metrics

    async def whoami(self, _request: Request, call: Call) -> Response:
        """Who the key speaks for and what the policy says of them."""
        return JSONResponse(answers.whoami(call))

    async def check(self, request: Request, call: Call) -> Response:
        """Whether an action is allowed, and why."""
        body = await wire.read_body(request, wire.Check)
        explanation = await self.gateway.check(call, body.action, body.scope, body.principal)
        return JSONResponse(answers.explanation(call, body, explanation))

    async def open_session(self, request: Request, call: Call) -> Response:
        """Open a session on a scope."""
        body = await wire.read_body(request, wire.OpenSession)
        ends_at = call.now + timedelta(seconds=call.rules.config.sessions.lifetime_s)
        session = await self.gateway.open_session(call, body.scope, body.metadata, ends_at)
        return JSONResponse(answers.session(call, session), HTTPStatus.CREATED)

    async def close_session(self, request: Request, call: Call) -> Response:
        """Close a session."""
        await self.gateway.close_session(call, _id(request))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def remember(self, request: Request, call: Call) -> Response:
        """Remember one memory."""
        body = await wire.read_body(request, wire.Remember)
        result = await self.gateway.remember(call, body.submission())
        return JSONResponse(self._result(call, result), _status([result]))

    async def remember_many(self, request: Request, call: Call) -> Response:
        """Remember up to 1,000 memories; one result each."""
        body = await wire.read_body(request, wire.RememberMany)
        outcomes = await self.gateway.remember_many(call, [item.submission() for item in body.memories])
        request.state.unfinished = any(isinstance(outcome, Unavailable) for outcome in outcomes)
        return JSONResponse({"results": [self._outcome(request, call, outcome) for outcome in outcomes]})

    async def list_memories(self, request: Request, call: Call) -> Response:
        """Memories seen through a scope, newest first."""
        query = wire.read_query(request, wire.ListMemories)
        memories = await self.gateway.list(call, query.look(), query.limit + 1, query.cursor)
        items = [answers.memory(call, memory) for memory in memories[: query.limit]]
        return _page(items, more=len(memories) > query.limit)

    async def get_memory(self, request: Request, call: Call) -> Response:
        """One memory."""
        return JSONResponse(answers.memory(call, await self.gateway.get(call, _id(request))))

    async def forget(self, request: Request, call: Call) -> Response:
        """Forget one memory."""
        await self.gateway.forget(call, _id(request))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def recall(self, request: Request, call: Call) -> Response:
        """Search the memories seen through a scope."""
        body = await wire.read_body(request, wire.Recall)
        hits = await self.gateway.recall(call, body.look(), body.query, body.top_k)
        items = [answers.hit(call, hit) for hit in hits]
        return JSONResponse({"items": items, "formatted": format_hits(hits, call.rules.config)})

    async def publish(self, request: Request, call: Call) -> Response:
        """Copy memories into another scope, through the publish gate."""
        body = await wire.read_body(request, wire.Publish)
        results = await self.gateway.publish(call, body.publication())
        return JSONResponse({"results": [self._result(call, result) for result in results]}, _status(results))

    async def list_holds(self, request: Request, call: Call) -> Response:
        """Holds that the caller may review, and its own."""
        query = wire.read_query(request, wire.ListHolds)
        holds = await self.review.list(call, query.state, query.cursor, query.limit + 1)
        items = [answers.hold(call, hold) for hold in holds[: query.limit]]
        return _page(items, more=len(holds) > query.limit)

    async def get_hold(self, request: Request, call: Call) -> Response:
        """One hold."""
        return JSONResponse(answers.hold(call, await self.review.get(call, _id(request))))

    async def approve_hold(self, request: Request, call: Call) -> Response:
        """Let a held memory into its scope."""
        body = await wire.read_body(request, wire.Approve)
        return JSONResponse(self._result(call, await self.review.approve(call, _id(request), redact=body.redact)))

    async def reject_hold(self, request: Request, call: Call) -> Response:
        """Turn a held memory away."""
        body = await wire.read_body(request, wire.Reject)
        return JSONResponse(answers.hold(call, await self.review.reject(call, _id(request), body.reason)))

    async def create_key(self, request: Request, call: Call) -> Response:
        """Issue a key; its text is in this answer and nowhere else."""
        body = await wire.read_body(request, wire.CreateKey)
        key, record = await self.administration.create_key(call, body.terms(call.now))
        return JSONResponse(answers.key(call.rules.config, record, key), HTTPStatus.CREATED)

    async def list_keys(self, _request: Request, call: Call) -> Response:
        """The keys that the caller administers."""
        records = await self.administration.list_keys(call)
        return JSONResponse({"items": [answers.key(call.rules.config, record) for record in records]})

    async def rotate_key(self, request: Request, call: Call) -> Response:
        """Replace a key; the old one lives on for a while."""
        body = await wire.read_body(request, wire.RotateKey)
        overlap = timedelta(seconds=body.overlap_s)
        key, record = await self.administration.rotate_key(call, request.path_params["id"], overlap)
        return JSONResponse(answers.key(call.rules.config, record, key), HTTPStatus.CREATED)

    async def revoke_key(self, request: Request, call: Call) -> Response:
        """End a key at once."""
        await self.administration.revoke_key(call, request.path_params["id"])
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def policy_status(self, _request: Request, call: Call) -> Response:
        """Which policies are in force, and what was refused."""
        return JSONResponse(answers.policy(await self.administration.policy(call)))

    async def reload_policy(self, _request: Request, call: Call) -> Response:
        """Read the policy files again."""
        return JSONResponse(answers.policy(await self.administration.reload(call)))

    async def start_shadow(self, request: Request, call: Call) -> Response:
        """Simulate a candidate policy beside the one in force."""
        body = await wire.read_body(request, wire.StartShadow)
        lasts = timedelta(seconds=body.lasts_s)
        simulation = await self.administration.simulate(call, body.model, body.policy, lasts)
        return JSONResponse(answers.simulation(call, simulation), HTTPStatus.CREATED)

    async def shadow_status(self, _request: Request, call: Call) -> Response:
        """What the simulated policy would have decided otherwise."""
        return JSONResponse(answers.simulation(call, await self.administration.simulation(call)))

    async def stop_shadow(self, _request: Request, call: Call) -> Response:
        """End the simulation."""
        await self.administration.stop_simulation(call)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    async def query_audit(self, request: Request, call: Call) -> Response:
        """Entries of the audit log, newest first."""
        query = wire.read_query(request, wire.ListAudit)
        entries = await self.administration.query_audit(call, query.query())
        items = [entry.as_dict() for entry in entries]
        more = len(items) == query.limit
        return JSONResponse({"items": items, "next_cursor": items[-1]["sequence"] if more else None})

    def _result(self, call: Call, result: Result) -> dict[str, object]:
        self.metrics.verdicts.labels("hold" if isinstance(result, HeldBack) else result.verdict).inc()
        return answers.result(call, result)

    def _outcome(self, request: Request, call: Call, outcome: Result | GatewayError) -> dict[str, object]:
        if isinstance(outcome, GatewayError):
            self.metrics.refused(outcome)
            return {"status": "refused", "problem": problem_document(outcome, call.request_id, request.url.path)}
        return self._result(call, outcome)


def _id(request: Request) -> str:
    """The id in the path. One that is spelled like no id names nothing."""
    found: str = request.path_params["id"]
    if not is_id(found):
        raise NotFound("no such id; ids are lower-case UUIDs")
    return found


def _status(results: list[Result]) -> HTTPStatus:
    held = any(isinstance(result, HeldBack) for result in results)
    return HTTPStatus.ACCEPTED if held else HTTPStatus.CREATED


def _page(items: list[dict[str, object]], *, more: bool) -> Response:
    return JSONResponse({"items": items, "next_cursor": items[-1]["id"] if more else None})
