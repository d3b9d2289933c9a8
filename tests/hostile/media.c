/* Discs with one thing wrong: refused with the right code, in words that name the place. */
#include "media/internal.h"
#include "tests/media_sample.h"

#include <string.h>

#include <criterion/criterion.h>

#define SECTOR ((size_t)IB_MEDIA_SECTOR)
#define PARTITION 257u

struct disc {
	uint8_t *data;
	size_t size;
};

static struct disc new_disc(void)
{
	struct disc d;

	d.data = media_sample(&d.size);
	return d;
}

static uint8_t *sector(struct disc *d, size_t lsn)
{
	return d->data + lsn * SECTOR;
}

/* The block of a file entry. */
static uint32_t entry_of(struct disc *d, const char *path)
{
	g_autoptr(GBytes) bytes = g_bytes_new(d->data, d->size);
	ib_auto_input in = ib_input_from_bytes(bytes, "disc.iso");
	ib_auto_media media = ib_media_new_empty(in);
	struct ib_media_udf_volume volume;
	g_autoptr(GArray) nodes = ib_media_nodes();
	ib_auto_error err = NULL;
	uint32_t lbn = 0;

	cr_assert(ib_media_udf_volume(in, &volume, &err));
	cr_assert(ib_media_read_udf(media, &volume, nodes, &err), "%s", err ? ib_error_cause(err) : "");
	for (guint i = 0; i < nodes->len; i++)
		if (!strcmp(g_array_index(nodes, struct ib_media_node, i).path, path))
			lbn = g_array_index(nodes, struct ib_media_node, i).lbn;
	g_free(volume.label);
	cr_assert(lbn > 0);
	return lbn;
}

static uint8_t *entry(struct disc *d, const char *path)
{
	return sector(d, PARTITION + entry_of(d, path));
}

/* Make a changed descriptor sound again. */
static void sign(uint8_t *p)
{
	ib_media_tag_write(p, ib_le16(p), ib_le16(p + 10), ib_le32(p + 12));
}

/* File identifier n of a folder; our folders lie right behind their entries. */
static uint8_t *identifier(struct disc *d, const char *folder, unsigned n)
{
	uint8_t *p = entry(d, folder) + SECTOR;

	while (n-- > 0)
		p += (38u + p[19] + 3u) & ~3u;
	cr_assert_eq(ib_le16(p), TAG_FID);
	return p;
}

/* Try a disc; code 0 = must succeed. */
static void expect(struct disc *d, bool verify, int code, const char *text)
{
	g_autoptr(GBytes) bytes = g_bytes_new(d->data, d->size);
	ib_auto_input in = ib_input_from_bytes(bytes, "disc.iso");
	ib_auto_media media = NULL;
	ib_auto_error err = NULL;
	bool ok = verify ? ib_media_verify(in, &err) : ib_media_open(in, &media, &err);
	const char *verb = verify ? "verifying" : "opening";

	cr_assert_eq(ok, code == 0, "%s '%s': %s", verb, text, ok ? "accepted" : ib_error_cause(err));
	if (ok)
		return;
	cr_expect_eq((int)ib_error_code(err), code, "%s '%s': code %d, '%s'", verb, text, ib_error_code(err),
		     ib_error_cause(err));
	cr_expect(strstr(ib_error_cause(err), text), "%s: cause '%s' lacks '%s'", verb, ib_error_cause(err), text);
	cr_expect(strstr(ib_error_cause(err), "'disc.iso'"), "cause '%s' lacks the image", ib_error_cause(err));
}

Test(media, sound_disc)
{
	struct disc d = new_disc();

	expect(&d, false, 0, "sound");
	expect(&d, true, 0, "sound");
	g_free(d.data);
}

