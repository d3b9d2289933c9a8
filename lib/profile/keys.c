#include "profile/profile.h"

#include <string.h>

/* One line a key: the schema and its reference page. */

const struct ib_ini_key ib_profile_keys[] = {
	{ "profile", "name", IB_INI_TEXT, true, NULL, NULL, "name of the image, shown in papers and messages" },
	{ "profile", "extends", IB_INI_PATH, false, NULL, NULL, "profile to start from, relative to this file" },
	{ "profile", "customer", IB_INI_TEXT, false, NULL, NULL, "customer the image is made for; absent: a standard image" },
	{ "profile", "vendor", IB_INI_TEXT, false, "CMGE", NULL, "vendor; key HKLM\\SOFTWARE\\<vendor>\\Image in the image" },
	{ "profile", "release", IB_INI_TEXT, true, NULL, NULL, "release the image carries, e.g. 2021-09B" },
	{ "profile", "date", IB_INI_DATE, true, NULL, NULL, "the only clock of image, metadata and papers" },
	{ "profile", "version", IB_INI_VERSION, true, NULL, NULL, "<edition year>.<release>.<yymm>.<week*10+build>" },
	{ "profile", "product", IB_INI_TEXT, false, NULL, NULL, "product release the image is of, e.g. V2020-L" },
	{ "profile", "update-type", IB_INI_WORD, false, NULL,
	  "emergency-security|important-security|feature|system-replacement", "class of the update in the policy" },
	{ "profile", "min-version", IB_INI_TEXT, false, NULL, NULL, "oldest imgbuild that may build this profile" },

	{ "request", "case", IB_INI_TEXT, false, NULL, NULL, "number of the support case" },
	{ "request", "asked-for", IB_INI_TEXT, false, NULL, NULL, "what the customer asked for, in one sentence" },
	{ "request", "requested", IB_INI_DATE, false, NULL, NULL, "day of the request" },
	{ "request", "promised", IB_INI_DATE, false, NULL, NULL, "day the image was promised for" },
	{ "request", "scenario", IB_INI_WORDS, false, NULL, "upgrade|fresh", "how the image will be used" },

	{ "base", "image", IB_INI_PATH, true, NULL, NULL, "ISO or WIM to start from" },
	{ "base", "sha256", IB_INI_SHA256, true, NULL, NULL, "its digest; another one is refused" },
	{ "base", "edition", IB_INI_TEXT, true, NULL, NULL, "EDITIONID, image name or 1-based index to service" },

	{ "updates", "search", IB_INI_PATHS, false, NULL, NULL, "folders searched for .msu and .cab; what applies is taken" },
	{ "updates", "servicing-stack", IB_INI_PATHS, false, NULL, NULL, "servicing stack updates, by file" },
	{ "updates", "cumulative", IB_INI_PATHS, false, NULL, NULL, "cumulative updates, by file" },
	{ "updates", "on-demand", IB_INI_PATHS, false, NULL, NULL, "features on demand, by file" },
	{ "updates", "capabilities", IB_INI_LIST, false, NULL, NULL, "features on demand to add, by capability name" },
	{ "updates", "capability-sources", IB_INI_PATHS, false, NULL, NULL, "folders and cabinets in which they are looked for" },
	{ "updates", "setup", IB_INI_PATHS, false, NULL, NULL, "setup updates, by file: cabinets of files for the medium's sources/" },
	{ "updates", "safe-os", IB_INI_PATHS, false, NULL, NULL, "Safe OS updates, by file; they go into winre.wim only" },
	{ "updates", "payload-sources", IB_INI_PATHS, false, NULL, NULL, "images (FILE, FILE:INDEX), packages: where complete files may be" },
	{ "updates", "require", IB_INI_LIST, false, NULL, NULL, "KB numbers that must be in the image afterwards" },
	{ "updates", "targets", IB_INI_WORDS, false, "install, winre, boot", "install|winre|boot", "images the updates go into" },
	{ "updates", "cleanup", IB_INI_WORD, false, "none", "none|superseded|reset-base",
	  "what leaves the store afterwards; reset-base makes updates permanent" },
	{ "updates", "trust", IB_INI_PATHS, false, NULL, NULL, "PEM or DER files of the roots that may sign packages" },

	{ "remove", "components", IB_INI_LIST, false, NULL, NULL, "components to remove, each by its manifest" },
	{ "remove", "technique", IB_INI_WORD, false, "uninstall", "uninstall|empty-winner|surgery",
	  "how components are taken out; surgery makes the image unserviceable" },
	{ "remove", "packages", IB_INI_LIST, false, NULL, NULL, "packages to uninstall, by name or id" },
	{ "remove", "capabilities", IB_INI_LIST, false, NULL, NULL, "features on demand to remove, by capability name" },
	{ "remove", "manifests", IB_INI_PATHS, false, NULL, NULL, "folders searched for removal manifests first" },
	{ "remove", "update-server", IB_INI_URL, false, NULL, NULL, "WSUS address that stands afterwards; empty is a reported risk" },
	{ "remove", "appx", IB_INI_LIST, false, NULL, NULL, "provisioned apps to remove: package name, family or full name" },
	{ "remove", "reason.*", IB_INI_TEXT, false, NULL, NULL, "why a component or package is removed; shown in the papers" },

	{ "features", "enable", IB_INI_LIST, false, NULL, NULL, "optional features to turn on" },
	{ "features", "disable", IB_INI_LIST, false, NULL, NULL, "optional features to turn off" },
	{ "features", "remove-payload", IB_INI_LIST, false, NULL, NULL, "optional features to turn off, their payload too" },
	{ "features", "source", IB_INI_PATHS, false, NULL, NULL, "packages, folders of packages: for missing payload, and features the image does not know" },
	{ "features", "reason.*", IB_INI_TEXT, false, NULL, NULL, "why a feature is switched; shown in the papers" },

	{ "drivers", "packages", IB_INI_PATHS, false, NULL, NULL, "driver packages to add: .inf files, or folders with one" },
	{ "drivers", "targets", IB_INI_WORDS, false, "install", "install|winre|boot", "images the drivers go into" },
	{ "drivers", "trust", IB_INI_PATHS, false, NULL, NULL, "roots that may sign drivers; absent: those of [updates] trust" },

	{ "registry", "files", IB_INI_PATHS, false, NULL, NULL, ".reg files to import; HKCU is the default user" },
	{ "registry", "files-32", IB_INI_PATHS, false, NULL, NULL, "the same as a 32-bit program sees them (Wow6432Node)" },

	{ "files", "*", IB_INI_PATH, false, NULL, NULL, "path in the image = file or folder to put there" },
	{ "file:*", "path", IB_INI_TEXT, true, NULL, NULL, "path in the image; the section's own name is free" },
	{ "file:*", "source", IB_INI_PATH, true, NULL, NULL, "file or folder to put there" },
	{ "file:*", "owner", IB_INI_TEXT, false, NULL, NULL, "SYSTEM, Administrators, Users, TrustedInstaller or a SID" },
	{ "file:*", "sddl", IB_INI_TEXT, false, NULL, NULL, "security descriptor; absent: what the folder passes on" },
	{ "file:*", "attributes", IB_INI_WORDS, false, NULL, "readonly|hidden|system|archive|not-indexed", "attributes" },

	{ "unattend", "file", IB_INI_PATH, false, NULL, NULL, "answer file; its form is checked" },
	{ "unattend", "place", IB_INI_WORDS, false, "panther", "panther|media", "Windows\\Panther, autounattend.xml of the medium" },
	{ "unattend", "setup-complete", IB_INI_PATH, false, NULL, NULL, "commands (.cmd) that run once after Setup" },

	{ "media", "image-name", IB_INI_TEXT, false, NULL, NULL, "name of the image in install.wim, shown by Setup" },
	{ "media", "image-description", IB_INI_TEXT, false, NULL, NULL, "its description" },
	{ "media", "label", IB_INI_LABEL, true, NULL, NULL, "volume label and file name of the ISO" },
	{ "media", "boot", IB_INI_WORDS, false, "bios, uefi", "bios|uefi", "boot entries of the ISO" },
	{ "media", "compression", IB_INI_WORD, false, "lzx", "lzx|xpress|none", "compression of install.wim" },
	{ "media", "level", IB_INI_NUMBER, false, "20", "1..100", "LZX level of new content; above 34 it costs 7 times the time" },
	{ "media", "keep-editions", IB_INI_FLAG, false, "no", NULL, "keep the other editions in install.wim, unserviced" },

	{ "metadata", "catalog", IB_INI_PATH, false, NULL, NULL, "folder of the update catalog: earlier images of the stream" },
	{ "metadata", "stream", IB_INI_TEXT, false, NULL, NULL, "supersedence stream; ImageId in the image" },
	{ "metadata", "upgrade-from", IB_INI_LIST, false, NULL, NULL, "product releases the image is offered to" },
	{ "metadata", "products", IB_INI_PATHS, false, NULL, NULL, "folders searched for product manifests first" },
	{ "metadata", "reimage", IB_INI_FLAG, false, "no", NULL, "offer it also to machines that are on its product already" },
	{ "metadata", "content-url", IB_INI_URL, false, NULL, NULL, "address of the update server's content folder" },

	{ "sign", "certificate", IB_INI_PATH, false, NULL, NULL, "PEM of the signing certificate, with its chain" },
	{ "sign", "key", IB_INI_KEY, false, NULL, NULL, "its key: a PEM file, or pkcs11:…" },
	{ "sign", "module", IB_INI_PATH, false, NULL, NULL, "PKCS#11 library of the token; for a pkcs11: key" },
	{ "sign", "pin", IB_INI_SECRET, false, NULL, NULL, "PIN or passphrase of the key, as a reference" },
	{ "sign", "digests", IB_INI_WORDS, false, "sha256", "sha256|sm3", "digest lists to write" },

	{ "approvals", "policy", IB_INI_PATH, false, NULL, NULL, "who must approve before publishing" },
	{ "approvals", "records", IB_INI_PATH, false, NULL, NULL, "folder of further signed records" },

	{ "publish", "url", IB_INI_URL, false, NULL, NULL, "sftp://user@host:port/folder or file:///folder" },
	{ "publish", "host-key", IB_INI_TEXT, false, NULL, NULL, "SHA256:… fingerprint of the server's key" },
	{ "publish", "key", IB_INI_KEY, false, NULL, NULL, "private key to log in with, or agent" },
	{ "publish", "password", IB_INI_SECRET, false, NULL, NULL, "password or passphrase, as a reference" },
	{ "publish", "when", IB_INI_WORD, false, "asked", "asked|approved", "publish only with --publish, or as soon as approved" },

	{ "support", "legal-name", IB_INI_TEXT, false, NULL, NULL, "legal name of the vendor in the papers" },
	{ "support", "hotline", IB_INI_TEXT, false, NULL, NULL, "whom the customer calls" },
	{ "support", "scope", IB_INI_TEXT, false, NULL, NULL, "what support covers for this image" },

	{ "tests", "done.*", IB_INI_TEXT, false, NULL, NULL, "what was tested, by whom, with which result" },

	{ "report", "languages", IB_INI_WORDS, false, "zh-CN, en", "zh-CN|en", "languages of the papers" },
	{ "report", "formats", IB_INI_WORDS, false, "html", "html|docx|pdf", "file formats of the papers" },
	{ "report", "compare", IB_INI_LIST, false, NULL, NULL, "baselines to compare: name = image, …" },

	{ "rollout", "devices", IB_INI_NUMBER, false, NULL, "1..100000000", "machines that get the image" },
	{ "rollout", "branches", IB_INI_NUMBER, false, NULL, "1..10000000", "sites they stand in" },
	{ "rollout", "days", IB_INI_NUMBER, false, NULL, "1..3650", "days the rollout takes" },
	{ "rollout", "line-mbit", IB_INI_NUMBER, false, NULL, "1..1000000", "line of a site, Mbit/s" },
	{ "rollout", "patch-days", IB_INI_NUMBER, false, NULL, "1..3650", "days the customer's rule gives for a monthly patch" },
	{ "rollout", "clock", IB_INI_WORD, false, NULL, "first-report|release|install", "when that rule's clock starts" },
	{ NULL },
};

