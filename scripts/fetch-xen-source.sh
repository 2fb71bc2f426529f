#!/usr/bin/env bash
# Brings Debian's source of Xen 4.17 to .cache/xen-4.17/src, for the tests on Xen's own example policy and its hooks,
# which are not ours to ship. Needs Debian 12 with dpkg-dev; asks no package to be installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache="$PWD/.cache/xen-4.17"
if [ -e "$cache/src/tools/flask/policy/modules/modules.conf" ] && [ -e "$cache/src/xen/xsm/flask/hooks.c" ]; then exit 0; fi

# The machine's own list of sources stays as it is.
rm -rf "$cache" && mkdir -p "$cache/lists/partial"
if [ -e /etc/apt/sources.list.d/debian.sources ]; then
  list="$cache/deb-src.sources"
  sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$list"
else
  list="$cache/deb-src.list"
  sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$list"
fi
options=(-o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::sourcelist=$list" -o "Dir::State::Lists=$cache/lists")
apt-get --quiet "${options[@]}" update
cd "$cache"
# Newest first: not every version that is listed is still served.
for version in $(apt-cache "${options[@]}" showsrc xen | awk '/^Version:/ { print $2 }' | sort -rV | uniq); do
  apt-get --quiet "${options[@]}" source --download-only "xen=$version" && break
done
dpkg-source --no-check -x xen_*.dsc unpacked
mkdir -p src/tools/flask src/xen/xsm/flask
cp -r unpacked/tools/flask/policy src/tools/flask/
cp -r unpacked/xen/xsm/flask/policy unpacked/xen/xsm/flask/hooks.c src/xen/xsm/flask/
rm -rf unpacked xen_* lists
