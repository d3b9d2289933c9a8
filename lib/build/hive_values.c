/* Values as people write and read them, and the documents about hives. */
#include "build/hives_internal.h"

static const struct {
	const char *word, *name; /* ours, Windows' */
	uint32_t type;
} types[] = {
	{ "none", "REG_NONE", IB_REG_NONE },
	{ "sz", "REG_SZ", IB_REG_SZ },
	{ "expand", "REG_EXPAND_SZ", IB_REG_EXPAND_SZ },
	{ "binary", "REG_BINARY", IB_REG_BINARY },
	{ "dword", "REG_DWORD", IB_REG_DWORD },
	{ "dword-be", "REG_DWORD_BIG_ENDIAN", IB_REG_DWORD_BE },
	{ "link", "REG_LINK", IB_REG_LINK },
	{ "multi", "REG_MULTI_SZ", IB_REG_MULTI_SZ },
	{ "qword", "REG_QWORD", IB_REG_QWORD },
};

static bool type_of(const char *word, uint32_t *ret, struct ib_error **err)
{
	bool hex = g_ascii_strncasecmp(word, "0x", 2) == 0;
	guint64 number;

	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		if (g_ascii_strcasecmp(word, types[i].word) && g_ascii_strcasecmp(word, types[i].name))
			continue;
		*ret = types[i].type;
		return true;
	}
	if (g_ascii_string_to_unsigned(word + (hex ? 2 : 0), hex ? 16 : 10, 0, G_MAXUINT32, &number, NULL)) {
		*ret = (uint32_t)number;
		return true;
	}
	ib_throw(err, IB_ERR_USAGE, "there is no type '%s' of values", word);
	return ib_hint(err, "sz, expand, multi, dword, dword-be, qword, binary, link, none, or a number");
}

static char *type_name(uint32_t type)
{
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
		if (types[i].type == type)
			return g_strdup(types[i].name);
	return g_strdup_printf("0x%x", type);
}

/* ---- setting ---- */

/* A decimal number, or 0x and hex digits, in the bytes of its type. */
static bool number_data(const char *text, uint32_t type, uint8_t out[8], size_t *ret_len, struct ib_error **err)
{
	guint64 max = type == IB_REG_QWORD ? G_MAXUINT64 : G_MAXUINT32, n;
	bool hex = g_ascii_strncasecmp(text, "0x", 2) == 0;

	if (!g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0, max, &n, NULL))
		return ib_throw(err, IB_ERR_USAGE, "'%s' is no number from 0 to %" G_GUINT64_FORMAT, text, max);
	*ret_len = type == IB_REG_QWORD ? 8 : 4;
	if (type == IB_REG_QWORD)
		ib_put_le64(out, n);
	else if (type == IB_REG_DWORD_BE)
		ib_put_be32(out, (uint32_t)n);
	else
		ib_put_le32(out, (uint32_t)n);
	return true;
}

/* Hex digits; blanks and commas between bytes are fine. */
static bool hex_data(const char *text, GByteArray *out, struct ib_error **err)
{
	for (const char *p = text; *p;) {
		if (*p == ',' || *p == ' ') {
			p++;
			continue;
		}
		int high = g_ascii_xdigit_value(p[0]), low = high < 0 ? -1 : g_ascii_xdigit_value(p[1]);
		if (low < 0)
			return ib_throw(err, IB_ERR_USAGE, "'%s' is no list of bytes, two hex digits each", text);
		uint8_t byte = (uint8_t)(high << 4 | low);
		g_byte_array_append(out, &byte, 1);
		p += 2;
	}
	return true;
}

static bool set_bytes(struct ib_hive_place *p, struct ib_key *k, const struct ib_hive_setting *s, uint32_t type,
		      struct ib_error **err)
{
	const char *text = s->data[0] ? s->data[0] : "";
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autofree uint8_t *units = NULL;
	uint8_t number[8];
	size_t len;

