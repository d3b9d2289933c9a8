#!/bin/bash
# The gate and the way out: what is not approved by all roles for exactly these bytes is not published, what cannot be
# delivered leaves nothing that looks delivered, and what was delivered is checked as its receiver would. The server
# is OpenSSH's.
. "$IB_SRC/tests/lib.sh"
need 7zz sshd ssh-keygen openssl sha256sum
lab
chmod 755 "$work"
unset SSH_AUTH_SOCK
export SFTP_SERVER_OWNER=$$
at_end+=('"$IB_SRC/ci/sftp-server" stop "$work/server"')
eval "$("$IB_SRC/ci/sftp-server" start "$work/server" 0)"
cp "$SFTP_KEY" sftp_key && chmod 600 sftp_key
up=$work/server/upload/V2020-L_9B url=$SFTP_URL/V2020-L_9B
{
	cat "$vars"
	printf 'publish-url = %s\npublish-host-key = %s\npublish-key = %s\n' "$url" "$SFTP_HOST_KEY" "$work/sftp_key"
} > vars.ini
image=$work/image
build() { "$imgbuild" build "$profile" --vars vars.ini --progress=none -o "$image" "$@"; }
publish() { "$imgbuild" publish "$image" --progress=none "$@"; }
check() { "$imgbuild" check-delivery "$url" --host-key "$SFTP_HOST_KEY" --key "$work/sftp_key" --trust "$keys/lab-root.pem"; }
approve() { # ROLE DECISION [SIGNER]
	local signer=${3:-$1}
	"$imgbuild" approve "$image" --role "$1" --decision "$2" --number "N-$1" --opinion 'read' \
		--certificate "$keys/$signer.pem" --key "$keys/$signer.key"
}
nothing_published() { [ -z "$(find server/upload -type f)" ] || fail "$1: published: $(find server/upload -type f)"; }
missing() { # ROLES: publish says that these have not approved
	expect 7 "not approved yet by: $1" publish
	says 'hint:' 'imgbuild approve'
	nothing_published "$1"
}

# 1. before anybody approved
expect 7 'not approved yet by: technical, security, customer' build --publish
says 'built' 'the folder is complete, but not published' 'hint:'
expect 0 good "$imgbuild" verify "$image" --trust "$keys/lab-root.pem"
missing 'technical, security, customer'

# 2. what is no approval: a rejection, half of them, no record at all
expect 0 "recorded" approve technical approve
missing 'security, customer'
expect 0 "recorded" approve security reject
expect 0 "recorded" approve customer approve
missing 'security'
expect 2 "'approve' or 'reject', not 'maybe'" approve security maybe
expect 2 'needs --number' "$imgbuild" approve "$image" --role security --decision approve
expect 2 'a role is letters' approve ../x approve security
expect 3 'no-such-folder' "$imgbuild" approve no-such-folder --role security --decision approve --number 1 --opinion x \
	--certificate "$keys/security.pem" --key "$keys/security.key"
expect 3 '' "$imgbuild" approve "$image" --role security --decision approve --number 1 --opinion x \
	--certificate "$keys/security.pem" --key "$keys/customer.key"
missing 'security'

# 3. a decision by somebody else, or altered after it was signed
expect 0 recorded approve security approve stranger
expect 4 'approval-security.json' publish
nothing_published 'a stranger approved'
expect 0 recorded approve security reject
sed -i 's/reject/approve/' image/records/approval-security.json
expect 4 'approval-security.json' publish
nothing_published 'a record was altered'
mv image/records/approval-security.json.p7s signature
expect 3 'approval-security.json.p7s' publish
nothing_published 'a record is not signed'
mv signature image/records/approval-security.json.p7s
# another role's record under this role's name: well signed, by the wrong hand
cp image/records/approval-customer.json image/records/approval-security.json
cp image/records/approval-customer.json.p7s image/records/approval-security.json.p7s
expect 4 'approval-security.json' publish
nothing_published 'the customer approved for security'
expect 0 recorded approve security approve

# 4. all approved, but about other bytes
cp -r image approved
cat > other.ini <<-PROFILE
	[profile]
	extends = $profile
	name = other
	customer = ICBC
	release = 2021-09B
	date = 2021-09-28
	version = 2020.1.2109.21
PROFILE
expect 0 'not published' "$imgbuild" build other.ini --vars vars.ini --progress=none -o "$image"
[ ! -e image/records/approval-security.json ] || fail "records were carried over to other bytes"
cp approved/records/approval-* image/records/
missing 'technical, security, customer'
rm -rf image && cp -r approved image

# 5. approved, but what lies here is not what was signed
cp image/build.json save && echo ' ' >> image/build.json
expect 4 "'build.json' is not the file that was listed" publish
nothing_published 'an altered file'
cp save image/build.json
echo extra > image/papers/extra.html
expect 4 "'papers/extra.html' is not in SHA256SUMS" publish
nothing_published 'an extra file'
rm image/papers/extra.html
mv image/SM3SUMS . && expect 4 "'SM3SUMS' is missing" publish && mv SM3SUMS image/
nothing_published 'a missing file'

