#!/usr/bin/env bash
# Records what real Xen does when a permission is missing, and renews golden/.
#
#     bash tests/denials/record.sh [COUNT]
#
# COUNT is how many operations without a permission are tried, in the order of permissions.ts; without it, all.
# Prepares real Xen once (../xen/rig/prepare.sh), under DEWAR_XEN_CACHE or the user's cache. Needs Debian 12 on x86-64.
# Thirty take one start of the machine, three to eight minutes of two quiet cores.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=tests/denials rig=tests/xen/rig
cache=${DEWAR_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dewar/xen-rig}
results=.cache/denials

bash "$rig/prepare.sh" "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npx tsx "$here/write-policies.ts" "$work" "${1:-99999}"
gcc -nostdlib -static -s -Wl,-T,"$here/waiting-guest.ld" -Wl,--build-id=none,--no-warn-rwx-segments \
  -o "$work/waiting-guest" "$here/waiting-guest.S"
cp "$here/denials.sh" "$work/script"
mkdir -p "$results"
for list in "$work"/list-*; do
  name=$(basename "$list")
  cp "$list" "$work/list"
  for attempt in 1 2; do
    echo "record.sh: $name, attempt $attempt"
    if DEWAR_XEN_TIMEOUT=${DEWAR_XEN_TIMEOUT:-2400} bash "$rig/boot.sh" "$cache" "$work/whole" "$work" "$results/$name"; then
      npx tsx "$here/keep-recordings.ts" "$results/$name/output.txt"
      break
    fi
    [ "$attempt" -lt 2 ] || exit 1
  done
done
