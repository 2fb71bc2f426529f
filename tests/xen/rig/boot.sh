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
# DEWAR_XEN_TIMEOUT bounds the run, in seconds; a machine that stands still is ended long before. DEWAR_XEN_FLASK is Xen's
# parameter `flask=`; without it, enforcing.
set -euo pipefail
cache=$(cd "$1" && pwd) policy=$2 work=$3 results=$4
timeout=${DEWAR_XEN_TIMEOUT:-1500}
# A machine that works says so every BEAT seconds; silent for so long, it will never end.
readonly BEAT=20 SILENCE=180
scratch=$(mktemp -d)
machine=
end() {
  [ -z "$machine" ] || kill -9 "$machine" 2>/dev/null || true
  rm -rf "$scratch"
}
trap end EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
rm -rf "$results" && mkdir -p "$results"

# A second archive behind the prepared one: only what is new is packed for each run.
mkdir "$scratch/root" && cp -a "$work" "$scratch/root/judge"
mv "$scratch/root/judge/script" "$scratch/root/judge/asked"
cat >"$scratch/root/judge/script" <<SCRIPT
while :; do echo "DOM0: still here" >/dev/console; sleep $BEAT; done &
beats=\$!
sh /judge/asked
status=\$?
kill \$beats
exit \$status
SCRIPT
(cd "$scratch/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$scratch/judge.gz"
cat "$cache/root.gz" "$scratch/judge.gz" >"$scratch/dom0.gz"
cp "$policy" "$scratch/policy"

# Without xsave: with it, vector registers of dom0's processes go bad under emulation as soon as a guest runs, which tears
# their memory. One thread for both CPUs is faster on a machine that has other work.
qemu-system-x86_64 \
  -machine q35 -accel tcg,thread=single -cpu max,-smap,-smep,-la57,-pku,-xsave,-rdtscp -smp 2 -m 3072 -display none -no-reboot -monitor none -net none \
  -serial "file:$results/console.txt" -serial "file:$scratch/port" \
  -device intel-iommu,intremap=on -device rtl8139,addr=5 \
  -kernel "$cache/xen" \
  -append 'console=com1 com1=115200,8n1 dom0_mem=1536M dom0_max_vcpus=2 loglvl=all guest_loglvl=all conring_size=16M flask='"${DEWAR_XEN_FLASK:-enforcing}" \
  -initrd "$cache/vmlinuz console=hvc0 quiet panic=1,$scratch/dom0.gz,$scratch/policy" </dev/null >/dev/null &
machine=$!

why='' size=0 heard=$SECONDS begun=$SECONDS
while kill -0 "$machine" 2>/dev/null; do
  sleep 1
  now=$(stat --format=%s "$results/console.txt" "$scratch/port" 2>/dev/null | tr '\n' ' ')
  if [ "$now" != "$size" ]; then size=$now heard=$SECONDS; fi
  if [ $((SECONDS - heard)) -ge "$SILENCE" ]; then
    why="it stands still: nothing was heard of it for $SILENCE s, after $((heard - begun)) s"
  elif [ $((SECONDS - begun)) -ge "$timeout" ]; then
    why="it did not end by itself within $timeout s"
  fi
  [ -z "$why" ] || kill -9 "$machine" 2>/dev/null || true
done
status=0
wait "$machine" || status=$?
machine=
[ -n "$why" ] || [ "$status" -eq 0 ] || why="QEMU ended with $status"
if [ -z "$why" ] && [ "$(tr -d '\r' <"$scratch/port" | tail -n 1)" != END ]; then why='it ended without its results'; fi
if [ -n "$why" ]; then
  tail -n 30 "$results/console.txt" >&2 || true
  echo "boot.sh: no results of this machine: $why" >&2
  exit 3
fi
tr -d '\r' <"$scratch/port" | sed '$d' | base64 -d | tar -xzf - -C "$results"
