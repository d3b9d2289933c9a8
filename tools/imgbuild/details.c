#include "imgbuild.h"

#include <string.h>

/* What a command does, for people who use it the first time: shown by --help and in the man page. */
static const struct {
	const char *command, *text, *example;
} details[] = {
	{ "build",
	  "Plans first and ends there on any refusal. Then it services the images, writes the ISO, reads it back, makes "
	  "upgrade documents and papers, signs the list of digests, and puts the finished folder into its place. Until "
	  "then everything lies in .work-NAME beside it, and an older folder stays as it is. With --publish and an "
	  "approval missing, the folder is complete and the exit status is 7.",
	  "imgbuild build profiles/lab-icbc.ini --vars out/demo/vars.ini -o out/mine" },
	{ "plan",
	  "Reads the base, judges every package and installs it in memory; writes nothing. Message and exit status of a "
	  "refusal are those that build would end with. Missing approvals are listed, not refused.",
	  "imgbuild plan profiles/lab-icbc.ini --vars out/demo/vars.ini" },
	{ "profile",
	  "check reads a profile with its parents and variables and says what is wrong with it. show prints every key in "
	  "effect, with the file and line it stands in. keys prints the reference of all keys of profiles, removal "
	  "manifests and approval policies.",
	  "imgbuild profile show profiles/lab-icbc.ini --vars out/demo/vars.ini" },
	{ "inspect",
	  "The kind of file is told by its content, and by its name for an .inf, which is read with its driver package. FILE:2 also opens the component store of image 2 of a "
	  "WIM, or of install.wim in an ISO, and lists its packages, features and drivers. Without --trust no signature is judged, "
	  "and the answer says so.",
	  "imgbuild inspect out/mine/CMGE_V2020L_9B.iso:1" },
	{ "service",
	  "Works on any WIM; packages, removals, features and drivers need a Windows image. An ISO stands for its install.wim, and "
	  "the output is a WIM all the same. Order: packages, packages removed, components removed, features, apps, drivers, cleanup, "
	  "files, registry. A component goes with its package (uninstall); or an empty version of it is installed, and the "
	  "store keeps it for updates (empty-winner); or it is cut out of packages that stay (surgery), and the image is "
	  "marked unserviceable. --cleanup drops what superseded updates brought; --reset-base also what installed ones "
	  "replaced, and they cannot be uninstalled any more. A put file inherits its "
	  "security from the folder; one that replaces another keeps that one's. Times come from --date, else from the "
	  "image's last modification: the same input gives the same bytes. The output appears whole or not at all.",
	  "imgbuild service install.wim:1 --put tool.exe=Windows/System32/ --reg settings.reg -o new.wim" },
	{ "component",
	  "draft prints a removal manifest: what the packages of NAME bring, and what else in the image carries their names. "
	  "NAME is a package, a component, or a service that no package brings. Comments say where each line comes from and "
	  "what was left out: review it, then name it in [remove] components or give it to service --remove.",
	  "imgbuild component draft install.wim:1 CmitUpdateAgent > CmitUpdateAgent.ini" },
	{ "mount",
	  "libwim's file system serves the image from a process in the background until unmount. It needs FUSE and a WIM "
	  "file: the WIM inside an ISO must be taken out first. Index 1 when none is given.",
	  "imgbuild mount install.wim:1 /mnt/image" },
	{ "unmount", "Ends the file system that mount began.", "imgbuild unmount /mnt/image" },
	{ "hive",
	  "HIVE is a hive file, completed from the logs beside it, or IMAGE:INDEX:NAME for a hive inside a WIM or the "
	  "install.wim of an ISO; NAME is SOFTWARE, SYSTEM, COMPONENTS, DRIVERS, DEFAULT, NTUSER or a path in the image. "
	  "export [--key K] prints .reg text (UTF-8). get KEY [VALUE] prints a key or a value, '' is the default value. "
	  "set KEY VALUE --type T --data D and import FILE.reg write the result to -o: a hive file, or a WIM with all "
	  "else copied as it is. verify checks structure and logs and counts. diff compares two hives, times apart. A key "
	  "stands below the hive's root, or in full (HKLM\\SOFTWARE\\...); changed keys get SOURCE_DATE_EPOCH as their "
	  "time, else the latest time in the hive.",
	  "imgbuild hive get out/mine/CMGE_V2020L_9B.iso:1:SOFTWARE 'Microsoft\\Windows NT\\CurrentVersion' ProductName" },
	{ "diff",
	  "A and B are images of a WIM, or of an ISO's install.wim. Compared are version and edition, packages, optional "
	  "features, winning components, services, policies in the registry, and files with attributes and security; the "
	  "component store and the hives themselves are told by these. One line a difference: kind, name, what A has, what "
	  "B has. Times do not count, and no cause is named. --html FILE writes the same as a page to read and to print, which "
	  "needs nothing but itself. The exit status is 0 whether something differs or not.",
	  "imgbuild diff install.wim:1 out/mine/CMGE_V2020L_9B.iso:1 --html differences.html --language zh-CN" },
	{ "verify",
	  "A folder: every listed file is compared with SHA256SUMS, a file nobody listed is a finding, and with --trust "
	  "the signature is judged. An ISO or a WIM: the disc's descriptors and the component store of each Windows image; "
	  "with --trust its catalogs too. Findings are printed and end with exit status 4.",
	  "imgbuild verify out/mine --trust out/demo/keys/lab-root.pem --full" },
	{ "keyform",
	  "Windows names the folders of its component store, registry keys and values by a hash of the component's "
	  "identity. Forms: long (WinSxS folders, manifests), short (deployments), family (winners), package (servicing "
	  "packages), value (f! values of a file --name; with --update the p! value of package id --name).",
	  "imgbuild keyform --name Microsoft-Windows-Core --version 10.0.26100.1 --arch amd64 "
	  "--token 31bf3856ad364e35 --scope nonSxS" },
	{ "package",
	  "list names what each package holds: package manifests, components, and every file with the forms it has there: "
	  "complete, or as a differential forward from an older version, reverse, or from nothing. extract writes the "
	  "complete payload, KEYFORM/FILE, with manifests as plain XML: differentials are applied to what --base has, and "
	  "each file has the hash of its manifest. What cannot be made is listed under missing, and the folder is only "
	  "made with --partial; the exit status is 1 without. The folder appears whole or not at all.",
	  "imgbuild package extract windows10.0-kb5005568-x64.msu --base install.wim:1 -o payload" },
	{ "delta",
	  "DELTA is a PA30 or PA31 record, bare or behind its checksum as in cumulative updates, or a compressed file of the "
	  "component store (DCM, DCN, DCD, DCS). info prints what it says about itself. apply makes the file: from --base "
	  "the file the delta was made against, none when it needs none; for a DCM manifest --base is the manifest "
	  "dictionary or a wcp.dll that holds it. What a record says about its source and its target is checked, always: "
	  "a wrong hash is exit status 4, a malformed record 3. The output appears whole or not at all.",
	  "imgbuild delta apply --base wcp.dll amd64_microsoft-windows-core_....manifest" },
	{ "approve",
	  "Writes records/approval-ROLE.json and its signature into the folder. The record names the SHA-256 of the "
	  "folder's SHA256SUMS: for other bytes, a later build's for instance, it counts for nothing. A second decision of "
	  "a role replaces the first. Whether the signer may speak for the role is judged by publish. All options but "
	  "--passphrase are needed.",
	  "imgbuild approve out/mine --role security --decision approve --number SEC-17 --opinion accepted "
	  "--certificate security.pem --key security.key" },
	{ "publish",
	  "Checks the approvals and every digest of the folder before anything leaves. Each file goes up under a temporary "
	  "name and is renamed; SHA256SUMS is the last, so that who sees it sees all that is in it. records/ stays here. "
	  "Without --profile, profile and variables are those of the build.",
	  "imgbuild publish out/mine" },
	{ "check-delivery",
	  "Looks at a delivery as its receiver does: the list of digests, its signature, and every file, read back from "
	  "the server. It needs no profile and no build folder.",
	  "imgbuild check-delivery sftp://bank@host:22222/upload/V2020-L_9B --host-key SHA256:... --key id_ed25519 "
	  "--trust vendor-root.pem" },
	{ "manual",
	  "man prints the man page (roff), completion the completion script for bash.",
	  "imgbuild manual man > imgbuild.1" },
};

const char *details_text(const char *command)
{
	for (size_t i = 0; i < G_N_ELEMENTS(details); i++)
		if (strcmp(details[i].command, command) == 0)
			return details[i].text;
	return NULL;
}

const char *details_example(const char *command)
{
	for (size_t i = 0; i < G_N_ELEMENTS(details); i++)
		if (strcmp(details[i].command, command) == 0)
			return details[i].example;
	return NULL;
}
