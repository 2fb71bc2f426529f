#!/usr/bin/env bash
# The judge: has real Xen and the simulated one answer the same questions, and compares them.
#
#     npm run test:xen
#     DEWAR_XEN_RELEASE=4.20 npm run test:xen
#
# Prepares real Xen once (prepare.sh), under DEWAR_XEN_CACHE or the user's cache; boots it under QEMU (boot.sh) with the
# example policy; runs Dewar in its dom0 (../judge/in-dom0.sh); boots it twice more, shortly, permissive and with FLASK
# disabled; judges what comes out (../judge/verdict.ts), and renews docs/transcripts/dewar-on-xen-RELEASE.txt. Needs
# Debian 12 on x86-64. The release is 4.17, or any that prepare.sh knows.
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
dewar=$work/dewar
mkdir -p "$dewar/packages/cli" "$dewar/node_modules/@koromix" "$dewar/docs"
cp -r packages/cli/bin packages/cli/dist packages/cli/package.json "$dewar/packages/cli/"
cp -r node_modules/koffi "$dewar/node_modules/"
cp -r node_modules/@koromix/koffi-linux-x64 "$dewar/node_modules/@koromix/"
rm -rf "$dewar"/node_modules/koffi/{doc,vendor,lib}
cp -r policies examples "$dewar/"
npx esbuild tests/xen/judge/judge-in-dom0.ts --bundle --platform=node --format=esm --target=node20 --external:koffi \
  --log-level=warning --outfile="$work/judge.mjs"
node packages/cli/bin/dewar.js compile policies/example -q --xen "$version" -o "$work/example.policy"
node packages/cli/bin/dewar.js compile "$DEWAR_XEN_TREE/tools/flask/policy" -q --xen "$version" -o "$work/stock.policy"
cp examples/nomigrate/guest.cfg "$work/"

# boot MODE RESULTS: runs the script in dom0 of a Xen that is booted with flask=MODE.
boot() {
  local started=$SECONDS status=0
  echo "judge.sh: booting Xen with flask=$1"
  DEWAR_XEN_FLASK=$1 bash "$rig/boot.sh" "$cache" "$work/example.policy" "$work" "$2" || status=$?
  echo "judge.sh: the machine ran for $((SECONDS - started)) s"
  return "$status"
}

# An emulated machine now and then loses a process. What such a run says is no verdict: it is made again, once.
for attempt in 1 2; do
  echo "judge.sh: attempt $attempt"
  status=0
  cp tests/xen/judge/in-dom0.sh "$work/script"
  boot enforcing "$results" || status=$?
  for mode in permissive disabled; do
    [ "$status" -eq 0 ] || break
    npx tsx tests/xen/judge/other-modes.ts "$mode" >"$work/script"
    boot "$mode" "$results-$mode" || status=$?
  done
  if [ "$status" -eq 0 ]; then
    npx tsx tests/xen/judge/verdict.ts "$results" "$version" "$(cat "$cache/sources")" || status=$?
    # 75: the machine lost a process.
    [ "$status" -eq 75 ] || exit "$status"
  fi
done
echo 'judge.sh: the emulated machine did not stay whole in two attempts' >&2
exit 1
