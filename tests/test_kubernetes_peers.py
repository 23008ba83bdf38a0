"""The Helm chart where sidecars know each other: one address for all of them, and no router."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("helm_python", reason="helm-python-sdk is not installed: make test installs it")
pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed: make test installs it")

from monitor.api.hosts import is_served
from monitor.config import STRONG_TOKEN, Settings, load
from monitor.host.peers.options import PeerOptions, options_of
from tests.test_kubernetes import CASES, PEERS, POD, SHARED, checked, documents, helm, one, pod_labels, variables

KNOWING = [case for case, values in CASES.items() if "peers" in values]
NAME = "sw-hosts.calls.svc.cluster.local"


def loaded(case: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """The settings that the program has in a pod."""
    for name, value in variables(case).items():
        monkeypatch.setenv(name, value)
    file = folder / "sidewitness.yaml"
    file.write_text(one(case, "ConfigMap", "sw")["data"]["sidewitness.yaml"])
    return load(file)


@pytest.mark.parametrize("case", KNOWING)
def test_each_listens_at_its_pods_address_for_whoever_the_name_stands_for(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = options_of(loaded(case, monkeypatch, tmp_path))
    assert options == PeerOptions("10.0.0.7", 8482, ((NAME, 8482),), "a-secret-of-sixteen-and-more")
    container, *_ = one(case, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    given = {variable["name"]: variable.get("valueFrom") for variable in container["env"]}
    assert given["SIDEWITNESS_PEER_HOST"] == {"fieldRef": {"fieldPath": "status.podIP"}}
    assert given["SIDEWITNESS_PEER_SECRET"] == {"secretKeyRef": {"name": "sidewitness-peers", "key": "secret"}}
    assert {port["name"]: port["containerPort"] for port in container["ports"]}["peers"] == options.port
    named = one(case, "Service", "sw-hosts")["spec"]
    # Of all pods, at once: gateways that begin together look for each other before any of them is ready.
    assert (named["clusterIP"], named["publishNotReadyAddresses"]) == ("None", True)
    assert {"name": "peers", "port": 8482, "targetPort": "peers", "protocol": "TCP"} in named["ports"]


def test_another_port_is_the_same_everywhere() -> None:
    values = PEERS | {"peers": {"enabled": True, "secret": "p", "port": 9000}}
    (sidecars,) = (d for d in documents(values) if d["kind"] == "StatefulSet")
    (container,) = sidecars["spec"]["template"]["spec"]["containers"]
    given = {variable["name"]: variable.get("value") for variable in container["env"]}
    assert (given["SIDEWITNESS_PEERS"], given["SIDEWITNESS_PEER_PORT"]) == (f'["{NAME}:9000"]', "9000")
    assert {"name": "peers", "containerPort": 9000, "protocol": "TCP"} in container["ports"]


@pytest.mark.parametrize("case", KNOWING)
def test_everybodys_address_is_the_routers_and_leads_to_all_pods(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before, after = one("as it is", "Service", "-router"), one(case, "Service", "-router")
    assert after["metadata"]["name"] == before["metadata"]["name"]
    assert after["spec"]["ports"] == before["spec"]["ports"]
    assert after["spec"]["selector"].items() <= pod_labels(case).items()
    # A pod that drains is asked nothing, and who tries again comes to another one.
    assert set(after["spec"]) == {"selector", "ports"}
    # Nothing of nginx is left.
    left = [d for d in documents(CASES[case]) if d["metadata"]["name"] == "sw-router" or d["kind"] == "Deployment"]
    assert [document["kind"] for document in left] == ["Service"]
    # Asked by that name, which nginx kept to itself.
    served = loaded(case, monkeypatch, tmp_path).allowed_hosts
    for name in ("sw-router", "sw-router.calls", "sw-router.calls.svc:80", "sw-router.calls.svc.cluster.local"):
        assert is_served(name, served), name
    assert not is_served("sw-router.elsewhere", served)
    assert not is_served("sw-router", json.loads(variables("as it is")["SIDEWITNESS_ALLOWED_HOSTS"]))


def test_without_the_router_there_is_the_address_all_the_same() -> None:
    made = documents(PEERS | {"router": {"enabled": False}})
    assert [d["metadata"]["name"] for d in made if d["kind"] == "Service"].count("sw-router") == 1
    assert not [d for d in documents({"router": {"enabled": False}}) if d["metadata"]["name"] == "sw-router"]


@pytest.mark.parametrize("case", ["knowing each other", "knowing each other, on Ray"])
def test_only_sidecars_reach_the_port_for_each_other(case: str) -> None:
    policy = one(case, "NetworkPolicy", "sw-hosts")["spec"]
    opened = [(port["port"], rule["from"]) for rule in policy["ingress"] for port in rule.get("ports", ())]
    ((sidecars,),) = [who for port, who in opened if port == "peers"]
    labels = sidecars["podSelector"]["matchLabels"]
    assert set(sidecars) == {"podSelector"}
    assert labels["app.kubernetes.io/component"] == "host"
    assert labels.items() <= pod_labels(case).items()
    # Clients come past no router.
    assert [who for port, who in opened if port == "http"] == [[{"podSelector": {}}]]
    assert "peers" not in str(one("in the cluster's network", "NetworkPolicy")["spec"])


def test_a_new_one_is_found_before_the_next_is_let_go() -> None:
    assert one("knowing each other", "StatefulSet")["spec"]["minReadySeconds"] >= 45
    assert "minReadySeconds" not in one("as it is", "StatefulSet")["spec"]


def test_there_are_as_many_as_wanted_behind_one_address() -> None:
    case = "knowing each other, as many as wanted"
    assert one(case, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "sw-hosts"
    assert one(case, "Service", "-router")["spec"]["selector"].items() <= pod_labels(case).items()
    # Each is a gateway, which measures what participants cost, with one host too.
    checked(CASES[case] | {"processes": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"secrets": {"tokenKey": "k"}, "peers": PEERS["peers"]}, "peers.enabled needs secrets.database"),
        ({"secrets": SHARED, "peers": {"enabled": True}}, "peers.enabled needs peers.secret"),
        ({"secrets": {"database": "d"}, "peers": PEERS["peers"]}, "peers.enabled needs secrets.tokenKey"),
        (PEERS | {"peers": {"enabled": True, "secret": "p", "port": 0}}, "port"),
        (PEERS | {"peers": {"enabled": True, "secret": "p", "hosts": 2}}, "hosts"),
    ],
)
def test_peers_that_could_not_work_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.HelmError, match=message):
        checked(values)


def test_ports_and_the_secret_are_those_of_the_program() -> None:
    given = Settings.model_fields["peer_port"].default
    (sidecars,) = (d for d in documents(PEERS | {"network": POD}) if d["kind"] == "StatefulSet")
    (container,) = sidecars["spec"]["template"]["spec"]["containers"]
    assert {"name": "peers", "containerPort": given, "protocol": "TCP"} in container["ports"]
    values = (Path(__file__).parents[1] / "examples/kubernetes/sidewitness/values.yaml").read_text()
    assert f"{STRONG_TOKEN} random characters or more" in values
