#!/bin/sh
# Builds the image with docker, podman or buildah, the first one that works: `make image`.
#
#   IMAGE         name and tag of the image; localhost/boxoffice:<version> by default
#   BASE          image to build on, see Containerfile
#   BUILD_OPTIONS further options of the builder, such as --volume
set -eu
cd "$(dirname "$0")/../.."

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image=${IMAGE:-localhost/boxoffice:$version}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

if docker info >/dev/null 2>&1; then
    builder="docker build"
elif podman info >/dev/null 2>&1; then
    builder="podman build --format docker --timestamp 0"
elif command -v buildah >/dev/null; then
    # Only this format has health checks. With a fixed time no file tells when it was built.
    builder="buildah build --format docker --timestamp 0 --isolation ${BUILDAH_ISOLATION:-chroot}"
else
    echo "make image needs docker, podman or buildah" >&2
    exit 1
fi

# shellcheck disable=SC2086 # options are separate words
$builder ${BASE:+--build-arg "BASE=$BASE"} ${BUILD_OPTIONS:-} \
    --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --file deploy/container/Containerfile --tag "$image" .
echo "built $image"
