#include "pe.h"

#include <string.h>

#include "petext.h"

#define FILE_ALIGN 0x200u
#define SECTION_ALIGN 0x1000u
#define PE_OFFSET 0x80u
#define TIMESTAMP 0x5b9b2e00u /* fixed: 2018-09-14 */
#define SECTIONS 5

enum { TEXT, RDATA, PDATA, RSRC, RELOC };

enum machine { I386 = 0x14c, AMD64 = 0x8664, ARM64 = 0xaa64 };

#define RT_VERSION 16
#define LANG_EN_US 0x409

struct section {
	const char *name;
	uint32_t flags;
	GByteArray *data;
	uint32_t rva;
	uint32_t offset;
};

struct image {
	bool wide; /* PE32+ */
	uint16_t machine;
	struct section sections[SECTIONS]; /* one that is empty is left out */
	bool has_code;
	struct lab_text code;
	uint32_t code_at;   /* where it begins in .text */
	/* where parts of .rdata begin in it */
	uint32_t thunks, descriptors, unwind, data;
	GArray *relocs;     /* uint32_t: RVAs of addresses, ascending */
};

static uint32_t align(uint64_t value, uint32_t to)
{
	return (uint32_t)((value + to - 1) / to * to);
}

static void put(GByteArray *out, const void *data, size_t len)
{
	if (len) /* an empty GBytes has no address */
		g_byte_array_append(out, data, (guint)len);
}

static void put16(GByteArray *out, unsigned v)
{
	uint8_t b[2];

	ib_put_le16(b, (uint16_t)v);
	put(out, b, 2);
}

static void put32(GByteArray *out, uint32_t v)
{
	uint8_t b[4];

	ib_put_le32(b, v);
	put(out, b, 4);
}

/* An address: 4 bytes in PE32, 8 in PE32+. */
static void put_address(GByteArray *out, bool wide, uint64_t v)
{
	uint8_t b[8];

	ib_put_le64(b, v);
	put(out, b, wide ? 8 : 4);
}

static void pad(GByteArray *out, uint32_t to)
{
	guint from = out->len;

	g_byte_array_set_size(out, align(from, to));
	if (out->len > from)
		memset(out->data + from, 0, out->len - from);
}

/* ---- payload ---- */

/* xorshift64*: small, and the same everywhere */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

static uint64_t random_start(uint64_t seed, const char *label)
{
	uint8_t digest[IB_SHA256_SIZE];
	g_autofree char *text = g_strdup_printf("imglab payload %" PRIu64 " %s", seed, label);

	ib_digest_bytes(IB_DIGEST_SHA256, text, strlen(text), digest);
	return ib_le64(digest) | 1;
}

/* Short runs of new bytes between copies of earlier ones: what code looks like to a compressor. */
GBytes *lab_payload(uint64_t seed, const char *label, size_t len)
{
	uint64_t state = random_start(seed, label);
	uint8_t *out = g_malloc(len + 1);

	for (size_t at = 0; at < len;) {
		uint64_t r = next_random(&state);
		size_t run = MIN(4 + (r & 31), len - at);

		if (at > 64 && (r >> 8) % 3 != 0) {
			size_t back = 1 + (size_t)((r >> 16) % MIN(at, (size_t)8192));

			for (size_t i = 0; i < run; i++, at++)
				out[at] = out[at - back];
		} else {
			for (size_t i = 0; i < run; i++)
				out[at++] = (uint8_t)(next_random(&state) >> 56);
		}
	}
	return g_bytes_new_take(out, len);
}

