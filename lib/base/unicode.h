/**
 * base/unicode: Windows text.
 *
 * Windows stores names as UTF-16 units, unpaired surrogates included. We keep
 * them as UTF-8 in which an unpaired surrogate is its own three bytes (WTF-8),
 * so that every legal NTFS name survives a round trip.
 *
 * Upper-casing follows Windows' own one-unit table, not the locale: Unicode's
 * simple upper-case mapping inside the BMP, except that no non-ASCII unit maps
 * to ASCII (U+0131 and U+017F stay) and U+00B5 stays. Known difference: the
 * table is GLib's Unicode version, Windows' is older; units assigned since then
 * may compare differently.
 */
#ifndef IB_BASE_UNICODE_H
#define IB_BASE_UNICODE_H

#include "base/base.h"

/** Upper case of one UTF-16 unit, as Windows compares names. */
uint16_t ib_upcase16(uint16_t unit);

/**
 * UTF-16LE bytes to text.
 * @param bytes  length in bytes; must be even
 * @return owned by the caller (g_free); NULL when the length is odd or a NUL unit occurs
 */
char *ib_utf16_to_utf8(const void *utf16le, size_t bytes);

/**
 * Text to UTF-16LE bytes, without a terminator.
 * @param ret_bytes  length in bytes; may be NULL
 * @return owned by the caller (g_free); NULL when the text is not (W)UTF-8
 */
uint8_t *ib_utf8_to_utf16(const char *text, size_t *ret_bytes);

/** Compare two texts as Windows compares names: by upper-cased UTF-16 units. <0, 0, >0 */
int ib_name_compare(const char *a, const char *b);

/** Whether two names are the same to Windows. */
bool ib_name_equal(const char *a, const char *b);

/**
 * Why Windows cannot hold a file of this name, or NULL: a separator, a control or reserved character, a dot or blank at
 * its end, more than 255 units, or the name of a device (CON, NUL, COM1 …), with whatever extension. Borrowed, static.
 */
const char *ib_name_fault(const char *name);

/** The upper-cased text, usable as a key in a GHashTable; owned by the caller (g_free). */
char *ib_name_fold(const char *name);

#endif
