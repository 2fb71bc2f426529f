#!/bin/busybox sh
# The hotplug script of a disk, in the place of Xen's own: tells the backend in dom0 which block device it is.
export PATH=/usr/bin:/bin
[ "$1" = add ] || exit 0
device=$(xenstore read "$XENBUS_PATH/params") || exit 1
exec xenstore write "$XENBUS_PATH/physical-device" "$(stat -c '%t:%T' "$device")"
