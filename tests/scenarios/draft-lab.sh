#!/bin/bash
# A removal manifest drafted from the image takes the component out without a trace; so does one for a program that no
# package brought. The shipped manifest without one of its lines does not.
. "$IB_SRC/tests/lib.sh"
need wimapply wimverify wimextract lnkinfo
lab
base=$media/sources/install.wim shipped=$IB_SRC/manifests/components/CmitUpdateAgent.ini

# ---- a draft is enough ----
expect 0 'packages = CMIT-UpdateAgent-Package' "$imgbuild" component draft "$base:1" CmitUpdateAgent
cp said.out Draft.ini
says '# Program Files\CMIT: the component brings it, all that lies there' 'event-sources = Application\CmitUpdateAgent' \
	'# A draft, made from an image (EnterpriseG, 10.0.17763.1)'
expect 0 'packages = CMIT-UpdateAgent-Package' "$imgbuild" component draft "$media/lab-base.iso:1" CMIT-UpdateAgent-Package
expect 0 '' "$imgbuild" component draft "$base:1" CmitUpdateAgent --format=json
python3 -c 'import json, sys; assert json.load(open("said.out"))["manifest"].strip() == open("Draft.ini").read().strip()'
expect 0 'removed CmitUpdateAgent (uninstall): 1 packages' "$imgbuild" service "$base:1" --remove ./Draft.ini -o gone.wim
wimverify gone.wim > /dev/null 2>&1 || fail "wimverify"
expect 3 "no package, component or service 'CmitUpdateAgent'" "$imgbuild" component draft gone.wim:1 CmitUpdateAgent
wimapply gone.wim 1 out > /dev/null 2>&1
! find out | grep -i 'cmitupdate\|UpdateAgent' || fail "names of the agent are left"
for h in out/Windows/System32/config/{SOFTWARE,SYSTEM,COMPONENTS,DEFAULT} out/Users/Default/NTUSER.DAT; do
	! LC_ALL=C grep -aqiP 'c\x00m\x00i\x00t\x00u\x00p\x00d\x00a\x00t\x00e\x00a\x00g\x00e\x00n\x00t' "$h" || fail "'$h' holds the agent's name"
done
expect 0 '' "$imgbuild" component draft "$base:1" Microsoft-Windows-SMB1-Package
says 'services = mrxsmb10,' 'packages = Microsoft-Windows-SMB1-Package'
expect 3 "no package, component or service 'Nobody'" "$imgbuild" component draft "$base:1" Nobody
expect 2 "holds 2 images" "$imgbuild" component draft "$base" CmitUpdateAgent
expect 2 "is nothing that component does" "$imgbuild" component remove "$base:1" x
expect 3 "" "$imgbuild" component draft "$shipped" x

# ---- a program that a setup put there, outside all packages ----
mkdir -p put/BranchLink && echo program > put/BranchLink/BranchLinkSvc.exe && echo note > put/BranchLink/read.me
echo '<Task/>' > put/task && echo link > put/BranchLink.lnk
printf 'Windows Registry Editor Version 5.00\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\BranchLinkSvc]
"ImagePath"="\\"C:\\\\Program Files\\\\Bank\\\\BranchLink\\\\BranchLinkSvc.exe\\" -run"
"DisplayName"="Branch Link Service"
"Type"=dword:00000010
"Start"=dword:00000002\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\EventLog\\Application\\BranchLinkSvc]
"TypesSupported"=dword:00000007\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules]
"{01234567-89ab-cdef-0123-456789abcdef}"="v2.29|Action=Allow|App=C:\\\\Program Files\\\\Bank\\\\BranchLink\\\\BranchLinkSvc.exe|Name=x|"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run]
"BranchLink"="C:\\\\Program Files\\\\Bank\\\\BranchLink\\\\tray.exe"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\{9b3c8b1a-0000-4000-8000-1234567890ab}]
"DisplayName"="Branch Link Service"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\CLSID\\{9b3c8b1a-1111-4000-8000-1234567890ab}\\InProcServer32]
@="C:\\\\Program Files\\\\Bank\\\\BranchLink\\\\shell.dll"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Bank\\BranchLink]
"Server"="10.1.2.3"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Others]
"Start, with"="BranchLinkSvc"\r\n' > setup.reg
expect 0 '' "$imgbuild" service "$base:1" --put put/BranchLink='Program Files/Bank/BranchLink' --put put/task=Windows/System32/Tasks/Bank/BranchLink \
	--put 'put/BranchLink.lnk=ProgramData/Microsoft/Windows/Start Menu/Programs/' --reg setup.reg -o bank.wim
