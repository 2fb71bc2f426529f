#!/usr/bin/env bash
# Prepares, once, what boot.sh boots: a real Xen with XSM/FLASK, a kernel for dom0 and guests, and a root for dom0.
#
#     prepare.sh FOLDER [RELEASE]
#
# RELEASE is a series of Xen, 4.17 if it is not given: that of Debian 12, on which this runs. The programs and libraries of
# another that a Debian has come from the packages of that Debian, unpacked and not installed; the kernel is that of Debian 12.
# Debian builds its hypervisor without XSM, so its source package is built again with CONFIG_XSM=y; two cores take about
# five minutes. With DEWAR_XEN_CLONE, a git clone of Xen, the newest point release of the series that it has is built
# instead. What no Debian has needs such a clone: programs and libraries, too, are built from it then. Needs the packages
# in `packages` below; installs those that are missing when run as root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../../../scripts/debian-packages.sh"
cache=$(mkdir -p "$1" && cd "$1" && pwd)
release=${2:-4.17}
case $release in
  4.14) suite=bullseye ;;
  4.17) suite=bookworm ;;
  4.20) suite=trixie ;;
  4.15 | 4.16 | 4.18 | 4.19 | 4.21 | 4.22)
    suite=''
    if [ -z "${DEWAR_XEN_CLONE:-}" ]; then
      echo "prepare.sh: no Debian has Xen $release: name a git clone of Xen with DEWAR_XEN_CLONE" >&2
      exit 2
    fi
    ;;
  *)
    echo "prepare.sh: Xen 4.14 to 4.22 can be prepared, not $release" >&2
    exit 2
    ;;
esac

# dom0 gets the Node that runs here. What was prepared is kept until that, or what is below, is another one.
edition="5 $release $(node --version) $(cat "$here"/*-init.sh "$here"/block.sh | sha256sum | cut -c 1-16)"
if [ "$(cat "$cache/edition" 2>/dev/null || true)" = "$edition" ]; then exit 0; fi

packages=(qemu-system-x86 seabios cpio flex bison bc make gcc libc6-dev python3-minimal dpkg-dev busybox-static)
# Of the release, what dom0 runs.
toolstack=("xen-utils-$release" xenstore-utils)
case $suite in
  bookworm) packages+=("${toolstack[@]}") ;;
  # What Xen's configure asks for, and liblzma, with which libxc unpacks Debian's kernel.
  '') packages+=(pkg-config python3-dev acpica-tools libyajl-dev uuid-dev libncurses-dev zlib1g-dev liblzma-dev
    libglib2.0-dev libpixman-1-dev libnl-3-dev libnl-route-3-dev) ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" -ne 0 ]; then
    echo "prepare.sh: install these first: ${missing[*]}" >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get --quiet --yes -o Acquire::Retries=3 update
  apt-get --quiet --yes -o Acquire::Retries=3 install --no-install-recommends "${missing[@]}"
fi

# bring_source FOLDER: the source of Xen to FOLDER/unpacked.
bring_source() {
  local clone=${DEWAR_XEN_CLONE:-} tag
  if [ -z "$clone" ]; then
    debian_xen_source "$1" "$suite"
    echo "Debian's sources" >"$cache/sources"
    return
  fi
  tag=$(git -C "$clone" tag --list "RELEASE-$release.*" | sort -V | tail -n 1)
  mkdir -p "$1/unpacked"
  git -C "$clone" archive "$tag" | tar -x -C "$1/unpacked"
  echo "Xen's sources" >"$cache/sources"
}

# Which point release a source tree is; what comes after one, and is not released, is told as that one.
version_of() {
  local version
  version=$(make --no-print-directory --silent -C "$1" xenversion)
  case $version in
    *-pre) version=${version%-pre} && echo "${version%.*}.$((${version##*.} - 1))" ;;
    *) echo "$version" ;;
  esac
}

# logged WHAT COMMAND...: runs a part of the build; all that it says goes to a file, and the end of that is told where it fails.
logged() {
  local log="$cache/$1.log"
  # In a shell of its own: in a condition, `set -e` would not end it.
  set +e
  (set -e && "${@:2}") >"$log" 2>&1
  local status=$?
  set -e
  [ "$status" -ne 0 ] || return 0
  tail -n 40 "$log" >&2
  echo "prepare.sh: the $1 could not be built; all of it is in $log" >&2
  exit 1
}

