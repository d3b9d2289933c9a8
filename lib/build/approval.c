#include "build/internal.h"

/*
 * Approvals: signed records about a build folder, and the gate that reads them.
 *
 * A record is records/approval-<role>.json with a detached CMS signature beside
 * it. It names the folder by the SHA-256 of its SHA256SUMS: a record about
 * other bytes counts for nothing.
 */

#define RECORD_MAX (1u << 20)

/* The policy may use the profile's variables (where the roles' certificates lie). */
/* A role that nobody can fill would make each build wait for ever. */
static bool check_roles(const struct ib_ini *policy, struct ib_error **err)
{
	for (char *const *role = ib_ini_list(policy, "policy", "roles"); *role; role++) {
		g_autofree char *section = g_strconcat("role:", *role, NULL);
		if (!*ib_ini_list(policy, section, "trust"))
			return ib_throw(err, IB_ERR_INPUT, "%s: role '%s' must approve, but no section '[%s]' says who may sign "
					"for it", ib_ini_path(policy), *role, section);
	}
	return true;
}

static bool load_policy(const struct ib_ini *p, const struct ib_ini_options *vars, struct ib_ini **ret,
			struct ib_error **err)
{
	const char *path = ib_ini_text(p, "approvals", "policy");

	*ret = NULL;
	if (!path)
		return true;
	if (!ib_ini_load(path, ib_policy_keys, vars, ret, err))
		return false;
	if (check_roles(*ret, err))
		return true;
	ib_ini_free(*ret);
	*ret = NULL;
	return false;
}

bool approvals_plan(struct build *b, struct ib_error **err)
{
	struct ib_ini_options vars = { .sets = b->o->sets, .vars_file = b->o->vars_file };
	struct ib_ini *policy = NULL;

	if (!load_policy(b->p, &vars, &policy, err))
		return false;
	if (!policy) {
		plan_warn(b, "[approvals] policy is not set: nobody has to approve before publishing");
		return true;
	}
	for (char *const *role = ib_ini_list(policy, "policy", "roles"); *role; role++)
		g_ptr_array_add(b->plan->missing, g_strdup(*role));
	const char *type = ib_ini_text(b->p, "profile", "update-type");
	plan_add(b, "approvals", 0, "before publishing, by policy '%s'%s%s, these must approve: %s",
		 ib_ini_text(policy, "policy", "name"), type ? " for update type " : "", type ? type : "",
		 ib_ini_text(policy, "policy", "roles"));
	ib_ini_free(policy);
	return true;
}

/* SHA-256 of the folder's SHA256SUMS, hex: what a record is about. */
static bool folder_subject(const char *dir, char **ret, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(dir, "SHA256SUMS", NULL);
	g_autoptr(GBytes) bytes = NULL;
	uint8_t sum[IB_SHA256_SIZE];

	if (!ib_file_read(path, RECORD_MAX, &bytes, err))
		return ib_hint(err, "'%s' is no build folder; imgbuild build makes one", dir);
	ib_digest_bytes(IB_DIGEST_SHA256, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), sum);
	*ret = ib_hex(sum, sizeof sum);
	return true;
}

/* ---- recording ---- */

static char *record_text(const struct ib_approval *a, const char *subject)
{
	g_autoptr(JsonObject) o = json_object_new();
	g_autofree char *time = ib_time_text(a->now);

	json_object_set_string_member(o, "subject_sha256", subject);
	json_object_set_string_member(o, "role", a->role);
	json_object_set_string_member(o, "decision", a->decision);
	json_object_set_string_member(o, "number", a->number);
	json_object_set_string_member(o, "opinion", a->opinion);
	json_object_set_string_member(o, "time", time);
	return json_text(o);
}

static bool give_passphrase(void *user, char **ret, struct ib_error **err)
{
	const struct ib_approval *a = user;

	if (!a->passphrase)
		return ib_throw(err, IB_ERR_INPUT, "the key '%s' is locked and no passphrase was given", a->key);
	*ret = g_strdup(a->passphrase);
	return true;
}

static bool sign_record(const struct ib_approval *a, const char *text, GBytes **ret, struct ib_error **err)
{
	struct ib_signing_key_source source = { .certificate = a->certificate, .key = a->key, .secret = give_passphrase,
					.user = (void *)a };
	struct ib_signing_key *key = NULL;

	if (!ib_signing_key_open(&source, &key, err))
		return ib_while(err, "opening the key of role '%s'", a->role);
	bool ok = ib_cms_sign_detached(key, text, strlen(text), a->now, ret, err);
	ib_signing_key_free(key);
	return ok;
}

static bool check_words(const struct ib_approval *a, struct ib_error **err)
{
	if (strcmp(a->decision, "approve") != 0 && strcmp(a->decision, "reject") != 0)
		return ib_throw(err, IB_ERR_USAGE, "a decision is 'approve' or 'reject', not '%s'", a->decision);
	for (const char *c = a->role; *c; c++)
		if (!g_ascii_isalnum(*c) && *c != '-')
			return ib_throw(err, IB_ERR_USAGE, "a role is letters, digits and '-', not '%s'", a->role);
	if (!*a->role || !*a->number || !*a->opinion)
		return ib_throw(err, IB_ERR_USAGE, "a record needs a role, a number and an opinion");
	return true;
}

