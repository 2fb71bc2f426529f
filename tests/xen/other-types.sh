# SPDX-License-Identifier: Apache-2.0
#
# Guests of the other types, and the two locks.
# Run by busybox sh in dom0, see README.md. The last line is "failures: N", and N
# is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'domU_t: dom0 may look into it'
run xl create -q domU.cfg
expect 0
expect_label plain-guest system_u:system_r:domU_t
wait_for_guest plain-guest
run xl dump-core plain-guest /run/dewar/core
expect 0
rm -f /run/dewar/core
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
expect_running protected-guest
wait_for_guest protected-guest
run xl pause protected-guest
expect_paused protected-guest
run xl unpause protected-guest
expect_running protected-guest
run xl dump-core protected-guest /run/dewar/core
expect 0
rm -f /run/dewar/core
expect_no_denial 'prot_domU_t unlocked'
run flask-set-bool prot_doms_locked 1
expect 0
run xl dump-core protected-guest /run/dewar/core
expect 1
expect_denial map_read dom0_t prot_domU_t mmu
run xl create -q prot.cfg 'name="second"'
expect_failure
expect_denial create dom0_t prot_domU_t domain
run xl destroy protected-guest
expect 0
expect_gone protected-guest
expect_no_denial 'prot_domU_t locked'

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