/* Change a few bytes here and there and move a block: a later build of the same program. */
static void vary(GByteArray *code, uint64_t seed, const char *name, unsigned variant)
{
	if (variant == 0 || code->len < 64)
		return;
	g_autofree char *label = g_strdup_printf("%s variant %u", name, variant);
	uint64_t state = random_start(seed, label);

	for (guint i = 0; i < 1 + code->len / 2048; i++) {
		guint at = (guint)(next_random(&state) % (code->len - 4));

		ib_put_le32(code->data + at, (uint32_t)next_random(&state));
	}
	guint cut = 16 + (guint)(next_random(&state) % 32), at = (guint)(next_random(&state) % (code->len / 2));
	uint8_t fresh[48];
	for (guint i = 0; i < cut; i++)
		fresh[i] = (uint8_t)(next_random(&state) >> 56);
	memmove(code->data + at + cut, code->data + at, code->len - at - cut);
	memcpy(code->data + at, fresh, cut);
}

/* ---- version resource ---- */

/* A block of VS_VERSIONINFO: its length is patched in when its children are there. */
static guint open_block(GByteArray *out, const char *key, unsigned value_len, bool text)
{
	size_t bytes;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(key, &bytes);

	pad(out, 4);
	guint start = out->len;
	put16(out, 0);
	put16(out, value_len);
	put16(out, text);
	put(out, wide, bytes);
	put16(out, 0);
	pad(out, 4);
	return start;
}

static void close_block(GByteArray *out, guint start)
{
	ib_put_le16(out->data + start, (uint16_t)(out->len - start));
}

static void put_string(GByteArray *out, const char *key, const char *value)
{
	size_t bytes;
	g_autofree uint8_t *wide = ib_utf8_to_utf16(value, &bytes);
	guint start = open_block(out, key, (unsigned)(bytes / 2 + 1), true);

	put(out, wide, bytes);
	put16(out, 0);
	close_block(out, start);
}

static void put_fixed_info(GByteArray *out, const char *version, bool dll)
{
	unsigned v[4] = { 0 };
	g_auto(GStrv) parts = g_strsplit(version, ".", 4);

	for (int i = 0; i < 4 && parts[i]; i++)
		v[i] = (unsigned)g_ascii_strtoull(parts[i], NULL, 10);
	const uint32_t fixed[] = {
		0xfeef04bd, 0x10000, v[0] << 16 | v[1], v[2] << 16 | v[3], v[0] << 16 | v[1], v[2] << 16 | v[3],
		0x3f, 0, 0x40004, dll ? 2 : 1, 0, 0, 0,
	};
	for (size_t i = 0; i < G_N_ELEMENTS(fixed); i++)
		put32(out, fixed[i]);
}

static GByteArray *version_info(const struct lab_pe *pe, bool dll)
{
	GByteArray *out = g_byte_array_new();
	const char *version = pe->version ? pe->version : "10.0.0.0";
	guint root = open_block(out, "VS_VERSION_INFO", 52, false);

	put_fixed_info(out, version, dll);
	guint strings = open_block(out, "StringFileInfo", 0, true);
	guint table = open_block(out, "040904B0", 0, true);
	put_string(out, "CompanyName", "Imglab");
	put_string(out, "FileDescription", pe->description ? pe->description : pe->name);
	put_string(out, "FileVersion", version);
	put_string(out, "InternalName", pe->name);
	put_string(out, "OriginalFilename", pe->name);
	put_string(out, "ProductName", "Imglab laboratory system");
	put_string(out, "ProductVersion", version);
	close_block(out, table);
	close_block(out, strings);
	guint vars = open_block(out, "VarFileInfo", 0, true);
	guint translation = open_block(out, "Translation", 4, false);
	put16(out, LANG_EN_US);
	put16(out, 1200);
	close_block(out, translation);
	close_block(out, vars);
	close_block(out, root);
	return out;
}

/* ---- resource section ---- */

struct resource {
	uint16_t type, id;
	const void *data;
	gsize size;
};

static void put_directory(GByteArray *out, unsigned entries)
{
	put32(out, 0); /* characteristics */
	put32(out, 0); /* time stamp */
	put32(out, 0); /* version */
	put16(out, 0); /* named entries */
	put16(out, entries);
}

