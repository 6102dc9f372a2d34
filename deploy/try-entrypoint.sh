#!/usr/bin/env bash
# Runs what the image would run, without a container engine: the installed application on a read-only root, as a user without a name and
# without capabilities, with nothing to write but the volume, /tmp and /dev/shm, in a network of its own. Needs root on Linux.
#
#   deploy/try-entrypoint.sh ENVIRONMENT
#
# ENVIRONMENT is a virtual environment that has auditlake. Exits 0 when the collector, with two workers, became ready, refused a span
# without a token and took one with it, and stopped in order, and a query shows the span.
set -euo pipefail

environment=$(realpath "$1")
repository=$(realpath "$(dirname "$0")/..")
if [ "$#" -lt 2 ]; then
  root=$(mktemp --directory)
  trap 'rmdir "$root"' EXIT
  unshare --mount --net --pid --ipc --fork --kill-child --mount-proc "$0" "$environment" "$root"
  exit
fi

# the root of the container: a small tree in memory, into which what is needed is mounted read-only
root=$2
mount -t tmpfs -o mode=0755,size=64m tmpfs "$root"
ip link set lo up

read_only() {
  mkdir -p "$root$1"
  mount --bind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1"
}

for folder in /bin /lib /lib64; do
  if [ -L "$folder" ]; then cp -P "$folder" "$root$folder"; elif [ -d "$folder" ]; then read_only "$folder"; fi
done
read_only /usr
python_prefix=$("$environment/bin/python" -c 'import sys; print(sys.base_prefix)')
case "$python_prefix" in /usr) ;; *) read_only "$python_prefix" ;; esac

mkdir -p "$root"/{proc,tmp,dev/shm,var/lib/auditlake,etc/auditlake/secrets}
for folder in tmp dev/shm; do  # before what may lie below /tmp
  mount -t tmpfs -o size=64m,mode=1777,noexec,nosuid,nodev tmpfs "$root/$folder"
done
read_only "$repository"
case "$environment" in "$repository"/*) ;; *) read_only "$environment" ;; esac
mount -t proc proc "$root/proc"
for device in null zero random urandom; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs -o size=512m,mode=0750,uid=10001,gid=10001 tmpfs "$root/var/lib/auditlake"
cp -P /etc/ld.so.cache "$root/etc/"
cp "$repository/deploy/otel-config.yaml" "$root/etc/auditlake/otel-config.yaml"
token=$(head -c 24 /dev/urandom | sha256sum | cut -c 1-40)
printf 'trial:acme:sha256:%s\n' "$(printf %s "$token" | sha256sum | cut -d ' ' -f 1)" >"$root/etc/auditlake/secrets/tokens"
chmod 0444 "$root/etc/auditlake/secrets/tokens"
mount -o remount,ro "$root"

export TOKEN="$token" PATH="$environment/bin:/usr/bin:/bin" HOME=/var/lib/auditlake XDG_CACHE_HOME=/var/lib/auditlake/cache
export AUDITLAKE_DATA=/var/lib/auditlake/data AUDITLAKE_WORKERS=2 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
exec /usr/sbin/chroot "$root" /usr/bin/setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
  "$environment/bin/python" "$repository/deploy/trial.py"
