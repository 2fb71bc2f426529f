# SPDX-License-Identifier: Apache-2.0
#
# Runs in dom0 of a host that booted the policy of this folder: makes guests of
# each kind and has Xen log every check. Each operation is announced on the
# console, among the lines of Xen. Busybox sh. See README.md.
#   sh on-host.sh FOLDER PART...
# Parts: hvm stub driver attach bare console pci pci-bare
#        xenstore-pv xenstore-pvh move-pv move-pvh move-hvm move-stub

here=$1
shift
mkdir -p /var/run/xen /var/lib/xen /var/log/xen /tmp
cfg() { sed "s|HERE|$here|" "$here/guests/$1.cfg" >"/tmp/$1.cfg"; }
for file in "$here"/guests/*.cfg; do cfg "$(basename "$file" .cfg)"; done
# The labels of what arrives from another host.
for kind in none pvh hvm stub; do sed 's/guest_t/moved_t/' "/tmp/$kind.cfg" >"/tmp/$kind-moved.cfg"; done

# operation NAME SECONDS COMMAND...: announces, runs, and waits for what comes of it.
operation() {
	name=$1
	seconds=$2
	shift 2
	echo "=== $name"
	"$@"
	echo "--- exit $?"
	sleep "$seconds"
	echo "=== end"
}

part_hvm() {
	operation hvm-create 3 xl create -p /tmp/hvm.cfg
	operation hvm-unpause 60 xl unpause hvm
	operation hvm-destroy 3 xl destroy hvm
}

part_stub() {
	operation stub-create 3 xl create -p /tmp/stub.cfg
	operation stub-unpause 60 xl unpause stub
	operation stub-destroy 3 xl destroy stub
}

# A disk for dom0 to serve, and what libxl runs when it serves a device.
serving() {
	[ -e /disk ] && return
	modprobe_all loop xen-blkback xen-netback
	dd if=/dev/zero of=/disk bs=1M count=4 2>/dev/null
	losetup /dev/loop0 /disk
	mkdir -p /etc/xen/scripts
	for script in block vif-bridge; do cp "$here/guests/hotplug" "/etc/xen/scripts/$script"; done
	chmod 755 /etc/xen/scripts/*
}

part_driver() {
	serving
	operation pv-devices-create 3 xl create -p /tmp/local.cfg
	operation pv-devices-unpause 20 xl unpause local
	operation pv-devices-destroy 3 xl destroy local
	operation driver-create 25 xl create /tmp/driver.cfg
	operation driver-guest-create 3 xl create -p /tmp/remote.cfg
	operation driver-guest-unpause 20 xl unpause remote
	operation driver-guest-destroy 5 xl destroy remote
	operation driver-destroy 3 xl destroy driver
}

part_pci() {
	modprobe_all xen-pciback
	flask-label-pci 0000:00:05.0 system_u:object_r:nic_dev_t
	operation pci-assignable-list 1 xl pci-assignable-list
	operation pci-assignable-add 2 xl pci-assignable-add 00:05.0
	operation pci-create 2 xl create -p /tmp/pci.cfg
	operation pci-unpause 25 xl unpause pci
	operation pci-list 1 xl pci-list pci
	operation pci-detach 4 xl pci-detach pci 00:05.0
	operation pci-attach 6 xl pci-attach pci 00:05.0
	operation pci-destroy 3 xl destroy pci
	operation pci-none-create 8 xl create /tmp/none.cfg
	operation pci-none-attach 3 xl pci-attach none 00:05.0
	operation pci-none-destroy 2 xl destroy none
	operation pci-hvm-create 3 xl create -p /tmp/hvmpci.cfg
	operation pci-hvm-destroy 3 xl destroy hvmpci
	operation pci-assignable-remove 1 xl pci-assignable-remove 00:05.0
}

# A guest without a driver for its PCI bus, and one that is paused: what is taken
# from them stays on their list.
part_pci_bare() {
	modprobe_all xen-pciback
	flask-label-pci 0000:00:05.0 system_u:object_r:nic_dev_t
	xl pci-assignable-add 00:05.0
	for guest in bare none; do echo 'passthrough = "enabled"' >>"/tmp/$guest.cfg"; done
	xl create /tmp/bare.cfg && sleep 10
	operation pci-bare-attach 3 xl pci-attach bare 00:05.0
	operation pci-bare-detach 1 xl pci-detach bare 00:05.0
	operation pci-bare-detach-force 1 xl pci-detach -f bare 00:05.0
	operation pci-bare-destroy 2 xl destroy bare
	xl create /tmp/none.cfg && sleep 12
	xl pci-attach none 00:05.0 && sleep 6
	xl pause none
	operation pci-paused-detach 1 xl pci-detach none 00:05.0
	xl destroy none
}

part_attach() {
	serving
	xl create /tmp/none.cfg && sleep 12
	operation block-attach 5 xl block-attach none phy:/dev/loop0,xvda,w
	operation block-list 1 xl block-list none
	operation network-attach 8 xl network-attach none mac=00:16:3e:00:00:02
	operation network-list 1 xl network-list none
	operation network-detach 5 xl network-detach none 0
	operation block-detach 5 xl block-detach none xvda
	xl create /tmp/driver.cfg && sleep 25
	operation driver-block-attach 8 xl block-attach none backend=driver,format=raw,vdev=xvda,access=rw,target=/dev/loop0
	operation driver-network-attach 8 xl network-attach none backend=driver mac=00:16:3e:00:00:02
	operation driver-network-detach 5 xl network-detach none 00:16:3e:00:00:02
	operation driver-block-detach 5 xl block-detach none xvda
	xl destroy none
	xl destroy driver
}

# A guest that lets go of nothing: it has no drivers.
part_bare() {
	serving
	xl create /tmp/bare.cfg && sleep 15
	xl block-attach bare phy:/dev/loop0,xvda,w && sleep 15
	operation bare-block-detach 3 xl block-detach bare xvda
	operation bare-block-detach-force 3 xl block-detach -f bare xvda
	operation bare-network-attach 3 xl network-attach bare mac=00:16:3e:00:00:02
	operation bare-network-detach 3 xl network-detach bare 0
	xl destroy bare
}

part_console() {
	mkdir -p /var/lock
	xl create /tmp/bare.cfg && sleep 15
	(sleep 4; killall xenconsole) &
	operation console 5 xl console bare
	for key in h q '*' 0 r t; do operation "debug-keys-$(printf %s "$key" | sed 's/\*/all/')" 2 xl debug-keys "$key"; done
	xl destroy bare
}

