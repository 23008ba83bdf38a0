"""The Helm chart: linted and rendered by Helm's own code, valid Kubernetes, and true to the program that it starts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config import PREFIX, Settings, load, unknown_variables
from monitor.host.cluster.metrics import HintMetrics
from monitor.host.cluster.sizing import Hints
from monitor.host.planning.sizing import PROBE_SECONDS
from tests.test_docs import mistakes

helm = pytest.importorskip("helm_python", reason="helm-python-sdk is not installed: make test installs it")
kubernetes = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed")

ROOT = Path(__file__).parents[1]
CHART = ROOT / "examples" / "kubernetes" / "sidewitness"
DATABASE = "postgresql+psycopg://sidewitness:secret@db.example/sidewitness?sslmode=verify-full"
VERSIONS = ("1.28", "1.31", "1.34", "1.37")
TURN = {"url": "turn:turn.example:3478", "username": "s", "credentialSecret": {"name": "turn", "key": "credential"}}
POD = {"mode": "pod", "allowedNetworks": ["10.0.0.0/8"], "iceServers": [TURN, {"url": "stun:stun.example"}]}
RAY_IMAGE = "registry.example/sidewitness-ray:1"
SHARED = {"database": "sidewitness-database", "tokenKey": "sidewitness-token-key"}
PEERS = {"secrets": SHARED, "peers": {"enabled": True, "secret": "sidewitness-peers"}}
CASES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "in the cluster's network": {"network": POD, "networkPolicy": {"adminFrom": [{"podSelector": {}}]}},
    "by participants": {"router": {"enabled": False}, "autoscaling": {"enabled": True, "maxReplicas": 20}},
    "by use": {"router": {"enabled": False}, "autoscaling": {"enabled": True, "by": "use"}},
    "knowing each other": PEERS | {"network": POD},
    "knowing each other, as many as wanted": PEERS | {"autoscaling": {"enabled": True, "by": "use"}},
    "knowing each other, on Ray": PEERS | {"network": POD, "ray": {"enabled": True, "image": RAY_IMAGE}},
    "on Ray": {"network": POD, "ray": {"enabled": True, "image": RAY_IMAGE}},
    "on Ray, as many as wanted": {
        "network": POD,
        "ray": {"enabled": True, "image": RAY_IMAGE, "workers": {"max": 9}},
        "nodeSelector": {"pool": "media"},
        "imagePullSecrets": [{"name": "pull"}],
    },
    "with everything else": {
        "imagePullSecrets": [{"name": "pull"}],
        "secrets": SHARED,
        "settings": {"hop_seconds": 0.5, "sinks": [{"kind": "jsonl", "path": "/tmp/findings.jsonl"}]},
        "extraEnv": [{"name": "OTHER", "value": "x"}],
        "router": {"host": "meet.example", "trustedNetworks": ["10.1.0.0/16"]},
        "persistence": {"storageClass": "fast"},
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"from": [{"namespaceSelector": {}}]},
        "nodeSelector": {"pool": "media"},
        "tolerations": [{"key": "media", "operator": "Exists"}],
        "podAnnotations": {"prometheus.io/scrape": "false"},
    },
}


def rendered(values: Mapping[str, Any]) -> dict[str, str]:
    with helm.Chart.load(CHART) as chart:
        made: dict[str, str] = chart.render(dict(values), name="sw", namespace="calls")
    return made


def checked(values: Mapping[str, Any]) -> None:
    """Render as an installation would, which looks at the schema first."""
    with helm.Chart.load(CHART) as chart:
        chart.validate_schema(dict(values))
        chart.render(dict(values), name="sw", namespace="calls")


def documents(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    texts = [text for name, text in rendered(values).items() if name.endswith(".yaml")]
    return [document for text in texts for document in yaml.safe_load_all(text) if document]


@cache
def _of(case: str) -> list[dict[str, Any]]:
    return documents(CASES[case])


def one(case: str, kind: str, name: str = "") -> dict[str, Any]:
    (found,) = (d for d in _of(case) if d["kind"] == kind and d["metadata"]["name"].endswith(name))
    return found


def pods(case: str) -> Iterator[dict[str, Any]]:
    for document in _of(case):
        if document["kind"] in ("StatefulSet", "Deployment"):
            yield document["spec"]["template"]["spec"]
        if document["kind"] == "RayCluster":
            yield from (group["template"]["spec"] for group in ray_groups(document))


def ray_groups(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    return [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]


def native(document: dict[str, Any]) -> list[dict[str, Any]]:
    """What of a document has a schema of Kubernetes: of a resource of KubeRay the pods that are to be made."""
    if document["kind"] != "RayCluster":
        return [document]
    return [{"apiVersion": "v1", "kind": "Pod", **group["template"]} for group in ray_groups(document)]


def variables(case: str) -> dict[str, str]:
    """What the sidecar's container is given, as the kubelet would fill it in."""
    container, *_ = one(case, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    filled = {"POD_NAME": "sw-hosts-0", "SIDEWITNESS_TOKEN": "a-token-of-sixteen-and-more"}
    filled |= {"SIDEWITNESS_DATABASE_URL": DATABASE, "SIDEWITNESS_PEER_HOST": "10.0.0.7"}
    filled["SIDEWITNESS_PEER_SECRET"] = "a-secret-of-sixteen-and-more"
    named = {variable["name"] for variable in container["env"]}
    for variable in container["env"]:
        value = variable.get("value", filled.get(variable["name"], "a-secret"))
        filled[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: filled[match[1]], value)
    return {name: value for name, value in filled.items() if name in named}


def test_helm_finds_nothing_wrong() -> None:
    for version in VERSIONS:
        report = helm.lint(CHART, strict=True, kube_version=f"v{version}.0")
        assert report["errors"] == []
        # An icon is recommended, and there is none.
        assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_valid_kubernetes(case: str, version: str) -> None:
    made = _of(case)
    assert {"StatefulSet", "Service", "ConfigMap"} <= {document["kind"] for document in made}
    for document in made:
        for part in native(document):
            assert kubernetes.validate(part, version, strict=True) == version
    names = [(document["kind"], document["metadata"]["name"]) for document in made]
    assert len(set(names)) == len(names)


def test_a_fault_in_a_manifest_is_found() -> None:
    wrong = one("as it is", "StatefulSet") | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(wrong, "1.31", strict=True)


@pytest.mark.parametrize("case", CASES)
def test_the_program_takes_its_settings_and_nothing_is_misspelt(
    case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = variables(case)
    assert unknown_variables(given) == []
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "sidewitness.yaml"
    file.write_text(one(case, "ConfigMap", "sw")["data"]["sidewitness.yaml"])
    settings = load(file)
    values = CASES[case]
    assert (settings.max_participants, settings.processes) == (4, 4 if "ray" in values else 2)
    assert settings.cluster == ("auto" if "ray" in values else None)
    assert "sw-hosts-0.sw-hosts.calls.svc.cluster.local" in settings.allowed_hosts
    assert ("meet.example" in settings.allowed_hosts) == ("host" in values.get("router", {}))
    assert [str(network) for network in settings.allowed_networks] == (["10.0.0.0/8"] if "network" in values else [])
    assert [server.url for server in settings.ice_servers] == (
        [TURN["url"], "stun:stun.example"] if "network" in values else []
    )
    if "network" in values:
        credential = settings.ice_servers[0].credential
        assert credential is not None
        assert credential.get_secret_value() == "a-secret"
    assert len(settings.sinks) == len(values.get("settings", {}).get("sinks", ()))
    assert settings.health_port == 8481
    shared = "secrets" in values
    assert settings.journal_url == (DATABASE if shared else f"sqlite:///{settings.state_dir / 'journal.sqlite'}")
    assert settings.vault_url == (DATABASE if shared else f"sqlite:///{settings.state_dir / 'vault.sqlite'}")
    assert str(settings.token_key_file) == ("/run/secrets/tokens/tokens.key" if shared else "None")


def test_what_is_started_is_a_command_that_is_there() -> None:
    (container,) = one("as it is", "StatefulSet")["spec"]["template"]["spec"]["containers"]
    assert mistakes(" ".join(container["args"])) == []
    where = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    given = variables("as it is")
    assert container["args"][-1] == f"{where['config']}/sidewitness.yaml"
    assert given["SIDEWITNESS_VAULT_KEY_FILE"] == f"{where['master-key']}/vault.key"
    # Private, so not the root of a volume, which belongs to a group.
    assert given["SIDEWITNESS_STATE_DIR"].startswith(f"{where['state']}/")


def test_probes_ask_the_operators_listener() -> None:
    for case, address in (("as it is", "127.0.0.1"), ("in the cluster's network", None)):
        (container,) = one(case, "StatefulSet")["spec"]["template"]["spec"]["containers"]
        probes = {name: container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}
        asked = {name: probe["httpGet"] for name, probe in probes.items()}
        assert {name: get["path"] for name, get in asked.items()} == {
            "startup": "/healthz",
            "liveness": "/healthz",
            "readiness": "/readyz",
        }
        assert {get.get("host") for get in asked.values()} == {address}
        assert {get["port"] for get in asked.values()} == {"admin"}
        # What a plan counts as writes.
        assert probes["readiness"]["periodSeconds"] == PROBE_SECONDS
        # Where the node's network is used, nobody beside the node reaches it.
        assert variables(case)["SIDEWITNESS_ADMIN_HOST"] == (address or "0.0.0.0")


@pytest.mark.parametrize("case", CASES)
def test_nothing_runs_as_root_or_writes_where_it_need_not(case: str) -> None:
    for pod in pods(case):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        # The head of a Ray cluster that grows asks for pods.
        is_asking = case == "on Ray, as many as wanted" and pod["containers"][0]["name"] == "ray-head"
        assert pod["automountServiceAccountToken"] is is_asking
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }
            mounted = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
            assert mounted <= {"/tmp", "/var/lib/sidewitness", *(["/dev/shm"] if "ray" in CASES[case] else [])}
    text = "\n".join(rendered(CASES[case]).values())
    # Secrets are named, and none is made.
    assert "kind: Secret" not in text


def test_a_node_has_one_of_them_and_a_pod_has_ports_that_rules_can_name() -> None:
    host, pod = (one(case, "StatefulSet")["spec"]["template"]["spec"] for case in list(CASES)[:2])
    assert (host["hostNetwork"], "hostNetwork" in pod) == (True, False)
    assert "requiredDuringSchedulingIgnoredDuringExecution" in host["affinity"]["podAntiAffinity"]
    # Refused by the kubelet together with the node's network.
    assert "sysctls" not in host["securityContext"]
    assert pod["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_local_port_range", "value": "40000 40999"}]
    policy = one("in the cluster's network", "NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= pod_labels("in the cluster's network").items()
    ports = [port for rule in policy["ingress"] for port in rule["ports"]]
    assert {"protocol": "UDP", "port": 40000, "endPort": 40999} in ports
    assert [port["port"] for port in ports] == ["http", 40000, "admin"]
    assert [d["kind"] for d in _of("as it is")].count("NetworkPolicy") == 0


def pod_labels(case: str) -> dict[str, str]:
    labels: dict[str, str] = one(case, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize("case", CASES)
def test_everything_that_selects_pods_selects_some(case: str) -> None:
    labelled = [
        d["spec"]["template"]["metadata"]["labels"] for d in _of(case) if d["kind"] in ("StatefulSet", "Deployment")
    ]
    for document in _of(case):
        if document["kind"] in ("Service", "PodDisruptionBudget", "StatefulSet", "Deployment"):
            selector = document["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            assert sum(wanted.items() <= labels.items() for labels in labelled) == 1, document["metadata"]["name"]


def test_it_grows_by_participants() -> None:
    scaler = one("by participants", "HorizontalPodAutoscaler")["spec"]
    assert scaler["scaleTargetRef"]["name"] == one("by participants", "StatefulSet")["metadata"]["name"]
    (metric,) = scaler["metrics"]
    assert metric["pods"]["metric"]["name"] == "sidewitness_participants"
    # 70 % of four.
    assert metric["pods"]["target"]["averageValue"] == "2800m"
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 20)
    # Else every rendering would set it back.
    assert "replicas" not in one("by participants", "StatefulSet")["spec"]


def test_it_grows_by_what_participants_cost() -> None:
    scaler = one("by use", "HorizontalPodAutoscaler")["spec"]
    (metric,) = scaler["metrics"]
    assert metric["pods"]["metric"]["name"] == "sidewitness_hosts_wanted"
    # So many hosts has each pod: as many pods as have those that are wanted.
    assert metric["pods"]["target"]["averageValue"] == variables("by use")["SIDEWITNESS_PROCESSES"] == "2"
    families = HintMetrics(lambda: Hints(0.3, 1, 1)).collect()
    assert metric["pods"]["metric"]["name"] in {family.name for family in families}


def test_hosts_on_ray_are_actors_of_a_cluster_that_only_the_gateways_reach() -> None:
    cluster, gateway = one("on Ray", "RayCluster"), one("on Ray", "StatefulSet")["spec"]["template"]
    head, workers = ray_groups(cluster)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["cluster"][0].startswith(f"ray=={cluster['spec']['rayVersion']};")
    # Nobody is judged on the head, nor in the gateway's pod.
    assert head["rayStartParams"]["num-cpus"] == "0"
    node = next(each for each in gateway["spec"]["containers"] if each["name"] == "ray")
    assert "--num-cpus=0" in node["command"]
    # As KubeRay calls the service of a cluster's head.
    assert f"--address={cluster['metadata']['name']}-head-svc:6379" in node["command"]
    # The two share what Ray speaks through on one machine.
    for container in gateway["spec"]["containers"]:
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        assert (mounted["/tmp"], mounted["/dev/shm"]) == ("tmp", "shared")
    images = {each["image"] for pod in pods("on Ray") for each in pod["containers"]}
    assert {image for image in images if "nginx" not in image} == {RAY_IMAGE}
    assert (workers["minReplicas"], workers["maxReplicas"], cluster["spec"]["enableInTreeAutoscaling"]) == (2, 2, False)
    assert one("on Ray, as many as wanted", "RayCluster")["spec"]["enableInTreeAutoscaling"] is True
    policy = one("on Ray", "NetworkPolicy", "-ray")["spec"]
    assert policy["podSelector"]["matchLabels"] == head["template"]["metadata"]["labels"]
    peers = [peer for rule in policy["ingress"] if "ports" not in rule for peer in rule["from"]]
    components = [peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for peer in peers]
    assert sorted(components) == ["host", "ray"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"autoscaling": {"enabled": True}}, "autoscaling needs peers.enabled, or router.enabled=false"),
        ({"replica": 3}, "replica"),
        (
            {"processes": 1, "router": {"enabled": False}, "autoscaling": {"enabled": True, "by": "use"}},
            "autoscaling.by=use needs processes above 1",
        ),
        ({"ray": {"enabled": True, "image": RAY_IMAGE}}, "ray.enabled needs network.mode=pod"),
        ({"network": POD, "ray": {"enabled": True}}, "ray.image is needed"),
        (
            {"network": POD, "ray": {"enabled": True, "image": RAY_IMAGE}, "networkPolicy": {"enabled": False}},
            "ray.enabled needs networkPolicy.enabled",
        ),
        ({"network": {"mode": "bridge"}}, "mode"),
        ({"maxParticipants": 257}, "maxParticipants"),
        ({"router": {"processes": 4}}, "processes"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.HelmError, match=message):
        checked(values)


def test_the_schema_keeps_to_the_limits_of_the_program() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    places = Settings.model_json_schema()["properties"]["max_participants"]
    assert (schema["maxParticipants"]["minimum"], schema["maxParticipants"]["maximum"]) == (
        places["minimum"],
        places["maximum"],
    )
    # Not `auto`: a pod without a limit would take every core of its node.
    assert schema["processes"] == {"type": "integer", "minimum": 1, "maximum": 64}
    used = set(re.findall(rf"{PREFIX}(\w+)", (CHART / "templates/hosts.yaml").read_text()))
    assert {name.lower() for name in used} <= set(Settings.model_fields)


@pytest.mark.parametrize("replicas", [1, 2, 3, 7, 600])
def test_the_router_shares_calls_out_over_all_pods(replicas: int) -> None:
    (config,) = (
        d["data"]["default.conf"]
        for d in documents({"replicas": replicas})
        if d["kind"] == "ConfigMap" and d["metadata"]["name"] == "sw-router"
    )
    named = re.findall(r"^ +(?:([\d.]+)%|\*) (sw-hosts-\d+);", config, re.MULTILINE)
    assert [name for _, name in named] == [f"sw-hosts-{number}" for number in range(replicas)]
    assert all(float(share) == pytest.approx(100 / replicas, abs=0.01) for share, _ in named[:-1])
    # nginx takes two digits, and no more than all of it.
    assert all(re.fullmatch(r"\d+\.\d\d", share) for share, _ in named[:-1])
    assert sum(float(share) for share, _ in named[:-1]) < 100


@pytest.mark.parametrize(("by", "key"), [("call", "$call"), ("participant", "$call/$participant")])
def test_the_router_goes_by_what_it_is_told(by: str, key: str) -> None:
    configs = [d["data"] for d in documents({"router": {"by": by}}) if d["kind"] == "ConfigMap"]
    (config,) = (data["default.conf"] for data in configs if "default.conf" in data)
    assert f"split_clients {key} $its_pod {{" in config


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx here: make interop installs it")
def test_nginx_takes_the_routers_configuration(tmp_path: Path) -> None:
    config = one("as it is", "ConfigMap", "router")["data"]["default.conf"]
    # The name server of a cluster is not there.
    (tmp_path / "default.conf").write_text(re.sub(r"resolver \S+", "resolver 127.0.0.1", config))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/nginx.pid; error_log stderr; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {tmp_path}/body; proxy_temp_path {tmp_path}/proxy;\n"
        f"include {tmp_path}/default.conf; }}\n"
    )
    checked = subprocess.run(
        ["nginx", "-t", "-e", "stderr", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert checked.returncode == 0, checked.stderr
