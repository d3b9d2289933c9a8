/* Services of manifests into SYSTEM, and out of it (service control manager's own registry layout). */
#include "servicing/internal.h"

#include <string.h>

struct word {
	const char *word;
	uint32_t number;
};

static const struct word starts[] = {
	{ "boot", 0 }, { "system", 1 }, { "auto", 2 }, { "delayedAuto", 2 }, { "autoDelayed", 2 }, { "demand", 3 },
	{ "disabled", 4 }, { NULL, 0 },
};
static const struct word service_types[] = {
	{ "kernelDriver", 1 }, { "fileSystemDriver", 2 }, { "recognizerDriver", 8 }, { "win32OwnProcess", 0x10 },
	{ "win32ShareProcess", 0x20 }, { "win32UserOwnProcess", 0x50 }, { "win32UserShareProcess", 0x60 },
	{ "win32PackageOwnProcess", 0x210 }, { "win32PackageShareProcess", 0x220 }, { NULL, 0 },
};
static const struct word error_controls[] = {
	{ "ignore", 0 }, { "normal", 1 }, { "severe", 2 }, { "critical", 3 }, { NULL, 0 },
};
static const struct word sid_types[] = { { "none", 0 }, { "unrestricted", 1 }, { "restricted", 3 }, { NULL, 0 } };
static const struct word protections[] = {
	{ "none", 0 }, { "windows", 1 }, { "windowsLight", 2 }, { "antimalwareLight", 3 }, { "appLight", 4 }, { NULL, 0 },
};
static const struct word failure_types[] = {
	{ "none", 0 }, { "restartService", 1 }, { "restart", 1 }, { "rebootMachine", 2 }, { "reboot", 2 },
	{ "runCommand", 3 }, { NULL, 0 },
};
static const struct word trigger_types[] = {
	{ "DeviceInterfaceArrival", 1 }, { "IpAddressAvailability", 2 }, { "DomainJoin", 3 }, { "FirewallPortEvent", 4 },
	{ "GroupPolicy", 5 }, { "NetworkEndpoint", 6 }, { "CustomSystemStateChange", 7 }, { "WnfStateEvent", 7 },
	{ "Custom", 20 }, { "AggregateDeviceInterface", 30 }, { NULL, 0 },
};
static const struct word trigger_actions[] = { { "start", 1 }, { "stop", 2 }, { NULL, 0 } };
static const struct word trigger_data[] = {
	{ "binary", 1 }, { "string", 2 }, { "level", 3 }, { "keywordAny", 4 }, { "keywordAll", 5 }, { NULL, 0 },
};

/* A word of the table, or a plain number. */
static bool word_number(const struct word *table, const char *text, uint32_t *ret)
{
	char *end;

	for (; table->word; table++)
		if (!g_ascii_strcasecmp(table->word, text)) {
			*ret = table->number;
			return true;
		}
	guint64 n = g_ascii_strtoull(text, &end, text[0] == '0' && (text[1] | 32) == 'x' ? 16 : 10);
	if (!g_ascii_isdigit(*text) || *end || n > UINT32_MAX)
		return false;
	*ret = (uint32_t)n;
	return true;
}

bool ib_svc_service_start(const char *word, uint32_t *ret, bool *ret_delayed)
{
	*ret_delayed = !g_ascii_strcasecmp(word, "delayedAuto") || !g_ascii_strcasecmp(word, "autoDelayed");
	return word_number(starts, word, ret);
}

bool ib_svc_service_type(const char *word, uint32_t *ret)
{
	return word_number(service_types, word, ret);
}

bool ib_svc_service_error(const char *word, uint32_t *ret)
{
	return word_number(error_controls, word, ret);
}

static void append_le32(GByteArray *out, uint32_t n)
{
	uint8_t bytes[4];

	ib_put_le32(bytes, n);
	g_byte_array_append(out, bytes, sizeof(bytes));
}

/* An absent number is 0. */
static bool attr_number(const struct ib_xml_node *node, const char *attr, const struct word *table, uint32_t *ret,
			struct ib_error **err)
{
	static const struct word none[] = { { NULL, 0 } };
	const char *text = ib_xml_attr(node, attr);

