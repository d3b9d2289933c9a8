/**
 * build/hives: one hive where it lies, for people: a hive file with its logs beside
 * it, or a hive inside an image of a WIM or an installation disc.
 *
 * A place is written `FILE`, or `IMAGE:INDEX:HIVE` with SOFTWARE, SYSTEM, COMPONENTS,
 * DRIVERS, DEFAULT, NTUSER (the default profile's) or a path in the image for HIVE.
 *
 * Keys are written below the hive's root ("Microsoft\Windows") or in full
 * ("HKLM\SOFTWARE\Microsoft\Windows"); CurrentControlSet is the set that Select names.
 *
 * Threads: a place belongs to one thread at a time.
 */
#ifndef IB_BUILD_HIVES_H
#define IB_BUILD_HIVES_H

#include "base/base.h"

struct ib_hive_place; /**< an open hive and where it came from */

/** How to open. A zeroed struct is the default. */
struct ib_hive_place_options {
	const char *root;  /**< what the hive's root is called in texts; NULL: told by its name; borrowed for the call */
	bool accept_dirty; /**< take a dirty hive as it is when no log completes it */
	unsigned threads;  /**< for writing a WIM; 0: number of processors */
};

/**
 * Open a hive.
 * @param where    a place, see above; copied
 * @param options  borrowed; NULL is the default
 * @param ret      owned by the caller (ib_hive_place_free)
 * Throws IB_ERR_INPUT: no such file, image or hive; malformed; dirty without a log. IB_ERR_SYSTEM.
 */
bool ib_hive_place_open(const char *where, const struct ib_hive_place_options *options, struct ib_hive_place **ret,
			struct ib_error **err) IB_MUST_CHECK;

/** Free; NULL is fine. */
void ib_hive_place_free(struct ib_hive_place *p);
/** Cleanup form. */
void ib_hive_place_clear(struct ib_hive_place **p);
#define ib_auto_hive_place IB_CLEANUP(ib_hive_place_clear) struct ib_hive_place *

/** The key (NULL: all) and what is below it as .reg text (UTF-8); owned by the caller (g_free). Throws IB_ERR_INPUT:
 *  no such key. */
bool ib_hive_place_export(struct ib_hive_place *p, const char *key, char **ret, struct ib_error **err) IB_MUST_CHECK;

/**
 * One key or value.
 * @param value     "" is the default value; NULL: the whole key, with its values and the names of its subkeys
 * @param ret_json  a document, docs/json.md; owned by the caller (g_free)
 * @param ret_text  the value's data in words, a line each; NULL for a key; owned by the caller (g_free)
 * Throws IB_ERR_INPUT: no such key or value, with the nearest name.
 */
bool ib_hive_place_get(struct ib_hive_place *p, const char *key, const char *value, char **ret_json, char **ret_text,
		       struct ib_error **err) IB_MUST_CHECK;

/** A value to set. All borrowed. */
struct ib_hive_setting {
	const char *key;
	const char *value; /**< "" is the default value */
	const char *type;  /**< sz, expand, multi, dword, dword-be, qword, binary, link, none, or a number with hex data */
	char *const *data; /**< NULL-ended: one text, number (decimal or 0x) or list of hex bytes; several for multi */
};

/** Set a value; missing keys are made. Throws IB_ERR_USAGE: data that is none of its type; IB_ERR_INPUT: limits. */
bool ib_hive_place_set(struct ib_hive_place *p, const struct ib_hive_setting *s, struct ib_error **err) IB_MUST_CHECK;

/**
 * Apply a .reg file.
 * @param ret_other  number of its keys that belong to other hives; may be NULL
 * Throws IB_ERR_INPUT with file and line, and when it holds nothing for this hive.
 */
bool ib_hive_place_import(struct ib_hive_place *p, const char *reg_file, unsigned *ret_other, struct ib_error **err)
	IB_MUST_CHECK;

/**
 * Write the changed hive, whole or not at all: a hive file; or, for a hive in an image, a WIM in which all other
 * content is copied as it is stored (a solid one is recompressed as LZX). Logs beside a hive in an image are emptied;
 * those beside a hive file stay: a clean hive is read without them.
 * @param time      FILETIME of what changed; 0: the latest time that the hive holds
 * @param progress  or NULL
 */
bool ib_hive_place_save(struct ib_hive_place *p, const char *out, uint64_t time, struct ib_progress *progress,
			struct ib_error **err) IB_MUST_CHECK;

/**
 * What the hive is, as one JSON document; owned by the caller (g_free). Opening checked its structure and replayed
 * its logs; here it is also written, read again and compared.
 * Throws IB_ERR_VERIFY when that makes a difference.
 */
bool ib_hive_place_verify(struct ib_hive_place *p, char **ret_json, struct ib_error **err) IB_MUST_CHECK;

/** What differs from a to b, as one JSON document; owned by the caller (g_free). Times do not count. */
char *ib_hive_place_diff(struct ib_hive_place *a, struct ib_hive_place *b);

#endif
