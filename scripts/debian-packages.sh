# Debian's packages and source packages, of this machine's Debian or of another one, for scripts that build from them or
# read them. To be sourced by bash. The machine's own lists, and what is installed on it, stay as they are.

# debian_apt FOLDER TYPE [SUITE]: sets `debian_options`, with which apt-get and apt-cache keep to lists of their own in FOLDER:
# those of the packages (TYPE `deb`) or source packages (`deb-src`) of a Debian (`trixie`; without SUITE, this machine's).
debian_apt() {
  local folder=$1 type=$2 own list
  own=$(. /etc/os-release && echo "$VERSION_CODENAME")
  local suite=${3:-$own}
  mkdir -p "$folder/lists/partial" "$folder/archives/partial"
  if [ -e /etc/apt/sources.list.d/debian.sources ]; then
    list="$folder/debian.sources"
    sed -e "s/^Types: deb\$/Types: $type/" -e "/^Suites:/s/\<$own\>/$suite/g" /etc/apt/sources.list.d/debian.sources >"$list"
  else
    list="$folder/debian.list"
    sed -n "s/^deb /$type /p" /etc/apt/sources.list | sed "s/\<$own\>/$suite/g" >"$list"
  fi
  debian_options=(-o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::sourcelist=$list" -o "Dir::State::Lists=$folder/lists"
    -o "Dir::Cache::Archives=$folder/archives" -o Acquire::Retries=3 -o Acquire::http::Timeout=60)
  apt-get --quiet "${debian_options[@]}" update
}

# debian_xen_source FOLDER [SUITE]: brings the newest source package of Xen that is served to FOLDER/unpacked. Needs
# dpkg-dev.
debian_xen_source() {
  local folder version attempt
  folder=$(mkdir -p "$1" && cd "$1" && pwd)
  debian_apt "$folder" deb-src "${2:-}"
  # Newest first: not every version that is listed is still served.
  for version in $(apt-cache "${debian_options[@]}" showsrc xen | awk '/^Version:/ { print $2 }' | sort -rV | uniq); do
    rm -f "$folder"/xen_*
    for attempt in 1 2; do
      if (cd "$folder" && apt-get --quiet "${debian_options[@]}" source --download-only "xen=$version"); then break 2; fi
    done
  done
  rm -rf "$folder/unpacked"
  (cd "$folder" && dpkg-source --no-check -x xen_*.dsc unpacked)
  rm -rf "$folder"/xen_* "$folder/lists" "$folder/archives"
}

# debian_unpack FOLDER SUITE PACKAGE...: unpacks packages of another Debian, with all that they depend on, to
# FOLDER/unpacked. Nothing of them is run.
debian_unpack() {
  local folder package
  folder=$(mkdir -p "$1" && cd "$1" && pwd)
  debian_apt "$folder" deb "$2"
  # As seen from a machine where nothing is installed.
  : >"$folder/status"
  apt-get --quiet --yes "${debian_options[@]}" -o "Dir::State::status=$folder/status" \
    install --download-only --no-install-recommends "${@:3}"
  rm -rf "$folder/unpacked" && mkdir "$folder/unpacked"
  for package in "$folder"/archives/*.deb; do dpkg-deb --extract "$package" "$folder/unpacked"; done
  rm -rf "$folder/lists" "$folder/archives" "$folder/status"
}
