# SPDX-License-Identifier: Apache-2.0
#
# Functions for the scripts here: run a command, show what it and Xen said, and
# state what should have come of it. Busybox sh.

failures=0
code=0
seen=$(xl dmesg | grep -c '') # lines of the console ring already looked at
: >/tmp/pending               # denials that nothing has expected yet

heading() {
	echo
	echo "## $1"
}

# New lines of Xen's console ring that tell of a decision.
new_avc() {
	xl dmesg >/tmp/ring
	tail -n "+$((seen + 1))" /tmp/ring | grep 'avc:'
	seen=$(grep -c '' /tmp/ring)
}

run() {
	echo
	echo "# $*"
	"$@" >/tmp/said 2>&1
	code=$?
	cat /tmp/said
	[ -z "$(tail -c 1 /tmp/said)" ] || echo # some tools end without a newline
	[ "$code" = 0 ] || echo "(exit code $code)"
	new_avc >/tmp/avc
	uniq -c /tmp/avc | sed 's/^ *1 //; s/^ *\([0-9][0-9]*\) \(.*\)/\2 (\1 times)/; s/^/  /'
	grep denied /tmp/avc >>/tmp/pending
}

fail() {
	failures=$((failures + 1))
	echo "NOT AS EXPECTED: $1"
}

expect() { [ "$code" = "$1" ] || fail "exit code $code, not $1"; }
expect_failure() { [ "$code" != 0 ] || fail 'it succeeded'; }

# xl list -Z into /tmp/list. Emulated machines now and then lose a process.
list_domains() {
	for i in 1 2 3; do
		xl list -Z >/tmp/list && grep -q '^Domain-0 ' /tmp/list && return
	done
	fail 'xl list did not work'
}

row() { awk -v name="$1" '$1 == name' /tmp/list; }
expect_label() {
	list_domains
	row "$1" | grep -q " $2\$" || fail "$1 has not the label $2: $(row "$1")"
}

expect_state() {
	list_domains
	row "$1" | awk '{ print $5 }' | grep -q "$2" || fail "$1 is in another state: $(row "$1")"
}
expect_running() { expect_state "$1" '^[r-][b-]----$'; }
expect_paused() { expect_state "$1" '^..p---$'; }

# The domain is not there, and no domain is left without a name. Xen frees memory
# a little later than xl returns.
expect_gone() {
	for second in 1 2 3 4 5 6 7 8 9 10; do
		list_domains
		awk -v name="$1" '$1 == name || $1 == "(null)"' /tmp/list | grep -q . || return
		sleep 1
	done
	fail "$1 is still there"
}

# expect_denial permission source target class: takes the denial off the list.
expect_denial() {
	pattern="denied .* $1 .*scontext=[^ ]*:$2\\(:[^ ]*\\)\\{0,1\\} tcontext=[^ ]*:$3\\(:[^ ]*\\)\\{0,1\\} tclass=$4\$"
	if grep -q "$pattern" /tmp/pending; then
		grep -v "$pattern" /tmp/pending >/tmp/rest
		mv /tmp/rest /tmp/pending
	else
		fail "no denial of $1 from $2 to $3 ($4)"
	fi
}

# Every denial so far was one that the script expected.
expect_no_denial() {
	new_avc >/tmp/avc
	grep denied /tmp/avc >>/tmp/pending
	if [ -s /tmp/pending ]; then
		sort -u /tmp/pending
		fail "denials in: $1"
		: >/tmp/pending
	fi
}

# Until the guest has written to its console, at most two minutes.
wait_for_guest() {
	for i in $(seq 60); do
		[ -s "/var/log/xen/guest-$1.log" ] && break
		sleep 2
	done
	[ -s "/var/log/xen/guest-$1.log" ] || fail "$1 wrote nothing to its console"
}
