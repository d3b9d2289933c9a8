/* Any bytes as a record: four bytes say how long the source behind them is; the rest is the record. */
#include "delta/delta.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ib_delta_options options = { .target_max = 1 << 16 };
	struct ib_delta_info info;
	ib_auto_error err = NULL;
	ib_auto_error again = NULL;
	g_autoptr(GBytes) out = NULL;

	if (size < 4)
		return 0;
	size_t n = MIN(ib_le32(data), size - 4);
	g_autoptr(GBytes) source = g_bytes_new(data + 4, n);
	g_autoptr(GBytes) record = g_bytes_new(data + 4 + n, size - 4 - n);
	bool known = ib_delta_info(record, &info, &err);
	bool good = ib_delta_apply(source, record, &options, &out, &again);
	if (good && (!known || g_bytes_get_size(out) != info.target_size))
		abort();
	if (!good && ib_error_code(again) != IB_ERR_INPUT && ib_error_code(again) != IB_ERR_VERIFY)
		abort();
	return 0;
}
