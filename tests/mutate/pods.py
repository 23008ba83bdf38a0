"""Defences of the Helm chart, and who may listen in a cluster."""

from __future__ import annotations

from tests.mutate.mutation import Mutation

OF_CHART = "tests/test_kubernetes.py"
TEMPLATES = "examples/kubernetes/sidewitness/templates"

MUTATIONS = (
    Mutation(
        "a pod may raise its privileges",
        f"{TEMPLATES}/_helpers.tpl",
        "allowPrivilegeEscalation: false\n",
        "",
        (f"{OF_CHART}::test_nothing_runs_as_root_or_writes_where_it_need_not",),
    ),
    Mutation(
        "a pod may write to its image",
        f"{TEMPLATES}/_helpers.tpl",
        "readOnlyRootFilesystem: true\n",
        "",
        (f"{OF_CHART}::test_nothing_runs_as_root_or_writes_where_it_need_not",),
    ),
    Mutation(
        "health and metrics of a node are open to its network",
        f"{TEMPLATES}/hosts.yaml",
        'ternary "127.0.0.1" "0.0.0.0" $onNode',
        'ternary "0.0.0.0" "0.0.0.0" $onNode',
        (f"{OF_CHART}::test_probes_ask_the_operators_listener",),
    ),
    Mutation(
        "a policy of the network selects no sidecar",
        f"{TEMPLATES}/networkpolicy.yaml",
        '    matchLabels: {{- include "sidewitness.selector" (merge (dict "component" "host") .) | nindent 6 }}\n',
        "    matchLabels: {nothing: here}\n",
        (f"{OF_CHART}::test_a_node_has_one_of_them_and_a_pod_has_ports_that_rules_can_name",),
    ),
    Mutation(
        "whoever is in the cluster reaches the port that gateways speak to each other by",
        f"{TEMPLATES}/networkpolicy.yaml",
        "      ports: [{protocol: TCP, port: http}]\n",
        "      ports: [{protocol: TCP, port: http}, {protocol: TCP, port: peers}]\n",
        ("tests/test_kubernetes_peers.py::test_only_sidecars_reach_the_port_for_each_other",),
    ),
    Mutation(
        "gateways listen for each other on every address of a node",
        f"{TEMPLATES}/hosts.yaml",
        "valueFrom: {fieldRef: {fieldPath: status.podIP}}",
        "value: 0.0.0.0",
        ("tests/test_kubernetes_peers.py::test_each_listens_at_its_pods_address_for_whoever_the_name_stands_for",),
    ),
)
