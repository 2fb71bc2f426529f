#!/usr/bin/env bash
# The judge: has real Xen and the simulated one answer the same questions, and compares them.
#
#     npm run test:xen
#     DEWAR_XEN_RELEASE=4.20 npm run test:xen
#
# Prepares real Xen once (prepare.sh), under DEWAR_XEN_CACHE or the user's cache; boots it under QEMU (boot.sh) with the
# example policy once for each part of the questions (../judge/parts.ts), some at once; runs Dewar in its dom0
# (../judge/in-dom0.sh); judges what comes out (../judge/verdict.ts), and renews docs/transcripts/dewar-on-xen-RELEASE.txt.
# Needs Debian 12 on x86-64. The release is 4.17, or any that prepare.sh knows. DEWAR_XEN_MACHINES says how many machines run
# at once; without it, as many as there are processors and memory for, at most four. DEWAR_XEN_PARTS names the parts, if not
# all are to be asked; the transcript stays as it is then.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
release=${DEWAR_XEN_RELEASE:-4.17}
cache=${DEWAR_XEN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dewar/xen-rig}
results=.cache/xen-judge
if [ "$release" != 4.17 ]; then cache+=-$release results+=-$release; fi
rig=tests/xen/rig

bash "$rig/prepare.sh" "$cache" "$release"
node scripts/build.mjs
version=$(cat "$cache/version")
# Xen's own policy is that of the release.
export DEWAR_XEN_TREE=$cache/tree

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
common=$work/common dewar=$work/common/dewar
mkdir -p "$dewar/packages/cli" "$dewar/node_modules/@koromix" "$dewar/docs"
cp -r packages/cli/bin packages/cli/dist packages/cli/package.json "$dewar/packages/cli/"
cp -r node_modules/koffi "$dewar/node_modules/"
cp -r node_modules/@koromix/koffi-linux-x64 "$dewar/node_modules/@koromix/"
rm -rf "$dewar"/node_modules/koffi/{doc,vendor,lib}
cp -r policies examples "$dewar/"
npx esbuild tests/xen/judge/judge-in-dom0.ts --bundle --platform=node --format=esm --target=node20 --external:koffi \
  --log-level=warning --outfile="$common/judge.mjs"
node packages/cli/bin/dewar.js compile policies/example -q --xen "$version" -o "$common/example.policy"
node packages/cli/bin/dewar.js compile "$DEWAR_XEN_TREE/tools/flask/policy" -q --xen "$version" -o "$common/stock.policy"
cp examples/nomigrate/guest.cfg "$common/"

# An emulated machine now and then loses a process, or stands still. What such a run says is no verdict: the part is asked
# again. Parts that take long come first.
readonly ATTEMPTS=3 PARTS='migration commands devices answers session permissive disabled'

# ask PART: boots a machine for one part of the questions. 1 when an answer is not as it has to be, 75 without a verdict.
ask() {
  local part=$1 mode=enforcing attempt started status
  case $part in
    permissive | disabled) mode=$part ;;
  esac
  # The files are those of the other parts; only the script is its own.
  mkdir "$work/of-$part" && cp -al "$common" "$work/of-$part/judge"
  if [ "$mode" = enforcing ]; then
    { echo "part=$part" && cat tests/xen/judge/in-dom0.sh; } >"$work/of-$part/judge/script"
  else
    npx tsx tests/xen/judge/other-modes.ts "$mode" >"$work/of-$part/judge/script"
  fi
  for attempt in $(seq "$ATTEMPTS"); do
    started=$SECONDS status=0
    echo "judge.sh: $part: booting Xen with flask=$mode, attempt $attempt"
    DEWAR_XEN_FLASK=$mode bash "$rig/boot.sh" "$cache" "$common/example.policy" "$work/of-$part/judge" "$results/$part" || status=75
    echo "judge.sh: $part: the machine ran for $((SECONDS - started)) s"
    if [ "$status" -eq 0 ]; then
      npx tsx tests/xen/judge/verdict.ts "$results" "$version" "$(cat "$cache/sources")" "$part" >"$work/of-$part/verdict" || status=$?
      # The verdicts on all parts are told together, in the end.
      if [ "$status" -ne 0 ] || [ -n "${DEWAR_XEN_PARTS:-}" ]; then cat "$work/of-$part/verdict"; fi
    fi
    [ "$status" -eq 75 ] || return "$status"
  done
  echo "judge.sh: $part: the emulated machine did not stay whole in $ATTEMPTS attempts" >&2
  return 75
}

# A machine has 3 GiB, and keeps one processor busy.
available=$(awk '/^MemAvailable:/ { print int($2 / 1024 / 1024 / 4) }' /proc/meminfo)
machines=$(printf '%s\n' "$(nproc)" "$available" 4 | sort -n | head -n 1)
machines=${DEWAR_XEN_MACHINES:-$((machines > 0 ? machines : 1))}
echo "judge.sh: $machines machines at once"
[ -n "${DEWAR_XEN_PARTS:-}" ] || rm -rf "$results"
mkdir -p "$results"
running=0 worst=0
collect() {
  local status=0
  wait -n || status=$?
  running=$((running - 1))
  [ "$status" -le "$worst" ] || worst=$status
}
for part in ${DEWAR_XEN_PARTS:-$PARTS}; do
  [ "$running" -lt "$machines" ] || collect
  ask "$part" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do collect; done
if [ "$worst" -gt 1 ] || [ -n "${DEWAR_XEN_PARTS:-}" ]; then exit "$worst"; fi
npx tsx tests/xen/judge/verdict.ts "$results" "$version" "$(cat "$cache/sources")"
