#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

#include <json-glib/json-glib.h>

#include "delta/delta.h"
#include "digest/digest.h"

const struct option delta_options[] = {
	{ "base", 0, "FILE", false, "what it was made against (DCM: dictionary)" },
	{ "output", 'o', "FILE", false, "for apply: the file to make; absent: stdout" },
	{ NULL },
};

/* No file of Windows comes near it, and a delta is no larger than its target. */
#define FILE_MAX IB_DELTA_TARGET_MAX

static const char *const algorithms[] = { [IB_DIGEST_MD5] = "MD5", [IB_DIGEST_SHA1] = "SHA-1",
					  [IB_DIGEST_SHA256] = "SHA-256" };

/* ---- info ---- */

static void set_hash(JsonObject *o, const char *name, enum ib_digest_algorithm algorithm, const uint8_t *hash)
{
	JsonObject *h = json_object_new();
	g_autofree char *hex = ib_hex(hash, ib_digest_size(algorithm));

	json_object_set_string_member(h, "algorithm", algorithms[algorithm]);
	json_object_set_string_member(h, "value", hex);
	json_object_set_object_member(o, name, h);
}

static void set_hex(JsonObject *o, const char *name, uint64_t number)
{
	g_autofree char *text = g_strdup_printf("0x%" PRIx64, number);

	json_object_set_string_member(o, name, text);
}

static void set_transforms(JsonObject *o, uint64_t flags)
{
	g_autofree char *text = ib_delta_transforms(flags);
	g_auto(GStrv) names = g_strsplit(text, ", ", -1);
	JsonArray *a = json_array_new();

	for (char **n = names; flags && *n; n++)
		json_array_add_string_element(a, *n);
	json_object_set_array_member(o, "transforms", a);
}

static bool set_record(JsonObject *o, GBytes *record, struct ib_error **err)
{
	static const char *const bodies[] = { "PseudoLzx", "Compression API container", "reverse (PRSM)" };
	struct ib_delta_info i;

	if (!ib_delta_info(record, &i, err))
		return false;
	json_object_set_string_member(o, "record", i.pa31 ? "PA31" : "PA30");
	json_object_set_boolean_member(o, "crc", i.has_crc);
	json_object_set_string_member(o, "type", ib_delta_type_name(i.type));
	set_hex(o, "type_set", i.type_set);
	set_hex(o, "flags", i.flags);
	set_transforms(o, i.flags);
	json_object_set_string_member(o, "body", bodies[i.body]);
	json_object_set_boolean_member(o, "preprocess", i.has_preprocess);
	if (i.time)
		set_hex(o, "target_time", i.time);
	json_object_set_int_member(o, "target_bytes", (gint64)i.target_size);
	if (i.has_target_hash)
		set_hash(o, "target_hash", i.hash, i.target_hash);
	if (i.has_source_hash)
		set_hash(o, "source_hash", i.hash, i.source_hash);
	return true;
}

static bool set_compressed(JsonObject *o, GBytes *file, enum ib_dcm_kind kind, struct ib_error **err)
{
	static const char *const names[] = { [IB_DCM_DCD] = "DCD", [IB_DCM_DCN] = "DCN", [IB_DCM_DCH] = "DCH",
					     [IB_DCM_DCM] = "DCM", [IB_DCM_DCS] = "DCS", [IB_DCM_DCX] = "DCX" };
	size_t head = kind == IB_DCM_DCD ? 12 : 4, len = g_bytes_get_size(file);

	json_object_set_string_member(o, "kind", names[kind]);
	if (kind != IB_DCM_DCD && kind != IB_DCM_DCN && kind != IB_DCM_DCM)
		return true;
	if (len < head)
		return ib_throw(err, IB_ERR_INPUT, "the compressed file has %zu bytes, its header needs %zu", len, head);
	g_autoptr(GBytes) record = g_bytes_new_from_bytes(file, head, len - head);
	return set_record(o, record, err);
}

