{{- define "livewarden.name" -}}
{{- default .Release.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "livewarden.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "livewarden.selector" -}}
app.kubernetes.io/name: livewarden
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{- define "livewarden.labels" -}}
{{ include "livewarden.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "livewarden.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if .Values.policies -}}
{{- $files := list -}}
{{- range $name := keys .Values.policies | sortAlpha -}}
{{- $files = append $files (printf "/etc/livewarden-policies/%s" $name) -}}
{{- end -}}
{{- $_ := set $settings "policies" $files -}}
{{- end -}}
{{- toYaml $settings -}}
{{- end }}

{{- define "livewarden.secretEnv" -}}
{{- $names := dict "apiKeys" "LIVEWARDEN_API__KEYS" "streamHosts" "LIVEWARDEN_ROOMS__ALLOWED_HOSTS" "kafkaPassword" "LIVEWARDEN_KAFKA__SASL_PASSWORD" "indexUrl" "LIVEWARDEN_INDEX_URL" "redisUrl" "LIVEWARDEN_TEXT__CONVERSATION__REDIS_URL" -}}
{{- range $value, $variable := $names }}
{{- $ref := index $.Values.secrets $value }}
{{- if $ref.name }}
- name: {{ $variable }}
  valueFrom: {secretKeyRef: {name: {{ $ref.name }}, key: {{ $ref.key }}}}
{{- end }}
{{- end }}
{{- end }}

{{- define "livewarden.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /healthz, port: http}
  periodSeconds: 10
  timeoutSeconds: 3
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- define "livewarden.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "livewarden.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "livewarden.gpu" -}}
{{- $gpu := .Values.gpu -}}
{{- if eq $gpu.kind "nvidia" }}
nvidia.com/gpu: {{ $gpu.count | quote }}
{{- else if eq $gpu.kind "mig" }}
nvidia.com/mig-{{ $gpu.migProfile }}: "1"
{{- else if eq $gpu.kind "hami" }}
nvidia.com/gpu: {{ $gpu.count | quote }}
nvidia.com/gpumem: {{ $gpu.memoryMiB | quote }}
nvidia.com/gpucores: {{ $gpu.computePercent | quote }}
{{- else if eq $gpu.kind "gpu-manager" }}
tencent.com/vcuda-core: {{ $gpu.computePercent | quote }}
tencent.com/vcuda-memory: {{ div (add $gpu.memoryMiB 255) 256 | quote }}
{{- else if ne $gpu.kind "none" }}
{{- fail (printf "gpu.kind %q is unknown; use none, nvidia, mig, hami or gpu-manager" $gpu.kind) }}
{{- end }}
{{- end }}
