# SPDX-License-Identifier: Apache-2.0
#
# The same guest under a policy that was compiled with MLS.
# Run by busybox sh in dom0, see README.md. The last line is "failures: N", and N
# is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'a guest at the level s3'
run xl list -Z
run xl create -q nomigrate-guest.cfg 'init_seclabel="customer_1:vm_r:nomigrate_t_building:s3"' 'seclabel="customer_1:vm_r:nomigrate_t:s3"'
expect 0
expect_label nomigrate-guest customer_1:vm_r:nomigrate_t:s3
expect_running nomigrate-guest
wait_for_guest nomigrate-guest
run xl list -Z
expect_no_denial 'the creation at s3'
run xl dump-core nomigrate-guest /run/dewar/core
expect 1
expect_denial map_read dom0_t nomigrate_t mmu
run xl destroy nomigrate-guest
expect 0
expect_gone nomigrate-guest

heading 'a relabel to another level is denied'
run xl create -q nomigrate-guest.cfg 'name="moved"' 'init_seclabel="customer_1:vm_r:nomigrate_t_building:s3"' 'seclabel="customer_1:vm_r:nomigrate_t:s2"'
expect_failure
expect_denial transition nomigrate_t_building nomigrate_t domain
expect_gone moved

heading 'a label without a level is not a label'
run xl create -q nomigrate-guest.cfg 'name="no-level"'
expect_failure

heading 'a guest without a label'
run xl create -q domU.cfg
expect 0
expect_label plain-guest system_u:system_r:domU_t:s0
wait_for_guest plain-guest
run xl destroy plain-guest
expect 0
expect_gone plain-guest
expect_no_denial 'the rest'

echo
echo "failures: $failures"
exit "$failures"
