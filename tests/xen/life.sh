# SPDX-License-Identifier: Apache-2.0
#
# Run by busybox sh in dom0 of a real Xen host that booted the example policy.
# The whole life of a guest of each type, and what dom0 is denied on the way.
# Guest kernel and ramdisk: /boot/vmlinuz, /boot/guest.gz. Prints each command,
# what it said, its exit code if it is not 0, and the avc lines that it caused.
# The last line is "failures: N", and N is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'the host'
run flask-getenforce
run xl list -Z

heading 'a PV guest, built under one label and run under another'
run xl create -q nomigrate-guest.cfg
expect 0
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t
expect_state nomigrate-guest '[rb-]'
run xl list -Z
wait_for_guest nomigrate-guest
run xl pause nomigrate-guest
expect_state nomigrate-guest p
run xl unpause nomigrate-guest
expect_state nomigrate-guest '[rb-]'
expect_no_denial 'from boot to unpause'

heading 'dom0 cannot look into it'
run xl dump-core nomigrate-guest /tmp/core
expect 1
expect_denial map_read dom0_t nomigrate_t mmu
run xl save nomigrate-guest /tmp/saved
expect 1
expect_denial get_vnumainfo dom0_t nomigrate_t domain2
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t

heading 'dom0 can end it'
run xl destroy nomigrate-guest
expect 0
expect_gone nomigrate-guest
expect_no_denial 'destroy'

heading 'a build that fails leaves nothing behind'
head -c 4096 /boot/vmlinuz >/tmp/not-a-kernel
run xl create -q nomigrate-guest.cfg 'name="broken-kernel"' 'kernel="/tmp/not-a-kernel"'
expect_failure
expect_gone broken-kernel
run xl create -q nomigrate-guest.cfg 'name="too-small"' 'memory=8'
expect_failure
expect_gone too-small
run xl create -q nomigrate-guest.cfg 'name="relabel-refused"' 'seclabel="customer_2:vm_r:nomigrate_t"'
expect_failure
expect_gone relabel-refused
expect_denial transition nomigrate_t_building nomigrate_t domain
run xl list -Z
expect_no_denial 'the failed builds'

heading 'a half-built guest cannot run'
run xl create -q -p nomigrate-guest.cfg 'name="half-built"' 'seclabel="customer_1:vm_r:nomigrate_t_building"'
expect_label half-built customer_1:vm_r:nomigrate_t_building
run xl unpause half-built
expect_denial unpause dom0_t nomigrate_t_building domain
expect_state half-built p
run xl destroy half-built
expect 0
expect_gone half-built

heading 'a PVH guest, the same'
run xl create -q nomigrate-guest.cfg 'name="nomigrate-pvh"' 'type="pvh"'
if [ "$code" = 0 ]; then
	expect_label nomigrate-pvh customer_1:vm_r:nomigrate_t
	run xl dump-core nomigrate-pvh /tmp/core
	expect 1
	expect_denial map_read dom0_t nomigrate_t mmu
	run xl destroy nomigrate-pvh
	expect 0
	expect_gone nomigrate-pvh
else
	echo 'this machine cannot run a PVH guest'
fi
expect_no_denial 'the PVH guest'

heading 'domU_t: dom0 may look into it'
run xl create -q domU.cfg
expect 0
expect_label plain-guest system_u:system_r:domU_t
wait_for_guest plain-guest
run xl dump-core plain-guest /tmp/core
expect 0
rm -f /tmp/core
run xl destroy plain-guest
expect 0
expect_gone plain-guest
expect_no_denial 'domU_t'

heading 'isolated_domU_t'
run xl create -q isolated.cfg
expect 0
expect_label isolated-guest customer_2:vm_r:isolated_domU_t
wait_for_guest isolated-guest
run xl destroy isolated-guest
expect 0
expect_gone isolated-guest
expect_no_denial 'isolated_domU_t'

heading 'prot_domU_t, before and after the lock'
run xl create -q prot.cfg
expect 0
expect_label protected-guest customer_3:vm_r:prot_domU_t
expect_state protected-guest '[rb-]'
wait_for_guest protected-guest
run xl pause protected-guest
expect_state protected-guest p
run xl unpause protected-guest
expect_state protected-guest '[rb-]'
run xl dump-core protected-guest /tmp/core
expect 0
rm -f /tmp/core
expect_no_denial 'prot_domU_t unlocked'
run flask-set-bool prot_doms_locked 1
expect 0
run xl dump-core protected-guest /tmp/core
expect 1
expect_denial map_read dom0_t prot_domU_t mmu
run xl create -q prot.cfg 'name="second"'
expect_failure
expect_denial create dom0_t prot_domU_t domain
run xl destroy protected-guest
expect 0
expect_gone protected-guest
expect_no_denial 'prot_domU_t locked'

heading 'a label that the policy does not have'
run xl create -q nomigrate-guest.cfg 'name="nobody"' 'seclabel="customer_4:vm_r:nomigrate_t"'
expect_failure
run xl create -q domU.cfg 'name="wrong-role"' 'seclabel="system_u:system_r:nomigrate_t"'
expect_failure

heading 'the one-way switch'
run flask-set-bool policy_locked 1
expect 0
run flask-set-bool policy_locked 0
expect_failure
expect_denial setbool dom0_t security_t security
run xl setenforce 0
expect_failure
expect_denial setenforce dom0_t security_t security
run flask-getenforce
run xl create -q nomigrate-guest.cfg
expect 0
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t
run xl destroy nomigrate-guest
expect_gone nomigrate-guest
run xl list -Z
expect_no_denial 'the locked host'

echo
echo "failures: $failures"
exit "$failures"