build_hypervisor() {
  make -C "$1" olddefconfig
  sed -i 's/^# CONFIG_XSM is not set$/CONFIG_XSM=y/' "$1/.config"
  make -C "$1" olddefconfig
  grep -q '^CONFIG_XSM_FLASK=y$' "$1/.config"
  # The compiler may be younger than the release: it warns of more, and uses MMX, which Xen does not save.
  make -C "$1" -j"$(nproc)" EXTRA_CFLAGS_XEN_CORE='-Wno-error -mno-mmx'
}

# The parts of Xen's tools that dom0 runs, each after those that it needs. A release has not all: 4.16 and before have the
# programs for xenstore, xenstored among them, in one folder.
tools=(include libs flask/utils xenstore xenstored xs-clients console helpers xl)

# build_toolstack SOURCE FOLDER: the programs and libraries of a source tree to FOLDER, under the names that Debian gives them.
build_toolstack() {
  local programs="/usr/lib/xen-$release/bin" part
  (cd "$1" && ./configure --disable-xen --disable-docs --disable-stubdom --prefix=/usr --libdir=/usr/lib/x86_64-linux-gnu \
    --sbindir="$programs" --libexecdir=/usr/lib --with-libexec-leaf-dir="xen-$release" --sysconfdir=/etc \
    --localstatedir=/var --with-rundir=/var/run --with-system-qemu=/usr/bin/qemu-system-i386 \
    --disable-{ocamltools,golang,pygrub,xsmpolicy,monitors,systemd,pvshim} \
    --disable-{qemu-traditional,rombios,seabios,ovmf,ipxe})
  for part in "${tools[@]}"; do
    [ ! -e "$1/tools/$part/Makefile" ] ||
      make -C "$1/tools/$part" -j"$(nproc)" install DESTDIR="$2" EXTRA_CFLAGS_XEN_TOOLS=-Wno-error
  done
  rm -rf "$2/usr/include" "$2"/usr/lib/x86_64-linux-gnu/*.a
}

# Builds what comes from sources.
build_xen() {
  local source="$cache/source"
  rm -rf "$source"
  bring_source "$source"
  logged hypervisor build_hypervisor "$source/unpacked/xen"
  if [ -z "$suite" ]; then
    rm -rf "$cache/toolstack" && mkdir "$cache/toolstack"
    logged toolstack build_toolstack "$source/unpacked" "$cache/toolstack"
  fi
  # Xen's own example policy, in the place where the source of Xen has it.
  rm -rf "$cache/tree" && mkdir -p "$cache/tree/tools/flask"
  cp -r "$source/unpacked/tools/flask/policy" "$cache/tree/tools/flask/"
  cp "$source/unpacked/xen/xen" "$cache/xen"
  version_of "$source/unpacked/xen" >"$cache/version"
  rm -rf "$source"
}

# The modules that dom0 needs: the toolstack's own; disks, network cards and PCI devices for guests.
modules=(xen-privcmd xen-evtchn xen-gntdev xen-gntalloc xenfs loop xen-blkback xen-netback xen-pciback)

fetch_kernel() {
  local name module
  name=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
  rm -rf "$cache/kernel" && mkdir -p "$cache/kernel/modules"
  (cd "$cache/kernel" && apt-get --quiet -o Acquire::Retries=3 download "$name" && dpkg -x "$name"_*.deb unpacked)
  cp "$cache"/kernel/unpacked/boot/vmlinuz-* "$cache/vmlinuz"
  for module in "${modules[@]}"; do
    find "$cache/kernel/unpacked" -name "$module.ko*" -exec cp {} "$cache/kernel/modules/" \;
  done
  rm -rf "$cache/kernel/unpacked" "$cache"/kernel/*.deb
}

# with_libraries FILE...: copies programs of the release into the root, with the libraries that they are linked against. Its
# files are under $stage: the root of this machine, where packages of another Debian were unpacked, or what was built here.
with_libraries() {
  local file
  for file in "$@"; do
    mkdir -p "$root/$(dirname "$file")"
    cp -L "$stage$file" "$root/$file"
    libraries_of "$stage$file"
  done
}

# libraries_of FILE: copies the libraries that a program, of the release or of this machine, finds in $stage, and those of
# this machine beside what was built here.
libraries_of() {
  local library name
  { "$loader" --library-path "$stage/lib/x86_64-linux-gnu:$stage/usr/lib/x86_64-linux-gnu" --list "$1" 2>/dev/null || true; } |
    grep -o '/[^ )]*' | while read -r library; do
    case $library in
      "$stage"/*) name=${library#"$stage"} ;;
      *)
        [ -z "$suite" ] || continue
        name=$library
        ;;
    esac
    mkdir -p "$root/$(dirname "$name")"
    cp -Ln "$library" "$root/$name" || true
  done
}

# A guest says that it is alive and goes on; when it is asked to power off its kernel runs /sbin/poweroff, which ends it,
# unless the word `stays` stands on the kernel's command line.
build_guest() {
  local guest="$cache/guest"
  rm -rf "$guest" && mkdir -p "$guest/bin" "$guest/sbin" "$guest/dev" "$guest/proc" "$guest/sys"
  printf '#!/bin/busybox sh\n/bin/busybox grep -qw stays /proc/cmdline || exec /bin/busybox poweroff -f\n' \
    >"$guest/sbin/poweroff"
  chmod +x "$guest/sbin/poweroff"
  cp /bin/busybox "$guest/bin/"
  cp "$here/guest-init.sh" "$guest/init"
  chmod +x "$guest/init"
  (cd "$guest" && find . | cpio --quiet -o -H newc | gzip) >"$root/boot/guest.gz"
  rm -rf "$guest"
}

build_root() {
  local xen="/usr/lib/xen-$release/bin" library
  root="$cache/root" stage=''
  case $suite in
    bookworm) ;;
    '') stage="$cache/toolstack" ;;
    *)
      # What Node needs, beside what Xen does.
      debian_unpack "$cache/release" "$suite" "${toolstack[@]}" libstdc++6
      stage="$cache/release/unpacked"
      ;;
  esac
  for loader in {"$stage",}/{,usr/}lib/x86_64-linux-gnu/ld-linux-x86-64.so.2; do [ ! -e "$loader" ] || break; done
  rm -rf "$root"
  mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,proc,sys,dev,tmp,run,boot,modules,root} \
    "$root"/var/{run/xen,lib/xen,lib/xenstored,log/xen} "$root/etc/xen" "$root/usr/lib/x86_64-linux-gnu"
  with_libraries "$xen"/{xl,xenstored,xen-init-dom0,xenconsoled,xenconsole,libxl-save-helper,init-xenstore-domain} \
    "$xen"/flask-{get-bool,getenforce,label-pci,loadpolicy,set-bool,setenforce} /usr/bin/xenstore
  cp -L "$(command -v node)" "$root/usr/bin/node"
  libraries_of "$(command -v node)"
  mkdir -p "$root/lib64"
  cp -L "$loader" "$root/lib64/ld-linux-x86-64.so.2"
  for library in "$stage"/usr/lib/x86_64-linux-gnu/libxen*.so.*; do cp -a "$library" "$root/usr/lib/x86_64-linux-gnu/"; done
  cp /bin/busybox "$root/bin/"
  cp "$cache"/kernel/modules/* "$root/modules/"
  cp "$cache/vmlinuz" "$root/boot/"
  touch "$root/etc/xen/xl.conf"
  mkdir -p "$root/etc/xen/scripts" "$root/var/lock"
  cp "$here/block.sh" "$root/etc/xen/scripts/block"
  chmod +x "$root/etc/xen/scripts/block"
  cp "$here/dom0-init.sh" "$root/init"
  chmod +x "$root/init"
  build_guest
  (cd "$root" && find . | cpio --quiet -o -H newc | gzip -1) >"$cache/root.gz"
  rm -rf "$root" "$cache/release"
}

echo "prepare.sh: building Xen $release with XSM in $cache, once; a few minutes"
[ -e "$cache/version" ] || build_xen
[ -e "$cache/vmlinuz" ] && [ -e "$cache/kernel/modules/${modules[-1]}.ko" ] || fetch_kernel
build_root
echo "$edition" >"$cache/edition"
