#!/bin/busybox sh
# The first process of a guest. It heeds what the toolstack asks through xenstore only as the kernel does: a request to
# power off or to reboot sends init a signal.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
trap '/bin/busybox echo GUEST POWERS OFF; /bin/busybox poweroff -f' USR1 USR2
trap '/bin/busybox echo GUEST REBOOTS; /bin/busybox reboot -f' TERM INT
/bin/busybox echo GUEST IS ALIVE
while read -r line; do /bin/busybox echo "GUEST HEARD: $line"; done </dev/console &
while :; do /bin/busybox sleep 1; done
