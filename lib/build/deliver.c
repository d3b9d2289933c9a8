#include "build/internal.h"

/* Delivery: the folder goes up, the list of digests last; and what lies there is checked as the receiver would. */

#define SUMS_MAX (16u << 20)
#define SIGNATURE_MAX (1u << 20)

/* ---- planning ---- */

static bool throw_publish(const struct build *b, const char *key, const char *what, struct ib_error **err)
{
	g_autofree char *place = ib_ini_place(b->p, "publish", key);

	return ib_throw(err, IB_ERR_INPUT, "%s: %s", place, what);
}

bool publish_plan(struct build *b, struct ib_error **err)
{
	const char *url = ib_ini_text(b->p, "publish", "url"), *host_key = ib_ini_text(b->p, "publish", "host-key");

	if (!url) {
		if (b->o->publish)
			return ib_throw(err, IB_ERR_INPUT, "%s: --publish was given, but [publish] url is not set", ib_ini_path(b->p));
		plan_warn(b, "[publish] url is not set: the folder stays where it is");
		return true;
	}
	bool sftp = g_str_has_prefix(url, "sftp://");
	if (!sftp && !g_str_has_prefix(url, "file:///"))
		return throw_publish(b, "url", "an address to publish to begins with sftp:// or file:///", err);
	if (sftp && (!host_key || !g_str_has_prefix(host_key, "SHA256:")))
		return throw_publish(b, "host-key", "the server's key is not pinned; host-key = SHA256:… is needed", err);
	if (sftp && !ib_ini_text(b->p, "publish", "key") && !ib_ini_text(b->p, "publish", "password"))
		return throw_publish(b, "url", "neither [publish] key nor password says how to log in", err);
	/* What is signed has this line: it must not depend on who runs the profile how, or approvals would not hold. */
	bool asked = strcmp(ib_ini_text(b->p, "publish", "when"), "asked") == 0;
	plan_add(b, "publish", 0, "publish, %s, to %s", asked ? "when asked and approved" : "as soon as approved", url);
	return true;
}

/* ---- connecting ---- */


static bool connect_to(const struct ib_ini *p, const struct ib_build_options *o, struct ib_publisher **ret,
		       struct ib_error **err)
{
	const char *reference = ib_ini_text(p, "publish", "password");
	g_autofree char *secret = NULL;

	if (reference && !o->secret(reference, &secret, o->secret_data, err))
		return ib_while(err, "getting [publish] password");
	const char *key = ib_ini_text(p, "publish", "key");
	struct ib_publish_options po = {
		.size = sizeof po,
		.url = ib_ini_text(p, "publish", "url"),
		.host_key = ib_ini_text(p, "publish", "host-key"),
		.key = key,
		.passphrase = key ? secret : NULL,
		.password = key ? NULL : secret,
	};
	return ib_publisher_open(&po, ret, err);
}

/* ---- sending ---- */

/* Sent last, in this order: a receiver who sees the list sees all that is in it. */
static const char *const last_files[] = { "SHA256SUMS.p7s", "SHA256SUMS" };

static bool is_last(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(last_files); i++)
		if (strcmp(name, last_files[i]) == 0)
			return true;
	return false;
}

static bool put_file(struct ib_publisher *p, const char *dir, const char *name, struct ib_progress *progress,
		     struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	ib_auto_input in = NULL;

	if (!ib_input_open(path, &in, err) || !ib_publisher_put(p, name, in, progress, err))
		return ib_while(err, "sending '%s'", name);
	return true;
}

static bool check_room(struct ib_publisher *p, const char *dir, const GPtrArray *names, struct ib_error **err)
{
	uint64_t need = 0, have;

	for (guint i = 0; i < names->len; i++) {
		g_autofree char *path = g_build_filename(dir, g_ptr_array_index(names, i), NULL);
		ib_auto_input in = NULL;
		if (!ib_input_open(path, &in, err))
			return false;
		need += ib_input_size(in);
	}
	if (!ib_publisher_space(p, &have) || have >= need)
		return true;
	return ib_throw(err, IB_ERR_SYSTEM, "the server has too little space: %" PRIu64 " bytes needed, %" PRIu64 " available",
			need, have);
}

static bool put_all(struct ib_publisher *p, const char *dir, struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GPtrArray) names = NULL;

	if (!folder_files(dir, &names, err) || !check_room(p, dir, names, err))
		return false;
	/* An old list must not vouch for new files while they arrive. */
	for (size_t i = G_N_ELEMENTS(last_files); i-- > 0;)
		if (!ib_publisher_remove(p, last_files[i], err))
			return false;
	for (guint i = 0; i < names->len; i++)
		if (!is_last(g_ptr_array_index(names, i)) && !put_file(p, dir, g_ptr_array_index(names, i), progress, err))
			return false;
	for (size_t i = 0; i < G_N_ELEMENTS(last_files); i++)
		if (!put_file(p, dir, last_files[i], progress, err))
			return false;
	return true;
}

