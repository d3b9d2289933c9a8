/* Event providers and channels: instrumentation of manifests to the registry's WINEVT keys. */
#include "servicing/internal.h"

#include <string.h>

#define PATH_WINEVT "Microsoft\\Windows\\CurrentVersion\\WINEVT"

GPtrArray *ib_svc_event_nodes(const struct ib_manifest *m, const char *element)
{
	GPtrArray *out = g_ptr_array_new();
	struct ib_xml_node *i = m->xml ? ib_xml_first(ib_xml_root(m->xml), "instrumentation") : NULL;

	for (; i; i = ib_xml_next(i, "instrumentation")) {
		struct ib_xml_node *p = ib_xml_find(i, "events/provider");
		for (; p; p = ib_xml_next(p, "provider")) {
			if (!strcmp(element, "provider") && ib_xml_attr(p, "guid"))
				g_ptr_array_add(out, p);
			struct ib_xml_node *c = strcmp(element, "channel") ? NULL : ib_xml_find(p, "channels/channel");
			for (; c; c = ib_xml_next(c, "channel"))
				if (ib_xml_attr(c, "name"))
					g_ptr_array_add(out, c);
		}
	}
	return out;
}

static uint32_t channel_type(const char *text)
{
	static const char *const types[] = { "Admin", "Operational", "Analytic", "Debug" };

	for (uint32_t i = 0; text && i < G_N_ELEMENTS(types); i++)
		if (!g_ascii_strcasecmp(types[i], text))
			return i;
	return 1;
}

static uint32_t isolation(const char *text)
{
	static const char *const kinds[] = { "Application", "System", "Custom" };

	for (uint32_t i = 0; text && i < G_N_ELEMENTS(kinds); i++)
		if (!g_ascii_strcasecmp(kinds[i], text))
			return i;
	return 0;
}

/* How a channel's log file is kept. */
static bool write_logging(struct ib_hive *hive, struct ib_key *key, const struct ib_xml_node *channel, struct ib_error **err)
{
	static const struct {
		const char *element, *value;
	} settings[] = { { "maxSize", "MaxSize" }, { "retention", "Retention" }, { "autoBackup", "AutoBackupLogFiles" } };
	const struct ib_xml_node *logging = ib_xml_first(channel, "logging");

	for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
		const struct ib_xml_node *node = ib_xml_first(logging, settings[i].element);
		g_autofree char *text = node ? ib_xml_text(node) : NULL;
		guint64 n;
		if (!text)
			continue;
		g_strstrip(text);
		if (!g_ascii_strcasecmp(text, "true") || !g_ascii_strcasecmp(text, "false"))
			n = !g_ascii_strcasecmp(text, "true");
		else if (!g_ascii_string_to_unsigned(text, 10, 0, UINT64_MAX, &n, NULL))
			return ib_throw(err, IB_ERR_INPUT, "'%.40s' is no value for '%s' of the event channel '%s'", text,
					settings[i].element, ib_xml_attr(channel, "name"));
		if (!ib_key_set_dword(hive, key, settings[i].value, (uint32_t)n, err) ||
		    (i == 0 && n > UINT32_MAX && !ib_key_set_dword(hive, key, "MaxSizeUpper", (uint32_t)(n >> 32), err)))
			return false;
	}
	return true;
}

static bool write_channel(struct ib_hive *hive, const struct ib_xml_node *c, const char *guid, struct ib_error **err)
{
	g_autofree char *path = g_strconcat(PATH_WINEVT "\\Channels\\", ib_xml_attr(c, "name"), NULL);
	const char *enabled = ib_xml_attr(c, "enabled");
	const char *access = ib_xml_attr(c, "access");
	struct ib_key *key;

	return ib_key_make(hive, ib_hive_root(hive), path, &key, err) &&
	       ib_key_set_text(hive, key, "OwningPublisher", IB_REG_SZ, guid, err) &&
	       ib_key_set_dword(hive, key, "Enabled", enabled && !g_ascii_strcasecmp(enabled, "true"), err) &&
	       ib_key_set_dword(hive, key, "Type", channel_type(ib_xml_attr(c, "type")), err) &&
	       ib_key_set_dword(hive, key, "Isolation", isolation(ib_xml_attr(c, "isolation")), err) &&
	       (!access || ib_key_set_text(hive, key, "ChannelAccess", IB_REG_SZ, access, err)) &&
	       write_logging(hive, key, c, err);
}