# the same bytes, whoever is asked to publish them: approvals of what was built with --publish hold without it
expect 0 'not published' build
cmp image/SHA256SUMS approved/SHA256SUMS || fail "--publish changed what is signed"
[ -s image/records/approval-security.json ] || fail "records about the same bytes were lost"
rm -rf image && cp -r approved image

# 6. approved, but not to be delivered there
again() { publish --profile "$profile" --vars vars.ini "$@"; }
port=${SFTP_URL#*127.0.0.1:} && port=${port%%/*}
user=${SFTP_URL#sftp://} && user=${user%%@*}
path=$work/server/upload/V2020-L_9B
ssh-keygen -q -t ed25519 -N '' -C other -f other_key
expect 5 "SHA256:AAAA" again --set publish-host-key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
says 'cause:' 'hint:' "$url"
nothing_published 'a wrong host key'
expect 5 '' again --set publish-key="$work/other_key"
says 'cause:' 'hint:' "$user"
nothing_published 'a wrong key'
expect 5 '' again --set publish-url="sftp://stranger@127.0.0.1:$port$path"
says 'cause:' stranger
nothing_published 'a wrong user'
expect 5 'no-such-host.invalid' again --set publish-url="sftp://$user@no-such-host.invalid$path"
says 'cause:'
nothing_published 'no such host'
expect 5 '' again --set publish-url="sftp://$user@127.0.0.1:$(free_port)$path"
says 'cause:' 127.0.0.1
nothing_published 'nobody listens'
expect 5 '' again --set publish-url="sftp://$user@127.0.0.1:$port/proc/nowhere"
nothing_published 'no such folder'
expect '[23]' 'neither sftp:// nor file://' again --set publish-url="ftp://127.0.0.1/x"
nothing_published 'another protocol'
snapshot image > now && snapshot approved | diff - now || fail "refusals changed the folder"

# 7. approved: it arrives, the list of digests last
expect 0 "published $image to $url" publish
[ -s image/records/publication.json ] || fail "no receipt"
(cd image && find . -type f ! -path './records/*' | sort) > sent
(cd "$up" && find . -type f | sort) | diff sent - || fail "other files arrived"
(cd "$up" && sha256sum --quiet -c SHA256SUMS) || fail "other bytes arrived"
[ "$(cd "$up" && find . -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)" = ./SHA256SUMS ] ||
	fail "the list of digests was not the last"
expect 0 good check
says 'SHA256SUMS is signed by'
expect 4 'FINDING' "$imgbuild" check-delivery "$url" --host-key "$SFTP_HOST_KEY" --key "$work/sftp_key" \
	--trust "$keys/unknown-root.pem"
expect 0 "published" publish
expect 0 good check

# 8. the receiver notices: an altered byte, a missing file, another list
printf X | dd of="$up/CMGE_V2020L_9B.iso" bs=1 seek=5000000 conv=notrunc status=none
expect 4 "'CMGE_V2020L_9B.iso' is not the file that was signed" check
says 'not good'
expect 0 published publish
expect 0 good check
mv "$up/build.json" . && expect '[345]' 'build.json' check
sed -i '1s/^./0/' "$up/SHA256SUMS"
expect '[345]' '' check
expect 0 published publish
expect 0 good check

# 9. a delivery that breaks off leaves no list that vouches for it
if [ "$(id -u)" = 0 ]; then
	rm -rf "$up/papers" && touch "$up/papers" && chown --reference="$up" "$up/papers"
	expect 5 'papers' publish
	[ ! -e "$up/SHA256SUMS" ] || fail "the list of digests stands beside half a delivery"
	rm "$up/papers"
	expect 0 published publish
	expect 0 good check
fi

# 10. build --publish goes the same way: to a folder, with a policy that asks for nobody
cat > free.ini <<-PROFILE
	[profile]
	extends = $profile
	name = free
	customer = ICBC
	release = 2021-09B
	date = 2021-09-28
	version = 2020.1.2109.21
	[approvals]
	policy = \${policy}
	[vars]
	policy =
PROFILE
expect 0 "published to file://$work/folder" "$imgbuild" build free.ini --vars vars.ini --progress=none -o "$image" --publish \
	--set "publish-url=file://$work/folder" --set "publish-key="
(cd folder && sha256sum --quiet -c SHA256SUMS) || fail "the folder"
# a role that nobody can fill is an error of the policy, not a missing approval
sed '/^\[role:customer\]/,$d' "$IB_SRC/manifests/policy/lab.ini" > lost.ini
expect 3 "role 'customer' must approve, but no section '[role:customer]'" "$imgbuild" build free.ini --vars vars.ini --progress=none \
	-o "$image" --publish --set "publish-url=file://$work/lost" --set "publish-key=" --set "policy=$work/lost.ini"
[ ! -e lost ] || fail "published without the approval that was asked for"
expect 5 '' "$imgbuild" build free.ini --vars vars.ini --progress=none -o "$image" --publish \
	--set publish-host-key=SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA --set "publish-url=$url-2"
expect 0 good "$imgbuild" verify "$image" --trust "$keys/lab-root.pem"
[ ! -e "$up-2" ] || fail "published to a server with another key"
echo ok
