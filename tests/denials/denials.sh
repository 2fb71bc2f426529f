# SPDX-License-Identifier: Apache-2.0
#
# Takes one permission away at a time and writes down what xl and Xen then do.
# Run by busybox sh in dom0 of a host that booted the policy `whole`, with what
# write-policies.ts wrote, and a list of what to try, in the directory of this
# script. See README.md.

cd "$(dirname "$0")" || exit 99
mkdir -p /run/denials

under() { flask-loadpolicy "$1" >/dev/null 2>&1; }

denials() { xl dmesg -c | grep 'avc:  denied' | sed 's/^([^)]*) //; s/^\[[^]]*\] //' | uniq; }

state() { xl list secure1 2>/dev/null | awk 'NR == 2 { print $5 }'; }

await() { # SECONDS: until the guest of Linux is alive, or has ended
	for second in $(seq "$1"); do
		grep -q 'GUEST IS ALIVE' /var/log/xen/guest-secure1.log 2>/dev/null && break
		state | grep -q '[sc]' && break
		sleep 1
	done
}

clear_away() {
	for id in $(xl list 2>/dev/null | awk 'NR > 1 && $2 != 0 && $5 !~ /d/ { print $2 }'); do
		xl destroy "$id" >/dev/null 2>&1
	done
	made=nothing
}

make() {
	rm -f /var/log/xen/guest-secure1.log
	xl create -q -e "$@" >/run/denials/make 2>&1 || cat /run/denials/make
}

# Brings about what an operation begins with, all permissions given; leaves what is already so.
set_stage() {
	case "$made $(state)" in
	"$1 r-----" | "$1 -b----") [ "$1" != paused ] && return ;;
	"paused --p---") [ "$1" = paused ] && return ;;
	esac
	clear_away
	case "$1" in
	waiting) make pv.cfg ;;
	paused) make -p pv.cfg ;;
	linux) make linux.cfg && await 90 && sleep 2 ;;
	saved)
		if [ ! -e /run/saved ]; then
			make linux.cfg && await 90 && sleep 2
			xl save secure1 /run/saved >/run/denials/make 2>&1 || cat /run/denials/make
		fi
		clear_away
		;;
	esac
	made=$1
}

made=nothing
while IFS='|' read -r index before wait operation missing command; do
	set_stage "$before"
	xl dmesg -c >/dev/null 2>&1
	echo "## $operation $missing"
	echo "$index $operation $missing" >/dev/console
	rm -f /run/save /run/core
	if [ "$wait" != 1 ]; then rm -f /var/log/xen/guest-secure1.log; fi
	under "$index"
	timeout 120 $command </dev/null >/run/denials/out 2>/run/denials/said
	code=$?
	# what daemons and guests do of themselves
	if [ "$wait" -gt 10 ]; then await "$wait"; else sleep "$wait"; fi
	under whole
	tr '\r' '\n' </run/denials/said | sed '/^$/d; s/^/! /'
	echo "exit $code"
	denials
	xl list -Z | awk 'NR > 1 && $2 != 0 { print "= " $1, $5, $7, $3 }'
	case "$operation" in
	create* | restore | start* | destroy | rename | save | checkpoint | vcpu-set | mem-max | balloon) clear_away ;;
	esac
done <list
clear_away
