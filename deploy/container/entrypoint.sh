#!/bin/sh
# Starts the process of Boxoffice that the first argument names; the others are passed on to it.
set -eu

case "${1:-}" in
gateway) module=gateway ;;
events | bookings | accounts | migrate) module=services.$1 ;;
healthy) module=deploy.container.healthy ;;
'')
    echo "usage: gateway | events | bookings | accounts | migrate | healthy | a command of boxoffice" >&2
    exit 64
    ;;
# Everything else is a command of the operator, such as `up` or `rotate-keys`.
*) exec python -m deploy.operator "$@" ;;
esac
shift
exec python -m "$module" "$@"