static bool write_receipt(const char *dir, const char *url, int64_t now, struct ib_error **err)
{
	g_autoptr(JsonObject) o = json_object_new();
	g_autofree char *time = ib_time_text(now), *path = g_build_filename(dir, "records", "publication.json", NULL);
	g_autoptr(GPtrArray) names = NULL;

	if (!folder_files(dir, &names, err))
		return false;
	json_object_set_string_member(o, "url", url);
	json_object_set_string_member(o, "time", time);
	json_set_strings(o, "files", names);
	g_autofree char *text = json_text(o);
	return ib_file_write(path, text, strlen(text), err);
}

/* The folder must be what was signed: digests compared before anything leaves. */
static bool check_folder(const char *dir, struct ib_progress *progress, struct ib_error **err)
{
	struct ib_check_options o = { .size = sizeof o, .progress = progress };
	struct ib_check_result r = { 0 };

	if (!ib_build_verify(dir, &o, &r, err))
		return false;
	bool ok = r.findings->len == 0;
	if (!ok)
		ib_throw(err, IB_ERR_VERIFY, "'%s' was altered after it was built: %s", dir,
			 (char *)g_ptr_array_index(r.findings, 0));
	ib_check_result_clear(&r);
	return ok;
}

bool deliver_folder(const struct ib_ini *p, const struct ib_build_options *o, const char *dir, char **ret_url,
		    struct ib_error **err)
{
	const char *url = ib_ini_text(p, "publish", "url");
	g_autofree char *sig = g_build_filename(dir, "SHA256SUMS.p7s", NULL);
	struct ib_publisher *publisher = NULL;

	if (!url)
		return ib_throw(err, IB_ERR_INPUT, "%s: [publish] url is not set", ib_ini_path(p));
	if (!g_file_test(sig, G_FILE_TEST_EXISTS)) {
		ib_throw(err, IB_ERR_INPUT, "'%s' is not signed; an unsigned folder is not published", dir);
		return ib_hint(err, "set [sign] certificate and key, and build again");
	}
	if (!check_folder(dir, o->progress, err))
		return false;
	bool ok = connect_to(p, o, &publisher, err) && put_all(publisher, dir, o->progress, err) &&
		  write_receipt(dir, url, o->now, err);
	ib_publisher_free(publisher);
	if (!ok)
		return ib_while(err, "publishing to '%s'", url);
	*ret_url = g_strdup(url);
	return true;
}

/* ---- publishing a folder later ---- */

static bool load_job(const char *dir, JsonParser **ret, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, "records", "job.json", NULL);
	g_autoptr(GBytes) bytes = NULL;
	JsonParser *parser = json_parser_new();

	if (!ib_file_read(path, SIGNATURE_MAX, &bytes, err)) {
		g_object_unref(parser);
		return ib_hint(err, "give the profile: imgbuild publish %s --profile FILE", dir);
	}
	if (!json_parser_load_from_data(parser, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL) ||
	    !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
		g_object_unref(parser);
		return ib_throw(err, IB_ERR_INPUT, "'%s' is not the JSON a build writes", path);
	}
	*ret = parser;
	return true;
}

static char **job_sets(JsonObject *job)
{
	GPtrArray *sets = g_ptr_array_new();
	JsonArray *array = json_object_has_member(job, "sets") ? json_object_get_array_member(job, "sets") : NULL;

	for (guint i = 0; array && i < json_array_get_length(array); i++)
		g_ptr_array_add(sets, g_strdup(json_array_get_string_element(array, i)));
	g_ptr_array_add(sets, NULL);
	return (char **)g_ptr_array_free(sets, FALSE);
}

static bool publish_profile(const char *dir, const struct ib_ini *p, const struct ib_ini_options *vars,
			    const struct ib_build_options *o, char **ret_url, struct ib_error **err)
{
	g_autoptr(GPtrArray) missing = NULL;

	if (!approvals_missing(p, vars, dir, o->now, &missing, err))
		return false;
	if (missing->len > 0) {
		g_ptr_array_add(missing, NULL);
		g_autofree char *roles = g_strjoinv(", ", (char **)missing->pdata);
		ib_throw(err, IB_ERR_APPROVAL, "not approved yet by: %s", roles);
		return ib_hint(err, "imgbuild approve %s --role R --decision approve --number N --opinion T --certificate C --key K",
			       dir);
	}
	return deliver_folder(p, o, dir, ret_url, err);
}

