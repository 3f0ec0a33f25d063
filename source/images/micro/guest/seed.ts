import {seedDirectory} from '../../rootfs/metadata.ts';

/**
 * The micro guest's reader of the NoCloud seed. It understands the block style of YAML that drover writes: maps,
 * lists, plain and quoted text, block text. Of a cloud-config it takes `hostname`, `ssh_authorized_keys` (at the top or
 * of users), `ssh_keys` (ed25519), `users` (names) and `runcmd`, of a network-config the cards that have an address, with
 * their first name server and search domain; everything else is ignored.
 */
export const seedScript = `#!/bin/sh
# A container finds its seed among its files, a machine on a disk.
seed=/${seedDirectory}
if [ ! -e $seed/meta-data ]; then
	seed=/run/seed
	device=$(findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null)
	[ -n "$device" ] || {
		modprobe -q ata_piix; modprobe -q sr_mod; usleep 300000
		device=$(findfs LABEL=cidata 2>/dev/null || findfs LABEL=CIDATA 2>/dev/null)
	}
	[ -n "$device" ] || exit 0
	mkdir -p $seed
	mount -o ro "$device" $seed || exit 0
fi
mkdir -p /run/seed.d
chmod 700 /run/seed.d
old=; id=
[ -e /var/lib/cloud/data/instance-id ] && read -r old < /var/lib/cloud/data/instance-id
umask 077
network=
[ -e $seed/network-config ] && network=$seed/network-config
awk -v out=/run/seed.d -f /etc/seed.awk $seed/meta-data $seed/user-data $network 2>/dev/null
[ $seed = /run/seed ] && umount $seed
cd /run/seed.d
[ -e instance-id ] && read -r id < instance-id
# A seed is applied once for each instance: what was changed in the guest since then stays.
if [ "$id" != "$old" ] || [ -z "$old" ]; then
	host=
	[ -e local-hostname ] && read -r host < local-hostname
	[ -e hostname ] && read -r host < hostname
	umask 022
	[ -n "$host" ] && {
		echo "\${host%%.*}" > /etc/hostname
		printf '127.0.0.1 localhost\\n127.0.1.1 %s %s\\n::1 localhost\\n' "$host" "\${host%%.*}" > /etc/hosts
	}
	rm -f /etc/dropbear/*_key
	umask 077
	[ -e host-key ] && dropbearconvert openssh dropbear host-key /etc/dropbear/dropbear_ed25519_host_key 2>/dev/null
	[ -e users ] && while read -r user; do
		case $user in ''|root|ubuntu|*[!a-z0-9_-]*) continue;; esac
		grep -q "^$user:" /etc/passwd && continue
		echo "$user:x:0:0:$user:/home/$user:/bin/sh" >> /etc/passwd
		echo "$user:*:19000:0:99999:7:::" >> /etc/shadow
		mkdir -p "/home/$user"
	done < users
	: >> authorized-keys
	for home in /root /home/*; do
		mkdir -p $home/.ssh
		cat authorized-keys > $home/.ssh/authorized_keys
		chmod 755 $home; chmod 700 $home/.ssh
	done
	[ -s runcmd ] && cp runcmd /var/lib/cloud/runcmd
	rm -f /var/lib/cloud/network
	[ -s network ] && cp network /var/lib/cloud/network
	echo "$id" > /var/lib/cloud/data/instance-id
fi
cd /
rm -rf /run/seed.d
`;

