"""What people and the policy did about a finding: an append-only, hash-chained log, and the case it folds to.

The findings of the journal (`monitor.alerts.journal`) are what the sidecar saw; nothing here changes them. A case is
what happened afterwards, and is never stored as such: it is `case.fold` of its events, in order.

- `events`  the kinds of events, what each must say, `NewEvent` and `CaseEvent`. Pure.
- `case`    `fold(finding, events) -> Case`: state, assignee, label, notes, who was told, actions, challenges. Pure.
- `store`   `Casework`: appends and reads, in the journal's database; synchronous, for threads and the command line.
- `search`  `find`: findings by call, participant, reason, verdict, label, state, assignee and time. Synchronous.
- `desk`    `Desk`: the same on the event loop, and tells subscribers (`{"type": "case", ...}`) when a case changes.

To write an event, within a running sidecar:

    await desk.record(NewEvent(finding_id, EventKind.TOLD, "policy", {"whom": "soc", "sink": "pager"}))

`actor` is the subject of the token or of the OIDC login, or `policy`. `details` is a JSON object of at most 4 kB; what
it must hold is in `events.REQUIRED`, more may be in it. Actions and challenges carry an `id` of their own in their
details, and the events with the same `id` belong together.

Where something may happen only once or only in some state (a confirmation, the answer to a challenge), give `record`
or `Casework.append` a `check`: it is called with the case as it stands under the lock that numbers events, and what it
raises goes to the caller with nothing written. Of two that confirm at once, the second sees what the first wrote.
"""
