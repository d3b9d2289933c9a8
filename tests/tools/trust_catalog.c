/*
 * Verify catalogs: trust_catalog ANCHOR.pem… -- CATALOG…
 * A line per catalog: "ok|refused|bad NAME time=… stamp=… members=… signer=… anchor=…" or the cause.
 * Exit status: that of the last failure, else 0. Judges at 2026, when the signers have long expired.
 */
#include <stdio.h>
#include <string.h>

#include "trust/trust.h"

#define JUDGED_AT 1790000000

static bool one(const char *path, const struct ib_anchors *anchors, struct ib_error **err)
{
	g_autoptr(GBytes) bytes = NULL;
	ib_auto_catalog c = NULL;
	ib_auto_catalog_verdict v = { 0 };
	gsize len;

	if (!ib_file_read(path, IB_CATALOG_MAX, &bytes, err))
		return false;
	const void *data = g_bytes_get_data(bytes, &len);
	if (!ib_catalog_parse(data, len, path, &c, err) || !ib_catalog_verify(c, anchors, &v, err))
		return false;
	printf("ok %s time=%" PRId64 " stamp=%d members=%zu signer=%s anchor=%s\n", path, v.signer.time,
	       v.signer.stamp, v.members, v.signer.subject, v.signer.anchor);
	for (size_t i = 0; i < ib_catalog_count(c); i++) {
		const struct ib_catalog_member *m = ib_catalog_member(c, i);
		g_autofree char *hex = ib_hex(m->digest, ib_digest_size(m->algorithm));
		printf("  %s %s\n", ib_digest_name(m->algorithm), hex);
	}
	return true;
}

int main(int argc, char **argv)
{
	ib_auto_anchors anchors = ib_anchors_new(JUDGED_AT);
	int i = 1, status = 0;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		ib_auto_error err = NULL;
		if (!ib_anchors_add_file(anchors, argv[i], &err)) {
			fprintf(stderr, "%s\n", ib_error_cause(err));
			return 3;
		}
	}
	for (i++; i < argc; i++) {
		ib_auto_error err = NULL;
		if (one(argv[i], anchors, &err))
			continue;
		status = (int)ib_error_code(err);
		printf("%s %s: %s\n", status == IB_ERR_VERIFY ? "refused" : "bad", argv[i], ib_error_cause(err));
	}
	return status;
}
