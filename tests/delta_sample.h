/*
 * An encoder of deltas for tests, by the format's description and on its own: it shares no code with lib/delta.
 * Greedy matches against the source and what is already written; flat codes, or two blocks of explicit ones.
 */
#ifndef IB_TESTS_DELTA_SAMPLE_H
#define IB_TESTS_DELTA_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

/* ---- bits, lowest first; three bits at the start count the padding at the end ---- */

struct sample_bits {
	GByteArray *bytes;
	uint64_t n; /* bits so far */
};

static inline void sample_put(struct sample_bits *b, uint64_t v, unsigned n)
{
	static const uint8_t zero;

	for (unsigned i = 0; i < n; i++, b->n++) {
		if (b->n % 8 == 0)
			g_byte_array_append(b->bytes, &zero, 1);
		b->bytes->data[b->n / 8] |= (uint8_t)((v >> i & 1) << (b->n % 8));
	}
}

static inline struct sample_bits sample_begin(void)
{
	struct sample_bits b = { .bytes = g_byte_array_new() };

	sample_put(&b, 0, 3);
	return b;
}

/* The finished stream; owned by the caller (g_byte_array_unref). */
static inline GByteArray *sample_end(struct sample_bits *b)
{
	b->bytes->data[0] |= (uint8_t)((8 - b->n % 8) % 8);
	return b->bytes;
}

static inline void sample_int(struct sample_bits *b, int64_t v)
{
	unsigned k = 0;

	while (k < 15 && (uint64_t)v >> (4 * (k + 1)) != 0)
		k++;
	sample_put(b, 0, k);
	sample_put(b, 1, 1);
	sample_put(b, (uint64_t)v, 4 * (k + 1));
}

static inline void sample_buffer(struct sample_bits *b, const void *data, size_t n)
{
	sample_int(b, (int64_t)n);
	while (b->n % 8 != 0)
		sample_put(b, 0, 1);
	if (n == 0)
		return;
	g_byte_array_append(b->bytes, data, (guint)n);
	b->n += 8 * (uint64_t)n;
}

/* ---- prefix codes ---- */

struct sample_code {
	uint8_t length[600];
	uint16_t code[600];
};

static inline void sample_code_make(struct sample_code *c, const uint8_t *lengths, size_t n)
{
	unsigned next = 0;

	for (unsigned len = 16; len > 0; len--) {
		for (size_t i = 0; i < n; i++)
			if (lengths[i] == len)
				c->code[i] = (uint16_t)next++;
		next >>= 1;
	}
	memcpy(c->length, lengths, n);
}

/* Equal lengths but for one bit; long_first: the first symbols get the longer ones. */
static inline void sample_flat(uint8_t *lengths, size_t n, bool long_first)
{
	unsigned w = 0;

	while (((size_t)1 << w) < n)
		w++;
	size_t shorter = ((size_t)1 << w) - n;
	for (size_t i = 0; i < n; i++)
		lengths[i] = (uint8_t)((long_first ? i >= n - shorter : i < shorter) ? w - 1 : w);
}

static inline void sample_symbol(struct sample_bits *b, const struct sample_code *c, unsigned s)
{
	for (unsigned i = c->length[s]; i-- > 0;)
		sample_put(b, c->code[s] >> i & 1, 1);
}

/* ---- rifts: 252 codes of 8 bits each, which leaves 4 unused ---- */

static inline void sample_number(struct sample_bits *b, int64_t v)
{
	unsigned base = v < 0 ? 126 : 0, n = 0;
	uint64_t u = (uint64_t)(v < 0 ? ~v : v);
	unsigned s = (unsigned)u;

	if (u > 3) {
		while (u >> n > 3)
			n++;
		s = (n + 1) << 1 | (u >> n & 1);
	}
	for (unsigned i = 8; i-- > 0;)
		sample_put(b, (base + s) >> i & 1, 1);
	sample_put(b, u, s > 3 ? n : 0);
}

static inline void sample_format(struct sample_bits *b)
{
	sample_put(b, 0, 16);   /* no symbol has a length of its own */
	sample_put(b, 252, 8);  /* all have the usual one */
	sample_put(b, 8 - 1, 4);
}

static inline void sample_entries(struct sample_bits *b, const int64_t (*e)[2], size_t n)
{
	int64_t from = 0, shift = 0;

	sample_int(b, (int64_t)n);
	for (size_t i = 0; i < n; i++) {
		sample_number(b, e[i][0] - from);
		sample_number(b, e[i][1] - e[i][0] - shift);
		from = e[i][0];
		shift = e[i][1] - e[i][0];
	}
}