expect 0 'services = BranchLinkSvc' "$imgbuild" component draft bank.wim:1 BranchLinkSvc
cp said.out Bank.ini
says 'Program Files\Bank\BranchLink' 'BranchLink.lnk' 'firewall = {01234567-' 'event-sources = Application\BranchLinkSvc' \
	'tasks = Bank\BranchLink' 'Uninstall\{9b3c8b1a-0000' 'CLSID\{9b3c8b1a-1111' 'Run!BranchLink' 'SOFTWARE\Bank\BranchLink' \
	'# look at the value SOFTWARE\Others!Start, with'
# what the draft only remarks on, the search finds; it is for people to decide
expect 4 'Others!Start, with' "$imgbuild" service bank.wim:1 --remove ./Bank.ini -o clean.wim
printf 'Windows Registry Editor Version 5.00\r\n\r\n[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Others]\r\n' > others.reg
expect 0 '' "$imgbuild" service bank.wim:1 --reg others.reg -o bank2.wim
expect 0 'removed BranchLinkSvc' "$imgbuild" service bank2.wim:1 --remove ./Bank.ini -o clean.wim
rm -rf out && wimapply clean.wim 1 out > /dev/null 2>&1
! find out | grep -i branchlink || fail "files of the program are left"
expect 0 '' "$imgbuild" hive export clean.wim:1:SOFTWARE
! grep -qi branchlink said.out || fail "SOFTWARE"
expect 0 '' "$imgbuild" hive export clean.wim:1:SYSTEM
! grep -qi branchlink said.out || fail "SYSTEM"

# ---- a line less, and the search finds what it left ----
# The agent as a setup program would put it there: no package owns anything of it, so each item of the shipped manifest
# is needed, one by one.
mkdir -p agent/UpdateAgent/Logs && echo x > agent/UpdateAgent/CmitUpdateAgent.exe && echo x > agent/UpdateAgent/Logs/a.log
printf 'Windows Registry Editor Version 5.00\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\CmitUpdateAgent]
"ImagePath"=hex(2):22,00,25,00,50,00,72,00,6f,00,67,00,72,00,61,00,6d,00,46,00,69,00,6c,00,65,00,73,00,25,00,5c,00,43,00,4d,00,49,00,54,00,5c,00,55,00,70,00,64,00,61,00,74,00,65,00,41,00,67,00,65,00,6e,00,74,00,5c,00,43,00,6d,00,69,00,74,00,55,00,70,00,64,00,61,00,74,00,65,00,41,00,67,00,65,00,6e,00,74,00,2e,00,65,00,78,00,65,00,22,00,00,00
"DisplayName"="CMIT Update Agent"
"Type"=dword:00000010
"Start"=dword:00000002\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\EventLog\\Application\\CmitUpdateAgent]
"TypesSupported"=dword:00000007\r\n
[HKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules]
"CmitUpdateAgent-In-TCP"="v2.29|Action=Allow|Name=x|"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Run]
"CmitUpdateAgent"="tray.exe"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\CmitUpdateAgent]
"DisplayName"="x"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree\\CMIT\\UpdateAgent\\Check]
"Id"="{174bbf42-52c1-5046-b9d9-8f7642e3ddab}"
"Index"=dword:00000003\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tasks\\{174bbf42-52c1-5046-b9d9-8f7642e3ddab}]
"Path"="\\\\CMIT\\\\UpdateAgent\\\\Check"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\CLSID\\{6b0f5f0e-1c1d-4e52-9a0e-2f1c7a5d4c10}\\LocalServer32]
@="C:\\\\Program Files\\\\CMIT\\\\UpdateAgent\\\\CmitUpdateAgent.exe"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes\\Cmit.UpdateAgent\\CLSID]
@="{6b0f5f0e-1c1d-4e52-9a0e-2f1c7a5d4c10}"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\CMIT\\UpdateAgent]
"Version"="2.4"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate]
"WUServer"="http://127.0.0.1"
"WUStatusServer"="http://127.0.0.1"\r\n
[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU]
"UseWUServer"=dword:00000001\r\n' > agent.reg
echo x > agent.cpl && mkdir -p tasks/UpdateAgent && echo x > tasks/UpdateAgent/Check && echo x > tasks/UpdateAgent/Older
cp agent.cpl CmitUpdateCpl.cpl
# a link whose name tells nothing, as the laboratory's own component has it; liblnk reads what it leads to
wimextract "$base" 1 '/ProgramData/Microsoft/Windows/Start Menu/Programs/CMIT/Check for updates.lnk' --dest-dir=. > /dev/null 2>&1
lnkinfo 'Check for updates.lnk' > lnk.txt || fail "the link is none"
grep -qF 'UpdateAgent\CmitUpdateAgent.exe' lnk.txt || { cat lnk.txt; fail "where the link leads"; }
expect 0 '' "$imgbuild" service gone.wim:1 --put agent='Program Files/CMIT' --put agent='ProgramData/CMIT' --put tasks=Windows/System32/Tasks/CMIT \
	--put 'Check for updates.lnk=ProgramData/Microsoft/Windows/Start Menu/Programs/CMIT/Check for updates.lnk' \
	--put CmitUpdateCpl.cpl=Windows/System32/ --reg agent.reg -o setup.wim
