"""Rules for tasks that were ended from outside: by a user, a service, the host; and the last one, for all else."""

from __future__ import annotations

from tidegate.services.explain.facts import Explanation, Facts, Rule, span


def _by_user(facts: Facts) -> Explanation:
    killed = [c.name for c in facts.containers if c.status.exit_code == 137]
    evidence = [f"the reason given: {facts.reason}"]
    evidence += [f"{c.name} exited with code {c.status.exit_code}" for c in facts.containers if c.has_ended]
    remedies = ["Nothing is wrong; start it again if it was a mistake."]
    if killed:
        evidence.append(f"killed, since the stop signal did not end it in time: {', '.join(killed)}")
        remedies.append("Let the program handle SIGTERM, or give it a longer `stopTimeout`.")
    return Explanation(
        rule="stopped-by-user",
        headline="It was stopped on purpose.",
        cause="Somebody called StopTask (tidegate stop, the API, or the server's teardown).",
        evidence=tuple(evidence),
        remedies=tuple(remedies),
        is_problem=bool(killed),
    )


def _host_restarted(facts: Facts) -> Explanation:
    return Explanation(
        rule="host-restarted",
        headline="Its machine was restarted.",
        cause="The task ran when the machine went down. Tasks of their own are not started again; a service would be.",
        evidence=(facts.reason,),
        remedies=(
            "Start it again.",
            "What the containers had written to their own disk is gone; use a volume for data.",
        ),
    )


def _node_failed(facts: Facts) -> Explanation:
    return Explanation(
        rule="node-failed",
        headline="Tidegate could not go on with it.",
        cause="Something went wrong in Tidegate itself or in what it stands on; the task was ended"
        " rather than left alone.",
        evidence=tuple(facts.all_reasons.splitlines()),
        remedies=("The server's log has the details; please report them.", "`tidegate doctor` looks at the machine."),
    )


def _lost(facts: Facts) -> Explanation:
    return Explanation(
        rule="lost",
        headline="It was lost.",
        cause="The node does not know the task any more: its directory was deleted, or another state"
        " directory is in use.",
        evidence=(facts.reason,),
        remedies=("Leave the server's state directory alone while tasks run.", "Start it again."),
    )


def _by_service(facts: Facts) -> Explanation:
    return Explanation(
        rule="stopped-by-service",
        headline="Its service has stopped it.",
        cause="A service stops tasks that are too many, unhealthy, or of an older deployment, and"
        " starts others for them.",
        evidence=(facts.reason,),
        remedies=("The service's events say why.",),
        is_problem="failed" in facts.reason,
    )


def _interrupted(facts: Facts) -> Explanation:
    return Explanation(
        rule="spot-interruption",
        headline="Its capacity was taken back.",
        cause="FARGATE_SPOT is cheap because it may be taken back, with two minutes' notice.",
        evidence=(facts.reason,),
        remedies=("Run what must not be interrupted on FARGATE.",),
    )


def _unknown(facts: Facts) -> Explanation:
    ran = ""
    if facts.status.started_at is not None and facts.status.stopped_at is not None:
        ran = f" It had run for {span(facts.status.stopped_at - facts.status.started_at)}."
    return Explanation(
        rule="unknown",
        headline="It has stopped.",
        cause=f"The stop code is {facts.status.stop_code or 'not known'}; the rules have nothing more to say.{ran}",
        evidence=tuple(facts.all_reasons.splitlines()) or ("no reason was given",),
        remedies=("`tidegate describe` shows its states and containers.",),
    )


RULES: tuple[Rule, ...] = (
    Rule("stopped-by-user", lambda f: f.status.stop_code == "UserInitiated", _by_user),
    Rule("stopped-by-service", lambda f: f.status.stop_code == "ServiceSchedulerInitiated", _by_service),
    Rule("spot-interruption", lambda f: f.status.stop_code == "SpotInterruption", _interrupted),
    Rule("host-restarted", lambda f: "host" in f.reason and "restarted" in f.reason, _host_restarted),
    Rule("node-failed", lambda f: "the node could not go on" in f.all_reasons, _node_failed),
    Rule("lost", lambda f: "lost" in f.all_reasons, _lost),
    Rule("unknown", lambda _: True, _unknown),
)
"""In this order; the last applies to all."""
