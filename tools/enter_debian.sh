# Run by tools/debian.py in mounts of its own: shows the machine's folders inside of a root, and runs a command there.
set -e
root=$1 checkout=$2
shift 2
show() { mkdir -p "$root$1" && mount --rbind "$1" "$root$1"; }
for place in /*; do
  case $place in
    /bin | /boot | /etc | /lib* | /lost+found | /sbin | /usr | /var) ;;
    *) if [ -d "$place" ] && [ ! -L "$place" ]; then show "$place"; fi ;;
  esac
done
for place in /etc/ssl /etc/xdg/pip "$checkout"; do
  if [ -d "$place" ]; then show "$place"; fi
done
for file in /etc/hosts /etc/pip.conf /etc/resolv.conf; do
  # Mounted and not copied: another command may be running in the same root.
  if [ -e "$file" ]; then
    if [ -L "$root$file" ]; then rm -f "$root$file"; fi
    if [ ! -e "$root$file" ]; then : > "$root$file"; fi
    mount --bind "$(readlink -f "$file")" "$root$file"
  fi
done
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
exec chroot "$root" sh -c 'cd "$0" && exec "$@"' "$checkout" "$@"
