#include "base/base.h"

const uint8_t *ib_reader_take(struct ib_reader *r, size_t n)
{
	if (r->bad || n > r->size - r->at) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *p = r->data + r->at;
	r->at += n;
	return p;
}

uint8_t ib_reader_u8(struct ib_reader *r)
{
	const uint8_t *p = ib_reader_take(r, 1);

	return p ? *p : 0;
}

uint16_t ib_reader_le16(struct ib_reader *r)
{
	const uint8_t *p = ib_reader_take(r, 2);

	return p ? ib_le16(p) : 0;
}

uint32_t ib_reader_le32(struct ib_reader *r)
{
	const uint8_t *p = ib_reader_take(r, 4);

	return p ? ib_le32(p) : 0;
}

uint64_t ib_reader_le64(struct ib_reader *r)
{
	const uint8_t *p = ib_reader_take(r, 8);

	return p ? ib_le64(p) : 0;
}

void ib_reader_seek(struct ib_reader *r, uint64_t at)
{
	if (at > r->size)
		r->bad = true;
	else
		r->at = (size_t)at;
}

char *ib_hex(const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = data;
	char *text = g_malloc(len * 2 + 1);

	for (size_t i = 0; i < len; i++) {
		text[2 * i] = digits[b[i] >> 4];
		text[2 * i + 1] = digits[b[i] & 15];
	}
	text[len * 2] = 0;
	return text;
}

GBytes *ib_unhex(const char *text, size_t len)
{
	if (len % 2)
		return NULL;
	uint8_t *out = g_malloc(len / 2 + 1);
	for (size_t i = 0; i < len / 2; i++) {
		int hi = g_ascii_xdigit_value(text[2 * i]);
		int lo = g_ascii_xdigit_value(text[2 * i + 1]);
		if (hi < 0 || lo < 0) {
			g_free(out);
			return NULL;
		}
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return g_bytes_new_take(out, len / 2);
}