bool ib_approval_record(const char *dir, const struct ib_approval *a, char **ret_path, struct ib_error **err)
{
	g_autofree char *subject = NULL;
	g_autoptr(GBytes) sig = NULL;

	if (!check_words(a, err) || !folder_subject(dir, &subject, err))
		return false;
	g_autofree char *text = record_text(a, subject);
	g_autofree char *records = g_build_filename(dir, "records", NULL);
	g_autofree char *path = g_strdup_printf("%s/approval-%s.json", records, a->role);
	g_autofree char *sig_path = g_strconcat(path, ".p7s", NULL);
	if (!sign_record(a, text, &sig, err) || !ib_dir_make(records, err) ||
	    !ib_file_write(path, text, strlen(text), err) ||
	    !ib_file_write(sig_path, g_bytes_get_data(sig, NULL), g_bytes_get_size(sig), err))
		return ib_while(err, "recording the decision of role '%s'", a->role);
	*ret_path = g_steal_pointer(&path);
	return true;
}

/* ---- keeping ---- */

static bool same_subject(const char *old_dir, const char *new_dir, struct ib_error **err)
{
	g_autofree char *old_sums = g_build_filename(old_dir, "SHA256SUMS", NULL), *a = NULL, *b = NULL;

	if (!g_file_test(old_sums, G_FILE_TEST_IS_REGULAR))
		return false;
	return folder_subject(old_dir, &a, err) && folder_subject(new_dir, &b, err) && strcmp(a, b) == 0;
}

static bool copy_record(const char *from_dir, const char *to_dir, const char *name, struct ib_error **err)
{
	g_autofree char *from = g_build_filename(from_dir, name, NULL), *to = g_build_filename(to_dir, name, NULL);
	g_autoptr(GBytes) bytes = NULL;

	return ib_file_read(from, RECORD_MAX, &bytes, err) &&
	       ib_file_write(to, g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes), err);
}

bool approvals_keep(const char *old_dir, const char *new_dir, struct ib_error **err)
{
	g_autofree char *from = g_build_filename(old_dir, "records", NULL), *to = g_build_filename(new_dir, "records", NULL);
	bool same = same_subject(old_dir, new_dir, err);
	g_autoptr(GDir) d = same ? g_dir_open(from, 0, NULL) : NULL;
	const char *name;

	while (d && (name = g_dir_read_name(d)))
		if (g_str_has_prefix(name, "approval-") && !copy_record(from, to, name, err))
			return false;
	return *err == NULL;
}

/* ---- the gate ---- */

struct gate {
	struct ib_ini *policy;
	const char *subject;
	int64_t now;
};

static bool role_anchors(const struct gate *g, const char *role, struct ib_anchors **ret, struct ib_error **err)
{
	g_autofree char *section = g_strconcat("role:", role, NULL);
	struct ib_anchors *anchors = ib_anchors_new(g->now);

	for (char *const *f = ib_ini_list(g->policy, section, "trust"); *f; f++) {
		if (!ib_anchors_add_file(anchors, *f, err)) {
			ib_anchors_free(anchors);
			return ib_while(err, "reading who may sign for role '%s'", role);
		}
	}
	*ret = anchors;
	return true;
}

static bool record_says(GBytes *record, const struct gate *g, const char *role)
{
	JsonParser *parser = json_parser_new();
	bool ok = false;

	if (json_parser_load_from_data(parser, g_bytes_get_data(record, NULL), (gssize)g_bytes_get_size(record), NULL) &&
	    JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser))) {
		JsonObject *o = json_node_get_object(json_parser_get_root(parser));
		ok = g_strcmp0(json_object_get_string_member_with_default(o, "subject_sha256", ""), g->subject) == 0 &&
		     g_strcmp0(json_object_get_string_member_with_default(o, "role", ""), role) == 0 &&
		     g_strcmp0(json_object_get_string_member_with_default(o, "decision", ""), "approve") == 0;
	}
	g_object_unref(parser);
	return ok;
}

/* Whether one folder holds a good record of a role. A bad signature is an error, no record is not. */
static bool look_in(const struct gate *g, const char *records, const char *role, bool *ret, struct ib_error **err)
{
	g_autofree char *path = g_strdup_printf("%s/approval-%s.json", records, role);
	g_autofree char *sig_path = g_strconcat(path, ".p7s", NULL);
	g_autoptr(GBytes) record = NULL, sig = NULL;
	struct ib_anchors *anchors = NULL;
	struct ib_signer signer = { 0 };

	if (*ret || !g_file_test(path, G_FILE_TEST_EXISTS))
		return true;
	if (!ib_file_read(path, RECORD_MAX, &record, err) || !ib_file_read(sig_path, RECORD_MAX, &sig, err) ||
	    !role_anchors(g, role, &anchors, err))
		return false;
	bool ok = ib_cms_verify_detached(sig, g_bytes_get_data(record, NULL), g_bytes_get_size(record), anchors, &signer, err);
	ib_anchors_free(anchors);
	if (!ok)
		return ib_while(err, "checking the record '%s'", path);
	ib_signer_fini(&signer);
	*ret = record_says(record, g, role);
	return true;
}

bool approvals_missing(const struct ib_ini *p, const struct ib_ini_options *vars, const char *dir, int64_t now,
		       GPtrArray **ret, struct ib_error **err)
{
	g_autoptr(GPtrArray) missing = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *own = g_build_filename(dir, "records", NULL), *subject = NULL;
	const char *further = ib_ini_text(p, "approvals", "records");
	struct gate g = { .now = now };
	bool ok = true;

	if (!load_policy(p, vars, &g.policy, err) || !folder_subject(dir, &subject, err)) {
		ib_ini_free(g.policy);
		return false;
	}
	g.subject = subject;
	char *const none[] = { NULL }, *const *role = g.policy ? ib_ini_list(g.policy, "policy", "roles") : none;
	for (; ok && *role; role++) {
		bool found = false;
		ok = look_in(&g, own, *role, &found, err) && (!further || look_in(&g, further, *role, &found, err));
		if (!found)
			g_ptr_array_add(missing, g_strdup(*role));
	}
	ib_ini_free(g.policy);
	if (ok)
		*ret = g_steal_pointer(&missing);
	return ok;
}
