#!/usr/bin/env bash
# Records what xl says on real Xen, and renews golden/.
#
#     bash tests/xl-host/record.sh [SESSION...]
#
# Without a session, all of them; each takes a start of the machine of its own, a minute or two of two quiet cores.
# Prepares real Xen once (../xen/rig/prepare.sh), under DEWAR_XEN_CACHE or the user's cache. Needs Debian 12 on x86-64.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/xl-host rig=tests/xen/rig
cache=${DEWAR_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dewar/xen-rig}
results=.cache/xl-host

bash "$rig/prepare.sh" "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Drivers of dom0 that the machine is not prepared with: those of its kernel.
mkdir "$work/kernel" "$work/modules"
name=linux-image-$(grep -aom1 '[0-9.]*-[0-9]*-amd64' "$cache/vmlinuz")
(cd "$work/kernel" && apt-get --quiet -o Acquire::Retries=3 download "$name" && dpkg -x "$name"_*.deb .)
for module in loop xen-blkback xen-netback; do
  find "$work/kernel" -name "$module.ko" -exec cp {} "$work/modules/" \;
done
rm -rf "$work/kernel"

gcc -nostdlib -static -s -Wl,-T,tests/denials/waiting-guest.ld -Wl,--build-id=none,--no-warn-rwx-segments \
  -o "$work/waiting-guest" tests/denials/waiting-guest.S
cp -r "$here/guests" "$here"/*.session tests/traces/kinds/record/guests/hotplug "$work/"
node packages/cli/bin/dewar.js compile policies/example -q -o "$work/policy"

[ "$#" -gt 0 ] || set -- $(basename -s .session "$here"/*.session)
for session in "$@"; do
  { echo "session=$session"; cat "$here/on-host.sh"; } >"$work/script"
  echo "record.sh: $session"
  DEWAR_XEN_TIMEOUT=${DEWAR_XEN_TIMEOUT:-1200} bash "$rig/boot.sh" "$cache" "$work/policy" "$work" "$results/$session"
  cp "$results/$session/$session.txt" "$here/golden/"
done
