/* Paths that are not what they seem: the current control set, and what 32-bit programs see. */
#include "registry/internal.h"

/* Subkeys of Classes that have a 32-bit twin (Microsoft: registry keys affected by WOW64). */
static const char *const split_classes[] = { "CLSID", "DirectShow", "Interface", "Media Type", "MediaFoundation" };

/* Keys of SOFTWARE that 32- and 64-bit programs share (same source). */
static const char *const shared[] = {
	"Wow6432Node", "Policies", "RegisteredApplications", "Clients", "Microsoft\\COM3", "Microsoft\\EventSystem",
	"Microsoft\\OLE", "Microsoft\\RPC", "Microsoft\\Cryptography\\Calais\\Current", "Microsoft\\Cryptography\\Calais\\Readers",
	"Microsoft\\Cryptography\\Services", "Microsoft\\CTF\\SystemShared", "Microsoft\\CTF\\TIP", "Microsoft\\DFS",
	"Microsoft\\Driver Signing", "Microsoft\\Non-Driver Signing", "Microsoft\\EnterpriseCertificates", "Microsoft\\MSMQ",
	"Microsoft\\Notepad\\DefaultFonts", "Microsoft\\Shared Tools\\MSInfo", "Microsoft\\SystemCertificates",
	"Microsoft\\TermServLicensing", "Microsoft\\Transaction Server",
	"Microsoft\\Windows\\CurrentVersion\\Control Panel\\Cursors\\Schemes",
	"Microsoft\\Windows\\CurrentVersion\\Explorer\\AutoplayHandlers",
	"Microsoft\\Windows\\CurrentVersion\\Explorer\\DriveIcons", "Microsoft\\Windows\\CurrentVersion\\Explorer\\KindMap",
	"Microsoft\\Windows\\CurrentVersion\\Group Policy", "Microsoft\\Windows\\CurrentVersion\\Policies",
	"Microsoft\\Windows\\CurrentVersion\\PreviewHandlers", "Microsoft\\Windows\\CurrentVersion\\Setup",
	"Microsoft\\Windows\\CurrentVersion\\Telephony\\Locations", "Microsoft\\Windows NT\\CurrentVersion\\Console",
	"Microsoft\\Windows NT\\CurrentVersion\\FontDpi", "Microsoft\\Windows NT\\CurrentVersion\\FontLink",
	"Microsoft\\Windows NT\\CurrentVersion\\FontMapper", "Microsoft\\Windows NT\\CurrentVersion\\Fonts",
	"Microsoft\\Windows NT\\CurrentVersion\\FontSubstitutes", "Microsoft\\Windows NT\\CurrentVersion\\Gre_Initialize",
	"Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
	"Microsoft\\Windows NT\\CurrentVersion\\LanguagePack", "Microsoft\\Windows NT\\CurrentVersion\\NetworkCards",
	"Microsoft\\Windows NT\\CurrentVersion\\Perflib", "Microsoft\\Windows NT\\CurrentVersion\\Ports",
	"Microsoft\\Windows NT\\CurrentVersion\\Print", "Microsoft\\Windows NT\\CurrentVersion\\ProfileList",
	"Microsoft\\Windows NT\\CurrentVersion\\Time Zones",
};

/* Whether path is key or lies below it; *rest is what follows. */
static bool is_below(const char *path, const char *key, const char **rest)
{
	size_t len = strlen(key);

	if (g_ascii_strncasecmp(path, key, len) || (path[len] && path[len] != '\\'))
		return false;
	if (rest)
		*rest = path + len + (path[len] == '\\');
	return true;
}

static char *join(const char *a, const char *b)
{
	return *b ? g_strconcat(a, "\\", b, NULL) : g_strdup(a);
}

char *ib_reg_full_path(const char *path)
{
	static const struct { const char *brief, *full; } roots[] = {
		{ "HKEY_CLASSES_ROOT", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes" },
		{ "HKCR", "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes" },
		{ "HKLM", "HKEY_LOCAL_MACHINE" },
		{ "HKCU", "HKEY_CURRENT_USER" },
		{ "HKU", "HKEY_USERS" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
		size_t n = strlen(roots[i].brief);
		if (g_ascii_strncasecmp(path, roots[i].brief, n) == 0 && (path[n] == 0 || path[n] == '\\'))
			return g_strconcat(roots[i].full, path + n, NULL);
	}
	return g_strdup(path);
}

char *ib_reg_wow64_path(const char *path)
{
	const char *rest;

	if (is_below(path, "Classes", &rest)) {
		for (size_t i = 0; i < G_N_ELEMENTS(split_classes); i++)
			if (is_below(rest, split_classes[i], NULL))
				return join("Classes\\Wow6432Node", rest);
		return g_strdup(path);
	}
	for (size_t i = 0; i < G_N_ELEMENTS(shared); i++)
		if (is_below(path, shared[i], NULL))
			return g_strdup(path);
	return join("Wow6432Node", path);
}

char *ib_reg_control_set_path(const char *path, unsigned set)
{
	const char *rest;

	if (!is_below(path, "CurrentControlSet", &rest))
		return g_strdup(path);
	g_autofree char *name = g_strdup_printf("ControlSet%03u", set);
	return join(name, rest);
}

unsigned ib_hive_control_set(struct ib_hive *system)
{
	static const char *const names[] = { "Default", "Current" };
	struct ib_key *select = ib_key_find(system->root, "Select");
	uint64_t number;

	for (size_t i = 0; select && i < G_N_ELEMENTS(names); i++) {
		const struct ib_value *v = ib_key_value(select, names[i]);
		if (v && ib_value_number(v, &number))
			return number <= CONTROL_SET_MAX ? (unsigned)number : 0;
	}
	return 0;
}
