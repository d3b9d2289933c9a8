/* Any bytes as a signed cabinet: judged without an anchor, so nothing may be taken. */
#include "trust/trust.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ib_anchors *anchors;
	g_autoptr(GBytes) bytes = g_bytes_new(data, size);
	ib_auto_input in = ib_input_from_bytes(bytes, "fuzz.cab");
	ib_auto_signer s = { 0 };
	ib_auto_error err = NULL;

	if (!anchors)
		anchors = ib_anchors_new(0);
	if (ib_cabinet_verify(in, anchors, &s, &err)) {
		fputs("verified without any anchor\n", stderr);
		abort();
	}
	if (ib_error_code(err) != IB_ERR_INPUT && ib_error_code(err) != IB_ERR_VERIFY) {
		fprintf(stderr, "%s\n", ib_error_cause(err));
		abort();
	}
	return 0;
}
