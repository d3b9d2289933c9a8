#include "delta.h"

#include <string.h>

#include "base/bytes.h"
#include "deltaprogram.h"

/* Kinds of targets a maker may choose from, and the one chosen: any bytes. */
#define TYPES_USUAL 0x0F
#define TYPE_RAW 1
#define HASH_SHA256 0x800C
/* PA31: size of its maker's structure, its version, the oldest reader that takes it. */
#define INFO_SIZE 0x88
#define INFO_PA31 1
#define INFO_CLIENT 10
/* "Ignore the limit of file sizes": what compressed manifests are made with. */
#define DCM_FLAGS 0x20000
#define BLOCK_BYTES 65536u

static const uint8_t *bytes_of(GBytes *bytes, size_t *ret_size)
{
	gsize size = 0;
	const uint8_t *data = bytes ? g_bytes_get_data(bytes, &size) : NULL;

	*ret_size = size;
	return data;
}

static void put_hash(struct lab_bits *b, GBytes *bytes)
{
	uint8_t hash[IB_SHA256_SIZE];
	size_t size;
	const uint8_t *data = bytes_of(bytes, &size);

	ib_digest_bytes(IB_DIGEST_SHA256, data, size, hash);
	lab_bits_buffer(b, hash, sizeof(hash));
}

static void put_fields(struct lab_bits *b, const struct lab_delta *d, const struct lab_program *program)
{
	lab_bits_int(b, TYPES_USUAL);
	lab_bits_int(b, program->preprocess ? (int64_t)program->type : TYPE_RAW);
	lab_bits_int(b, program->preprocess ? (int64_t)program->flags : (int64_t)d->flags);
	lab_bits_int(b, d->claim ? (int64_t)d->claim : (int64_t)g_bytes_get_size(d->target));
	lab_bits_int(b, d->no_hash ? 0 : HASH_SHA256);
	if (d->no_hash)
		lab_bits_buffer(b, NULL, 0);
	else
		put_hash(b, d->target);
}

/* The same in a stream of its own, with the source's hash. */
static void put_metadata(struct lab_bits *out, const struct lab_delta *d, const struct lab_program *program)
{
	struct lab_bits b = lab_bits_begin();

	put_fields(&b, d, program);
	lab_bits_int(&b, INFO_SIZE);
	lab_bits_int(&b, INFO_PA31);
	lab_bits_int(&b, INFO_CLIENT);
	if (d->source && !d->no_hash)
		put_hash(&b, d->source);
	else
		lab_bits_buffer(&b, NULL, 0);
	g_autoptr(GByteArray) metadata = lab_bits_end(&b);
	lab_bits_buffer(out, metadata->data, metadata->len);
}

static GByteArray *encode(const struct lab_delta *d, const struct lab_parse *p)
{
	return lab_patch(p, d->codes, d->block_bytes ? d->block_bytes : BLOCK_BYTES);
}

/* The patch against the transformed source; without one when the files are no such programs. */
static GByteArray *encode_program(const struct lab_delta *d, const struct lab_parse *raw, uint8_t *all,
				  struct lab_program *program)
{
	struct lab_parse p = { .all = all, .source = raw->source, .size = raw->size, .no_shifts = true };

	if (!lab_program_transform(all, p.source, all + p.source, p.size - p.source, d->flags, raw, program))
		return NULL;
	memcpy(all, program->source, p.source);
	lab_parse(&p);
	GByteArray *patch = encode(d, &p);
	lab_parse_fini(&p);
	return patch;
}

static GByteArray *make_patch(const struct lab_delta *d, struct lab_program *program)
{
	struct lab_parse p = { 0 };
	size_t target_size;
	const uint8_t *source = bytes_of(d->source, &p.source), *target = bytes_of(d->target, &target_size);
	g_autofree uint8_t *all = g_malloc(p.source + target_size + 1);
	GByteArray *patch = NULL;

	if (p.source)
		memcpy(all, source, p.source);
	if (target_size)
		memcpy(all + p.source, target, target_size);
	p.all = all;
	p.size = p.source + target_size;
	lab_parse(&p);
	if (d->program && p.source)
		patch = encode_program(d, &p, all, program);
	if (!patch)
		patch = encode(d, &p);
	lab_parse_fini(&p);
	return patch;
}

GBytes *lab_delta_make(const struct lab_delta *d)
{
	struct lab_bits b = lab_bits_begin();
	struct lab_program program = { 0 };
	g_autoptr(GByteArray) patch = make_patch(d, &program);
	GByteArray *record = g_byte_array_new();
	uint8_t head[16] = "\0\0\0\0PA30"; /* CRC-32, magic, time */

	if (d->pa31)
		put_metadata(&b, d, &program);
	else
		put_fields(&b, d, &program);
	if (program.preprocess)
		lab_bits_buffer(&b, program.preprocess->data, program.preprocess->len);
	else
		lab_bits_buffer(&b, NULL, 0); /* nothing is done to the source before */
	lab_bits_buffer(&b, patch->data, patch->len);
	g_autoptr(GByteArray) stream = lab_bits_end(&b);
	head[7] = d->pa31 ? '1' : '0';
	g_byte_array_append(record, head + (d->crc ? 0 : 4), d->crc ? 16 : 12);
	g_byte_array_append(record, stream->data, stream->len);
	if (d->crc)
		ib_put_le32(record->data, ib_crc32(0, record->data + 4, record->len - 4));
	g_free(program.source);
	if (program.preprocess)
		g_byte_array_unref(program.preprocess);
	return g_byte_array_free_to_bytes(record);
}

GBytes *lab_dcm_make(GBytes *dictionary, GBytes *xml)
{
	struct lab_delta d = { .source = dictionary, .target = xml, .no_hash = true, .flags = DCM_FLAGS };
	g_autoptr(GBytes) record = lab_delta_make(&d);
	GByteArray *out = g_byte_array_append(g_byte_array_new(), (const uint8_t *)"DCM\1", 4);
	size_t size;
	const uint8_t *data = bytes_of(record, &size);

	g_byte_array_append(out, data, (guint)size);
	return g_byte_array_free_to_bytes(out);
}