/** Takes the YAML apart: a stack of containers by indentation, and what is wanted goes to files in \`out\`. */
export const seedParser = `function path() {
	if (depth == 0) return ""
	return prefix[depth] "/" (kind[depth] == "list" ? item[depth] : key[depth])
}
function push(at, what,   parent) {
	parent = path(); depth++
	column[depth] = at; kind[depth] = what; prefix[depth] = parent; item[depth] = -1; key[depth] = ""
}
function shell_word(text) { gsub(/\\047/, "\\047\\\\\\047\\047", text); return "\\047" text "\\047" }
function put(file, text) { print text > (out "/" file) }
function emit(at, text) {
	if (at == "/instance-id" || at == "/local-hostname" || at == "/hostname") put(substr(at, 2), text)
	else if (at ~ /^\\/(users\\/[0-9]+\\/)?ssh[-_]authorized[-_]keys\\/[0-9]+$/) put("authorized-keys", text)
	else if (at ~ /^\\/users\\/[0-9]+\\/name$/) put("users", text)
	else if (at == "/ssh_keys/ed25519_private") put("host-key", text)
	else if (at ~ /^\\/ethernets\\/[^\\/]+\\/(match\\/macaddress|(nameservers\\/)?addresses\\/0|nameservers\\/search\\/0)$/) card(at, text)
	else if (at ~ /^\\/runcmd\\/[0-9]+$/) { end_command(); put("runcmd", text) }
	else if (at ~ /^\\/runcmd\\/[0-9]+\\/[0-9]+$/) {
		if (at ~ /\\/0$/) end_command()
		words = words (words == "" ? "" : " ") shell_word(text)
	}
}
# What is known of a card: the name it has in the file, and below it what stands there.
function card(at, text,   name) {
	if (text !~ /^[A-Za-z0-9.:\\/_-]+$/) return
	name = substr(at, 12); sub(/\\/.*$/, "", name); sub(/^\\/ethernets\\/[^\\/]+\\//, "", at)
	cards[name] = 1; known[name, at] = text
}
function end_cards(   name) {
	for (name in cards) {
		if (known[name, "match/macaddress"] == "" || known[name, "addresses/0"] == "") continue
		put("network", known[name, "match/macaddress"] " " known[name, "addresses/0"] " " known[name, "nameservers/addresses/0"] " " known[name, "nameservers/search/0"])
	}
}
function end_command() { if (words != "") put("runcmd", words); words = "" }
function unquote(text,   result, i, c) {
	# What follows a closing quote is a remark.
	if (match(text, /^\\047([^\\047]|\\047\\047)*\\047/) || match(text, /^"([^"\\\\]|\\\\.)*"/)) text = substr(text, 1, RLENGTH)
	if (text ~ /^\\047.*\\047$/) { text = substr(text, 2, length(text) - 2); gsub(/\\047\\047/, "\\047", text); return text }
	if (text !~ /^".*"$/) { sub(/[ \\t]+#.*$/, "", text); sub(/[ \\t]+$/, "", text); return text }
	text = substr(text, 2, length(text) - 2); result = ""
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (c == "\\\\") {
			i++; c = substr(text, i, 1)
			if (c == "n") c = "\\n"; else if (c == "t") c = "\\t"; else if (c == "e") c = "\\033"; else if (c == "r") c = "\\r"
		}
		result = result c
	}
	return result
}
function flow(at, text,   i, c, quote, word, count) {
	text = substr(text, 2, length(text) - 2); word = ""; quote = ""; count = 0
	for (i = 1; i <= length(text) + 1; i++) {
		c = i > length(text) ? "," : substr(text, i, 1)
		if (quote == "" && c == ",") {
			sub(/^[ \\t]+/, "", word); sub(/[ \\t]+$/, "", word)
			if (word != "") emit(at "/" count++, unquote(word))
			word = ""
			continue
		}
		if (quote == "\\"" && c == "\\\\") { word = word c; i++; c = substr(text, i, 1) }
		else if (quote == "" && (c == "\\"" || c == "\\047")) quote = c
		else if (c == quote) quote = ""
		word = word c
	}
}
function flush(   text) {
	if (in_block) {
		text = block
		sub(/\\n+$/, "", text)
		emit(block_path, text)
		in_block = 0
	}
	if (waiting) {
		waiting = 0
		if (pending ~ /^\\[.*\\]$/) flow(pending_path, pending)
		else if (pending !~ /^\\{.*\\}$/) emit(pending_path, unquote(pending))
	}
}
# A value that starts at a key or a dash of column "at".
function value(text, at) {
	if (text ~ /^[|>][-+0-9]*[ \\t]*(#.*)?$/) {
		in_block = 1; folded = (text ~ /^>/); block = ""; block_path = path(); block_at = at; block_indent = -1
		return
	}
	waiting = 1; pending = text; pending_path = path(); pending_at = at
}
function line(at, text,   rest, name) {
	while (depth > 0 && column[depth] > at) depth--
	if (text ~ /^-( |$)/) {
		if (depth == 0 || column[depth] < at || kind[depth] != "list") push(at, "list")
		item[depth]++
		rest = substr(text, 2); match(rest, /^ */)
		if (RLENGTH < length(rest)) {
			text = substr(rest, RLENGTH + 1)
			if (text ~ /^- / || text ~ /^[A-Za-z0-9_.-]+:( |$)/) line(at + 1 + RLENGTH, text)
			else value(text, at)
		}
		return
	}
	while (depth > 0 && column[depth] == at && kind[depth] == "list") depth--
	if (!match(text, /^("[^"]*"|\\047[^\\047]*\\047|[A-Za-z0-9_.-]+):( |$)/)) return
	if (depth == 0 || column[depth] < at) push(at, "map")
	name = substr(text, 1, RLENGTH); sub(/: ?$/, "", name); rest = substr(text, RLENGTH + 1); sub(/^ +/, "", rest)
	key[depth] = unquote(name)
	if (rest != "" && rest !~ /^#/) value(rest, at)
}
FNR == 1 { flush(); depth = 0 }
{
	sub(/\\r$/, ""); match($0, /^ */); indent = RLENGTH; blank = ($0 ~ /^[ \\t]*$/)
	if (in_block) {
		# Blanks beyond the indentation are text.
		if (blank) { block = block (folded || block_indent < 0 ? "" : substr($0, block_indent + 1)) "\\n"; next }
		if (block_indent < 0 && indent > block_at) block_indent = indent
		if (block_indent >= 0 && indent >= block_indent) {
			if (folded && block != "" && block !~ /\\n\\n$/) sub(/\\n$/, " ", block)
			block = block substr($0, block_indent + 1) "\\n"
			next
		}
	}
	if (waiting && !blank && indent > pending_at) {
		if (pending ~ /^"/ && pending ~ /\\\\$/) pending = substr(pending, 1, length(pending) - 1) substr($0, indent + 1)
		else pending = pending " " substr($0, indent + 1)
		next
	}
	if (blank) next
	flush()
	if ($0 ~ /^ *#/ || $0 ~ /^---/) next
	line(indent, substr($0, indent + 1))
}
END { flush(); end_command(); end_cards() }
`;
