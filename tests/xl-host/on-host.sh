# SPDX-License-Identifier: Apache-2.0
#
# Runs in dom0 of a host that booted the example policy: gives the commands of a session to xl, and writes down what
# each said. Busybox sh; `session` is its name. See README.md.

cd "$(dirname "$0")" || exit 99
for module in loop xen-blkback xen-netback; do insmod "modules/$module.ko"; done
mkdir -p /etc/xen/scripts /var/log/xen /var/lib/xen
for script in block vif-bridge; do cp hotplug "/etc/xen/scripts/$script"; done
chmod 755 /etc/xen/scripts/*
for number in 0 1 2 3; do
	dd if=/dev/zero of="/run/disk$number" bs=1M count=1 2>/dev/null
	losetup "/dev/loop$number" "/run/disk$number"
done

# wait NAME: until the guest of Linux is alive
await() {
	for second in $(seq 120); do
		grep -q 'GUEST IS ALIVE' "/var/log/xen/guest-$1.log" 2>/dev/null && break
		sleep 1
	done
	rm -f "/var/log/xen/guest-$1.log"
	sleep 3
}

# said MARK FILE: its lines, each behind the mark; a backslash where the last is not ended. Of help, only that it is help.
# Numbers of frames, times, and which processor a vCPU was on are others each time.
said() {
	[ -s "$2" ] || return
	if grep -q '^Usage: ' "$2"; then
		echo "$1(help)"
		return
	fi
	tr '\r' '\n' <"$2" | sed -E '
		/^xc: progress/d
		s/mfn 0x[0-9a-f]*/mfn 0x-/
		s/(     )(r-|-b)(----  ) *[0-9]+\.[0-9]/\1up\3-/
		s/(     --[-psrcwd]{4}  ) *[0-9]+\.[0-9]/\1-/
		s/^(.{32} +[0-9]+ +[0-9]+) +[0-9]+   [-r][-b]-  +[0-9.]+ /\1 on /' | sed "s/^/$1/"
	[ -z "$(tail -c 1 "$2")" ] || echo '\'
}

ask() {
	timeout 150 xl "$@" </dev/null >/run/out 2>/run/err
	code=$?
	said '> ' /run/out
	said '! ' /run/err
	echo "exit $code"
}

mkdir -p results
while read -r line; do
	case "$line" in
	'' | '#'*) continue ;;
	'sleep '*) sleep "${line#sleep }"; continue ;;
	'wait '*) await "${line#wait }"; continue ;;
	esac
	echo "$line" >/dev/console
	printf '$ %s\n' "$line"
	eval "ask $line"
done <"$session.session" >"results/$session.txt"