/* One bit flipped somewhere: the verifier always sees it, the reader where it matters to it. */
Test(media, flipped_bits)
{
	struct disc d = new_disc();
	const size_t n = d.size / SECTOR - 1;
	const struct {
		size_t lsn;
		size_t at;
		bool reader_sees;
		const char *text;
	} cases[] = {
		{ 32, 30, true, "primary volume" }, { 33, 30, true, "implementation use" }, { 34, 30, true, "partition" },
		{ 35, 100, true, "logical volume" }, { 36, 20, true, "unallocated" }, { 37, 100, true, "terminating" },
		{ 32, 4, true, "checksum" }, { 35, 12, true, "checksum" },
		{ 48, 30, false, "primary volume" }, { 50, 30, false, "partition" }, { 51, 100, false, "logical volume" },
		{ 53, 13, false, "checksum" }, { 64, 120, false, "integrity" }, { 256, 20, true, "anchor" },
		{ n, 20, false, "anchor" }, { n, 2, false, "anchor" }, { PARTITION, 404, true, "file set" },
		{ PARTITION + 2, 100, true, "file entry" }, { PARTITION + 3, 30, true, "file identifier" },
		{ PARTITION + 3, 80, true, "file identifier" }, { 22, 5, true, "boot catalogue" }, { 22, 30, true, "boot catalogue" },
		{ 16, 80, false, "size of the volume" }, { 16, 87, false, "size of the volume" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		uint8_t *p = sector(&d, cases[i].lsn) + cases[i].at;
		*p ^= 0x10;
		expect(&d, true, IB_ERR_VERIFY, cases[i].text);
		expect(&d, false, cases[i].reader_sees ? IB_ERR_INPUT : 0, cases[i].text);
		*p ^= 0x10;
	}
	g_free(d.data);
}

static void put16(uint8_t *p, uint64_t v)
{
	ib_put_le16(p, (uint16_t)v);
}
static void put32(uint8_t *p, uint64_t v)
{
	ib_put_le32(p, (uint32_t)v);
}

/* One field of a file entry changed, all sums right. */
Test(media, wrong_file_entries)
{
	static const struct {
		const char *path;
		size_t at;
		void (*put)(uint8_t *, uint64_t);
		uint64_t value;
		bool reader_sees;
		const char *text;
	} cases[] = {
		{ "a/one", 180, put32, 0x00FFFFFF, true, "extent of 3 blocks at block 16777215" },
		{ "a/one", 180, put32, UINT32_MAX, true, "extent of 3 blocks" },
		{ "a/one", 176, put32, 0x3FFFFFFF, true, "'/a/one'" },
		{ "a/one", 176, put32, 1u << 30 | 6000, true, "hole" },
		{ "a/one", 176, put32, 3u << 30 | 2048, true, "allocation extent" },
		{ "a/one", 176, put32, 100, true, "6000 bytes, its extents hold 100" },
		{ "a/one", 56, put32, 60000, true, "60000 bytes, its extents hold 6000" },
		{ "a/one", 60, put32, 0x80000000, true, "its extents hold 6000" },
		{ "a/one", 56, put32, 5000, false, "5000 bytes, its extents hold 6000" },
		{ "a/one", 64, put32, 4, false, "takes 4 blocks, it takes 3" },
		{ "a/one", 160, put32, 17, false, "unique id 17" },
		{ "a/one", 168, put32, 4000, true, "leave its block" },
		{ "a/one", 168, put32, UINT32_MAX, true, "leave its block" },
		{ "a/one", 172, put32, 2000, true, "leave its block" },
		{ "a/one", 20, put16, 4096, true, "strategy" },
		{ "a/one", 27, put16, 12, true, "neither a file nor a folder" },
		{ "a/one", 27, put16, 4, true, "disagree on whether it is a folder" },
		{ "a", 27, put16, 5, true, "disagree on whether it is a folder" },
		{ "a/one", 34, put16, 2, true, "unknown kind" },
		{ "a/one", 34, put16, 3, true, "embeds less data" },
		{ "a", 56, put32, 0x40000000, true, "its extents hold" },
		{ "a", 56, put32, 50, true, "is cut off" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct disc d = new_disc();
		uint8_t *p = entry(&d, cases[i].path);
		cases[i].put(p + cases[i].at, cases[i].value);
		sign(p);
		expect(&d, true, IB_ERR_VERIFY, cases[i].text);
		expect(&d, false, cases[i].reader_sees ? IB_ERR_INPUT : 0, cases[i].text);
		g_free(d.data);
	}
}

Test(media, wrong_names)
{
	/* identifiers of /a: parent, b, one, two; of the root: parent, a, boot, wim */
	static const struct {
		unsigned n;
		const char *name; /* as long as the one it replaces */
		const char *text;
	} cases[] = {
		{ 2, "a/b", "called 'a/b'" }, { 2, "a\\b", "called 'a\\b'" }, { 2, "Two", "two entries called" },
		{ 1, ".", "called '.'" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct disc d = new_disc();
		uint8_t *p = identifier(&d, "a", cases[i].n);
		cr_assert_eq(p[19], strlen(cases[i].name) + 1);
		memcpy(p + 39, cases[i].name, strlen(cases[i].name));
		sign(p);
		expect(&d, false, IB_ERR_INPUT, cases[i].text);
		expect(&d, true, IB_ERR_VERIFY, cases[i].text);
		g_free(d.data);
	}
	struct disc d = new_disc();
	uint8_t *p = identifier(&d, "a", 2);
	p[38] = 16; /* three bytes are no number of UTF-16 units */
	sign(p);
	expect(&d, false, IB_ERR_INPUT, "no text");
	p[38] = 8;
	p[39] = 0;
	sign(p);
	expect(&d, false, IB_ERR_INPUT, "no text");
	g_free(d.data);
}

Test(media, cycles)
{
	struct disc d = new_disc();
	uint8_t *p = identifier(&d, "a", 1); /* a/b becomes the root */

	put32(p + 24, 2);
	sign(p);
	expect(&d, false, IB_ERR_INPUT, "belongs to two folders");
	expect(&d, true, IB_ERR_VERIFY, "belongs to two folders");
	put32(p + 24, 0x7FFFFFFF);
	sign(p);
	expect(&d, false, IB_ERR_INPUT, "block 2147483647 lies outside");
	g_free(d.data);
}

/* An allocation extent that continues in itself. */
Test(media, endless_chain)
{
	struct disc d = new_disc();
	uint8_t *p = entry(&d, "a/one");
	uint32_t lbn = ib_le32(p + 180), two = ib_le32(entry(&d, "a/two") + 180);
	uint8_t *q = sector(&d, PARTITION + lbn);

	put32(p + 176, 3u << 30 | 2048);
	sign(p);
	memset(q, 0, SECTOR);
	put32(q + 20, 8);
	put32(q + 24, 3u << 30 | 2048);
	put32(q + 28, lbn);
	ib_media_tag_write(q, TAG_AED, 16, lbn);
	expect(&d, false, IB_ERR_INPUT, "too many allocation extents");
	put32(p + 176, 100); /* a short extent first */
	put32(p + 180, two);
	put32(p + 184, 6000);
	put32(p + 188, two);
	put32(p + 172, 16);
	ib_media_tag_write(p, TAG_FE, 176, ib_le32(p + 12));
	expect(&d, false, IB_ERR_INPUT, "ends inside a block");
	put32(p + 176, 3u << 30 | 2048);
	put32(p + 180, lbn);
	put32(p + 172, 8);
	ib_media_tag_write(p, TAG_FE, 168, ib_le32(p + 12));
	put32(q + 20, 2040);
	sign(q);
	expect(&d, false, IB_ERR_INPUT, "leaves its block");
	put32(q + 20, 8);
	put32(q + 24, 6000); /* a chain that ends: the file's bytes are a/two's */
	put32(q + 28, two);
	sign(q);
	expect(&d, false, 0, "sound chain");
	expect(&d, true, 0, "sound chain");
	g_free(d.data);
}

Test(media, overlap_and_sharing)
{
	struct disc d = new_disc();
	uint32_t one = ib_le32(entry(&d, "a/one") + 180);
	uint8_t *two = entry(&d, "a/two");

	put32(two + 180, one); /* the same bytes twice: allowed */
	sign(two);
	expect(&d, false, 0, "shared");
	expect(&d, true, 0, "shared");
	put32(two + 180, one + 1);
	sign(two);
	expect(&d, true, IB_ERR_VERIFY, "overlap");
	put32(two + 180, 2); /* the root's entry as data */
	sign(two);
	expect(&d, true, IB_ERR_VERIFY, "overlap");
	g_free(d.data);
}

Test(media, wrong_volume_descriptors)
{
	static const struct {
		size_t lsn, at;
		uint32_t value;
		bool reader_sees;
		const char *text;
	} cases[] = {
		{ 34, 188, 100000, true, "the partition begins at sector 100000" },
		{ 34, 192, 0, true, "the partition" },
		{ 34, 192, 5, true, "the partition has 5" },
		{ 35, 212, 512, true, "blocks of 512 bytes" },
		{ 35, 240, 0x0300, true, "revision 300" },
		{ 35, 268, 2, true, "not one plain partition" },
		{ 35, 440, 0x0602, true, "not one plain partition" },
		{ 35, 252, 1000000, true, "file set lies at block 1000000" },
		{ 35, 436, 63, false, "sector 63" },
		{ 50, 200, 7, false, "sectors 34 and 50 differ" },
		{ 64, 28, 0, false, "integrity type" },
		{ 64, 84, 5, false, "size of the partition" },
		{ 64, 120, 7, false, "number of files is 7, it should be 6" },
		{ 64, 124, 5, false, "number of folders is 5, it should be 4" },
		{ 64, 40, 18, false, "unique id" },
		{ 256, 16, 2048, true, "lack a partition" },
		{ 256, 20, 1000000, true, "ends early" },
		{ 256, 24, 2048, false, "reserve sequence" },
		{ PARTITION, 404, 1, true, "file entry" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct disc d = new_disc();
		uint8_t *p = sector(&d, cases[i].lsn);
		put32(p + cases[i].at, cases[i].value);
		sign(p);
		if (cases[i].lsn == 34 || cases[i].lsn == 35) { /* both sequences alike */
			put32(p + 16 * SECTOR + cases[i].at, cases[i].value);
			sign(p + 16 * SECTOR);
		}
		if (cases[i].lsn == 256) /* both anchors alike */
			memcpy(sector(&d, d.size / SECTOR - 1) + 16, p + 16, 32), sign(sector(&d, d.size / SECTOR - 1));
		expect(&d, true, IB_ERR_VERIFY, cases[i].text);
		expect(&d, false, cases[i].reader_sees ? IB_ERR_INPUT : 0, cases[i].text);
		g_free(d.data);
	}
}

Test(media, cut_off)
{
	struct disc d = new_disc();
	size_t whole = d.size;
	static const struct {
		size_t sectors;
		const char *text;
	} cases[] = {
		{ 0, "neither" }, { 16, "neither" }, { 17, NULL }, { 200, "ends early" }, { 257, "begins at sector 257" },
		{ 258, "ends early" }, { 262, "ends early" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		d.size = cases[i].sectors * SECTOR;
		expect(&d, false, IB_ERR_INPUT, cases[i].text ? cases[i].text : "");
	}
	d.size = whole - SECTOR;
	expect(&d, true, IB_ERR_VERIFY, "anchor");
	d.size = whole - 1;
	expect(&d, true, IB_ERR_VERIFY, "no number of sectors");
	g_free(d.data);
}

/* ---- boot entries that are no file ---- */

Test(media, boot_image_that_is_no_file)
{
	struct disc d = new_disc();
	uint8_t *catalogue = sector(&d, 22), *fat = sector(&d, ib_le32(entry(&d, "a/one") + 180) + PARTITION + 1);

	put32(catalogue + 96 + 8, ib_le32(entry(&d, "a/one") + 180) + PARTITION + 1);
	expect(&d, true, IB_ERR_VERIFY, "no file begins");
	for (unsigned sound = 0; sound < 2; sound++) {
		g_autoptr(GBytes) bytes = g_bytes_new(d.data, d.size);
		ib_auto_input in = ib_input_from_bytes(bytes, "disc.iso");
		ib_auto_input image = NULL;
		ib_auto_media media = NULL;
		ib_auto_error err = NULL;
		cr_assert(ib_media_open(in, &media, &err));
		cr_expect_null(ib_media_boot(media, 1)->entry);
		cr_assert_eq(ib_media_boot_input(media, ib_media_boot(media, 1), &image, &err), sound == 1);
		if (sound)
			cr_expect_eq(ib_input_size(image), 4 * 512);
		else
			cr_expect(strstr(ib_error_cause(err), "no FAT volume"), "%s", ib_error_cause(err));
		put16(fat + 11, 512);
		put16(fat + 19, 4);
		put16(fat + 510, 0xAA55);
	}
	g_free(d.data);
}

/* A copy of the BIOS image lies where the catalogue points: the file is found by its bytes. */
Test(media, boot_image_that_lies_twice)
{
	struct disc d = new_disc();
	uint32_t bios = ib_le32(entry(&d, "boot/bios.bin") + 180) + PARTITION;
	uint32_t copy = ib_le32(entry(&d, "a/one") + 180) + PARTITION;

	memcpy(sector(&d, copy), sector(&d, bios), 4096);
	put32(sector(&d, 22) + 32 + 8, copy);
	uint8_t *one = entry(&d, "a/one"); /* no file begins there any more */
	put32(one + 180, copy + 1 - PARTITION);
	sign(one);
	g_autoptr(GBytes) bytes = g_bytes_new(d.data, d.size);
	ib_auto_input in = ib_input_from_bytes(bytes, "disc.iso");
	ib_auto_media media = NULL;
	ib_auto_error err = NULL;
	cr_assert(ib_media_open(in, &media, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_not_null(ib_media_boot(media, 0)->entry);
	cr_expect_str_eq(ib_media_boot(media, 0)->entry->path, "boot/bios.bin");
	expect(&d, true, IB_ERR_VERIFY, "overlap");
	g_free(d.data);
}

/* ---- ISO 9660: the same disc without its UDF side holds README.TXT ---- */

static struct disc iso_disc(void)
{
	struct disc d = new_disc();

	memset(sector(&d, 20), 0, SECTOR);
	return d;
}

/* The README's record is at byte 68 of the root folder in sector 25. */
Test(media, wrong_directory_records)
{
	static const struct {
		size_t at;
		uint8_t bytes[8];
		size_t count;
		const char *text;
	} cases[] = {
		{ 0, { 33 }, 1, "does not fit into its sector" },
		{ 32, { 12 }, 1, "name does not fit" },
		{ 32, { 0 }, 1, "name does not fit" },
		{ 2, { 27 }, 1, "byte orders disagree" },
		{ 2, { 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF }, 8, "extent ends at byte" },
		{ 26, { 1 }, 1, "interleaved" },
		{ 25, { 0x80 }, 1, "lacks its last extent" },
		{ 25, { 2 }, 1, "record at byte 0" },
		{ 33, { '.', '.', '/' }, 3, "no file name" },
		{ 33, { 'A', 0x80 }, 2, "no text" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct disc d = iso_disc();
		memcpy(sector(&d, 25) + 68 + cases[i].at, cases[i].bytes, cases[i].count);
		expect(&d, false, IB_ERR_INPUT, cases[i].text);
		g_free(d.data);
	}
}

Test(media, iso_cycle)
{
	struct disc d = iso_disc();
	uint8_t *p = sector(&d, 25) + 68;

	expect(&d, false, 0, "sound");
	expect(&d, true, IB_ERR_INPUT, "no UDF volume");
	memcpy(p + 2, sector(&d, 25) + 2, 16); /* README.TXT becomes the root */
	p[25] = 2;
	expect(&d, false, IB_ERR_INPUT, "same as another one");
	g_free(d.data);
}

Test(media, iso_duplicate)
{
	struct disc d = iso_disc();
	uint8_t *p = sector(&d, 25) + 68;

	memcpy(p + 44, p, 44);
	memcpy(p + 44 + 33, "readme.txt", 10);
	expect(&d, false, IB_ERR_INPUT, "two entries called 'readme.txt'");
	g_free(d.data);
}

/* Level 3: a file of two records, the first of which says that there is more. */
Test(media, iso_several_extents)
{
	struct disc d = iso_disc();
	uint8_t *p = sector(&d, 25) + 68;
	uint32_t size = ib_le32(p + 10);

	memcpy(p + 44, p, 44);
	p[25] = 0x80;
	g_autoptr(GBytes) bytes = g_bytes_new(d.data, d.size);
	ib_auto_input in = ib_input_from_bytes(bytes, "disc.iso");
	ib_auto_media media = NULL;
	ib_auto_error err = NULL;
	cr_assert(ib_media_open(in, &media, &err), "%s", err ? ib_error_cause(err) : "");
	cr_assert_eq(ib_media_count(media), 1);
	cr_expect_eq(ib_media_entry(media, 0)->extent_count, 2);
	cr_expect_eq(ib_media_entry(media, 0)->size, 2 * size);
	p[44 + 33] = 'X'; /* the rest belongs to another file */
	expect(&d, false, IB_ERR_INPUT, "lacks its last extent");
	g_free(d.data);
}
