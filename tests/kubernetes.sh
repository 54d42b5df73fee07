#!/usr/bin/env bash
# kubernetes.sh - checks docker/kubernetes.yaml without a cluster
#
# Every field against Kubernetes' own schemas: the manifest becomes literals of the types that the npm
# package kubernetes-models makes of them, and the TypeScript compiler refuses what they do not know.
# Then what its config maps hold, by `cmqgw check`. Needs node, npm and a built cmqgw ($CMQGW_BIN).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d /tmp/cmqgw-kubernetes.XXXXXX)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts --no-save --no-package-lock \
    kubernetes-models@4.5.1 yaml@2.8.1 typescript@5.9.3 >/dev/null

cat >convert.js <<'J'
const fs = require("fs"), YAML = require("yaml");
const [, , manifest, spoilt] = process.argv;
let text = fs.readFileSync(manifest, "utf8");
if (spoilt) text = text.replace(spoilt, spoilt.slice(0, -1));
let code = "";
YAML.parseAllDocuments(text).forEach((document, i) => {
  const object = document.toJSON();
  const module = "kubernetes-models/" + object.apiVersion;
  code += `import { I${object.kind} as T${i} } from "${module}";\n` +
          `export const o${i}: T${i} = ${JSON.stringify(object)};\n`;
  if (object.kind === "ConfigMap")
    for (const [name, content] of Object.entries(object.data))
      fs.writeFileSync("config/" + name, content);
});
fs.writeFileSync("manifest.ts", code);
J
mkdir config
types_fit() {
    node convert.js "$root/docker/kubernetes.yaml" "$@"
    node_modules/.bin/tsc --noEmit --strict --skipLibCheck --module node16 manifest.ts
}
for word in livenessProbe serviceName readOnlyRootFilesystem accessModes; do
    if types_fit "$word" >/dev/null; then
        echo "FAILED: a misspelt $word was not noticed" >&2
        exit 1
    fi
done
types_fit
echo "docker/kubernetes.yaml: every field is known"

cd config
mkdir rules secrets
mv rules.cfg rules/
echo 0123456789abcdef | tee secrets/cmq_secret_id secrets/admin_token >secrets/cmq_secret_key
chmod 600 secrets/*
sed -i -e "s#/etc/cmqgw-rules#$PWD/rules#" -e "s#/run/secrets/cmqgw#$PWD/secrets#" gateway.cfg
HOSTNAME=cmqgw-0 "${CMQGW_BIN:-$root/build/dev/bin}/cmqgw" check -c gateway.cfg