static inline void sample_rift(struct sample_bits *b, const int64_t (*e)[2], size_t n)
{
	sample_put(b, n > 0, 1);
	if (n == 0)
		return;
	sample_format(b);
	sample_format(b);
	sample_entries(b, e, n);
}

/* ---- patches ---- */

struct sample {
	const uint8_t *source; /* what the patch is made against: of a program the transformed one */
	size_t source_size;
	const uint8_t *target;
	size_t target_size;
	const uint8_t *named_source; /* PA31: whose hash to name; NULL: none */
	size_t named_size;
	const uint8_t *preprocess;
	size_t preprocess_size;
	const uint8_t *patch; /* ready made: no patch is encoded then */
	size_t patch_size;
	uint64_t type;  /* 0: RAW */
	uint64_t flags;
	bool reverse;
	bool pa31;
	bool crc;
	bool no_hash;
	bool composite;
};

struct sample_codes {
	struct sample_code main;
	struct sample_code length;
	struct sample_code aligned;
};

static inline void sample_codes_make(struct sample_codes *c, uint8_t *lengths, bool long_first)
{
	sample_flat(lengths, 600, long_first);
	sample_flat(lengths + 600, 256, long_first);
	sample_flat(lengths + 856, 16, long_first);
	sample_code_make(&c->main, lengths, 600);
	sample_code_make(&c->length, lengths + 600, 256);
	sample_code_make(&c->aligned, lengths + 856, 16);
}

static inline void sample_distance(struct sample_bits *b, const struct sample_codes *c, unsigned slot, uint64_t d)
{
	unsigned n = (slot - 9) >> 1;

	if (slot >= 55)
		sample_put(b, 3 | (uint64_t)(slot - 55) << 2, 6);
	else if (slot >= 47)
		sample_put(b, 1 | (uint64_t)(slot - 47) << 2, 5);
	else if (slot >= 43)
		sample_put(b, (uint64_t)(slot - 43) << 1, 3);
	if (n < 4) {
		sample_put(b, d, n);
		return;
	}
	sample_put(b, d >> 4, n - 4);
	sample_symbol(b, &c->aligned, d & 15);
}

/* d of 0: a copy from the same place of the source. */
static inline void sample_match(struct sample_bits *b, const struct sample_codes *c, uint64_t d, uint64_t length)
{
	unsigned n = 0, slot = d == 0 ? 3 : (unsigned)d + 7;
	unsigned lc = length <= 8 ? (unsigned)length - 1 : 0;

	if (d > 3) {
		while (d >> n > 3)
			n++;
		slot = 9 + 2 * n + (unsigned)(d >> n & 1);
	}
	sample_symbol(b, &c->main, 256 + (MIN(slot, 43) == 43 ? 7 : slot) * 8 + lc);
	if (d > 3)
		sample_distance(b, c, slot, d);
	if (lc)
		return;
	uint64_t rest = length - 8;
	sample_symbol(b, &c->length, rest < 256 ? (unsigned)rest : 0);
	if (rest < 256)
		return;
	unsigned z = 0;
	while (rest >> (z + 9))
		z++;
	sample_put(b, 0, z);
	sample_put(b, 1, 1);
	sample_put(b, rest, z + 8);
}

static inline uint8_t sample_at(const struct sample *s, size_t pos)
{
	return pos < s->source_size ? s->source[pos] : s->target[pos - s->source_size];
}

static inline size_t sample_common(const struct sample *s, size_t from, size_t pos)
{
	size_t n = 0, end = s->source_size + s->target_size;

	while (pos + n < end && sample_at(s, from + n) == sample_at(s, pos + n))
		n++;
	return n;
}

#define SAMPLE_HASH(s, p)                                                                                            \
	((sample_at(s, p) | sample_at(s, (p) + 1) << 8 | sample_at(s, (p) + 2) << 16 |                               \
	  (uint32_t)sample_at(s, (p) + 3) << 24) *                                                                   \
		 2654435761u >>                                                                                      \
	 16)

