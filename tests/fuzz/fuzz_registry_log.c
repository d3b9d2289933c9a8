/*
 * Any bytes as the log of a dirty hive. Checksum and hashes are set right
 * first, or nothing would ever come past them.
 */
#include "registry/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEED UINT64_C(0x82EF4D887A4E55C5)
#define SECTOR 512u

static GBytes *dirty_hive(void)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = ib_hive_new("ROOT");
	struct ib_key *k;
	GBytes *bytes = NULL;

	if (ib_key_make(h, ib_hive_root(h), "A\\B", &k, &err))
		ib_key_set_security(h, k, NULL);
	if (!ib_hive_save(h, 1, &bytes, &err))
		return NULL;
	ib_hive_free(h);
	gsize size;
	uint8_t *p = g_bytes_unref_to_data(bytes, &size);
	ib_put_le32(p + BB_SEQ1, 2);
	ib_put_le32(p + BB_SUM, ib_registry_checksum(p));
	return g_bytes_new_take(p, size);
}

static void seal(uint8_t *p, size_t size)
{
	ib_put_le32(p + BB_SUM, ib_registry_checksum(p));
	for (size_t at = SECTOR; size - at >= SECTOR;) {
		uint32_t len = ib_le32(p + at + 4);
		if (len < SECTOR || len % SECTOR || len > size - at)
			return;
		ib_put_le64(p + at + 24, ib_registry_marvin32(SEED, p + at + 40, len - 40));
		ib_put_le64(p + at + 32, ib_registry_marvin32(SEED, p + at, 32));
		at += len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	ib_auto_error err = NULL;
	struct ib_hive *h = NULL;

	if (size < SECTOR)
		return 0;
	uint8_t *copy = g_memdup2(data, size);
	seal(copy, size);
	g_autoptr(GBytes) log = g_bytes_new_take(copy, size);
	g_autoptr(GBytes) hive = dirty_hive();
	/* the same log twice: as the newer one it must not be applied again */
	struct ib_hive_options options = { .name = "fuzz", .log1 = log, .log2 = log };
	if (ib_hive_load(hive, &options, &h, &err))
		ib_hive_free(h);
	return 0;
}
