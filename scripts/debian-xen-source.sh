# Debian's source package of Xen, for scripts that build from it or read it. To be sourced by bash.

# debian_xen_source FOLDER: brings the newest version of it that is served to FOLDER/unpacked. Needs dpkg-dev. The
# machine's own list of sources stays as it is.
debian_xen_source() {
  local folder list options version attempt
  folder=$(mkdir -p "$1" && cd "$1" && pwd)
  mkdir -p "$folder/lists/partial"
  if [ -e /etc/apt/sources.list.d/debian.sources ]; then
    list="$folder/deb-src.sources"
    sed 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$list"
  else
    list="$folder/deb-src.list"
    sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$list"
  fi
  options=(-o Dir::Etc::sourceparts=/dev/null -o "Dir::Etc::sourcelist=$list" -o "Dir::State::Lists=$folder/lists"
    -o Acquire::Retries=3 -o Acquire::http::Timeout=60)
  apt-get --quiet "${options[@]}" update
  # Newest first: not every version that is listed is still served.
  for version in $(apt-cache "${options[@]}" showsrc xen | awk '/^Version:/ { print $2 }' | sort -rV | uniq); do
    rm -f "$folder"/xen_*
    for attempt in 1 2; do
      if (cd "$folder" && apt-get --quiet "${options[@]}" source --download-only "xen=$version"); then break 2; fi
    done
  done
  rm -rf "$folder/unpacked"
  (cd "$folder" && dpkg-source --no-check -x xen_*.dsc unpacked)
  rm -rf "$folder"/xen_* "$folder/lists"
}