static inline void sample_symbols(struct sample_bits *b, const struct sample *s, const struct sample_codes *c,
				  size_t second)
{
	size_t end = s->source_size + s->target_size, pos = 0;
	g_autofree size_t *last = g_new0(size_t, 65536); /* place + 1 of the last four bytes with this hash */

	while (pos < end) {
		bool can = pos + 4 <= end;
		uint32_t h = can ? SAMPLE_HASH(s, pos) : 0;
		size_t from = can ? last[h] : 0, n = 0, step = 1;
		if (can)
			last[h] = pos + 1;
		if (pos >= s->source_size) {
			/* a match is not to cross into the second block, so that it may: nothing but its start
			 * matters */
			const struct sample_codes *now = &c[pos >= second];
			size_t out = pos - s->source_size, same = out < s->source_size ? sample_common(s, out, pos) : 0;
			n = from ? sample_common(s, from - 1, pos) : 0;
			if (same >= 2 && same >= n)
				sample_match(b, now, 0, step = same);
			else if (n >= 4)
				sample_match(b, now, pos - (from - 1), step = n);
			else
				sample_symbol(b, &now->main, sample_at(s, pos));
		}
		pos += step;
	}
}

static inline GByteArray *sample_patch(const struct sample *s)
{
	struct sample_bits b = sample_begin();
	struct sample_codes c[2];
	struct sample_code pre = { 0 };
	uint8_t lengths[2][872], pre_lengths[39];
	size_t second = SIZE_MAX;

	sample_put(&b, 0, 1); /* no rift */
	sample_put(&b, !s->composite, 1);
	sample_codes_make(&c[0], lengths[0], false);
	sample_codes_make(&c[1], lengths[1], true);
	if (s->composite) {
		second = s->source_size + s->target_size / 2;
		sample_int(&b, 2);
		sample_int(&b, 0);
		sample_int(&b, (int64_t)second);
		sample_flat(pre_lengths, 39, false);
		for (unsigned i = 0; i < 39; i++)
			sample_put(&b, pre_lengths[i], 4);
		sample_code_make(&pre, pre_lengths, 39);
		for (unsigned i = 0; i < 2 * 872; i++)
			sample_symbol(&b, &pre, lengths[i / 872][i % 872]);
	}
	sample_symbols(&b, s, c, second);
	return sample_end(&b);
}

/* ---- records ---- */

static inline void sample_hash(struct sample_bits *b, const uint8_t *data, size_t n)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	uint8_t hash[32];
	gsize size = sizeof(hash);

	g_checksum_update(sum, data, (gssize)n);
	g_checksum_get_digest(sum, hash, &size);
	sample_buffer(b, hash, size);
}

static inline void sample_fields(struct sample_bits *b, const struct sample *s)
{
	sample_int(b, s->reverse ? 0x101 : 0x0F);
	sample_int(b, s->type ? (int64_t)s->type : 1);
	sample_int(b, (int64_t)s->flags);
	sample_int(b, (int64_t)s->target_size);
	sample_int(b, s->no_hash ? 0 : 0x800C);
	if (s->no_hash)
		sample_buffer(b, NULL, 0);
	else
		sample_hash(b, s->target, s->target_size);
}

static inline void sample_metadata(struct sample_bits *outer, const struct sample *s)
{
	struct sample_bits b = sample_begin();

	sample_fields(&b, s);
	sample_int(&b, 0x88);
	sample_int(&b, 1);
	sample_int(&b, 10);
	if (s->named_source)
		sample_hash(&b, s->named_source, s->named_size);
	else
		sample_buffer(&b, NULL, 0);
	g_autoptr(GByteArray) metadata = sample_end(&b);
	sample_buffer(outer, metadata->data, metadata->len);
}

static inline uint32_t sample_crc32(const uint8_t *p, size_t n)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
	}
	return ~crc;
}

/* A whole record; owned by the caller (g_bytes_unref). */
static inline GBytes *sample_make(const struct sample *s)
{
	struct sample_bits b = sample_begin();
	g_autoptr(GByteArray) encoded = s->patch ? NULL : sample_patch(s);
	GByteArray *record = g_byte_array_new();

	if (s->pa31)
		sample_metadata(&b, s);
	else
		sample_fields(&b, s);
	if (!s->reverse)
		sample_buffer(&b, s->preprocess, s->preprocess_size);
	sample_buffer(&b, s->patch ? s->patch : encoded->data, s->patch ? s->patch_size : encoded->len);
	g_autoptr(GByteArray) stream = sample_end(&b);
	static const uint8_t head[12] = "PA30";
	g_byte_array_append(record, head, sizeof(head));
	record->data[3] = s->pa31 ? '1' : '0';
	g_byte_array_append(record, stream->data, stream->len);
	if (s->crc) {
		uint32_t crc = GUINT32_TO_LE(sample_crc32(record->data, record->len));
		g_byte_array_prepend(record, (const uint8_t *)&crc, 4);
	}
	return g_byte_array_free_to_bytes(record);
}

#endif
