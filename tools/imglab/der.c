#include "der.h"

#include <stdlib.h>
#include <string.h>

static void put_header(GByteArray *out, unsigned tag, size_t len)
{
	uint8_t head[10] = { (uint8_t)tag };
	guint n = 1;

	if (len < 0x80) {
		head[n++] = (uint8_t)len;
	} else {
		unsigned octets = 1;

		while (len >> (8 * octets))
			octets++;
		head[n++] = (uint8_t)(0x80 | octets);
		for (unsigned i = octets; i-- > 0;)
			head[n++] = (uint8_t)(len >> (8 * i));
	}
	g_byte_array_append(out, head, n);
}

GByteArray *lab_der_bytes(unsigned tag, const void *data, size_t len)
{
	GByteArray *out = g_byte_array_new();

	put_header(out, tag, len);
	g_byte_array_append(out, data, (guint)len);
	return out;
}

GByteArray *lab_der_raw(GBytes *der)
{
	gsize len;
	const uint8_t *data = g_bytes_get_data(der, &len);
	GByteArray *out = g_byte_array_new();

	return g_byte_array_append(out, data, (guint)len);
}

GByteArray *lab_der_list(unsigned tag, GPtrArray *parts)
{
	g_autoptr(GByteArray) body = g_byte_array_new();

	for (guint i = 0; i < parts->len; i++) {
		const GByteArray *part = g_ptr_array_index(parts, i);

		g_byte_array_append(body, part->data, part->len);
	}
	return lab_der_bytes(tag, body->data, body->len);
}

GByteArray *lab_der(unsigned tag, ...)
{
	g_autoptr(GPtrArray) parts = g_ptr_array_new_with_free_func((GDestroyNotify)g_byte_array_unref);
	va_list ap;

	va_start(ap, tag);
	for (GByteArray *part; (part = va_arg(ap, GByteArray *));)
		g_ptr_array_add(parts, part);
	va_end(ap);
	return lab_der_list(tag, parts);
}

static int compare_parts(const void *a, const void *b)
{
	const GByteArray *x = *(GByteArray *const *)a, *y = *(GByteArray *const *)b;
	int order = memcmp(x->data, y->data, MIN(x->len, y->len));

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

void lab_der_sort(GPtrArray *parts)
{
	g_ptr_array_sort(parts, compare_parts);
}

static void put_arc(GByteArray *out, uint64_t arc)
{
	unsigned shift = 63;

	while (shift && !(arc >> shift))
		shift -= 7;
	for (;; shift -= 7) {
		uint8_t b = (uint8_t)((arc >> shift & 0x7f) | (shift ? 0x80 : 0));

		g_byte_array_append(out, &b, 1);
		if (!shift)
			return;
	}
}

GByteArray *lab_der_oid(const char *dotted)
{
	g_autoptr(GByteArray) body = g_byte_array_new();
	g_auto(GStrv) arcs = g_strsplit(dotted, ".", -1);

	put_arc(body, g_ascii_strtoull(arcs[0], NULL, 10) * 40 + g_ascii_strtoull(arcs[1], NULL, 10));
	for (char **arc = arcs + 2; *arc; arc++)
		put_arc(body, g_ascii_strtoull(*arc, NULL, 10));
	return lab_der_bytes(LAB_DER_OID, body->data, body->len);
}

GByteArray *lab_der_null(void)
{
	return lab_der_bytes(0x05, "", 0);
}

GByteArray *lab_der_uint(uint64_t value)
{
	uint8_t be[9] = { 0 };
	unsigned first = 0;

	ib_put_be32(be + 1, (uint32_t)(value >> 32));
	ib_put_be32(be + 5, (uint32_t)value);
	while (first < 8 && be[first] == 0 && !(be[first + 1] & 0x80))
		first++;
	return lab_der_bytes(LAB_DER_INTEGER, be + first, 9 - first);
}

GByteArray *lab_der_algorithm(const char *dotted)
{
	return lab_der(LAB_DER_SEQUENCE, lab_der_oid(dotted), lab_der_null(), NULL);
}

GByteArray *lab_der_bmp(unsigned tag, const char *ascii)
{
	size_t len = strlen(ascii);
	g_autofree uint8_t *wide = g_malloc0(2 * len + 1);

	for (size_t i = 0; i < len; i++)
		wide[2 * i + 1] = (uint8_t)ascii[i];
	return lab_der_bytes(tag, wide, 2 * len);
}

GByteArray *lab_der_time(unsigned tag, int64_t when)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(when);
	g_autofree char *text = g_date_time_format(utc, tag == LAB_DER_UTCTIME ? "%y%m%d%H%M%SZ"
									       : "%Y%m%d%H%M%SZ");

	return lab_der_bytes(tag, text, strlen(text));
}

GByteArray *lab_der_attribute(const char *dotted, GByteArray *value)
{
	return lab_der(LAB_DER_SEQUENCE, lab_der_oid(dotted), lab_der(LAB_DER_SET, value, NULL), NULL);
}
