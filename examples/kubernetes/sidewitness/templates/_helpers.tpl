{{- define "sidewitness.name" -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "sidewitness.labels" -}}
app.kubernetes.io/name: sidewitness
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "sidewitness.selector" -}}
app.kubernetes.io/name: sidewitness
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sidewitness.hosts" -}}
{{- printf "%s-hosts" (include "sidewitness.name" .) -}}
{{- end -}}

{{- /* By which name a pod is reached; the number of the pod stands where $pod does. */ -}}
{{- define "sidewitness.domain" -}}
{{- printf "%s.%s.svc.%s" (include "sidewitness.hosts" .) .Release.Namespace .Values.router.clusterDomain -}}
{{- end -}}

{{- /* The one address for everybody: of the router, or of all pods where these know each other. */ -}}
{{- define "sidewitness.address" -}}
{{- printf "%s-router" (include "sidewitness.name" .) -}}
{{- end -}}

{{- /* Whether nginx stands in front: not where any pod can take any request. Empty for no. */ -}}
{{- define "sidewitness.routed" -}}
{{- if and .Values.router.enabled (not .Values.peers.enabled) }}true{{ end -}}
{{- end -}}

{{- define "sidewitness.hardened" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end -}}