const struct ib_ini_key ib_component_keys[] = {
	{ "component", "name", IB_INI_TEXT, true, NULL, NULL, "name used in [remove] components" },
	{ "component", "vendor", IB_INI_TEXT, false, NULL, NULL, "who made it" },
	{ "component", "example", IB_INI_FLAG, false, "no", NULL, "a lab example, not checked against the real component" },
	{ "remove", "packages", IB_INI_LIST, false, NULL, NULL, "package names" },
	{ "remove", "components", IB_INI_LIST, false, NULL, NULL, "component names" },
	{ "remove", "files", IB_INI_LIST, false, NULL, NULL, "paths in the image; '*' in the last part" },
	{ "remove", "services", IB_INI_LIST, false, NULL, NULL, "services, in all control sets" },
	{ "remove", "svchost", IB_INI_LIST, false, NULL, NULL, "group:service" },
	{ "remove", "tasks", IB_INI_LIST, false, NULL, NULL, "scheduled tasks, path below Tasks" },
	{ "remove", "values", IB_INI_LIST, false, NULL, NULL, "registry values HIVE\\key!value" },
	{ "remove", "keys", IB_INI_LIST, false, NULL, NULL, "registry keys HIVE\\key with all below" },
	{ "remove", "firewall", IB_INI_LIST, false, NULL, NULL, "firewall rules by value name" },
	{ "remove", "event-sources", IB_INI_LIST, false, NULL, NULL, "log\\source" },
	{ "effects", "risk.*", IB_INI_TEXT, false, NULL, NULL, "risk of the removal in a language (risk.en, risk.zh-CN)" },
	{ "effects", "unknown.*", IB_INI_TEXT, false, NULL, NULL, "what is not known about it, in a language" },
	{ NULL },
};