/* Channels of Windows itself, which many providers write to, have numbers of their own. */
static uint32_t imported_id(const char *name, uint32_t own)
{
	static const char *const windows[] = { "System", "Application", "Security" };

	for (uint32_t i = 0; i < G_N_ELEMENTS(windows); i++)
		if (!g_ascii_strcasecmp(windows[i], name))
			return 8 + i;
	return own;
}

static bool write_channels(struct ib_hive *hive, struct ib_key *publisher, const struct ib_xml_node *provider,
			   const char *guid, struct ib_error **err)
{
	struct ib_key *refs, *one;
	uint32_t n = 0;

	for (struct ib_xml_node *c = ib_xml_first(ib_xml_first(provider, "channels"), NULL); c; c = ib_xml_next(c, NULL)) {
		bool own = !strcmp(ib_xml_name(c), "channel"), imported = !strcmp(ib_xml_name(c), "importChannel");
		const char *name = ib_xml_attr(c, "name");
		g_autofree char *path = g_strdup_printf("ChannelReferences\\%u", n);
		if (!name || (!own && !imported))
			continue;
		if ((own && !write_channel(hive, c, guid, err)) || !ib_key_make(hive, publisher, path, &one, err) ||
		    !ib_key_set_text(hive, one, "", IB_REG_SZ, name, err) ||
		    !ib_key_set_dword(hive, one, "Id", imported ? imported_id(name, 16 + n) : 16 + n, err) ||
		    !ib_key_set_dword(hive, one, "Flags", imported, err))
			return false;
		n++;
	}
	return n == 0 || (ib_key_make(hive, publisher, "ChannelReferences", &refs, err) &&
			  ib_key_set_dword(hive, refs, "Count", n, err));
}

bool ib_svc_publisher_write(struct ib_store *s, const struct ib_manifest *m, const struct ib_xml_node *provider,
			    struct ib_error **err)
{
	static const char *const files[][2] = { { "resourceFileName", "ResourceFileName" },
						{ "messageFileName", "MessageFileName" } };
	struct ib_macro_scope macros = ib_svc_scope(s, m);
	const char *guid = ib_xml_attr(provider, "guid");
	const char *name = ib_xml_attr(provider, "name");
	g_autofree char *path = g_strconcat(PATH_WINEVT "\\Publishers\\", guid, NULL);
	struct ib_hive *hive;
	struct ib_key *key;

	if (strpbrk(guid, "\\/"))
		return ib_throw(err, IB_ERR_INPUT, "'%s' is no GUID of an event provider", guid);
	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &hive, err) || !ib_key_make(hive, ib_hive_root(hive), path, &key, err) ||
	    (name && !ib_key_set_text(hive, key, "", IB_REG_SZ, name, err)))
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		const char *raw = ib_xml_attr(provider, files[i][0]);
		g_autofree char *text = NULL;
		if (raw && (!ib_svc_expand(&macros, raw, &text, err) ||
			    !ib_key_set_text(hive, key, files[i][1], IB_REG_EXPAND_SZ, text, err)))
			return false;
	}
	return write_channels(hive, key, provider, guid, err);
}

static bool remove_below(struct ib_store *s, const char *kind, const char *name, bool *ret_removed, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf(PATH_WINEVT "\\%s\\%s", kind, name);
	struct ib_hive *hive;

	if (!ib_store_hive(s, IB_HIVE_SOFTWARE, &hive, err))
		return false;
	struct ib_key *key = ib_key_find(ib_hive_root(hive), path);
	*ret_removed = key != NULL;
	return !key || ib_key_remove(hive, key, err);
}

bool ib_svc_publisher_remove(struct ib_store *s, const char *guid, bool *ret_removed, struct ib_error **err)
{
	return remove_below(s, "Publishers", guid, ret_removed, err);
}

bool ib_svc_channel_remove(struct ib_store *s, const char *name, bool *ret_removed, struct ib_error **err)
{
	return remove_below(s, "Channels", name, ret_removed, err);
}