	*ret = 0;
	if (text && !word_number(table ? table : none, text, ret))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no value for '%s' of a service", text, attr);
	return true;
}

bool ib_svc_failure_actions(const struct ib_xml_node *failure, GByteArray **ret, struct ib_error **err)
{
	g_autoptr(GByteArray) out = g_byte_array_new();
	g_autoptr(GByteArray) list = g_byte_array_new();
	uint32_t reset, type, delay, count = 0;

	for (struct ib_xml_node *a = ib_xml_find(failure, "actions/action"); a; a = ib_xml_next(a, "action")) {
		if (!attr_number(a, "type", failure_types, &type, err) || !attr_number(a, "delay", NULL, &delay, err))
			return false;
		append_le32(list, type);
		append_le32(list, delay);
		count++;
	}
	if (!attr_number(failure, "resetPeriod", NULL, &reset, err))
		return false;
	append_le32(out, reset);
	append_le32(out, 0); /* reboot message and command have values of their own */
	append_le32(out, 0);
	append_le32(out, count);
	append_le32(out, 20); /* where the actions begin */
	g_byte_array_append(out, list->data, list->len);
	*ret = g_steal_pointer(&out);
	return true;
}

bool ib_svc_control_sets(struct ib_store *s, GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) out = g_ptr_array_new();
	struct ib_hive *system;

	if (!ib_store_hive(s, IB_HIVE_SYSTEM, &system, err))
		return false;
	struct ib_key *root = ib_hive_root(system);
	for (size_t i = 0; i < ib_key_count(root); i++) {
		struct ib_key *k = ib_key_child(root, i);
		if (!g_ascii_strncasecmp(ib_key_name(k), "ControlSet", 10))
			g_ptr_array_add(out, k);
	}
	*ret = g_steal_pointer(&out);
	return true;
}

/* What is written to: one service's key. */
struct target {
	struct ib_store *s;
	struct ib_hive *hive;
	struct ib_key *key;
	struct ib_macro_scope macros;
	const struct ib_service *sv;
};

static bool put_text(struct target *t, const char *name, uint32_t type, const char *text, struct ib_error **err)
{
	g_autofree char *full = NULL;

	if (!text)
		return true;
	return ib_svc_expand(&t->macros, text, &full, err) && ib_key_set_text(t->hive, t->key, name, type, full, err);
}

static bool put_list(struct target *t, const char *name, const char *text, struct ib_error **err)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	if (!text)
		return true;
	g_auto(GStrv) parts = g_strsplit_set(text, ",;", -1);
	for (char **p = parts; *p; p++)
		if (*g_strstrip(*p))
			g_ptr_array_add(list, *p);
	g_ptr_array_add(list, NULL);
	return list->len < 2 || ib_key_set_strings(t->hive, t->key, name, (char *const *)list->pdata, err);
}

static bool put_word(struct target *t, const char *name, const struct word *table, const char *text, struct ib_error **err)
{
	uint32_t number;

	if (!text)
		return true;
	if (!word_number(table, text, &number))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no value for '%s' of the service '%s'", text, name, t->sv->name);
	return ib_key_set_dword(t->hive, t->key, name, number, err);
}

/* A start type that somebody changed since the old version was installed stays. */
static bool put_start(struct target *t, const struct ib_service *old, struct ib_error **err)
{
	uint32_t number, before;
	uint64_t present;
	bool delayed, ignored;

	if (!t->sv->start)
		return true;
	if (!ib_svc_service_start(t->sv->start, &number, &delayed))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no start type for the service '%s'", t->sv->start, t->sv->name);
	const struct ib_value *have = ib_key_value(t->key, "Start");
	if (old && old->start && have && ib_value_number(have, &present) &&
	    ib_svc_service_start(old->start, &before, &ignored) && present != before)
		return true;
	return ib_key_set_dword(t->hive, t->key, "Start", number, err) &&
	       (!delayed || ib_key_set_dword(t->hive, t->key, "DelayedAutostart", 1, err));
}