/* Three levels: type, name, language; then data entries; then the data. Sorted by type. */
static GByteArray *resource_section(const struct resource *list, unsigned count, uint32_t rva)
{
	GByteArray *out = g_byte_array_new();
	const uint32_t dir = 16, entry = 8, leaf = 16, subdir = 0x80000000u;
	uint32_t names = dir + count * entry;
	uint32_t languages = names + count * (dir + entry);
	uint32_t leaves = languages + count * (dir + entry);
	uint32_t data = align(leaves + count * leaf, 8);

	put_directory(out, count);
	for (unsigned i = 0; i < count; i++) {
		put32(out, list[i].type);
		put32(out, subdir | (names + i * (dir + entry)));
	}
	for (unsigned i = 0; i < count; i++) {
		put_directory(out, 1);
		put32(out, list[i].id);
		put32(out, subdir | (languages + i * (dir + entry)));
	}
	for (unsigned i = 0; i < count; i++) {
		put_directory(out, 1);
		put32(out, LANG_EN_US);
		put32(out, leaves + i * leaf);
	}
	for (unsigned i = 0; i < count; i++) {
		put32(out, rva + data);
		put32(out, (uint32_t)list[i].size);
		put32(out, 0); /* code page */
		put32(out, 0);
		data = align(data + list[i].size, 8);
	}
	for (unsigned i = 0; i < count; i++) {
		pad(out, 8);
		put(out, list[i].data, list[i].size);
	}
	return out;
}

static GByteArray *make_resources(const struct lab_pe *pe, bool dll, uint32_t rva)
{
	g_autoptr(GByteArray) version = version_info(pe, dll);
	struct resource list[2] = { { RT_VERSION, 1, version->data, version->len } };
	unsigned count = 1;

	if (pe->resource_type) {
		struct resource extra = { .type = pe->resource_type, .id = pe->resource_id };

		extra.data = g_bytes_get_data(pe->resource, &extra.size);
		if (extra.type < RT_VERSION)
			list[1] = list[0];
		list[extra.type < RT_VERSION ? 0 : 1] = extra;
		count = 2;
	}
	return resource_section(list, count, rva);
}

/* ---- imports ---- */

static const struct {
	const char *library;
	const char *functions[4];
} imports[] = {
	{ "KERNEL32.dll", { "GetLastError", "HeapAlloc", "CloseHandle" } },
	{ "ntdll.dll", { "NtClose", "RtlGetVersion" } },
};
#define IMPORTS 5u

/* ---- headers ---- */

static uint64_t image_base(const struct image *image)
{
	return image->wide ? 0x180000000ULL : 0x10000000ULL;
}

static uint32_t end_of(const struct image *image)
{
	const struct section *last = &image->sections[SECTIONS - 1];

	return align((uint64_t)last->rva + last->data->len, SECTION_ALIGN);
}

static uint32_t headers_size(void)
{
	return FILE_ALIGN * 2;
}

static void put_dos_header(GByteArray *out)
{
	/* A program that only ends: mov ax,4c01h; int 21h */
	static const uint8_t stub[] = { 0xb8, 0x01, 0x4c, 0xcd, 0x21 };

	put(out, "MZ", 2);
	put16(out, 0x90); /* bytes in the last page */
	put16(out, 3);    /* pages */
	put16(out, 0);
	put16(out, 4);    /* header paragraphs */
	put16(out, 0);
	put16(out, 0xffff);
	put16(out, 0);
	put16(out, 0xb8);
	pad(out, 0x3c);
	put32(out, PE_OFFSET);
	put(out, stub, sizeof(stub));
	pad(out, PE_OFFSET);
}

static void put_coff_header(GByteArray *out, const struct image *image, bool dll)
{
	put(out, "PE\0\0", 4);
	put16(out, image->machine);
	put16(out, image->sections[PDATA].data->len ? SECTIONS : SECTIONS - 1);
	put32(out, TIMESTAMP);
	put32(out, 0);
	put32(out, 0);
	put16(out, image->wide ? 240 : 224);
	put16(out, 0x2 | (image->wide ? 0x20 : 0x100) | (dll ? 0x2000 : 0));
}

