#!/bin/busybox sh
# The first process of dom0: starts what a toolstack needs, runs /judge/script, and hands over what is in /judge/results
# through the second serial port, where nobody else writes.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t devpts devpts /dev/pts
for module in xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs; do insmod /modules/$module.ko; done
mount -t xenfs xenfs /proc/xen
# The programs of the release that the root was made with.
export PATH=$(echo /usr/lib/xen-*/bin):/usr/bin:/usr/sbin:/bin:/sbin HOME=/root
xenstored --pid-file /var/run/xenstored.pid
for try in 1 2 3 4 5 6 7 8 9 10; do
	xenstore read / >/dev/null 2>&1 && break
	sleep 1
done
xen-init-dom0
xenconsoled --log=guest --log-dir=/var/log/xen
mkdir -p /judge/results
echo "DOM0: running the script"
sh /judge/script >/judge/results/output.txt 2>&1
echo "$?" >/judge/results/status
echo "DOM0: the script ended with $(cat /judge/results/status)"
stty -F /dev/ttyS1 raw 115200
(cd /judge/results && tar -cf - . | gzip -1 | base64; echo END) >/dev/ttyS1
sync
poweroff -f