const struct ib_ini_key ib_policy_keys[] = {
	{ "policy", "name", IB_INI_TEXT, true, NULL, NULL, "name of the policy" },
	{ "policy", "roles", IB_INI_LIST, true, NULL, NULL, "roles that must approve, in order" },
	{ "role:*", "trust", IB_INI_PATHS, true, NULL, NULL, "certificates whose holders may sign for the role" },
	{ NULL },
};

static const char *const type_names[] = {
	[IB_INI_TEXT] = "text",     [IB_INI_PATH] = "path",       [IB_INI_LIST] = "list",
	[IB_INI_PATHS] = "paths",   [IB_INI_FLAG] = "yes, no",    [IB_INI_NUMBER] = "number",
	[IB_INI_DATE] = "date",     [IB_INI_VERSION] = "version", [IB_INI_SHA256] = "SHA-256",
	[IB_INI_URL] = "address",   [IB_INI_WORD] = "one of",     [IB_INI_WORDS] = "some of",
	[IB_INI_SECRET] = "secret reference", [IB_INI_KEY] = "key", [IB_INI_LABEL] = "label",
};

static void reference_row(GString *s, const struct ib_ini_key *k)
{
	g_autofree char *words = k->words ? g_strdup(k->words) : NULL;

	for (char *p = words; p && *p; p++)
		if (*p == '|')
			*p = '/';
	g_string_append_printf(s, "| `%s` | %s%s%s | %s | %s |\n", k->name, type_names[k->type], words ? " " : "",
			       words ? words : "", k->required ? "required" : k->fallback ? k->fallback : "", k->help);
}

char *ib_profile_reference(const struct ib_ini_key *keys)
{
	GString *s = g_string_new(NULL);
	const char *section = "";

	for (const struct ib_ini_key *k = keys; k->section; k++) {
		if (strcmp(section, k->section) != 0) {
			section = k->section;
			g_string_append_printf(s, "%s### [%s]\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
					       s->len ? "\n" : "", section);
		}
		reference_row(s, k);
	}
	return g_string_free(s, FALSE);
}