static bool put_guid(struct target *t, struct ib_key *key, const char *text, struct ib_error **err)
{
	static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	g_autoptr(GString) digits = g_string_new(NULL);
	uint8_t guid[16];
	size_t len;

	for (const char *p = text; *p; p++)
		if (!strchr("{}-", *p))
			g_string_append_c(digits, *p);
	g_autoptr(GBytes) bytes = ib_unhex(digits->str, digits->len);
	const uint8_t *raw = bytes ? g_bytes_get_data(bytes, &len) : NULL;
	if (!raw || len != 16) {
		ib_svc_note(t->s, "service-trigger", t->sv->name, "the trigger subtype '%s' is not a GUID and was left out", text);
		return true;
	}
	for (size_t i = 0; i < 16; i++)
		guid[i] = raw[order[i]];
	return ib_key_set(t->hive, key, "GUID", IB_REG_BINARY, guid, sizeof(guid), err);
}

static bool put_trigger_data(struct target *t, struct ib_key *key, const struct ib_xml_node *trigger, struct ib_error **err)
{
	unsigned n = 0;

	for (struct ib_xml_node *d = ib_xml_first(trigger, "triggerData"); d; d = ib_xml_next(d, "triggerData"), n++) {
		g_autofree char *type_name = g_strdup_printf("DataType%u", n);
		g_autofree char *data_name = g_strdup_printf("Data%u", n);
		const char *text = ib_xml_attr(d, "value");
		struct ib_registry_value v = { .name = data_name, .value = text, .type = "REG_BINARY" };
		uint32_t type;
		if (!attr_number(d, "type", trigger_data, &type, err) ||
		    !ib_key_set_dword(t->hive, key, type_name, type, err))
			return false;
		size_t len = 0;
		g_autofree uint8_t *wide = ib_utf8_to_utf16(text ? text : "", &len);
		g_autofree uint8_t *ended = g_malloc0(len + 2);
		if (wide)
			memcpy(ended, wide, len);
		if (type == 2 ? !ib_key_set(t->hive, key, data_name, IB_REG_BINARY, ended, len + 2, err)
			      : !ib_svc_value_apply(t->hive, key, &v, &t->macros, err))
			return false;
	}
	return true;
}

static bool put_triggers(struct target *t, struct ib_error **err)
{
	unsigned n = 0;

	struct ib_key *old = ib_key_find(t->key, "TriggerInfo");
	if (old && !ib_key_remove(t->hive, old, err))
		return false;
	for (struct ib_xml_node *g = ib_xml_first(t->sv->node, "serviceTrigger"); g; g = ib_xml_next(g, "serviceTrigger")) {
		g_autofree char *path = g_strdup_printf("TriggerInfo\\%u", n);
		const char *kind = ib_xml_attr(g, "type");
		const char *subtype = ib_xml_attr(g, "subtype");
		struct ib_key *key;
		uint32_t type, action;
		if (!kind || !word_number(trigger_types, kind, &type)) {
			ib_svc_note(t->s, "service-trigger", t->sv->name, "the trigger type '%s' is not known and was left out",
				    kind ? kind : "");
			continue;
		}
		if (!attr_number(g, "action", trigger_actions, &action, err) ||
		    !ib_key_make(t->hive, t->key, path, &key, err) ||
		    !ib_key_set_dword(t->hive, key, "Type", type, err) ||
		    !ib_key_set_dword(t->hive, key, "Action", action, err) ||
		    (subtype && !put_guid(t, key, subtype, err)) || !put_trigger_data(t, key, g, err))
			return false;
		n++;
	}
	return true;
}

static bool put_failure(struct target *t, struct ib_error **err)
{
	struct ib_xml_node *f = ib_xml_first(t->sv->node, "failureActions");
	g_autoptr(GByteArray) data = NULL;
	const char *flag = ib_xml_attr(t->sv->node, "failureActionsFlag");

	if (flag && !ib_key_set_dword(t->hive, t->key, "FailureActionsOnNonCrashFailures",
				      !g_ascii_strcasecmp(flag, "true") || !strcmp(flag, "1"), err))
		return false;
	if (!f)
		return true;
	return ib_svc_failure_actions(f, &data, err) &&
	       ib_key_set(t->hive, t->key, "FailureActions", IB_REG_BINARY, data->data, data->len, err) &&
	       put_text(t, "FailureCommand", IB_REG_SZ, ib_xml_attr(f, "command"), err) &&
	       put_text(t, "RebootMessage", IB_REG_SZ, ib_xml_attr(f, "rebootMessage"), err);
}

