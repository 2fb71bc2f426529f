# Runs in dom0 by busybox sh, after a line that sets `part`: in the part `session`, a session with the command line, for the
# transcript; and then the judge.

cd /judge
mkdir -p results
# A disk that nobody needs, and the drivers in dom0 of what guests are lent.
for module in loop xen-blkback xen-netback xen-pciback; do insmod "/modules/$module.ko"; done
dd if=/dev/zero of=/run/disk bs=1M count=4 2>/dev/null
losetup /dev/loop0 /run/disk
export DEWAR_STATE_DIR=/run/dewar NO_COLOR=1
# Which Xen the policies are for that a session makes here.
series=$(cat /sys/hypervisor/version/major).$(cat /sys/hypervisor/version/minor)
dewar() { node /judge/dewar/packages/cli/bin/dewar.js "$@"; }

# What a person would type, and what comes back.
run() {
	echo
	echo "# $*"
	"$@" 2>&1 | sed 's/\r$//'
}
heading() {
	echo
	echo "## $1"
}
wait_for_guest() {
	for i in $(seq 60); do
		grep -q 'GUEST IS ALIVE' "/var/log/xen/guest-$1.log" 2>/dev/null && break
		sleep 2
	done
	echo
	echo "# grep ALIVE /var/log/xen/guest-$1.log"
	grep 'GUEST IS ALIVE' "/var/log/xen/guest-$1.log" | tr -d '\r'
}

session() {
	heading 'the host, and a policy for it'
	run dewar list -Z
	run dewar getenforce
	run dewar compile dewar/policies/example --xen "$series" -o /run/xenpolicy
	run dewar loadpolicy --yes /run/xenpolicy
	run dewar get-bool

	heading 'a guest that is built under one label and runs under another; the build is held for a moment'
	run dewar create --hold 1 dewar/examples/nomigrate/guest.cfg
	wait_for_guest nomigrate-guest
	run dewar list -Z

	heading 'dom0 cannot look into it'
	run dewar probe nomigrate-guest
	run dewar dump-core nomigrate-guest /run/core
	run dewar save nomigrate-guest /run/saved

	heading 'what xl asks of Xen for that, and what it is denied'
	run dewar trace -- xl pause nomigrate-guest
	run dewar trace --type nomigrate_t -- xl dump-core nomigrate-guest /run/core
	run dewar trace --type nomigrate_t -- xl unpause nomigrate-guest

	heading 'it stops when it is asked to, and dom0 can end it'
	run dewar shutdown --wait nomigrate-guest
	run dewar list
	run dewar destroy nomigrate-guest
	run dewar list

	heading 'a build that would be denied half-way is not begun'
	run dewar create -q dewar/examples/nomigrate/guest.cfg 'seclabel="customer_2:vm_r:nomigrate_t"'
	run dewar list

	heading 'a PCI device gets a label, which Xen keeps until a policy is loaded, and is set aside for guests'
	run dewar label-pci 0000:00:05.0 system_u:object_r:nic_dev_t
	run dewar pci-assignable-add -n nic 0000:00:05.0
	run dewar pci-assignable-list -n
	run dewar pci-assignable-remove nic

	heading 'another policy, and the one before it again'
	run dewar loadpolicy --yes stock.policy
	run dewar loadpolicy --yes --back

	heading 'what Dewar changed on this host'
	run dewar log
}

[ "$part" != session ] || session >results/session.txt 2>&1
node /judge/judge.mjs "$part"
