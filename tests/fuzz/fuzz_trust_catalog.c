/* Any bytes as a catalog, and as a CMS signature: parse, look, verify. */
#include "trust/trust.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* abort(): libFuzzer keeps the input of no other signal that g_error() may raise. */
static void die(const char *why)
{
	fprintf(stderr, "%s\n", why);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ib_anchors *anchors;
	ib_auto_error err = NULL;
	ib_auto_error cms_err = NULL;
	ib_auto_catalog c = NULL;
	ib_auto_catalog_verdict v = { 0 };
	ib_auto_signer s = { 0 };
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);

	if (!anchors)
		anchors = ib_anchors_new(0);
	if (ib_catalog_parse(data, size, "fuzz", &c, &err)) {
		for (size_t i = 0; i < ib_catalog_count(c); i++) {
			const struct ib_catalog_member *m = ib_catalog_member(c, i);
			if (!ib_catalog_has(c, m->algorithm, m->digest))
				die("a member is not found");
		}
		if (ib_catalog_verify(c, anchors, &v, &err))
			die("verified without any anchor");
	}
	if (ib_cms_verify_detached(bytes, "", 0, anchors, &s, &cms_err))
		die("verified without any anchor");
	return 0;
}
