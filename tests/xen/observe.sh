# SPDX-License-Identifier: Apache-2.0
#
# Functions for the scripts here: run a command, show what it and Xen said, and
# state what should have come of it. Busybox sh.

mkdir -p /run/dewar # what the scripts keep between two commands
failures=0
code=0
seen=$(xl dmesg | grep -c '') # lines of the console ring already looked at
: >/run/dewar/pending # denials that nothing has expected yet

heading() {
	echo
	echo "## $1"
}

# New lines of Xen's console ring that tell of a decision.
new_avc() {
	xl dmesg >/run/dewar/ring
	tail -n "+$((seen + 1))" /run/dewar/ring | grep 'avc:'
	seen=$(grep -c '' /run/dewar/ring)
}

run() {
	echo
	echo "# $*"
	"$@" >/run/dewar/said 2>&1
	code=$?
	cat /run/dewar/said
	[ -z "$(tail -c 1 /run/dewar/said)" ] || echo # some tools end without a newline
	[ "$code" = 0 ] || echo "(exit code $code)"
	new_avc >/run/dewar/avc
	uniq -c /run/dewar/avc | sed 's/^ *1 //; s/^ *\([0-9][0-9]*\) \(.*\)/\2 (\1 times)/; s/^/  /'
	grep denied /run/dewar/avc >>/run/dewar/pending
}

fail() {
	failures=$((failures + 1))
	echo "NOT AS EXPECTED: $1"
}

expect() { [ "$code" = "$1" ] || fail "exit code $code, not $1"; }
expect_failure() { [ "$code" != 0 ] || fail 'it succeeded'; }

# xl list -Z into /run/dewar/list. Emulated machines now and then lose a process,
# so what is asked here is asked up to three times.
list_domains() {
	for i in 1 2 3; do
		xl list -Z >/run/dewar/list && grep -q '^Domain-0 ' /run/dewar/list && return
	done
	fail 'xl list did not work'
}

row() { awk -v name="$1" '$1 == name' /run/dewar/list; }
expect_label() {
	for try in 1 2 3; do
		list_domains
		row "$1" | grep -q " $2\$" && return
	done
	fail "$1 has not the label $2: $(row "$1")"
}

expect_state() {
	for try in 1 2 3; do
		list_domains
		row "$1" | awk '{ print $5 }' | grep -q "$2" && return
	done
	fail "$1 is in another state: $(row "$1")"
}
expect_running() { expect_state "$1" '^[r-][b-]----$'; }
expect_paused() { expect_state "$1" '^..p---$'; }

# The domain is not there, and no domain is left without a name. Xen frees memory
# a little later than xl returns.
expect_gone() {
	for second in 1 2 3 4 5 6 7 8 9 10; do
		list_domains
		awk -v name="$1" '$1 == name || $1 == "(null)"' /run/dewar/list | grep -q . || return
		sleep 1
	done
	fail "$1 is still there"
}

# expect_denial permission source target class: takes the denial off the list.
expect_denial() {
	pattern="denied .* $1 .*scontext=[^ ]*:$2\\(:[^ ]*\\)\\{0,1\\} tcontext=[^ ]*:$3\\(:[^ ]*\\)\\{0,1\\} tclass=$4\$"
	if grep -q "$pattern" /run/dewar/pending; then
		grep -v "$pattern" /run/dewar/pending >/run/dewar/rest
		mv /run/dewar/rest /run/dewar/pending
	else
		fail "no denial of $1 from $2 to $3 ($4)"
	fi
}

# Every denial so far was one that the script expected.
expect_no_denial() {
	new_avc >/run/dewar/avc
	grep denied /run/dewar/avc >>/run/dewar/pending
	if [ -s /run/dewar/pending ]; then
		sort -u /run/dewar/pending
		fail "denials in: $1"
		: >/run/dewar/pending
	fi
}

# Until the ramdisk of the guest has said that it runs, at most three minutes.
wait_for_guest() {
	log="/var/log/xen/guest-$1.log"
	for i in $(seq 90); do
		grep -q 'GUEST IS ALIVE' "$log" 2>/dev/null && break
		sleep 2
	done
	echo "  console of $1: $(grep 'GUEST IS ALIVE' "$log" 2>/dev/null | tr -d '\r')"
	grep -q 'GUEST IS ALIVE' "$log" 2>/dev/null || fail "$1 did not come to life"
}
