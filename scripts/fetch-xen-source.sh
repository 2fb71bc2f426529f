#!/usr/bin/env bash
# Brings Debian's source of Xen 4.17 to .cache/xen-4.17/src, for the tests on Xen's own example policy and its hooks,
# which are not ours to ship. Needs Debian 12 with dpkg-dev; asks no package to be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/debian-packages.sh
cache="$PWD/.cache/xen-4.17"
if [ -e "$cache/src/tools/flask/policy/modules/modules.conf" ] && [ -e "$cache/src/xen/xsm/flask/hooks.c" ]; then exit 0; fi

rm -rf "$cache"
debian_xen_source "$cache"
mkdir -p "$cache/src/tools/flask" "$cache/src/xen/xsm/flask"
cp -r "$cache/unpacked/tools/flask/policy" "$cache/src/tools/flask/"
cp -r "$cache/unpacked/xen/xsm/flask/policy" "$cache/unpacked/xen/xsm/flask/hooks.c" "$cache/src/xen/xsm/flask/"
rm -rf "$cache/unpacked"
