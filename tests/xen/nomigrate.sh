# SPDX-License-Identifier: Apache-2.0
#
# The life of a guest that is built under one label and runs under another.
# Run by busybox sh in dom0, see README.md. The last line is "failures: N", and N
# is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'the host'
run flask-getenforce
run xl list -Z

heading 'a PV guest, built under one label and run under another'
run xl create -q nomigrate-guest.cfg
expect 0
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t
expect_running nomigrate-guest
run xl list -Z
wait_for_guest nomigrate-guest
run xl pause nomigrate-guest
expect_paused nomigrate-guest
run xl unpause nomigrate-guest
expect_running nomigrate-guest
expect_no_denial 'from boot to unpause'

heading 'dom0 cannot look into it'
run xl dump-core nomigrate-guest /run/dewar/core
expect 1
expect_denial map_read dom0_t nomigrate_t mmu
run xl save nomigrate-guest /run/dewar/saved
expect 1
expect_denial get_vnumainfo dom0_t nomigrate_t domain2
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t

heading 'dom0 can end it'
run xl destroy nomigrate-guest
expect 0
expect_gone nomigrate-guest
expect_no_denial 'destroy'

heading 'a PVH guest, as far as the relabel'
run xl create -q -p nomigrate-guest.cfg 'name="nomigrate-pvh"' 'type="pvh"'
if [ "$code" = 0 ]; then
	expect_label nomigrate-pvh customer_1:vm_r:nomigrate_t
	run xl dump-core nomigrate-pvh /run/dewar/core
	expect 1
	expect_denial map_read dom0_t nomigrate_t mmu
	expect_denial getvcpucontext dom0_t nomigrate_t domain
	run xl destroy nomigrate-pvh
	expect 0
	expect_gone nomigrate-pvh
else
	echo 'this machine cannot run a PVH guest'
fi
expect_no_denial 'the PVH guest'

echo
echo "failures: $failures"
exit "$failures"
