#include "build/internal.h"

/* Stage sign: plan.json, build.json, the lists of digests, one signature over SHA256SUMS. */

struct secret_request {
	const struct ib_build_options *o;
	const char *reference;
};

static bool give_secret(void *user, char **ret, struct ib_error **err)
{
	const struct secret_request *q = user;

	if (!q->reference) {
		ib_throw(err, IB_ERR_INPUT, "the signing key is locked and [sign] pin is not set");
		return ib_hint(err, "set [sign] pin = env:NAME or file:PATH");
	}
	return q->o->secret(q->reference, ret, q->o->secret_data, err);
}

static bool open_key(const struct ib_ini *p, const struct ib_build_options *o, struct ib_signing_key **ret, struct ib_error **err)
{
	struct secret_request q = { o, ib_ini_text(p, "sign", "pin") };
	struct ib_signing_key_source source = {
		.certificate = ib_ini_text(p, "sign", "certificate"),
		.key = ib_ini_text(p, "sign", "key"),
		.pkcs11_module = ib_ini_text(p, "sign", "module"),
		.secret = give_secret,
		.user = &q,
	};

	return ib_signing_key_open(&source, ret, err);
}

bool sign_plan(struct build *b, struct ib_error **err)
{
	const char *certificate = ib_ini_text(b->p, "sign", "certificate"), *key = ib_ini_text(b->p, "sign", "key");

	if (!certificate != !key) {
		g_autofree char *place = ib_ini_place(b->p, "sign", certificate ? "certificate" : "key");
		return ib_throw(err, IB_ERR_INPUT, "%s: [sign] needs both certificate and key", place);
	}
	if (!key) {
		plan_warn(b, "[sign] is not set: the list of digests will not be signed, and nothing can be published");
		return true;
	}
	struct ib_signing_key *k = NULL;
	if (!open_key(b->p, b->o, &k, err))
		return ib_while(err, "opening the signing key");
	ib_signing_key_free(k);
	g_autofree char *name = g_path_get_basename(certificate);
	plan_add(b, "sign", 0, "sign the list of digests with '%s'", name);
	return true;
}

static bool file_digest(const struct build *b, const char *name, enum ib_digest_algorithm algorithm, char **ret,
			struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work_dir, name, NULL);
	g_autofree char *iso = g_path_get_basename(b->iso_path);
	uint8_t sum[1][IB_DIGEST_MAX];
	ib_auto_input in = NULL;

	if (strcmp(name, iso) == 0) { /* hashed already, with all algorithms at once */
		*ret = ib_hex(algorithm == IB_DIGEST_SM3 ? b->digests.sm3 : b->digests.sha256, 32);
		return true;
	}
	if (!ib_input_open(path, &in, err) || !ib_digest_input(in, &algorithm, 1, sum, NULL, err))
		return false;
	*ret = ib_hex(sum[0], 32);
	return true;
}

static bool write_sums(struct build *b, const char *file, enum ib_digest_algorithm algorithm, GString *sums,
		       struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work_dir, file, NULL);
	g_autoptr(GPtrArray) names = NULL;

	if (!folder_files(b->work_dir, &names, err))
		return false;
	for (guint i = 0; i < names->len; i++) {
		const char *name = g_ptr_array_index(names, i);
		g_autofree char *hex = NULL;
		if (strcmp(name, "SHA256SUMS") == 0 || strcmp(name, "SHA256SUMS.p7s") == 0)
			continue;
		if (!file_digest(b, name, algorithm, &hex, err))
			return false;
		g_string_append_printf(sums, "%s  %s\n", hex, name);
	}
	return ib_file_write(path, sums->str, sums->len, err);
}

static bool sign_sums(struct build *b, const GString *sums, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work_dir, "SHA256SUMS.p7s", NULL);
	g_autoptr(GBytes) sig = NULL;
	struct ib_signing_key *key = NULL;

	if (!ib_ini_text(b->p, "sign", "key"))
		return true;
	if (!open_key(b->p, b->o, &key, err))
		return false;
	bool ok = ib_cms_sign_detached(key, sums->str, sums->len, b->o->now, &sig, err);
	ib_signing_key_free(key);
	return ok && ib_file_write(path, g_bytes_get_data(sig, NULL), g_bytes_get_size(sig), err);
}

static bool write_text(struct build *b, const char *name, const char *text, struct ib_error **err)
{
	g_autofree char *path = g_build_filename(b->work_dir, name, NULL);

	return ib_file_write(path, text, strlen(text), err);
}

bool sign_apply(struct build *b, struct ib_progress *progress, struct ib_error **err)
{
	g_autoptr(GString) sm3 = g_string_new(NULL), sha256 = g_string_new(NULL);
	g_autofree char *build = build_json(b, false);

	if (!write_text(b, "evidence/plan.json", b->plan->json, err) || !write_text(b, "build.json", build, err))
		return false;
	if (b->digests.has_sm3 && !write_sums(b, "SM3SUMS", IB_DIGEST_SM3, sm3, err))
		return false;
	return write_sums(b, "SHA256SUMS", IB_DIGEST_SHA256, sha256, err) && sign_sums(b, sha256, err) &&
	       ib_progress_add(progress, 0, err);
}