static bool info(struct context *c, const char *name, GBytes *file, struct ib_error **err)
{
	enum ib_dcm_kind kind = ib_dcm_kind(file);
	g_autoptr(JsonObject) o = json_object_new();

	json_object_set_string_member(o, "file", name);
	json_object_set_int_member(o, "bytes", (gint64)g_bytes_get_size(file));
	if (kind == IB_DCM_NONE)
		json_object_set_string_member(o, "kind", "delta");
	if (!(kind == IB_DCM_NONE ? set_record(o, file, err) : set_compressed(o, file, kind, err)))
		return false;
	render_object(o, c->json);
	return true;
}

/* ---- apply ---- */

/* The dictionary itself, or the program that holds it. */
static bool take_dictionary(GBytes **base, struct ib_error **err)
{
	gsize len;
	const char *data = g_bytes_get_data(*base, &len);
	GBytes *found;

	if (len < 2 || data[0] != 'M' || data[1] != 'Z')
		return true;
	if (!ib_dcm_dictionary(*base, &found, err))
		return false;
	g_bytes_unref(*base);
	*base = found;
	return true;
}

static bool unpack(GBytes *file, GBytes **base, GBytes **ret, struct ib_error **err)
{
	enum ib_dcm_kind kind = ib_dcm_kind(file);

	if (kind == IB_DCM_NONE)
		return ib_delta_apply(*base, file, NULL, ret, err);
	if (kind == IB_DCM_DCM && *base && !take_dictionary(base, err))
		return false;
	return ib_dcm_decode(file, *base, ret, err);
}

static bool deliver(struct context *c, GBytes *result, struct ib_error **err)
{
	const char *out = args_value(c->args, "output");
	g_autoptr(JsonObject) o = json_object_new();
	uint8_t hash[IB_DIGEST_MAX];
	gsize len;
	const void *data = g_bytes_get_data(result, &len);

	if (!out) {
		fwrite(data, 1, len, stdout); /* a failed write shows when the output is closed */
		return true;
	}
	if (!ib_file_write(out, data, len, err))
		return false;
	ib_digest_bytes(IB_DIGEST_SHA256, data, len, hash);
	g_autofree char *hex = ib_hex(hash, ib_digest_size(IB_DIGEST_SHA256));
	json_object_set_string_member(o, "output", out);
	json_object_set_int_member(o, "bytes", (gint64)len);
	json_object_set_string_member(o, "sha256", hex);
	render_object(o, c->json);
	return true;
}

static bool apply(struct context *c, const char *name, GBytes *file, struct ib_error **err)
{
	const char *path = args_value(c->args, "base");
	g_autoptr(GBytes) base = NULL;
	g_autoptr(GBytes) result = NULL;

	if (c->json && !args_value(c->args, "output"))
		return ib_throw(err, IB_ERR_USAGE, "'--format=json' needs '-o FILE': stdout takes the result itself");
	if (path && !ib_file_read(path, FILE_MAX, &base, err))
		return false;
	if (!unpack(file, &base, &result, err)) {
		if (!path)
			ib_hint(err, "--base names the file the delta was made against, or for DCM the dictionary or a wcp.dll");
		return ib_while(err, "applying '%s'%s%s%s", name, path ? " to '" : "", path ? path : "", path ? "'" : "");
	}
	return deliver(c, result, err);
}

int cmd_delta(struct context *c, struct ib_error **err)
{
	const char *what = args_word(c->args, 0), *name = args_word(c->args, 1);
	g_autoptr(GBytes) file = NULL;
	bool ok;

	if (strcmp(what, "info") != 0 && strcmp(what, "apply") != 0)
		ok = ib_throw(err, IB_ERR_USAGE, "'delta' takes info or apply, not '%s'", what);
	else if (strcmp(what, "info") == 0 && (args_has(c->args, "base") || args_has(c->args, "output")))
		ok = ib_throw(err, IB_ERR_USAGE, "'delta info' takes neither '--base' nor '--output'");
	else if (!ib_file_read(name, FILE_MAX, &file, err))
		ok = false;
	else if (strcmp(what, "info") == 0)
		ok = info(c, name, file, err) || ib_while(err, "looking at '%s'", name);
	else
		ok = apply(c, name, file, err);
	return ok ? 0 : -1;
}