run=$IB_BUILD/tool_servicing_run
python3 - "$shipped" > cases <<'EOF'
import re, sys
text = re.sub(r",\n\s+", ", ", open(sys.argv[1]).read())
for line in text.split("\n"):
    m = re.match(r"(files|services|svchost|tasks|firewall|event-sources|values|keys)\s*=\s*(.*)", line)
    for item in re.split(r",\s*", m.group(2)) if m else []:
        print(m.group(1).replace("-", "_") + "\t" + item)
EOF
[ "$(wc -l < cases)" = 17 ] || { cat cases; fail "the shipped manifest was not understood"; }
remove_without() { # N: all lines but the n-th, 0 for all
	local kind ops=()
	for kind in files services tasks firewall event_sources values keys; do
		list=$(awk -F'\t' -v kind=$kind -v skip="$1" 'NR != skip && $1 == kind { printf "%s%s", n++ ? "," : "", $2 }' cases)
		[ -z "$list" ] || ops+=("list.$kind=$list")
	done
	"$run" setup.wim 1 trust="$media/lab-root.pem" "${ops[@]}" remove=CmitUpdateAgent residue verify > said.out
}
remove_without 0 && grep -q '^residue 0$' said.out || { cat said.out; fail "the whole manifest leaves traces"; }
! grep -q '^finding' said.out || { cat said.out; fail "the verifier finds faults"; }
# What the search cannot see, and why: these values carry none of the component's names, 'WUServer' belongs to Windows
# Update. The report names the address that stands; the profile sets it.
blind='WUServer WUStatusServer UseWUServer'
# The control panel's file has a name of its own, which nothing in the image connects with the service.
blind="$blind CmitUpdateCpl.cpl"
n=0 seen=0
while IFS=$'\t' read -r kind item; do
	n=$((n + 1))
	remove_without $n
	word=${item##*[\\!]}
	if [[ " $blind " = *" $word "* ]]; then
		grep -q '^residue 0$' said.out || fail "'$item' is seen after all: take it off the list"
		continue
	fi
	! grep -q '^residue 0$' said.out || { cat said.out; fail "without '$kind = $item' nothing is missed"; }
	seen=$((seen + 1))
done < cases
[ $seen = 13 ] || fail "only $seen lines were missed"
# with its package in the image the control panel's file is known by the package; and the package's line is needed
"$run" "$base" 1 list.components=CmitUpdateAgent remove=CmitUpdateAgent > said.out 2>&1 && fail "removed without its package"
grep -q 'which is not being removed' said.out || fail "the package is not named"
"$run" "$base" 1 list.packages=CMIT-UpdateAgent-Package remove=CmitUpdateAgent traces | grep -q 'trace CmitUpdateCpl' || fail "traces"
# a link and a task of other names: what they lead to gives them away
sed 's,x,C:\\\\Program Files\\\\CMIT\\\\UpdateAgent\\\\CMITUPDATEAGENT.EXE,' agent.cpl > Nightly
expect 0 '' "$imgbuild" service setup.wim:1 --put Nightly=Windows/System32/Tasks/Nightly \
	--put 'Check for updates.lnk=Users/Public/Desktop/Updates.lnk' -o led.wim
expect 4 "file Users\Public\Desktop\Updates.lnk holds 'cmitupdateagent'" "$imgbuild" service led.wim:1 --remove CmitUpdateAgent -o no.wim
expect 0 '' "$imgbuild" service setup.wim:1 --put Nightly=Windows/System32/Tasks/Nightly -o led.wim
expect 4 "file Windows\System32\Tasks\Nightly holds '" "$imgbuild" service led.wim:1 --remove CmitUpdateAgent -o no.wim
[ ! -e no.wim ] || fail "an output of a refusal"
echo "ok: $seen lines"
