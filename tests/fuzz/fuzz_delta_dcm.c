/* Any bytes as a compressed file of the component store, and as the program that holds the dictionary. */
#include "delta/delta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char basis[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><assembly><file name=\"\"/></assembly>";
	g_autoptr(GBytes) bytes = g_bytes_new(data, size), dictionary = g_bytes_new_static(basis, sizeof(basis));
	g_autoptr(GBytes) out = NULL, found = NULL;
	ib_auto_error err = NULL;
	ib_auto_error none = NULL;

	/* a record of a few bytes may ask for all of IB_DCM_MAX: that is allowed, but nothing for a fuzzer's pace */
	struct ib_delta_info info;
	ib_auto_error ignored = NULL;
	g_autoptr(GBytes) record = size > 4 ? g_bytes_new_from_bytes(bytes, 4, size - 4) : g_bytes_new(NULL, 0);
	if (ib_delta_info(record, &info, &ignored) && info.target_size > 1 << 20)
		return 0;
	if (!ib_dcm_decode(bytes, dictionary, &out, &err) && ib_error_code(err) != IB_ERR_INPUT &&
	    ib_error_code(err) != IB_ERR_VERIFY)
		abort();
	if (ib_dcm_dictionary(bytes, &found, &none) && g_bytes_get_size(found) > size)
		abort();
	return 0;
}
