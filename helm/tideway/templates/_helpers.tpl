{{/* Names. Kubernetes allows 63 characters; the longest suffix here has 10. */}}
{{- define "tideway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "tideway.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "tideway.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tideway.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tideway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "tideway.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object; `component` is gateway or redis. */}}
{{- define "tideway.selector" -}}
app.kubernetes.io/name: {{ include "tideway.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "tideway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "tideway.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "tideway.image" -}}
{{- $repository := .Values.image.repository -}}
{{- if .Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" .Values.global.imageRegistry $repository -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Secrets for private registries: the chart's and those of all charts of a release. */}}
{{- define "tideway.pullSecrets" -}}
{{- $secrets := list -}}
{{- range concat (default list .Values.global.imagePullSecrets) .Values.imagePullSecrets -}}
{{- $secrets = append $secrets (ternary . (dict "name" .) (kindIs "map" .)) -}}
{{- end -}}
{{- with $secrets | uniq -}}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* Whether the number of gateways is not the chart's to set: the autoscaler, KEDA or a person sets it. */}}
{{- define "tideway.scaledElsewhere" -}}
{{- if or .Values.autoscaling.enabled (kindIs "invalid" .Values.replicaCount) -}}true{{- end -}}
{{- end -}}

{{- define "tideway.apiKeysSecret" -}}
{{- default (printf "%s-api-keys" (include "tideway.fullname" .)) .Values.apiKeys.existingSecret -}}
{{- end -}}

{{/* The secret with the certificate; empty: ephemeral certificates, or no TLS. */}}
{{- define "tideway.tlsSecret" -}}
{{- if .Values.tls.enabled -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.existingSecret -}}
{{- else if .Values.tls.certManager.enabled -}}
{{- printf "%s-tls" (include "tideway.fullname" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tideway.bundledRedis" -}}
{{- if and (eq .Values.runtime "redis") .Values.redis.bundled.enabled -}}true{{- end -}}
{{- end -}}

{{/* A number as the gateway reads it: values come from JSON, where all numbers are floating. */}}
{{- define "tideway.value" -}}
{{- if kindIs "float64" . -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{/* CPUs of a quantity ("500m", "2", 1.5), rounded up. */}}
{{- define "tideway.cpus" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- divf (trimSuffix "m" $text | float64) 1000 | ceil -}}
{{- else -}}
{{- float64 $text | ceil -}}
{{- end -}}
{{- end -}}

{{/* Worker threads: what the CPU limit allows; without one two, or more if they are requested. */}}
{{- define "tideway.workers" -}}
{{- if .Values.config.workers -}}
{{- int64 .Values.config.workers -}}
{{- else if dig "limits" "cpu" "" .Values.resources -}}
{{- min 64 (include "tideway.cpus" .Values.resources.limits.cpu | int64) -}}
{{- else -}}
{{- min 64 (max 2 (include "tideway.cpus" (dig "requests" "cpu" "1" .Values.resources) | int64)) -}}
{{- end -}}
{{- end -}}

{{- define "tideway.drainSeconds" -}}
{{- $ms := 10000 -}}
{{- if not (kindIs "invalid" .Values.config.drainMs) -}}{{- $ms = int64 .Values.config.drainMs -}}{{- end -}}
{{- div (add $ms 999) 1000 -}}
{{- end -}}

{{- define "tideway.preStopSeconds" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}{{ int64 .Values.preStopSleepSeconds }}{{- else -}}0{{- end -}}
{{- end -}}

{{- define "tideway.gracePeriodSeconds" -}}
{{- $least := add (include "tideway.drainSeconds" . | int64) (include "tideway.preStopSeconds" . | int64) -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- add $least 15 -}}
{{- else -}}
{{- if le (int64 .Values.terminationGracePeriodSeconds) $least -}}
{{- fail (printf "terminationGracePeriodSeconds is %d: it must be more than preStopSleepSeconds and config.drainMs together (%d s), or pods are killed while they drain" (int64 .Values.terminationGracePeriodSeconds) $least) -}}
{{- end -}}
{{- int64 .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{/* What no single value can tell. */}}
{{- define "tideway.validate" -}}
{{- if and (eq .Values.runtime "memory") (or (include "tideway.scaledElsewhere" .) (gt (int64 .Values.replicaCount) 1)) -}}
{{- fail "runtime is memory: only one replica can serve, since others would not see its events; set replicaCount to 1 and leave autoscaling off, or set runtime to redis" -}}
{{- end -}}
{{- if and (eq .Values.runtime "redis") (not .Values.redis.bundled.enabled) (not .Values.redis.url) (not (and .Values.redis.existingSecret .Values.redis.urlKey)) -}}
{{- fail "redis.bundled.enabled is false: give redis.url, or redis.existingSecret with redis.urlKey" -}}
{{- end -}}
{{- if and .Values.redis.bundled.enabled (or .Values.redis.url .Values.redis.existingSecret) (eq .Values.runtime "redis") -}}
{{- fail "redis.url or redis.existingSecret is given, but redis.bundled.enabled is true: set it to false, or leave them out" -}}
{{- end -}}
{{- if and .Values.redis.existingSecret (not .Values.redis.urlKey) (not .Values.redis.passwordKey) (not .Values.redis.sentinelPasswordKey) -}}
{{- fail "redis.existingSecret is given: say by redis.urlKey, redis.passwordKey or redis.sentinelPasswordKey which entries to use" -}}
{{- end -}}
{{- if and .Values.redis.passwordKey (not .Values.redis.urlKey) (contains "@" .Values.redis.url) -}}
{{- fail "redis.url holds credentials already: leave them out, or leave out redis.passwordKey" -}}
{{- end -}}
{{- if and .Values.apiKeys.existingSecret .Values.apiKeys.keys -}}
{{- fail "apiKeys.existingSecret and apiKeys.keys are both given: give one of them" -}}
{{- end -}}
{{- if and .Values.config.privateTopics (not .Values.tokenKeys.existingSecret) -}}
{{- fail "config.privateTopics is set: name the secret with the keys of tokens in tokenKeys.existingSecret" -}}
{{- end -}}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.enabled is true: name the issuer in tls.certManager.issuerRef" -}}
{{- end -}}
{{- if and .Values.tls.certManager.enabled .Values.tls.existingSecret -}}
{{- fail "tls.existingSecret and tls.certManager.enabled are both given: choose one of them" -}}
{{- end -}}
{{- if and .Values.gatewayApi.enabled (not .Values.gatewayApi.parentRefs) -}}
{{- fail "gatewayApi.enabled is true: name the Gateway in gatewayApi.parentRefs" -}}
{{- end -}}
{{- if and .Values.gatewayApi.enabled .Values.tls.enabled (not .Values.gatewayApi.backendTLS.hostname) -}}
{{- fail "gatewayApi.enabled with tls.enabled: say in gatewayApi.backendTLS.hostname which name the certificate holds, or set tls.enabled to false" -}}
{{- end -}}
{{- if and (not (kindIs "invalid" .Values.podDisruptionBudget.minAvailable)) (not (kindIs "invalid" .Values.podDisruptionBudget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget.minAvailable and podDisruptionBudget.maxUnavailable are both given: set one of them to null" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (not .Values.autoscaling.streamsPerPod) (not .Values.autoscaling.cpuUtilization) (not .Values.autoscaling.metrics) -}}
{{- fail "autoscaling.enabled is true: give autoscaling.cpuUtilization, autoscaling.streamsPerPod or autoscaling.metrics" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled is true: give ingress.hosts" -}}
{{- end -}}
{{- end -}}

{{/* Whether passwords at Redis and at sentinels are mounted as files. */}}
{{- define "tideway.passwordFiles" -}}
{{- if and (eq .Values.runtime "redis") .Values.redis.passwordsAsFiles (or .Values.redis.passwordKey .Values.redis.sentinelPasswordKey) -}}true{{- end -}}
{{- end -}}

{{/* Where Redis is, as it is or from a secret, and what gateways prove themselves with. */}}
{{- define "tideway.redisEnv" -}}
{{- if include "tideway.bundledRedis" . -}}
- name: TIDEWAY_REDIS_URL
  value: redis://{{ include "tideway.fullname" . }}-redis:6379/0
{{- else if and .Values.redis.existingSecret .Values.redis.urlKey -}}
- name: TIDEWAY_REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.urlKey }}
{{- else -}}
- name: TIDEWAY_REDIS_URL
  value: {{ .Values.redis.url | quote }}
{{- end }}
{{- if .Values.redis.username }}
- name: TIDEWAY_REDIS_USERNAME
  value: {{ .Values.redis.username | quote }}
{{- end }}
{{- if and .Values.redis.passwordKey (include "tideway.passwordFiles" .) }}
- name: TIDEWAY_REDIS_PASSWORD_FILE
  value: /etc/tideway/redis-passwords/redis
{{- else if .Values.redis.passwordKey }}
- name: TIDEWAY_REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.passwordKey }}
{{- end }}
{{- if .Values.redis.sentinelUsername }}
- name: TIDEWAY_REDIS_SENTINEL_USERNAME
  value: {{ .Values.redis.sentinelUsername | quote }}
{{- end }}
{{- if and .Values.redis.sentinelPasswordKey (include "tideway.passwordFiles" .) }}
- name: TIDEWAY_REDIS_SENTINEL_PASSWORD_FILE
  value: /etc/tideway/redis-passwords/sentinel
{{- else if .Values.redis.sentinelPasswordKey }}
- name: TIDEWAY_REDIS_SENTINEL_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Values.redis.existingSecret }}
      key: {{ .Values.redis.sentinelPasswordKey }}
{{- end }}
{{- if .Values.redis.certSecret }}
- name: TIDEWAY_REDIS_CERT
  value: /etc/tideway/redis-cert/tls.crt
- name: TIDEWAY_REDIS_KEY
  value: /etc/tideway/redis-cert/tls.key
{{- end }}
{{- if .Values.redis.serverName }}
- name: TIDEWAY_REDIS_SERVER_NAME
  value: {{ .Values.redis.serverName | quote }}
{{- end }}
{{- if .Values.redis.caSecret }}
- name: TIDEWAY_REDIS_CA
  value: /etc/tideway/redis-ca/ca.crt
{{- end }}
{{- end -}}
