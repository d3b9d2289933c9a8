#include "imgbuild.h"

#include <stdio.h>
#include <string.h>

#include "build/build.h"

/* Commands that work on what a build made: verify, approve, publish, check-delivery. */

const struct option verify_options[] = {
	{ "trust", 0, "PEM", true, "root, PEM or DER; absent: nothing is judged" },
	{ "full", 0, NULL, false, "also read and hash every blob of every image" },
	{ NULL },
};

const struct option approve_options[] = {
	{ "role", 0, "ROLE", false, "role of the policy that decides" },
	{ "decision", 0, "approve|reject", false, "the decision" },
	{ "number", 0, "NUMBER", false, "number of this decision in your own files" },
	{ "opinion", 0, "TEXT", false, "why, in one sentence" },
	{ "certificate", 0, "PEM", false, "certificate of the person who signs" },
	{ "key", 0, "PEM", false, "private key of that certificate" },
	{ "passphrase", 0, "env:N|file:P", false, "where the key's passphrase is" },
	{ NULL },
};

const struct option publish_options[] = {
	{ "profile", 0, "FILE", false, "profile; absent: the one it was built with" },
	{ "set", 0, "NAME=VALUE", true, "set ${NAME} of the profile; wins over all files" },
	{ "vars", 0, "FILE", false, "INI file whose [vars] set variables" },
	{ NULL },
};

const struct option check_delivery_options[] = {
	{ "trust", 0, "PEM", true, "root, PEM or DER; absent: it is not judged" },
	{ "host-key", 0, "SHA256:BASE64", false, "fingerprint of the server's key; for sftp://" },
	{ "key", 0, "FILE|agent", false, "private key to log in with" },
	{ NULL },
};

static int print_check(struct context *c, struct ib_check_result *r)
{
	int status = r->findings->len ? IB_ERR_VERIFY : 0;

	if (c->json) {
		fputs(r->json, stdout);
	} else {
		for (guint i = 0; i < r->lines->len; i++)
			printf("  %s\n", (char *)g_ptr_array_index(r->lines, i));
		for (guint i = 0; i < r->findings->len; i++)
			printf("  FINDING %s\n", (char *)g_ptr_array_index(r->findings, i));
		printf("%s\n", r->findings->len ? "not good" : "good");
	}
	ib_check_result_clear(r);
	return status;
}

int cmd_verify(struct context *c, struct ib_error **err)
{
	g_autofree char **trust = args_values(c->args, "trust");
	struct ib_check_options o = { .size = sizeof o, .anchors_files = trust, .full = args_has(c->args, "full"),
				      .now = c->now, .progress = c->progress };
	struct ib_check_result r = { 0 };

	if (!ib_build_verify(args_word(c->args, 0), &o, &r, err))
		return -1;
	return print_check(c, &r);
}

int cmd_check_delivery(struct context *c, struct ib_error **err)
{
	g_autofree char **trust = args_values(c->args, "trust");
	struct ib_build_options o = { .size = sizeof o, .now = c->now, .progress = c->progress };
	struct ib_check_result r = { 0 };

	if (!ib_check_delivery(&o, args_word(c->args, 0), args_value(c->args, "host-key"), args_value(c->args, "key"),
			       trust, &r, err))
		return -1;
	return print_check(c, &r);
}

int cmd_approve(struct context *c, struct ib_error **err)
{
	static const char *const needed[] = { "role", "decision", "number", "opinion", "certificate", "key" };
	const char *reference = args_value(c->args, "passphrase");
	g_autofree char *passphrase = NULL, *path = NULL;

	for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
		if (!args_value(c->args, needed[i])) {
			ib_throw(err, IB_ERR_USAGE, "'approve' needs --%s", needed[i]);
			return -1;
		}
	}
	if (reference && !secret_get(reference, &passphrase, NULL, err))
		return -1;
	struct ib_approval a = {
		.role = args_value(c->args, "role"),
		.decision = args_value(c->args, "decision"),
		.number = args_value(c->args, "number"),
		.opinion = args_value(c->args, "opinion"),
		.certificate = args_value(c->args, "certificate"),
		.key = args_value(c->args, "key"),
		.passphrase = passphrase,
		.now = c->now,
	};
	if (!ib_approval_record(args_word(c->args, 0), &a, &path, err))
		return -1;
	g_autofree char *text = g_strconcat("recorded ", path, NULL);
	render_result(c->json, "recorded", path, text);
	return 0;
}

int cmd_publish(struct context *c, struct ib_error **err)
{
	g_autofree char **sets = args_values(c->args, "set");
	struct ib_build_options o = {
		.size = sizeof o,
		.profile = args_value(c->args, "profile"),
		.sets = sets,
		.vars_file = args_value(c->args, "vars"),
		.data_dir = c->data_dir,
		.now = c->now,
		.secret = secret_get,
		.progress = c->progress,
	};
	g_autofree char *url = NULL;

	if (!ib_build_publish(args_word(c->args, 0), &o, &url, err))
		return -1;
	ib_progress_done(c->progress);
	g_autofree char *text = g_strdup_printf("published %s to %s", args_word(c->args, 0), url);
	render_result(c->json, "published", url, text);
	return 0;
}