	if (type == IB_REG_DWORD || type == IB_REG_DWORD_BE || type == IB_REG_QWORD)
		return number_data(text, type, number, &len, err) &&
		       ib_key_set(p->hive, k, s->value, type, number, len, err);
	if (type == IB_REG_LINK) { /* a target has no NUL at its end */
		units = ib_utf8_to_utf16(text, &len);
		return units ? ib_key_set(p->hive, k, s->value, type, units, len, err) :
			       ib_throw(err, IB_ERR_USAGE, "the target of a link is not UTF-8");
	}
	return hex_data(text, bytes, err) && ib_key_set(p->hive, k, s->value, type, bytes->data, bytes->len, err);
}

bool ib_hive_place_set(struct ib_hive_place *p, const struct ib_hive_setting *s, struct ib_error **err)
{
	g_autofree char *path = NULL;
	struct ib_key *k;
	uint32_t type = IB_REG_NONE;

	if (!type_of(s->type, &type, err) || !hive_key_path(p, s->key, &path, err))
		return false;
	guint count = g_strv_length((char **)s->data);
	if (type != IB_REG_MULTI_SZ && count != 1 && !(type == IB_REG_NONE && count == 0))
		return ib_throw(err, IB_ERR_USAGE, "a value of type '%s' takes data once, not %u times", s->type, count);
	if (!ib_key_make(p->hive, ib_hive_root(p->hive), path, &k, err))
		return ib_while(err, "making the key '%s' in '%s'", path, p->where);
	bool ok;
	if (type == IB_REG_SZ || type == IB_REG_EXPAND_SZ)
		ok = ib_key_set_text(p->hive, k, s->value, type, s->data[0], err);
	else if (type == IB_REG_MULTI_SZ)
		ok = ib_key_set_strings(p->hive, k, s->value, s->data, err);
	else
		ok = set_bytes(p, k, s, type, err);
	return ok || ib_while(err, "setting the value '%s' of '%s'", s->value, path);
}

/* ---- getting ---- */

/* Names may hold what JSON cannot: such units become U+FFFD. */
static void set_text(JsonObject *o, const char *name, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	json_object_set_string_member(o, name, valid);
}

static void add_text(JsonArray *a, const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	json_array_add_string_element(a, valid);
}

/* The data in words; NULL when the type has none (or the data are not of it): hex says it. */
static char *data_text(const struct ib_value *v)
{
	uint64_t number;
	size_t len;

	ib_value_data(v, &len);
	if (ib_value_number(v, &number))
		return g_strdup_printf(ib_value_type(v) == IB_REG_QWORD ? "0x%016" PRIx64 : "0x%08" PRIx64, number);
	return len ? ib_value_text(v) : NULL;
}

static char *data_hex(const struct ib_value *v)
{
	size_t len;
	const uint8_t *data = ib_value_data(v, &len);

	return ib_hex(data, len);
}

static JsonObject *value_json(const struct ib_value *v)
{
	JsonObject *o = json_object_new();
	g_autofree char *type = type_name(ib_value_type(v));
	g_autofree char *hex = data_hex(v);
	g_autofree char *text = data_text(v);
	g_auto(GStrv) strings = ib_value_strings(v);

	set_text(o, "name", ib_value_name(v));
	json_object_set_string_member(o, "type", type);
	if (text)
		set_text(o, "data", text);
	if (strings) {
		JsonArray *a = json_array_new();
		for (char **s = strings; *s; s++)
			add_text(a, *s);
		json_object_set_array_member(o, "data", a);
	}
	json_object_set_string_member(o, "hex", hex);
	return o;
}

static char *value_words(const struct ib_value *v, const char *between)
{
	g_auto(GStrv) strings = ib_value_strings(v);
	char *text = strings ? g_strjoinv(between, strings) : data_text(v);

	return text ? text : data_hex(v);
}

