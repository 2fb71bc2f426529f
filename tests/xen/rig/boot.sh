#!/usr/bin/env bash
# Boots real Xen with FLASK under QEMU's software emulation, and runs a shell script in its dom0.
#
#     boot.sh FOLDER POLICY WORK RESULTS
#
# FOLDER   what prepare.sh has prepared
# POLICY   the binary policy that Xen boots with
# WORK     becomes /judge in dom0; WORK/script is run there by busybox sh
# RESULTS  gets what the script left in /judge/results, its output as output.txt and its exit status as status; and
#          console.txt, all that Xen and dom0 wrote on the console
#
# DEWAR_XEN_TIMEOUT bounds the run, in seconds. DEWAR_XEN_FLASK is Xen's parameter `flask=`; without it, enforcing.
set -euo pipefail
cache=$(cd "$1" && pwd) policy=$2 work=$3 results=$4
timeout=${DEWAR_XEN_TIMEOUT:-2000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
rm -rf "$results" && mkdir -p "$results"

# A second archive behind the prepared one: only what is new is packed for each run.
mkdir "$scratch/root" && cp -a "$work" "$scratch/root/judge"
(cd "$scratch/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/judge.gz"
cat "$cache/root.gz" "$scratch/judge.gz" >"$scratch/dom0.gz"
cp "$policy" "$scratch/policy"

# Without xsave: with it, vector registers of dom0's processes go bad under emulation as soon as a guest runs, which tears
# their memory. One thread for both CPUs is faster on a machine that has other work.
status=0
timeout --kill-after=10 "$timeout" qemu-system-x86_64 \
  -machine q35 -accel tcg,thread=single -cpu max,-smap,-smep,-la57,-pku,-xsave,-rdtscp -smp 2 -m 3072 -display none -no-reboot -monitor none -net none \
  -serial "file:$results/console.txt" -serial "file:$scratch/port" \
  -device intel-iommu,intremap=on -device rtl8139,addr=5 \
  -kernel "$cache/xen" \
  -append 'console=com1 com1=115200,8n1 dom0_mem=1536M dom0_max_vcpus=2 loglvl=all guest_loglvl=all conring_size=16M flask='"${DEWAR_XEN_FLASK:-enforcing}" \
  -initrd "$cache/vmlinuz console=hvc0 quiet panic=1,$scratch/dom0.gz,$scratch/policy" </dev/null >/dev/null || status=$?
if [ "$status" -ne 0 ]; then
  tail -n 30 "$results/console.txt" >&2 || true
  echo "boot.sh: the machine did not end by itself within $timeout s (QEMU ended with $status)" >&2
  exit 3
fi
if [ "$(tr -d '\r' <"$scratch/port" | tail -n 1)" != END ]; then
  tail -n 30 "$results/console.txt" >&2
  echo 'boot.sh: the machine ended without its results' >&2
  exit 3
fi
tr -d '\r' <"$scratch/port" | sed '$d' | base64 -d | tar -xzf - -C "$results"