static void put_directories(GByteArray *out, const struct image *image)
{
	static const uint8_t of[] = { [2] = RSRC, [3] = PDATA, [5] = RELOC }; /* 0, .text: none */
	uint32_t rdata = image->sections[RDATA].rva;

	for (unsigned i = 0; i < 16; i++) {
		const struct section *s = &image->sections[i < sizeof(of) ? of[i] : 0];
		uint32_t rva = s->rva, size = s->data->len;

		if (s == image->sections || size == 0)
			rva = size = 0;
		if (image->has_code && i == 1) { /* imports */
			rva = rdata + image->descriptors;
			size = 20 * (G_N_ELEMENTS(imports) + 1);
		}
		if (image->has_code && i == 12) { /* their thunks */
			rva = rdata + image->thunks;
			size = image->descriptors - image->thunks;
		}
		put32(out, rva);
		put32(out, size);
	}
}

/* The offset of the checksum in the file. */
#define CHECKSUM_OFFSET (PE_OFFSET + 24 + 64)

static void put_optional_header(GByteArray *out, const struct image *image, bool dll)
{
	const struct section *s = image->sections;

	put16(out, image->wide ? 0x20b : 0x10b);
	put16(out, 0x0e); /* linker 14.0 */
	put32(out, align(s[TEXT].data->len, FILE_ALIGN));
	put32(out, align(s[RDATA].data->len, FILE_ALIGN) + align(s[PDATA].data->len, FILE_ALIGN) +
			   align(s[RSRC].data->len, FILE_ALIGN) + align(s[RELOC].data->len, FILE_ALIGN));
	put32(out, 0);
	put32(out, s[TEXT].rva); /* entry point */
	put32(out, s[TEXT].rva);
	if (!image->wide)
		put32(out, s[RDATA].rva);
	put_address(out, image->wide, image_base(image));
	put32(out, SECTION_ALIGN);
	put32(out, FILE_ALIGN);
	put16(out, 10); /* operating system, image, subsystem versions */
	put16(out, 0);
	put16(out, 10);
	put16(out, 0);
	put16(out, 10);
	put16(out, 0);
	put32(out, 0);
	put32(out, end_of(image));
	put32(out, headers_size());
	put32(out, 0); /* checksum, later */
	put16(out, dll ? 2 : 3); /* GUI, console */
	put16(out, image->wide ? 0x160 : 0x140); /* relocatable, DEP, 64-bit entropy */
	put_address(out, image->wide, 0x100000);
	put_address(out, image->wide, 0x1000);
	put_address(out, image->wide, 0x100000);
	put_address(out, image->wide, 0x1000);
	put32(out, 0);
	put32(out, 16);
	put_directories(out, image);
}

static void put_section_headers(GByteArray *out, const struct image *image)
{
	for (int i = 0; i < SECTIONS; i++) {
		const struct section *s = &image->sections[i];
		char name[8] = { 0 };

		if (s->data->len == 0)
			continue;
		memcpy(name, s->name, MIN(strlen(s->name), sizeof(name)));
		put(out, name, sizeof(name));
		put32(out, s->data->len);
		put32(out, s->rva);
		put32(out, align(s->data->len, FILE_ALIGN));
		put32(out, s->offset);
		for (int zero = 0; zero < 3; zero++)
			put32(out, 0);
		put32(out, s->flags);
	}
}

