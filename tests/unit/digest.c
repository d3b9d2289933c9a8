#include <criterion/criterion.h>
#include <string.h>

#include "digest/digest.h"

/* "abc" by each algorithm: FIPS 180-4, GB/T 32905, RFC 1321. */
static const struct {
	enum ib_digest_algorithm algorithm;
	const char *name, *abc;
} vectors[] = {
	{ IB_DIGEST_SHA1, "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ IB_DIGEST_SHA256, "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ IB_DIGEST_SM3, "sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" },
	{ IB_DIGEST_MD5, "md5", "900150983cd24fb0d6963f7d28e17f72" },
};

Test(digest, published_vectors)
{
	for (size_t i = 0; i < G_N_ELEMENTS(vectors); i++) {
		enum ib_digest_algorithm found;
		uint8_t sum[IB_DIGEST_MAX];
		ib_digest_bytes(vectors[i].algorithm, "abc", 3, sum);
		g_autofree char *hex = ib_hex(sum, ib_digest_size(vectors[i].algorithm));
		cr_expect_str_eq(hex, vectors[i].abc);
		cr_expect(ib_digest_by_name(vectors[i].name, &found) && found == vectors[i].algorithm);
	}
}

/* Sizes around the block of 1 MiB: one read, several threads, the same sums as in one go. */
Test(digest, several_of_one_read)
{
	static const size_t sizes[] = { 0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 * (1 << 20) + 7 };
	static const enum ib_digest_algorithm all[] = { IB_DIGEST_SHA1, IB_DIGEST_SHA256, IB_DIGEST_SM3 };

	for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
		uint8_t *data = g_malloc(sizes[i] + 1), sums[3][IB_DIGEST_MAX], one[IB_DIGEST_MAX];
		ib_auto_error err = NULL;
		for (size_t k = 0; k < sizes[i]; k++)
			data[k] = (uint8_t)(k * 31 + (k >> 11));
		g_autoptr(GBytes) bytes = g_bytes_new_take(data, sizes[i]);
		ib_auto_input in = ib_input_from_bytes(bytes, "data");
		cr_assert(ib_digest_input(in, all, 3, sums, NULL, &err));
		for (size_t a = 0; a < 3; a++) {
			ib_digest_bytes(all[a], data, sizes[i], one);
			cr_expect_eq(memcmp(one, sums[a], ib_digest_size(all[a])), 0, "size %zu, %s", sizes[i], ib_digest_name(all[a]));
		}
	}
}

/* RFC 4122 name space DNS; the value Python's uuid5 gives. */
Test(digest, names_become_uuids)
{
	static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };
	uint8_t id[16];

	ib_uuid5(dns, "python.org", id);
	g_autofree char *text = ib_uuid_text(id);
	cr_expect_str_eq(text, "886313e1-3b8a-5372-9b90-0c9aee199e5d");
}

Test(digest, crc32_check_value)
{
	cr_expect_eq(ib_crc32(0, "123456789", 9), 0xCBF43926u);
	cr_expect_eq(ib_crc32(ib_crc32(0, "1234", 4), "56789", 5), 0xCBF43926u);
}