static bool put_security(struct target *t, struct ib_error **err)
{
	GBytes *descriptor;
	struct ib_key *key;
	size_t len;

	if (!t->sv->sddl)
		return true;
	/* Services belong to the service control manager's account. */
	bool owned = g_str_has_prefix(t->sv->sddl, "O:") || g_str_has_prefix(t->sv->sddl, "G:");
	g_autofree char *sddl = g_strconcat(owned ? "" : "O:SYG:SY", t->sv->sddl, NULL);
	if (!ib_svc_descriptor(t->s, sddl, &descriptor, err) || !ib_key_make(t->hive, t->key, "Security", &key, err))
		return false;
	const void *data = g_bytes_get_data(descriptor, &len);
	return ib_key_set(t->hive, key, "Security", IB_REG_BINARY, data, len, err);
}

static bool write_values(struct target *t, const struct ib_service *old, struct ib_error **err)
{
	const struct ib_service *sv = t->sv;
	uint32_t tag;

	if (sv->tag && (!word_number(trigger_actions + 2, sv->tag, &tag) ||
			!ib_key_set_dword(t->hive, t->key, "Tag", tag, err)))
		return *err ? false : ib_throw(err, IB_ERR_INPUT, "'%s' is no tag for the service '%s'", sv->tag, sv->name);
	return put_text(t, "DisplayName", IB_REG_SZ, sv->display_name, err) &&
	       put_text(t, "Description", IB_REG_SZ, sv->description, err) &&
	       put_word(t, "ErrorControl", error_controls, sv->error_control ? sv->error_control : "normal", err) &&
	       put_start(t, old, err) && put_word(t, "Type", service_types, sv->type, err) &&
	       put_text(t, "ImagePath", IB_REG_EXPAND_SZ, sv->image_path, err) &&
	       put_text(t, "ObjectName", IB_REG_SZ, sv->object_name, err) &&
	       put_text(t, "Group", IB_REG_SZ, sv->group, err) &&
	       put_list(t, "DependOnService", sv->depend_on_service, err) &&
	       put_list(t, "DependOnGroup", sv->depend_on_group, err) &&
	       put_list(t, "RequiredPrivileges", sv->required_privileges, err) &&
	       put_word(t, "ServiceSidType", sid_types, sv->sid_type, err) &&
	       put_word(t, "LaunchProtected", protections, sv->launch_protected, err) && put_triggers(t, err) &&
	       put_failure(t, err) && put_security(t, err);
}

bool ib_svc_service_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_service *sv,
			  const struct ib_service *old, struct ib_error **err)
{
	struct target t = { .s = s, .macros = ib_svc_scope(s, m), .sv = sv };
	g_autofree char *path = g_strdup_printf("ControlSet%03u\\Services\\%s", s->control_set, sv->name);

	if (strchr(sv->name, '\\'))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no name for a service", sv->name);
	return ib_store_hive(s, IB_HIVE_SYSTEM, &t.hive, err) &&
	       ib_key_make(t.hive, ib_hive_root(t.hive), path, &t.key, err) && write_values(&t, old, err);
}

bool ib_svc_service_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err)
{
	g_autoptr(GPtrArray) sets = NULL;
	g_autofree char *path = g_strconcat("Services\\", name, NULL);

	*ret_removed = false;
	if (!ib_svc_control_sets(s, &sets, err))
		return false;
	for (guint i = 0; i < sets->len; i++) {
		struct ib_key *key = ib_key_find(sets->pdata[i], path);
		if (!key)
			continue;
		if (!ib_key_remove(s->hives[IB_HIVE_SYSTEM], key, err))
			return false;
		*ret_removed = true;
	}
	return true;
}

bool ib_svc_svchost_set(struct ib_store *s, const char *group, const char *service, bool on, bool *ret_changed,
			struct ib_error **err)
{
	struct ib_hive *software;
	struct ib_key *key;

	*ret_changed = on;
	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &software, err) ||
	    !ib_key_make(software, ib_hive_root(software), PATH_NT "\\Svchost", &key, err))
		return false;
	return on ? ib_svc_multi_add(software, key, group, service, err)
		  : ib_svc_multi_drop(software, key, group, service, ret_changed, err);
}
