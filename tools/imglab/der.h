/**
 * imglab/der: DER, built from the inside out.
 *
 * Every function returns a byte array owned by the caller (g_byte_array_unref);
 * lab_der and lab_der_set take their parts, so that an expression builds a tree:
 *
 *     lab_der(LAB_DER_SEQUENCE, lab_der_oid("2.16.840.1.101.3.4.2.1"), lab_der_null(), NULL)
 *
 * Source: ITU-T X.690.
 */
#ifndef IMGLAB_DER_H
#define IMGLAB_DER_H

#include "base/base.h"

/** Tags; context tags are LAB_DER_CONTEXT + n (primitive) or LAB_DER_EXPLICIT + n (constructed). */
enum lab_der_tag {
	LAB_DER_INTEGER = 0x02,
	LAB_DER_BITS = 0x03,
	LAB_DER_OCTETS = 0x04,
	LAB_DER_OID = 0x06,
	LAB_DER_UTCTIME = 0x17,
	LAB_DER_GENTIME = 0x18,
	LAB_DER_BMPSTRING = 0x1e,
	LAB_DER_SEQUENCE = 0x30,
	LAB_DER_SET = 0x31,
	LAB_DER_CONTEXT = 0x80,
	LAB_DER_EXPLICIT = 0xa0,
};

/** A primitive value. @param data  borrowed */
GByteArray *lab_der_bytes(unsigned tag, const void *data, size_t len);
/** A GBytes as it stands (already DER). @param der  borrowed */
GByteArray *lab_der_raw(GBytes *der);
/** A constructed value of the parts that follow, ended by NULL; parts are taken. */
GByteArray *lab_der(unsigned tag, ...) G_GNUC_NULL_TERMINATED;
/** A constructed value of an array of GByteArray; the array stays the caller's, the parts are borrowed. */
GByteArray *lab_der_list(unsigned tag, GPtrArray *parts);
/** Sort parts as DER wants a SET OF sorted. @param parts  GByteArray each; borrowed, reordered */
void lab_der_sort(GPtrArray *parts);
/** An OBJECT IDENTIFIER from dotted text. */
GByteArray *lab_der_oid(const char *dotted);
/** NULL. */
GByteArray *lab_der_null(void);
/** A non-negative INTEGER. */
GByteArray *lab_der_uint(uint64_t value);
/** AlgorithmIdentifier with NULL parameters. */
GByteArray *lab_der_algorithm(const char *dotted);
/** ASCII text as UTF-16BE, as BMPString or under another tag. */
GByteArray *lab_der_bmp(unsigned tag, const char *ascii);
/** UTCTime or GeneralizedTime (by tag) of seconds since 1970. */
GByteArray *lab_der_time(unsigned tag, int64_t when);
/** Attribute: SEQUENCE { OID, SET { value } }; value is taken. */
GByteArray *lab_der_attribute(const char *dotted, GByteArray *value);

#endif
