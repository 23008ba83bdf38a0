"""Gateways that know each other: who is let in, who answers, and what goes on when one is gone."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

HERE = "tests/monitor/host/peers"

MUTATIONS = (
    Mutation(
        "a gateway hears whoever shows no certificate",
        "monitor/host/peers/tls.py",
        "    context.verify_mode = ssl.CERT_REQUIRED\n",
        "    context.verify_mode = ssl.CERT_NONE\n",
        (f"{HERE}/test_tls.py::test_a_stranger_who_believes_everybody_hears_nothing",),
    ),
    Mutation(
        "the key of gateways is the same whatever the secret",
        "monitor/host/peers/tls.py",
        ".derive(secret.encode())",
        ".derive(PURPOSE)",
        (f"{HERE}/test_tls.py::test_one_with_another_secret_does_not_believe_the_gateway",),
    ),
    Mutation(
        "gateways may have a secret that can be guessed",
        "monitor/host/peers/options.py",
        "    if len(secret) < STRONG_TOKEN:\n",
        "    if not secret:\n",
        (f"{HERE}/test_options.py::test_they_have_a_secret_that_cannot_be_guessed",),
    ),
    Mutation(
        "nobody takes over from a gateway that is gone",
        "monitor/host/peers/adoption.py",
        "            if chosen == self.name:\n",
        "            if False:\n",
        (f"{HERE}/test_gateways.py::test_a_gateway_is_killed_and_another_goes_on",),
    ),
    Mutation(
        "a gateway that ends in order closes what is open",
        "monitor/host/cluster/fleet.py",
        "self.memory.close(keeps=self._hands_over and handed_over)",
        "self.memory.close()",
        (f"{HERE}/test_gateways.py::test_a_gateway_that_ends_in_order_hands_over_whom_it_judges",),
    ),
    Mutation(
        "of a lost gateway it is forgotten which findings are open",
        "monitor/host/peers/peer_view.py",
        '                self.ledger.found(HERE, body["finding"])\n',
        "",
        (f"{HERE}/test_peer_view.py::test_what_is_left_of_it_is_what_it_said_last",),
    ),
    Mutation(
        "each of the gateways takes everybody over",
        "monitor/host/peers/sharing.py",
        '"\\0".join((gateway, *place))',
        '"\\0".join(place)',
        (f"{HERE}/test_sharing.py::test_everybody_who_asks_of_the_same_gateways_finds_the_same_heir",),
    ),
)
