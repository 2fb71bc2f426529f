# SPDX-License-Identifier: Apache-2.0
#
# Builds that fail on the way, and a toolstack that dies, leave nothing that runs
# or stays.
# Run by busybox sh in dom0, see README.md. The last line is "failures: N", and N
# is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'a build that fails leaves nothing behind'
head -c 4096 /boot/vmlinuz >/run/dewar/not-a-kernel
run xl create -q nomigrate-guest.cfg 'name="broken-kernel"' 'kernel="/run/dewar/not-a-kernel"'
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

heading 'a toolstack that dies in the middle of a build'
echo
echo '# xl create -q nomigrate-guest.cfg name="half-built" &'
xl create -q nomigrate-guest.cfg 'name="half-built"' &
for i in $(seq 60); do
	xl list -Z >/run/dewar/list
	grep -q nomigrate_t_building /run/dewar/list && break
done
run kill -9 $!
run xl list -Z
expect_label half-built customer_1:vm_r:nomigrate_t_building
run xl unpause half-built
expect_denial unpause dom0_t nomigrate_t_building domain
expect_paused half-built
run xl destroy half-built
expect 0
expect_gone half-built
expect_no_denial 'the half-built guest'

heading 'a label that the policy does not have'
run xl create -q nomigrate-guest.cfg 'name="nobody"' 'seclabel="customer_4:vm_r:nomigrate_t"'
expect_failure
run xl create -q domU.cfg 'name="wrong-role"' 'seclabel="system_u:system_r:nomigrate_t"'
expect_failure

echo
echo "failures: $failures"
exit "$failures"
