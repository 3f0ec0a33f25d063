# The stand-in's VBoxManage: hands its arguments to the service, which it starts where there is none, as the real one
# does. A shell's script, because Node alone takes longer to start than the real program to answer.
# What stands before this line tells it `home`, `node` and `service`.

printf '%s\n' "${*//$'\n'/ }" >> "$home/calls"
case $1 in
	--version | -V)
		echo 7.2.22_Debianr175245
		exit 0
		;;
esac

open() {
	[ -e "$home/port" ] || return 1
	read -r port token < "$home/port"
	{ exec 3<> "/dev/tcp/127.0.0.1/$port"; } 2> /dev/null
}

tries=0
until open; do
	if [ "$tries" = 0 ]; then
		"$node" "$service" "$home" < /dev/null > /dev/null 2>&1 &
	fi
	tries=$((tries + 1))
	if [ "$tries" -gt 1500 ]; then
		echo 'VBoxManage: error: the service of the stand-in does not start' >&2
		exit 70
	fi
	sleep 0.02
done

printf '%s\0' "$token" "$#" "$@" >&3
read -r number code <&3 || exit 70
for stream in out err; do
	IFS= read -r -d '' text < "$home/answers/$number.$stream"
	[ "$stream" = out ] && printf '%s' "$text"
	[ "$stream" = err ] && printf '%s' "$text" >&2
done
# Lets the service take the answer away.
exec 3>&-
exit "$code"