# A xenstore domain: Linux with the xenstored of Xen. It comes first on a host
# where no xenstored has run, and without it xenconsoled cannot start.
xenstore_domain() {
	init-xenstore-domain --memory 256 --flask system_u:system_r:xenstore_t --ramdisk "$here/xenstore.gz" \
		--param "quiet loglevel=0" --kernel "$1" || return
	xenconsoled --log=guest --log-dir=/var/log/xen
	sleep 2
}

# In an HVM container Linux takes itself for a guest, and waits for a xenstore: so
# nobody waits for it.
unanswered() { xenstore_domain /boot/vmlinuz & }
part_xenstore_pvh() { operation xenstore-pvh 30 unanswered; }

part_xenstore_pv() {
	operation xenstore-pv 2 xenstore_domain "$here/vmlinux-pv"
	xen-init-dom0
	operation xenstore-guest-create 3 xl create -p /tmp/none.cfg
	operation xenstore-guest-unpause 15 xl unpause none
	operation xenstore-guest-destroy 3 xl destroy none
}

# What leaves and what arrives. The host sends to itself; what arrives has a
# configuration of its own, for the sake of its labels.
#   move KIND SECONDS       the seconds that the guest takes to come up
# What a PV guest is saved and restored with is in ../../golden.
move() {
	kind=$1
	xl create "/tmp/$kind.cfg"
	sleep "$2"
	[ "$kind" = none ] || save_and_restore
	migrate
}

save_and_restore() {
	operation "$kind-save" 5 xl save "$kind" /tmp/saved
	operation "$kind-restore" 5 xl restore -p /tmp/saved
	operation "$kind-restored-unpause" 15 xl unpause "$kind"
	operation "$kind-save-continue" 10 xl save -c "$kind" /tmp/saved
	rm -f /tmp/saved
}

migrate() {
	operation "$kind-migrate" 15 xl migrate -C "/tmp/$kind-moved.cfg" -s '' "$kind" 'xl migrate-receive'
	xl list -Z
	operation "$kind-moved-destroy" 5 xl destroy "$kind"
}

part_move_pv() { move none 10; }
part_move_pvh() { move pvh 20; }
part_move_hvm() { move hvm 40; }
part_move_stub() { move stub 15; }

modprobe_all() { for module in "$@"; do insmod "/mods/$module.ko" 2>/dev/null || insmod "$here/mods/$module.ko"; done; }

for part in "$@"; do "part_$(echo "$part" | tr - _)"; done
