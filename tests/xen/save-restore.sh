# SPDX-License-Identifier: Apache-2.0
#
# Saving and restoring a guest whose memory dom0 may read.
# Run by busybox sh in dom0, see README.md. The last line is "failures: N", and N
# is the exit code.

cd "$(dirname "$0")" || exit 99
. ./observe.sh

heading 'domU_t is saved and restored'
run xl create -q domU.cfg 'seclabel="customer_1:vm_r:domU_t"'
expect 0
expect_label plain-guest customer_1:vm_r:domU_t
wait_for_guest plain-guest
run xl save plain-guest /run/dewar/saved
expect 0
expect_gone plain-guest
run xl restore /run/dewar/saved
expect 0
expect_label plain-guest customer_1:vm_r:domU_t
expect_running plain-guest
run xl vcpu-list plain-guest
expect 0
run xl mem-set plain-guest 120
expect 0
run xl sched-credit2 -d plain-guest -w 512
expect 0
run xl vcpu-pin plain-guest 0 1
expect 0
run xl trigger plain-guest nmi
expect 0
run xl shutdown plain-guest
run xl destroy plain-guest
expect_gone plain-guest
expect_no_denial 'saving, restoring and tuning domU_t'

echo
echo "failures: $failures"
exit "$failures"