/* The sum the image loader checks: 16-bit words with carry, plus the length. */
static uint32_t checksum(const GByteArray *out)
{
	uint32_t sum = 0;

	for (guint i = 0; i + 1 < out->len; i += 2) {
		sum += ib_le16(out->data + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum + out->len;
}

/* ---- putting it together ---- */

/* Code begins with a return; a table of addresses begins .rdata, so that there is something to relocate. */
#define POINTERS 8u

/* The place of an imported function among the thunks: each library's end with an empty one. */
static unsigned thunk_of(unsigned number)
{
	return number < 3 ? number : number + 1;
}
#define THUNKS (IMPORTS + G_N_ELEMENTS(imports))

/* A quarter of a program is code, if we know the machine's; the rest of .text and .rdata is what looks like it. */
static void make_text(const struct lab_pe *pe, struct image *image)
{
	static const uint8_t ret_x86[] = { 0x33, 0xc0, 0x40, 0xc2, 0x0c, 0x00, 0xcc, 0xcc };
	static const uint8_t ret_amd64[] = { 0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3, 0xcc, 0xcc };
	static const uint8_t ret_arm64[] = { 0x20, 0x00, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6 };
	size_t code_bytes = image->has_code ? pe->payload_bytes / 4 : 0;
	g_autoptr(GBytes) more = lab_payload(pe->seed, pe->name, pe->payload_bytes / 2 - code_bytes);
	gsize len;
	const void *data = g_bytes_get_data(more, &len);
	g_autoptr(GByteArray) body = g_byte_array_new();
	GByteArray *out = image->sections[TEXT].data = g_byte_array_new();

	put(out, image->machine == I386 ? ret_x86 : image->machine == AMD64 ? ret_amd64 : ret_arm64, 8);
	if (image->has_code) {
		const struct lab_text_plan plan = { .seed = random_start(pe->seed, pe->name), .bytes = code_bytes,
						    .amd64 = image->wide, .variant = pe->variant, .imports = IMPORTS,
						    .data_bytes = (uint32_t)MAX(pe->payload_bytes / 2, 64) };
		pad(out, 16);
		image->code_at = out->len;
		lab_text_make(&image->code, &plan);
		put(out, image->code.bytes->data, image->code.bytes->len);
	}
	put(body, data, len);
	vary(body, pe->seed, pe->name, pe->variant);
	put(out, body->data, body->len);
}

static uint32_t function_rva(const struct image *image, unsigned number)
{
	const GArray *f = image->code.functions;

	return image->sections[TEXT].rva + image->code_at + g_array_index(f, struct lab_function, number % f->len).begin;
}

/* Tables of imports: thunks, descriptors, the same thunks again for look-up, names. */
static void put_imports(struct image *image, GByteArray *out, uint32_t rva)
{
	uint32_t step = image->wide ? 8 : 4, names[IMPORTS], libraries[G_N_ELEMENTS(imports)], n = 0;

	image->thunks = out->len;
	image->descriptors = image->thunks + THUNKS * step;
	uint32_t lookup = align(image->descriptors + 20 * (G_N_ELEMENTS(imports) + 1), 8), at = lookup + THUNKS * step;
	g_byte_array_set_size(out, at);
	memset(out->data + image->thunks, 0, at - image->thunks);
	for (unsigned i = 0; i < G_N_ELEMENTS(imports); i++) {
		for (unsigned k = 0; imports[i].functions[k]; k++, n++) {
			names[n] = rva + out->len;
			put16(out, n * 7); /* hint */
			put(out, imports[i].functions[k], strlen(imports[i].functions[k]) + 1);
			pad(out, 2);
		}
		libraries[i] = rva + out->len;
		put(out, imports[i].library, strlen(imports[i].library) + 1);
		pad(out, 2);
	}
	for (n = 0; n < IMPORTS; n++) {
		ib_put_le32(out->data + image->thunks + thunk_of(n) * step, names[n]);
		ib_put_le32(out->data + lookup + thunk_of(n) * step, names[n]);
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(imports); i++) {
		uint8_t *d = out->data + image->descriptors + 20 * i;
		uint32_t first = thunk_of(i ? 3 : 0) * step;

		ib_put_le32(d, rva + lookup + first);
		ib_put_le32(d + 12, libraries[i]);
		ib_put_le32(d + 16, rva + image->thunks + first);
	}
	pad(out, 8);
}

/* Two kinds of unwinding: room of 28h on the stack, without and with a handler. */
static void put_unwind(struct image *image, GByteArray *out)
{
	image->unwind = out->len;
	put(out, "\x01\x04\x01\x00\x04\x42\x00\x00", 8);
	put(out, "\x09\x04\x01\x00\x04\x42\x00\x00", 8);
	put32(out, function_rva(image, 1));
	put32(out, 0);
}

static void make_rdata(const struct lab_pe *pe, struct image *image)
{
	g_autofree char *label = g_strconcat(pe->name, " data", NULL);
	g_autoptr(GBytes) more = lab_payload(pe->seed, label, pe->payload_bytes - pe->payload_bytes / 2);
	gsize len;
	const void *data = g_bytes_get_data(more, &len);
	uint32_t rva = image->sections[RDATA].rva;
	GByteArray *out = image->sections[RDATA].data = g_byte_array_new();

	for (unsigned i = 0; i < POINTERS; i++)
		put_address(out, image->wide, image_base(image) + (image->has_code ? function_rva(image, 3 * i) :
								   image->sections[TEXT].rva + i));
	if (image->has_code)
		put_imports(image, out, rva);
	if (image->has_code && image->wide)
		put_unwind(image, out);
	image->data = out->len;
	put(out, data, len);
	pad(out, 8);
}

/* Which function is where, for whoever unwinds the stack: 64-bit programs. */
static void make_pdata(struct image *image)
{
	GByteArray *out = image->sections[PDATA].data = g_byte_array_new();
	uint32_t text = image->sections[TEXT].rva + image->code_at, unwind = image->sections[RDATA].rva + image->unwind;

	for (guint i = 0; image->has_code && image->wide && i < image->code.functions->len; i++) {
		const struct lab_function *f = &g_array_index(image->code.functions, struct lab_function, i);

		put32(out, text + f->begin);
		put32(out, text + f->end);
		put32(out, unwind + (i % 11 == 5 ? 8 : 0));
	}
}

/* Fill in what the code refers to, now that everything has its place. */
static void resolve(struct image *image)
{
	uint32_t text = image->sections[TEXT].rva + image->code_at, rdata = image->sections[RDATA].rva;
	uint32_t step = image->wide ? 8 : 4;

	for (guint i = 0; image->has_code && i < image->code.refs->len; i++) {
		const struct lab_ref *r = &g_array_index(image->code.refs, struct lab_ref, i);
		uint32_t to = r->kind == LAB_REF_FUNCTION ? function_rva(image, r->number) :
			      r->kind == LAB_REF_IMPORT	  ? rdata + image->thunks + thunk_of(r->number) * step :
							    rdata + image->data + r->number;
		uint32_t here = text + r->at;

		if (r->absolute)
			g_array_append_val(image->relocs, here);
		ib_put_le32(image->sections[TEXT].data->data + image->code_at + r->at,
			    r->absolute ? (uint32_t)image_base(image) + to : to - (here + 4));
	}
	for (unsigned i = 0; i < POINTERS; i++) {
		uint32_t here = rdata + i * step;

		g_array_append_val(image->relocs, here);
	}
}

/* A block for each page. */
static void make_reloc(struct image *image)
{
	GByteArray *out = image->sections[RELOC].data = g_byte_array_new();
	unsigned type = image->wide ? 10 : 3;
	const GArray *all = image->relocs;

	for (guint i = 0; i < all->len;) {
		uint32_t page = g_array_index(all, uint32_t, i) & ~0xfffu, n = 0;

		while (i + n < all->len && (g_array_index(all, uint32_t, i + n) & ~0xfffu) == page)
			n++;
		put32(out, page);
		put32(out, 8 + 2 * (n + n % 2));
		for (; n > 0; n--, i++)
			put16(out, type << 12 | (g_array_index(all, uint32_t, i) & 0xfff));
		pad(out, 4);
	}
}

static uint32_t behind(const struct section *s)
{
	return align((uint64_t)s->rva + s->data->len, SECTION_ALIGN);
}

static void make_sections(const struct lab_pe *pe, struct image *image, bool dll)
{
	static const struct {
		const char *name;
		uint32_t flags;
	} kinds[SECTIONS] = { { ".text", 0x60000020 }, { ".rdata", 0x40000040 }, { ".pdata", 0x40000040 },
			      { ".rsrc", 0x40000040 }, { ".reloc", 0x42000040 } };
	struct section *s = image->sections;
	uint32_t offset = headers_size();

	for (unsigned i = 0; i < SECTIONS; i++)
		s[i] = (struct section){ .name = kinds[i].name, .flags = kinds[i].flags, .rva = SECTION_ALIGN };
	make_text(pe, image);
	s[RDATA].rva = behind(&s[TEXT]);
	make_rdata(pe, image);
	s[PDATA].rva = behind(&s[RDATA]);
	make_pdata(image);
	s[RSRC].rva = behind(&s[PDATA]);
	s[RSRC].data = make_resources(pe, dll, s[RSRC].rva);
	s[RELOC].rva = behind(&s[RSRC]);
	resolve(image);
	make_reloc(image);
	for (int i = 0; i < SECTIONS; i++) {
		s[i].offset = offset;
		offset += align(s[i].data->len, FILE_ALIGN);
	}
}

GBytes *lab_pe_build(const struct lab_pe *pe)
{
	bool dll = !g_str_has_suffix(pe->name, ".exe");
	const char *arch = pe->arch ? pe->arch : "amd64";
	struct image image = { .machine = g_str_equal(arch, "amd64")   ? AMD64
					  : g_str_equal(arch, "arm64") ? ARM64
								       : I386 };
	GByteArray *out = g_byte_array_new();

	image.wide = image.machine != I386;
	image.has_code = image.machine != ARM64;
	image.relocs = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	make_sections(pe, &image, dll);
	put_dos_header(out);
	put_coff_header(out, &image, dll);
	put_optional_header(out, &image, dll);
	put_section_headers(out, &image);
	pad(out, headers_size());
	for (int i = 0; i < SECTIONS; i++) {
		put(out, image.sections[i].data->data, image.sections[i].data->len);
		pad(out, FILE_ALIGN);
		g_byte_array_unref(image.sections[i].data);
	}
	ib_put_le32(out->data + CHECKSUM_OFFSET, checksum(out));
	g_array_unref(image.relocs);
	if (image.has_code)
		lab_text_fini(&image.code);
	return g_byte_array_free_to_bytes(out);
}

/* ---- the digest in catalogs ---- */

/* From the start of the PE signature. */
enum { OPTIONAL_HEADER = 24, CHECKSUM = OPTIONAL_HEADER + 64, CERTIFICATES_32 = OPTIONAL_HEADER + 128,
       CERTIFICATES_64 = OPTIONAL_HEADER + 144, OPTIONAL_HEADER_MIN = CERTIFICATES_64 + 8 };

bool lab_pe_digest(const void *data, size_t len, enum ib_digest_algorithm algorithm, uint8_t *ret)
{
	const uint8_t *file = data;
	uint32_t pe = len >= 64 ? ib_le32(file + 60) : 0;
	static const uint8_t zeros[8];

	if (len < 64 || memcmp(file, "MZ", 2) != 0 || pe > len || len - pe < OPTIONAL_HEADER_MIN ||
	    memcmp(file + pe, "PE\0\0", 4) != 0)
		return false;
	bool wide = ib_le16(file + pe + OPTIONAL_HEADER) == 0x20b;
	size_t entry = pe + (wide ? CERTIFICATES_64 : CERTIFICATES_32);
	uint64_t certificates = ib_le32(file + entry), size = ib_le32(file + entry + 4);
	uint64_t end = certificates ? certificates : len;
	if (certificates && (certificates < entry + 8 || certificates + size != len))
		return false;
	struct ib_digest *d = ib_digest_new(algorithm);
	ib_digest_update(d, file, pe + CHECKSUM);
	ib_digest_update(d, file + pe + CHECKSUM + 4, entry - pe - CHECKSUM - 4);
	ib_digest_update(d, file + entry + 8, (size_t)end - entry - 8);
	ib_digest_update(d, zeros, (size_t)(8 - end % 8) % 8); /* certificates begin at a multiple of 8 */
	ib_digest_final(d, ret);
	ib_digest_free(d);
	return true;
}
