#!/usr/bin/env bash
# Checks openapi.yaml as its users would: two linters without a warning, and a client made from it in two languages.
# Everything is fetched into and made in target/openapi; the checkout stays as it is. Needs node, npm, python3.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
document=$(realpath "${1:-$root/openapi.yaml}")
work=$root/target/openapi
mkdir -p "$work"
cd "$work"

# The linters tell nobody what they lint.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

cp "$here"/{package.json,package-lock.json,.npmrc,redocly.yaml,.spectral.yaml,client.ts,client.py,python.yaml,requirements.txt} .
if ! cmp -s package-lock.json node_modules/.of-this-lock; then
    npm ci --silent --ignore-scripts --cache "$root/target/npm-cache" </dev/null
    cp package-lock.json node_modules/.of-this-lock
fi
if ! cmp -s requirements.txt venv/.of-these-requirements; then
    python3 -m venv --clear venv
    venv/bin/pip install --quiet --disable-pip-version-check --cache-dir "$root/target/pip-cache" -r requirements.txt
    cp requirements.txt venv/.of-these-requirements
fi
tools=$work/node_modules/.bin

echo "redocly: the strict rules"
"$tools/redocly" lint "$document" --config redocly.yaml --format stylish

echo "spectral: all rules, every finding counts"
"$tools/spectral" lint "$document" --ruleset .spectral.yaml --fail-severity hint

echo "TypeScript: a client that the compiler accepts"
rm -rf typescript && mkdir typescript
"$tools/openapi-typescript" "$document" --output typescript/temwen.d.ts
cp client.ts typescript/
"$tools/tsc" --noEmit --strict --exactOptionalPropertyTypes --target es2022 --module preserve --lib es2022,dom,dom.iterable \
    typescript/client.ts

echo "Python: a client of which every module can be imported"
rm -rf python && mkdir python
# The generator tidies up what it made with ruff, which it looks for in the path.
PATH=$work/venv/bin:$PATH venv/bin/python -m openapi_python_client generate --path "$document" --fail-on-warning --meta none --config python.yaml \
    --output-path python/temwen_client >python/generated.log 2>&1 || { cat python/generated.log; exit 1; }
operations=$(grep -c '^      operationId: ' "$document")
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=python venv/bin/python client.py "$operations"
