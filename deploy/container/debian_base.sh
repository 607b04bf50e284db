#!/bin/sh
# Makes a base image from Debian's packages, for where no registry is reachable: `make base-image`.
# Needs mmdebstrap and buildah, and takes about three minutes. Then: make image BASE=localhost/boxoffice-base:bookworm
set -eu

suite=${SUITE:-bookworm}
name=${BASE:-localhost/boxoffice-base:$suite}
folder=$(mktemp -d)
container=
clean() {
    [ -z "$container" ] || buildah rm "$container" >/dev/null
    rm -rf "$folder"
}
trap clean EXIT

mmdebstrap --variant=minbase --include=python3,python3-venv,ca-certificates,tzdata \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$suite" "$folder/root.tar"
container=$(buildah from scratch)
buildah add --quiet "$container" "$folder/root.tar" / >/dev/null
buildah commit --quiet --format docker "$container" "$name" >/dev/null
echo "made $name"