bool ib_build_publish(const char *dir, const struct ib_build_options *options, char **ret_url, struct ib_error **err)
{
	struct ib_ini_options io = { .sets = options->sets, .vars_file = options->vars_file, .warn_unused = true };
	const char *profile = options->profile;
	g_auto(GStrv) sets = NULL;
	JsonParser *parser = NULL;
	struct ib_ini *p = NULL;

	if (!profile) {
		if (!load_job(dir, &parser, err))
			return false;
		JsonObject *job = json_node_get_object(json_parser_get_root(parser));
		profile = json_object_get_string_member_with_default(job, "profile", "");
		sets = job_sets(job);
		io.sets = sets;
		io.warn_unused = false; /* that was said when the folder was built */
		io.vars_file = json_object_get_string_member_with_default(job, "vars", NULL);
	}
	bool ok = ib_ini_load(profile, ib_profile_keys, &io, &p, err) && publish_profile(dir, p, &io, options, ret_url, err);
	ib_ini_free(p);
	g_clear_object(&parser);
	return ok;
}

/* ---- checking a delivery ---- */

static bool get_bytes(struct ib_publisher *p, const char *name, uint64_t limit, GBytes **ret, struct ib_error **err)
{
	struct ib_stream *s = NULL;

	if (!ib_publisher_get(p, name, &s, err))
		return ib_while(err, "getting '%s'", name);
	bool ok = ib_stream_bytes(s, limit, name, ret, err);
	ib_stream_free(s);
	return ok;
}

static bool hash_remote(struct ib_publisher *p, const char *name, uint8_t ret[IB_SHA256_SIZE],
			struct ib_progress *progress, struct ib_error **err)
{
	g_autofree uint8_t *buf = g_malloc(1 << 18);
	struct ib_digest *d = ib_digest_new(IB_DIGEST_SHA256);
	struct ib_stream *s = NULL;
	size_t n = 1;
	bool ok = ib_publisher_get(p, name, &s, err);

	while (ok && n > 0) {
		ok = ib_stream_read(s, buf, 1 << 18, &n, err) && ib_progress_add(progress, n, err);
		if (ok)
			ib_digest_update(d, buf, n);
	}
	ib_digest_final(d, ret);
	ib_digest_free(d);
	ib_stream_free(s);
	return ok ? true : ib_while(err, "reading '%s' back", name);
}

static bool check_remote(struct ib_publisher *p, const GPtrArray *sums, struct ib_progress *progress,
			 struct ib_check_result *r, struct ib_error **err)
{
	for (guint i = 0; i < sums->len; i++) {
		const struct sum_line *l = g_ptr_array_index(sums, i);
		uint8_t have[IB_SHA256_SIZE];
		if (!hash_remote(p, l->name, have, progress, err))
			return false;
		r->files++;
		if (memcmp(have, l->digest, sizeof have) != 0)
			g_ptr_array_add(r->findings, g_strdup_printf("'%s' is not the file that was signed", l->name));
	}
	return true;
}

bool ib_check_delivery(const struct ib_build_options *options, const char *url, const char *host_key, const char *key,
		       char *const *anchors_files, struct ib_check_result *ret, struct ib_error **err)
{
	struct ib_publish_options po = { .size = sizeof po, .url = url, .host_key = host_key, .key = key };
	struct ib_check_result r = { .lines = g_ptr_array_new_with_free_func(g_free),
				     .findings = g_ptr_array_new_with_free_func(g_free) };
	g_autoptr(GBytes) list = NULL, sig = NULL;
	g_autoptr(GPtrArray) sums = NULL;
	struct ib_publisher *p = NULL;

	bool ok = ib_publisher_open(&po, &p, err) && get_bytes(p, "SHA256SUMS", SUMS_MAX, &list, err) &&
		  get_bytes(p, "SHA256SUMS.p7s", SIGNATURE_MAX, &sig, err) &&
		  check_signature(list, sig, anchors_files, options->now, &r, err);
	if (ok) {
		g_autofree char *text = g_strndup(g_bytes_get_data(list, NULL), g_bytes_get_size(list));
		ok = sums_parse(text, "SHA256SUMS", &sums, err) && check_remote(p, sums, options->progress, &r, err);
	}
	ib_publisher_free(p);
	if (!ok) {
		ib_check_result_clear(&r);
		return ib_while(err, "checking the delivery at '%s'", url);
	}
	g_ptr_array_add(r.lines, g_strdup_printf("%u files read back from '%s'", r.files, url));
	check_finish(&r);
	*ret = r;
	return true;
}