static char *full_path(struct ib_hive_place *p, const struct ib_key *k)
{
	g_autofree char *path = ib_key_path(k);

	return *path ? g_strconcat(p->root, "\\", path, NULL) : g_strdup(p->root);
}

static void set_time(JsonObject *o, const char *name, uint64_t filetime)
{
	g_autofree char *text = ib_time_text((int64_t)(filetime / 10000000u) - 11644473600ll);

	json_object_set_string_member(o, name, text);
}

static void set_security(JsonObject *o, struct ib_key *k)
{
	ib_auto_error why = NULL;
	g_autofree char *sddl = NULL;
	GBytes *descriptor = ib_key_security(k);

	if (descriptor && ib_sddl_format(descriptor, &sddl, &why))
		json_object_set_string_member(o, "security", sddl);
	else if (descriptor) /* entries that have no words are kept as they are */
		json_object_set_string_member(o, "security_unreadable", ib_error_cause(why));
}

static JsonObject *key_json(struct ib_hive_place *p, struct ib_key *k)
{
	JsonObject *o = json_object_new();
	JsonArray *subkeys = json_array_new(), *values = json_array_new();
	g_autofree char *path = full_path(p, k);

	set_text(o, "key", path);
	set_time(o, "written", ib_key_time(k));
	set_security(o, k);
	if (ib_key_is_link(k))
		json_object_set_boolean_member(o, "link", TRUE);
	for (size_t i = 0; i < ib_key_count(k); i++)
		add_text(subkeys, ib_key_name(ib_key_child(k, i)));
	for (size_t i = 0; i < ib_key_value_count(k); i++)
		json_array_add_object_element(values, value_json(ib_key_value_at(k, i)));
	json_object_set_array_member(o, "subkeys", subkeys);
	json_object_set_array_member(o, "values", values);
	return o;
}

static bool throw_no_value(struct ib_hive_place *p, struct ib_key *k, const char *value, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_autofree char *path = full_path(p, k);

	for (size_t i = 0; i < ib_key_value_count(k); i++)
		g_ptr_array_add(names, (void *)ib_value_name(ib_key_value_at(k, i)));
	g_ptr_array_add(names, NULL);
	const char *near = *value ? ib_nearest(value, (const char *const *)names->pdata) : NULL;
	if (*value)
		ib_throw(err, IB_ERR_INPUT, "the key '%s' has no value '%s'", path, value);
	else
		ib_throw(err, IB_ERR_INPUT, "the key '%s' has no default value", path);
	return near ? ib_hint(err, "did you mean '%s'?", near) : false;
}

bool ib_hive_place_get(struct ib_hive_place *p, const char *key, const char *value, char **ret_json, char **ret_text,
		       struct ib_error **err)
{
	struct ib_key *k;
	const struct ib_value *v = NULL;

	if (!hive_key(p, key, &k, err))
		return false;
	if (value && !(v = ib_key_value(k, value)))
		return throw_no_value(p, k, value, err);
	g_autoptr(JsonObject) o = v ? value_json(v) : key_json(p, k);
	*ret_json = json_text(o);
	*ret_text = v ? value_words(v, "\n") : NULL;
	return true;
}

/* ---- verifying ---- */

static bool note_difference(enum ib_hive_change change, struct ib_key *a, struct ib_key *b, const struct ib_value *va,
			    const struct ib_value *vb, void *data)
{
	char **ret = data;

	*ret = ib_key_path(a ? a : b);
	return false;
}

/* Written and read again it must be the same. */
static bool check_again(struct ib_hive_place *p, uint64_t time, uint64_t *ret_bytes, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	g_autofree char *differs = NULL;
	struct ib_hive *again = NULL;

	if (!ib_hive_save(p->hive, time, &bytes, err) || !ib_hive_load(bytes, NULL, &again, err))
		return ib_while(err, "writing and reading again the hive '%s'", p->where);
	*ret_bytes = g_bytes_get_size(bytes);
	ib_hive_diff(ib_hive_root(p->hive), ib_hive_root(again), note_difference, &differs);
	ib_hive_free(again);
	return !differs || ib_throw(err, IB_ERR_VERIFY, "the hive '%s' is another at '%s' when it is written and read again",
				    p->where, differs);
}

