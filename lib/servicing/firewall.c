/* Firewall rules: manifest attributes to the text of the rule's registry value (MS-FASP 2.2.19 grammar). */
#include "servicing/internal.h"

#include <string.h>

#define PATH_RULES "Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
/* The rule grammar of 17763; used when the image has no rule to take it from. */
#define RULE_VERSION "v2.29"

/* Words of manifests, in any case, and what the rule's text has for them; NULL: nothing, which means any. */
struct fw_word {
	const char *word, *text;
};
static const struct fw_word actions[] = { { "allow", "Allow" }, { "block", "Block" }, { "bypass", "ByPass" }, { 0 } };
static const struct fw_word switches[] = {
	{ "true", "TRUE" }, { "1", "TRUE" }, { "false", "FALSE" }, { "0", "FALSE" }, { 0 },
};
static const struct fw_word directions[] = { { "in", "In" }, { "out", "Out" }, { 0 } };
static const struct fw_word profiles[] = {
	{ "domain", "Domain" }, { "private", "Private" }, { "public", "Public" }, { "all", NULL }, { "any", NULL }, { 0 },
};
/* Numbers of IANA's; a number stands for itself. */
static const struct fw_word protocols[] = {
	{ "any", NULL }, { "icmpv4", "1" }, { "igmp", "2" }, { "tcp", "6" }, { "udp", "17" }, { "ipv6", "41" },
	{ "ipv6-route", "43" }, { "ipv6-frag", "44" }, { "gre", "47" }, { "icmpv6", "58" }, { "ipv6-nonxt", "59" },
	{ "ipv6-opts", "60" }, { "vrrp", "112" }, { "pgm", "113" }, { "l2tp", "115" }, { 0 },
};

/* Attributes (compared without case, several spellings) in the order of the rule text. */
static const struct {
	const char *attr, *other, *field;
	bool list; /* comma lists become one field each */
	const struct fw_word *words; /* the only ones there are; NULL: any text */
} fields[] = {
	{ "action", NULL, "Action", false, actions },
	{ "active", NULL, "Active", false, switches },
	{ "dir", "direction", "Dir", false, directions },
	{ "protocol", NULL, "Protocol", false, protocols },
	{ "profile", "profiles", "Profile", true, profiles },
	{ "icmp4", NULL, "ICMP4", true },
	{ "icmp6", NULL, "ICMP6", true },
	{ "lport", "localport", "LPort", true },
	{ "rport", "remoteport", "RPort", true },
	{ "la4", NULL, "LA4", true },
	{ "la6", NULL, "LA6", true },
	{ "ra4", NULL, "RA4", true },
	{ "ra6", NULL, "RA6", true },
	{ "iftype", NULL, "IFType", true },
	{ "binary", "app", "App", false },
	{ "svc", "service", "Svc", false },
	{ "name", NULL, "Name", false },
	{ "desc", "description", "Desc", false },
	{ "group", "embedctxt", "EmbedCtxt", false },
	{ "edge", NULL, "Edge", false, switches },
	{ "security", NULL, "Security", false },
};

static const char *attr_nocase(const struct ib_xml_node *node, const char *name)
{
	const char *have, *value;

	for (size_t i = 0; name && ib_xml_attrs(node, i, &have, &value); i++)
		if (!g_ascii_strcasecmp(have, name))
			return value;
	return NULL;
}

/* One field of the text. A number of a protocol is as good as its word. */
static bool append_field(GString *out, const char *field, const struct fw_word *words, const char *text,
			 struct ib_error **err)
{
	guint64 number;

	for (const struct fw_word *w = words; w && w->word; w++) {
		if (g_ascii_strcasecmp(w->word, text))
			continue;
		if (w->text)
			g_string_append_printf(out, "%s=%s|", field, w->text);
		return true;
	}
	if (words && !(words == protocols && g_ascii_string_to_unsigned(text, 10, 0, 255, &number, NULL)))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no value for '%s' of a firewall rule", text, field);
	g_string_append_printf(out, "%s=%s|", field, text);
	return true;
}

bool ib_svc_firewall_text(const struct ib_macro_scope *macros, const struct ib_xml_node *rule, const char *version,
			  char **ret, struct ib_error **err)
{
	g_autoptr(GString) out = g_string_new(version);

	g_string_append_c(out, '|');
	for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
		const char *raw = attr_nocase(rule, fields[i].attr);
		g_autofree char *text = NULL;
		if (!raw)
			raw = attr_nocase(rule, fields[i].other);
		if (!raw || !*raw)
			continue;
		if (!ib_svc_expand(macros, raw, &text, err))
			return false;
		if (strchr(text, '|'))
			return ib_throw(err, IB_ERR_INPUT, "the firewall rule's '%s' holds a '|'", fields[i].attr);
		g_auto(GStrv) parts = g_strsplit(text, fields[i].list ? "," : "\n", -1);
		for (char **p = parts; *p; p++)
			if (!append_field(out, fields[i].field, fields[i].words, g_strstrip(*p), err))
				return false;
	}
	*ret = g_strdup(out->str);
	return true;
}

/* The grammar version that the image's own rules use. */
static char *rule_version(struct ib_key *rules)
{
	for (size_t i = 0; i < ib_key_value_count(rules); i++) {
		g_autofree char *text = ib_value_text(ib_key_value_at(rules, i));
		char *bar = text && g_str_has_prefix(text, "v2.") ? strchr(text, '|') : NULL;
		if (bar)
			return g_strndup(text, (gsize)(bar - text));
	}
	return g_strdup(RULE_VERSION);
}

bool ib_svc_firewall_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *rule,
			   struct ib_error **err)
{
	struct ib_macro_scope macros = ib_svc_scope(s, m);
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\" PATH_RULES, s->control_set);
	const char *name = attr_nocase(rule, "internalName");
	struct ib_hive *system;
	struct ib_key *key;

	if (!name || !*name)
		return ib_throw(err, IB_ERR_INPUT, "a firewall rule of '%s' has no internal name", m->keyform);
	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err) || !ib_key_make(system, ib_hive_root(system), path, &key, err))
		return false;
	g_autofree char *version = rule_version(key);
	g_autofree char *text = NULL;
	return ib_svc_firewall_text(&macros, rule, version, &text, err) &&
	       ib_key_set_text(system, key, name, IB_REG_SZ, text, err);
}

bool ib_svc_firewall_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err)
{
	g_autoptr(GPtrArray) sets = NULL;

	*ret_removed = false;
	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	for (guint i = 0; i < sets->len; i++) {
		struct ib_key *key = ib_key_find(sets->pdata[i], PATH_RULES);
		if (key)
			*ret_removed |= ib_key_unset(s->hives[IB_HIVE_SYSTEM], key, name);
	}
	return true;
}

bool ib_svc_firewall_names(struct ib_store *s, const char *pattern, GPtrArray *names, struct ib_error **err)
{
	g_autoptr(GPtrArray) sets = NULL;
	g_autofree char *folded = ib_name_fold(pattern);

	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	for (guint i = 0; i < sets->len; i++) {
		struct ib_key *key = ib_key_find(sets->pdata[i], PATH_RULES);
		for (size_t v = 0; key && v < ib_key_value_count(key); v++) {
			const char *name = ib_value_name(ib_key_value_at(key, v));
			g_autofree char *have = ib_name_fold(name);
			if (g_pattern_match_simple(folded, have) &&
			    !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
				g_ptr_array_add(names, g_strdup(name));
		}
	}
	return true;
}