static char *state_text(const struct ib_hive_info *info)
{
	if (!info->dirty)
		return g_strdup("clean");
	if (!info->replayed)
		return g_strdup("dirty, taken as it is");
	return g_strdup_printf("dirty, completed by %u log entr%s of %u page%s", info->replayed,
			       info->replayed == 1 ? "y" : "ies", info->pages, info->pages == 1 ? "" : "s");
}

bool ib_hive_place_verify(struct ib_hive_place *p, char **ret_json, struct ib_error **err)
{
	struct ib_hive_info info;
	uint64_t compact = 0;

	ib_hive_info(p->hive, &info);
	if (!check_again(p, info.time, &compact, err))
		return false;
	g_autoptr(JsonObject) o = json_object_new();
	g_autofree char *version = g_strdup_printf("1.%u", info.minor);
	g_autofree char *state = state_text(&info);
	const struct { const char *name; uint64_t number; } numbers[] = {
		{ "sequence_1", info.sequence[0] }, { "sequence_2", info.sequence[1] },
		{ "bytes", info.file_bytes }, { "bytes_when_saved", compact }, { "keys", info.keys },
		{ "values", info.values }, { "descriptors", info.descriptors }, { "links", info.links },
		{ "depth", info.depth }, { "lists_put_in_order", info.resorted },
		{ "volatile_keys_left_out", info.left_out },
	};
	set_text(o, "hive", p->where);
	set_text(o, "root", p->root);
	json_object_set_string_member(o, "state", state);
	if (p->logs->len)
		json_set_strings(o, "logs", p->logs);
	json_object_set_string_member(o, "version", version);
	set_time(o, "latest_change", MAX(info.time, info.newest));
	for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
		json_object_set_int_member(o, numbers[i].name, (gint64)numbers[i].number);
	*ret_json = json_text(o);
	return true;
}

/* ---- comparing ---- */

static void set_words(JsonObject *o, const char *name, const struct ib_value *v)
{
	if (!v)
		return;
	g_autofree char *type = type_name(ib_value_type(v));
	g_autofree char *words = value_words(v, ", ");
	g_autofree char *both = g_strconcat(type, " ", words, NULL);
	set_text(o, name, both);
}

struct comparing {
	struct ib_hive_place *a, *b;
	JsonArray *list;
};

static bool add_difference(enum ib_hive_change change, struct ib_key *a, struct ib_key *b, const struct ib_value *va,
			   const struct ib_value *vb, void *data)
{
	static const char *const changes[] = { "key added", "key removed", "value added", "value removed",
					       "value changed", "security changed", "class changed" };
	struct comparing *c = data;
	JsonObject *o = json_object_new();
	g_autofree char *path = a ? full_path(c->a, a) : full_path(c->b, b);

	json_object_set_string_member(o, "change", changes[change]);
	set_text(o, "key", path);
	if (va || vb)
		set_text(o, "value", ib_value_name(va ? va : vb));
	set_words(o, "from", va);
	set_words(o, "to", vb);
	json_array_add_object_element(c->list, o);
	return true;
}

char *ib_hive_place_diff(struct ib_hive_place *a, struct ib_hive_place *b)
{
	struct comparing c = { .a = a, .b = b, .list = json_array_new() };
	g_autoptr(JsonObject) o = json_object_new();

	ib_hive_diff(ib_hive_root(a->hive), ib_hive_root(b->hive), add_difference, &c);
	set_text(o, "from", a->where);
	set_text(o, "to", b->where);
	json_object_set_int_member(o, "count", json_array_get_length(c.list));
	json_object_set_array_member(o, "differences", c.list);
	return json_text(o);
}
